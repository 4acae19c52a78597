"""A data set as a model will see it: kind, counts, lengths, what stays unscored and why. No weights are needed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...models.checkpoint import read_tokenizer, require_causal
from ...models.errors import UnreadableError, shown
from ...models.formats.source import find_source
from ...models.inputs import context_of
from ...models.items import Item, Rating, Trace
from ...models.markers import THINK
from ...models.positions import Alike, Encoding, encode_prompt, encode_trace, unreadable
from ...models.template import check_tokenizer
from ...models.tokens import FastTokenizer
from ..data.labels import label_of, scale_of
from ..data.splits import rows_by_group
from ..reading.passes import Passes

#: Items whose lengths are measured, evenly spread over the data.
MEASURED = 2000
#: Characters of a text that are shown at its beginning, and as many at its end.
_SHOWN = 600


@dataclass(frozen=True, slots=True)
class Look:
    """What was understood of data: facts; why positions are missing, in how many measured items; items as read."""

    facts: dict[str, str]
    unscored: dict[str, int]
    items: list[str]


def look_at(
    items: Sequence[Item], model: str = "reference", *, scale: tuple[int, int] | None = None, n: int = 3,
    markers: tuple[str, str] = THINK
) -> Look:  # fmt: skip
    """Look at items of one kind through the tokenizer and the chat template of a model; its weights are not read.

    Ratings are asked for on ``scale``; without it, on the items' own if its labels have one digit, or 1 to 5.
    """
    source = find_source(model)
    tokenizer = read_tokenizer(source.tokenizer, model, source.revision)
    context = context_of(require_causal(source.weights, model, source.revision))
    check_tokenizer(tokenizer, context)
    own = scale_of(items) if isinstance(items[0], Rating) else None
    askable = own if own is not None and own[0] >= 0 and own[1] <= 9 else (1, 5)  # labels of one token
    alike, passes = Alike(tokenizer), Passes(scale=scale or askable, markers=markers)
    step = -(-len(items) // MEASURED)
    measured = [_encoded(tokenizer, item, passes, alike) for item in items[::step][:MEASURED]]
    lengths = [len(one.ids) for one in measured if one.ids] or [0]
    facts = _facts(items)
    middle, long = np.percentile(lengths, [50, 95])
    if own is not None:
        asked = "{}-{}".format(*passes.scale)
        facts["scores"] += f"; their scale is {own[0]} to {own[1]}; they are asked for as with --scale {asked}"
    sample = f" (measured on {len(measured):,})" if len(measured) < len(items) else ""
    facts["tokens per item"] = f"{middle:,.0f} in the middle, {long:,.0f} at 95 %, {max(lengths):,} at most{sample}"
    counted = f" (of the {len(measured):,} measured)" if sample else ""
    reasons = Counter(_lacking(*lack) for one in measured for lack in one.missing.items())
    if context is not None and (over := sum(length > context for length in lengths)):
        reasons[f"longer than the {context:,} tokens that the model reads"] = over
    texts = [_marked(tokenizer, _encoded(tokenizer, item, passes, alike)) for item in items[:n]]
    return Look(facts, {f"{reason}{counted}": count for reason, count in reasons.most_common()}, texts)


def _facts(items: Sequence[Item]) -> dict[str, str]:
    kind = type(items[0]).__name__.lower()
    groups = rows_by_group([item.group for item in items])
    facts = {"kind": f"{len(items):,} {kind}{'s' if len(items) > 1 else ''}", "questions": f"{len(groups):,}"}
    labels = [label_of(item) for item in items]
    known = [label for label in labels if label is not None]
    if isinstance(items[0], Rating):
        facts["scores"] = f"{min(known):g} to {max(known):g}, mean {np.mean(known):.2f}" if known else "none"
    else:
        named = sorted(Counter(map(_named, known)).items())
        facts["labels"] = ", ".join(f"{count:,} {name}" for name, count in named) or "none"
    facts["without a label"] = f"{len(labels) - len(known):,}"
    if isinstance(items[0], Trace):
        both = sum({True, False} <= {labels[k] for k in rows} for rows in groups)
        facts["questions with right and wrong answers"] = f"{both:,}"
    facts["other fields"] = ", ".join(sorted({name for item in items[:100] for name in item.extra})) or "none"
    return facts


def _named(label: object) -> str:
    if isinstance(label, bool):
        return "right" if label else "wrong"
    return f"option {label + 1}" if isinstance(label, int) else str(label)


def _encoded(tokenizer: FastTokenizer, item: Item, passes: Passes, alike: Alike) -> Encoding:
    try:
        if isinstance(item, Trace):
            return encode_trace(tokenizer, item, markers=passes.markers, alike=alike)
        return encode_prompt(tokenizer, item.id, item.group, passes.ask(item), alike=alike)
    except UnreadableError as error:
        return unreadable(item.id, item.group, str(error))


def _marked(tokenizer: FastTokenizer, found: Encoding) -> str:
    """The text of an item as it is read, each position named behind its token; the middle of a long one is left out."""
    roles: dict[int, list[str]] = {}
    for role, places in found.positions.items():
        for place in places:
            roles.setdefault(place, []).append(role)
    text, start = f"{shown(found.id)}, {len(found.ids)} tokens\n", 0
    for place in sorted({*roles, len(found.ids) - 1}):
        part = str(tokenizer.decode(list(found.ids[start : place + 1])))
        cut = f"{part[:_SHOWN]} [... {len(part)} characters ...] {part[-_SHOWN:]}"
        text += (part if len(part) < 2 * _SHOWN else cut) + "".join(f"[{role}]" for role in roles.get(place, ()))
        start = place + 1
    return text + "".join(f"\n({_lacking(*one)})" for one in found.missing.items())


def _lacking(role: str, reason: str) -> str:
    return reason if role == "*" else f"no {role.replace('_', ' ')}: {reason}"
