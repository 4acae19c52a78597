"""The reported items for a reader to look through: their texts, what every judge says, and what surprised the model.

The surprise of a token is minus its log-probability, in nats.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from string import ascii_uppercase
from typing import Any

import numpy as np
from scipy.stats import rankdata

from ....extraction.readouts import TokenStats
from ....models.conversation import plain_text
from ....models.items import Choice, Item, Rating, Trace
from ....models.positions import Alike, encode_trace
from ....models.tokens import decoded, replayed_spans
from ...data.verdict_files import item_columns
from ...data.verdict_table import Label, Row
from ...drawing.style import number
from ...reading.passes import prepared
from ...reading.verdict_pass import extracted
from ..items import DataItems
from ..lens import Lens

#: Items that a report shows, characters of each text, and labels to choose from.
MOST, LONG, FILTERS = 100, 4_000, 12
#: Items of a data set whose responses are read: those on which the judges are farthest apart.
READ = 12
_NO_LABEL = "no label"
_STATS, _STEP = TokenStats("response", "log_probability"), "response/step"


@dataclass(frozen=True, slots=True)
class ShownItem:
    """An item: ``label`` and ``said`` (judge, family, verdict) in words, ``texts`` by name, cut where they are long.

    ``group`` is the label that items are filtered by: that of a mean grade is the whole grade next to it.

    ``apart`` is how far the judges are from the one that they are compared with, 0 to 1: the mean difference of the
    shares of items that they put below this one, or for choices and pairs the share that says something else.

    ``heat`` has responses by name as their steps of (piece of text, surprise in nats), where these were read.

    ``steps`` are a judge, and of each step of a trace its text, the probability that the judge gives to its being right
    (``None`` for no score) and whether it is right, where that is known.
    """

    name: str
    label: str
    group: str
    texts: tuple[tuple[str, str], ...]
    said: tuple[tuple[str, str, str], ...]
    apart: float | None
    heat: Mapping[str, Sequence[Sequence[tuple[str, float | None]]]] = field(default_factory=dict)
    steps: tuple[str, Sequence[tuple[str, float | None, bool | None]]] | None = None


def shown_items(items: Sequence[Item], lens: Lens) -> tuple[ShownItem, ...]:
    """The reported items on which judges are farthest from the one that they are compared with, farthest first."""
    held = {(lens.data, item.group, str(item_columns(item)["candidate"])): item for item in items}
    apart, columns = _apart(lens), {judge: lens.table.column(judge) for judge in lens.asked}
    made = []
    for k in sorted(range(len(apart)), key=lambda k: -(-1.0 if (v := apart[k]) is None else v))[:MOST]:
        item, truth = held[lens.table.items[k]], lens.truths[k]
        said = [(j, lens.families[j], _verdict(row, item)) for j, c in columns.items() if (row := c[k]) is not None]
        label = _NO_LABEL if truth is None else _words(truth, item)
        group = f"{truth:.0f}" if isinstance(truth, float) else label
        scored = [(j, s) for j, c in columns.items() if (row := c[k]) is not None and (s := row.step_scores)]
        steps = _steps(item, *min(scored, key=lambda one: lens.families[one[0]] == "baseline")) if scored else None
        made.append(ShownItem(item.id, label, group, _texts(item), tuple(said), apart[k], steps=steps))
    return tuple(made)


def _steps(item: Item, judge: str, scores: Sequence[float | None]) -> Any:
    """What a judge says of each step that an item brings along; ``None`` where it has scored others."""
    texts = item.step_texts if isinstance(item, Trace) else ()
    known = (item.step_labels if isinstance(item, Trace) else None) or [None] * len(texts)
    return (judge, list(zip(map(_cut, texts), scores, known, strict=True))) if len(texts) == len(scores) else None


def labels_of(shown: Sequence[ShownItem]) -> list[str]:
    """The labels that items can be filtered by; none where there is one only, or too many."""
    found = sorted({one.group for one in shown}, key=lambda label: (len(label), label))  # 2 before 10
    return found if 1 < len(found) <= FILTERS else []


def _apart(lens: Lens) -> list[float | None]:
    other = lens.settings.against
    judges = [j for j in lens.judges if j != other and lens.families[j] != "baseline"]
    if lens.kind in ("choice", "pair"):
        places: dict[str, Sequence[Any]] = {j: lens.table.labels(j) for j in (other, *judges)}
        gaps = [[float(a != b) for j in judges if (a := places[j][k]) is not None] if b is not None else []
                for k, b in enumerate(places[other])]  # fmt: skip
    else:
        scores = {j: np.array(lens.table.scores(j), dtype=np.float64) for j in (other, *judges)}
        places = {j: rankdata(one, nan_policy="omit") / max(1, np.isfinite(one).sum()) for j, one in scores.items()}
        gaps = [[d for j in judges if np.isfinite(d := abs(places[j][k] - b))] for k, b in enumerate(places[other])]
    return [sum(one) / len(one) if one else None for one in gaps]


def _verdict(row: Row, item: Item) -> str:
    if row.unscored:
        return f"unscored: {row.unscored}"
    score = "" if row.score is None else number(row.score)
    label = "" if row.label is None or (isinstance(item, Rating) and score) else _words(row.label, item)
    return ", ".join(filter(None, (label, score)))


def _words(label: Label, item: Item) -> str:
    if isinstance(label, bool):
        return "right" if label else "wrong"
    if isinstance(item, Choice) and isinstance(label, int):
        return ascii_uppercase[label] if label < len(ascii_uppercase) else str(label)
    return f"{label:.3g}" if isinstance(label, int | float) else str(label)


def _texts(item: Item) -> tuple[tuple[str, str], ...]:
    names = ("prompt", "question", "response", "response_a", "response_b", "criterion", "reference")
    found = {name.replace("_", " "): getattr(item, name, None) for name in names}
    if isinstance(item, Choice):
        found["options"] = "\n".join(f"{a}. {text}" for a, text in zip(ascii_uppercase, item.options, strict=False))
    return tuple((name, _cut(plain_text(text))) for name, text in found.items() if text is not None)


def _cut(text: str) -> str:
    return text if len(text) <= LONG else f"{text[:LONG]} … ({len(text) - LONG:,} more characters)"


def with_surprise(one: DataItems, shown: Sequence[ShownItem]) -> tuple[ShownItem, ...]:
    """The shown items, the first :data:`READ` with the surprise of their responses, which is read once and kept."""
    held: dict[str, Any] = {item.id: item for item in one.items}
    named = [(held[s.name], told) for s in shown[:READ] for told in ("response", "response a", "response b")]
    texts = [(item, told, getattr(item, told.replace(" ", "_"), None)) for item, told in named]
    traces = [
        Trace(question_id=item.id, candidate_id=told, prompt=item.prompt, response=text, extra=item.extra, steps=steps)
        for item, told, text in texts
        if text is not None
        for steps in [item.steps if isinstance(item, Trace) else None]
    ]
    found: dict[str, dict[str, Any]] = {}
    depends = [*one.depends, [trace.id for trace in traces]]
    for read in one.store.records(f"surprise-{one.name}", depends, lambda: _read(one, traces)) if traces else []:
        found.setdefault(read["item"], {})[read["text"]] = read["steps"]
    return tuple(replace(s, heat=found.get(s.name, {})) for s in shown)


def _read(one: DataItems, traces: Sequence[Trace]) -> list[dict[str, Any]]:
    tokenizer, alike = one.lm.tokenizer, Alike(one.lm.tokenizer)
    as_asked: Sequence[Any] = prepared(tokenizer, traces, one.passes)
    own, roles = one.lm.fingerprint, ("response", _STEP)
    encoded = [encode_trace(tokenizer, trace, sampled_by=own, alike=alike, roles=roles) for trace in as_asked]
    values = extracted(one.lm, encoded, [_STATS], one.passes, "reading responses to show").ragged[_STATS.name]
    found = []
    for trace, item, nats in zip(traces, encoded, values, strict=True):
        if not len(nats) or not np.isfinite(nats).all():  # empty, or not readable: its text is shown as it is
            continue
        start, end = item.ranges["response"][0]
        begins, ids = [a for a, _ in item.ranges[_STEP]], list(item.ids[start:end])
        text, held = decoded(tokenizer, ids), 0.0
        steps: list[list[Any]] = [[] for _ in (begins or [0])]
        for k, (a, b) in enumerate(replayed_spans(tokenizer, ids, 0)):
            held -= float(nats[k])
            if b > a and a < LONG:  # of a character of several tokens the last one stands for all
                steps[max(bisect_right(begins, start + k) - 1, 0)].append([text[a:b], round(held, 2)])
                held = 0.0
        steps = [one for one in steps if one] or [[]]
        if len(text) > LONG:
            steps[-1].append([f" … ({len(text) - LONG:,} more characters)", None])
        found.append({"item": trace.question_id, "text": trace.candidate_id, "steps": steps})
    return found
