"""Fit one judge of the panel on the questions set aside for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...extraction.features import Features
from ...models.errors import InnerjudgeError
from ...probes import LAGER, AttentionScore, BaseJudge, LearningJudge, QKScore, TokenLogProb, Verdict


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
    threshold = needs_threshold(judge)
    if not isinstance(judge, LearningJudge | TokenLogProb | LAGER) or not (judge.learns or threshold):
        return None
    heads = isinstance(judge, QKScore | AttentionScore)
    unlabelled = isinstance(judge, QKScore | AttentionScore) and judge.select == "unlabelled"
    kept = [int(k) for k in rows if unlabelled or labels[k] is not None]
    if threshold and not (kept and all(isinstance(labels[k], bool) for k in kept)):
        return None  # It scores without a fit; only the label of a trace needs a threshold.
    if permuted is not None and getattr(judge, "select", "") == "permutation":
        kept = [k for k in kept if permuted[1][k] is not None]  # a sample of the questions
    part = features.take(kept)
    if not len(part):
        return f"{name}: not fitted, since none of the {len(rows)} items to fit on has a label."
    if not part.present(*judge.needs).any():
        return f"{name}: not fitted, since no item to fit on can be read ({_first_reason(judge, part)})."
    known = np.array([labels[k] for k in kept])
    try:
        if isinstance(judge, QKScore | AttentionScore) and unlabelled:
            judge.fit(part)
        elif isinstance(judge, QKScore | AttentionScore) and permuted is not None and judge.select == "permutation":
            moved = np.array([permuted[1][k] for k in kept])
            judge.fit(part, known, permuted=permuted[0].take(kept), permuted_labels=moved)
        else:
            judge.fit(part, known)
    except InnerjudgeError as error:
        if not unlabelled and len(set(known.tolist())) < 2:
            raise
        # Two classes, and yet this judge cannot learn from them: too few can be read, or no question has both.
        return f"{name}: not fitted ({error})."
    if isinstance(judge, LAGER) and threshold:
        return (
            f"{name}: right is what scores above {judge.threshold_:.3g} (best balanced accuracy on {len(part)} traces)."
        )
    return _chosen(name, judge, len(part)) if heads else None


def needs_threshold(judge: BaseJudge) -> bool:
    """Whether a judge that scores without a fit has no border of its own between right and wrong.

    The model's own logits have one, the middle; averaged over all blocks they have none.

    Example:
        >>> needs_threshold(LAGER(values=(0, 1))), needs_threshold(LAGER(values=(1, 2, 3)))
        (True, False)
    """
    if isinstance(judge, LAGER):
        return not judge.learns and judge.entries not in ("last", 1) and len(judge.values) == 2
    return isinstance(judge, TokenLogProb)


def _chosen(name: str, judge: BaseJudge, n: int) -> str:
    assert isinstance(judge, QKScore | AttentionScore)
    where = ", ".join(f"block {block} head {head}" for block, head in judge.heads_)
    best = max(float(judge.quality_[block - 1, head]) for block, head in judge.heads_)
    how = {
        "accuracy": f"accuracy {best:.3g}",
        "permutation": f"permutation accuracy {best:.3g}",
        "unlabelled": "how much its attention moves between options, without labels,",
    }[judge.select]
    return f"{name}: chose {where} (by {how} on the {n} fit questions)."


def no_verdicts(judge: BaseJudge, features: Features) -> list[Verdict]:
    """Verdicts of a judge that could not be fitted: unscored, with the item's own reason where there is one."""
    reasons = features.reasons(*judge.needs)
    return [Verdict(i, unscored=reasons.get(i, "the judge could not be fitted on these data")) for i in features.ids]


def _first_reason(judge: BaseJudge, features: Features) -> str:
    return next(iter(features.reasons(*judge.needs).values()))
