"""The reported items for a reader to look through: their texts, and what every judge says of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Any

import numpy as np
from scipy.stats import rankdata

from ....models.conversation import plain_text
from ....models.items import Choice, Item, Rating, Trace
from ...data.verdict_files import item_columns
from ...data.verdict_table import Label, Row
from ...drawing.style import number
from ..lens import Lens

#: Items that a report shows, characters of each text, and labels to choose from.
MOST, LONG, FILTERS = 100, 4_000, 12
_NO_LABEL = "no label"


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
