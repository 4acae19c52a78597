"""Fit one judge of the panel on the questions set aside for it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...extraction.features import Features
from ...models.errors import InnerjudgeError
from ...probes import BaseJudge, Verdict


def fit_seat(
    name: str,
    judge: BaseJudge,
    features: Features,
    labels: Sequence[Any],
    rows: npt.NDArray[np.intp],
    *,
    permuted: tuple[Features, Sequence[Any]] | None = None,
) -> str | None:
    """Fit ``judge`` on the labelled ones of ``rows``; nothing happens where it does not learn, or none can be read.

    Args:
        name: Name of the judge, for the note.
        judge: The judge.
        features: Features of all items.
        labels: What is known of all items, ``None`` where nothing is.
        rows: Items to fit on.
        permuted: For choices: features of the questions with their options permuted, and the answers there.

    Returns:
        What was chosen, or why the judge is not fitted, as a sentence for the report; ``None`` where there is neither.

    Raises:
        InnerjudgeError: If the labels are all of one class.
    """
    if not (judge.learns or judge.needs_threshold):
        return None
    kept = [int(k) for k in rows if not judge.needs_labels or labels[k] is not None]
    if judge.needs_threshold and not (kept and all(isinstance(labels[k], bool | np.bool_) for k in kept)):
        return None  # It scores without a fit; only the label of a trace needs a threshold.
    if permuted is not None and judge.needs_permuted:
        kept = [k for k in kept if permuted[1][k] is not None]  # a sample of the questions
    part = features.take(kept)
    if not len(part):
        return f"{name}: not fitted, since none of the {len(rows)} items to fit on has a label."
    if not part.present(*judge.needs).any():
        return f"{name}: not fitted, since no item to fit on can be read ({_first_reason(judge, part)})."
    known = np.array([labels[k] for k in kept])
    fit: Any = judge.fit
    try:
        if not judge.needs_labels:
            fit(part)
        elif permuted is not None and judge.needs_permuted:
            moved = np.array([permuted[1][k] for k in kept])
            fit(part, known, permuted=permuted[0].take(kept), permuted_labels=moved)
        else:
            fit(part, known)
    except InnerjudgeError as error:
        if judge.needs_labels and len(set(known.tolist())) < 2:
            raise
        # Two classes, and yet this judge cannot learn from them: too few can be read, or no question has both.
        return f"{name}: not fitted ({error})."
    note = judge.fit_note(len(part))
    return None if note is None else f"{name}: {note}."


def no_verdicts(judge: BaseJudge, features: Features) -> list[Verdict]:
    """Verdicts of a judge that could not be fitted: unscored, with the item's own reason where there is one."""
    reasons = features.reasons(*judge.needs)
    return [Verdict(i, unscored=reasons.get(i, "the judge could not be fitted on these data")) for i in features.ids]


def _first_reason(judge: BaseJudge, features: Features) -> str:
    return next(iter(features.reasons(*judge.needs).values()))
