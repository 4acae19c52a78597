"""What is known about items, as judges and metrics read it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...models.errors import InnerjudgeError
from ...models.items import Choice, Item, Pair, Rating, Trace
from ...probes.judge import BaseJudge

#: Field of an item that says what is known of it.
_KNOWN = {Trace: "correct", Rating: "mean_score", Choice: "answer", Pair: "preference"}


def label_of(item: Item) -> Any:
    """Correctness of a trace, mean score of a rating, answer of a choice, preference of a pair; ``None`` if unknown."""
    return getattr(item, _KNOWN[type(item)])


def label_to_fit(item: Item, scale: tuple[int, int]) -> Any:
    """The label as judges learn it: a rating on another scale, ``extra["scale"]``, is put on the one asked for."""
    label, used = label_of(item), item.extra.get("scale")
    if label is None and isinstance(item, Trace) and item.extra.get("p_correct") is not None:
        raise InnerjudgeError.of("data.p-correct", item.id, item.extra["p_correct"])
    if not isinstance(item, Rating) or label is None or not isinstance(used, list) or len(used) != 2:
        return label
    low, high = scale
    return low + (label - used[0]) / (used[1] - used[0]) * (high - low)


def scale_of(items: Sequence[Item]) -> tuple[int, int] | None:
    """The scale of whole numbers, ``extra["scale"]``, that all of the items have; ``None`` if there is no one scale."""
    own = {tuple(used) if isinstance(used := item.extra.get("scale"), list) else () for item in items}
    found = own.pop() if len(own) == 1 else ()
    return (int(found[0]), int(found[1])) if len(found) == 2 and all(v == int(v) for v in found) else None


def to_fit(item: Item, judge: BaseJudge, scale: tuple[int, int]) -> tuple[Any, Any]:
    """The label that a judge's fit takes of an item, and what belongs to it, such as a weight; ``None`` where unknown.

    What the judge names (:attr:`.JudgeDescription.label_fields`; after parts ``p_correct``), else :func:`label_to_fit`.
    """
    own, also = judge.label_of(fields_of(item), label_of(item)), item.extra.get(judge.label_fields[1])
    own = item.extra.get("p_correct") if own is None and judge.label_fields[0].endswith("_labels") else own
    return (label_to_fit(item, scale) if own is None else own), also


def fields_of(item: Item) -> Mapping[str, Any]:
    """The fields of an item that a judge's fit may read in the place of its label."""
    return {**item.extra, "step_labels": item.step_labels} if isinstance(item, Trace) else item.extra


def require_all_counts(items: Sequence[Item], judge: BaseJudge) -> None:
    """Refuse counts in some items only, for a judge that learns from them: the others would count as something else."""
    for name in judge.label_fields:
        given = sum(item.extra.get(name) is not None for item in items)
        if name.startswith("n_") and 0 < given < len(items):
            raise InnerjudgeError.of("data.some-without", name, given, len(items))


def require_classes(items: Sequence[Item], rows: npt.NDArray[np.intp]) -> None:
    """Refuse items to fit on whose labels are all the same; no labels at all, and pairs (two sides each), pass."""
    found = {label_of(items[k]) for k in rows if not isinstance(items[k], Pair)} - {None}
    if len(found) == 1:
        (only,) = found
        what = {True: "correct", False: "incorrect"}[only] if isinstance(only, bool) else f"labelled {only:g}"
        raise InnerjudgeError.of("data.one-label", what)
