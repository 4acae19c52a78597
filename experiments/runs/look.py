"""A data set as a model will see it: kind, counts, lengths, what stays unscored and why. No weights are needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...models.checkpoint import read_tokenizer, require_causal
from ...models.errors import UnreadableError
from ...models.formats.source import find_source
from ...models.items import Choice, Item, Rating, Trace
from ...models.mixing import context_of
from ...models.positions import Alike, Encoding, encode_prompt, encode_trace, unreadable
from ...models.prompts import choice_prompt, pair_prompt, rating_prompt
from ...models.tokenizer_check import check_tokenizer
from ..data.splits import rows_by_group

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

#: Items whose lengths are measured, evenly spread over the data.
MEASURED = 2000
#: Characters of a text that are shown at its beginning, and as many at its end.
_SHOWN = 600


@dataclass(frozen=True, slots=True)
class Look:
    """What was understood of a data set.

    Args:
        facts: Name -> value, in the order to be shown.
        unscored: Why positions are missing, and in how many of the measured items.
        items: Texts of the first items as the model reads them, every position marked.
    """

    facts: dict[str, str]
    unscored: dict[str, int]
    items: list[str]


def look_at(items: Sequence[Item], model: str = "reference", *, scale: tuple[int, int] = (1, 5), n: int = 3) -> Look:
    """Look at items through the tokenizer and the chat template of a model.

    Args:
        items: Items of one kind.
        model: As for :func:`innerjudge.load`; its tokenizer and settings are read, not its weights.
        scale: Lowest and highest score that ratings are asked for.
        n: Items to show.

    Example:
        >>> row = {"question_id": "q", "candidate_id": "1", "prompt": "2+2?", "response": "<think>2+2=4</think>4"}
        >>> found = look_at([Trace(**row, correct=True)])
        >>> found.facts["kind"], "[reasoning_end]" in found.items[0]
        ('1 trace', True)
    """
    source = find_source(model)
    tokenizer = read_tokenizer(source.tokenizer, model, source.revision)
    context = context_of(require_causal(source.weights, model, source.revision))
    check_tokenizer(tokenizer, context)
    alike = Alike(tokenizer)
    step = max(1, len(items) // MEASURED)
    measured = [_encoded(tokenizer, items[k], scale, alike) for k in range(0, len(items), step)][:MEASURED]
    lengths = [len(one.ids) for one in measured if one.ids] or [0]
    facts = _facts(items)
    facts["tokens an item"] = (
        f"{np.median(lengths):,.0f} in the middle, {np.percentile(lengths, 95):,.0f} at 95 %, {max(lengths):,} at most"
        + (f" (measured on {len(measured):,})" if len(measured) < len(items) else "")
    )
    reasons = Counter(
        reason if role == "*" else f"no {role.replace('_', ' ')}: {reason}"
        for one in measured for role, reason in one.missing.items()
    )  # fmt: skip
    if context is not None and (over := sum(length > context for length in lengths)):
        reasons[f"longer than the {context:,} tokens that the model reads"] = over
    shown = [_marked(tokenizer, item, _encoded(tokenizer, item, scale, alike)) for item in items[:n]]
    return Look(facts, dict(reasons.most_common()), shown)


def _facts(items: Sequence[Item]) -> dict[str, str]:
    kind = type(items[0]).__name__.lower()
    groups = rows_by_group([item.group for item in items])
    facts = {"kind": f"{len(items):,} {kind}{'s' if len(items) > 1 else ''}", "questions": f"{len(groups):,}"}
    labels = [_label(item) for item in items]
    known = Counter(label for label in labels if label is not None)
    if isinstance(items[0], Rating):
        scores = [float(label) for label in labels if label is not None]
        facts["scores"] = f"{min(scores):g} to {max(scores):g}, mean {np.mean(scores):.2f}" if scores else "none"
    else:
        facts["labels"] = ", ".join(f"{count:,} {name}" for name, count in sorted(known.items())) or "none"
    facts["without a label"] = f"{labels.count(None):,}"
    if isinstance(items[0], Trace):
        both = sum({"right", "wrong"} <= {labels[k] for k in rows} for rows in groups)
        facts["questions with right and wrong answers"] = f"{both:,}"
    facts["other fields"] = ", ".join(sorted({name for item in items[:100] for name in item.extra})) or "none"
    return facts


def _label(item: Item) -> str | None:
    if isinstance(item, Trace):
        return None if item.correct is None else "right" if item.correct else "wrong"
    if isinstance(item, Rating):
        return None if item.mean_score is None else str(item.mean_score)
    if isinstance(item, Choice):
        return None if item.answer is None else f"option {item.answer + 1}"
    return item.preference


def _encoded(tokenizer: PreTrainedTokenizerFast, item: Item, scale: tuple[int, int], alike: Alike) -> Encoding:
    if isinstance(item, Trace):
        return encode_trace(tokenizer, item, alike=alike)
    try:
        if isinstance(item, Rating):
            asked = rating_prompt(
                item.prompt, item.response, criterion=item.criterion, reference=item.reference, scale=scale
            )
        elif isinstance(item, Choice):
            asked = choice_prompt(item.question, item.options)
        else:
            asked = pair_prompt(item.prompt, item.response_a, item.response_b)
        return encode_prompt(tokenizer, item.id, item.group, asked, alike=alike)
    except UnreadableError as error:
        return unreadable(item.id, item.group, str(error))


def _marked(tokenizer: PreTrainedTokenizerFast, item: Item, found: Encoding) -> str:
    """The text of an item as it is read, each position named behind its token; the middle of a long one is left out."""
    roles: dict[int, list[str]] = {}
    for role, places in found.positions.items():
        for place in places:
            roles.setdefault(place, []).append(role)
    parts: list[str] = []
    start = 0
    for place in sorted(roles):
        text = str(tokenizer.decode(list(found.ids[start : place + 1])))
        parts.append(
            text if len(text) < 2 * _SHOWN else f"{text[:_SHOWN]} [... {len(text)} characters ...] {text[-_SHOWN:]}"
        )
        parts.append("".join(f"[{role}]" for role in roles[place]))
        start = place + 1
    rest = str(tokenizer.decode(list(found.ids[start:])))
    lacking = [f"{'everything' if role == '*' else role}: {reason}" for role, reason in found.missing.items()]
    return "".join([f"{item.id}, {len(found.ids)} tokens\n", *parts, rest, *(f"\n(without {one})" for one in lacking)])
