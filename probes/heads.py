"""QK-score and Attention-score: the attention heads that point at the right option."""

from dataclasses import field
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from ..extraction.features import Features
from ..models.arguments import Count
from ..models.errors import InnerjudgeError
from . import choices
from .choices import ChoiceJudge, Prefer
from .description import derived
from .estimator import parameters
from .judge import LearningJudge, Scores
from .labels import Floats, Ints, answers, correctness


@parameters
class ChosenHeads(ChoiceJudge, LearningJudge):
    """A judge of options by attention heads, and the heads that it chose."""

    select: Literal["accuracy", "permutation", "unlabelled"] = "accuracy"
    n_heads: Count = 1
    prefer: Prefer = "best"
    heads_: tuple[tuple[int, int], ...] = field(init=False)
    quality_: Floats = field(init=False)
    head_accuracy_: Floats | None = field(init=False)

    needs_labels = derived(lambda self: self.select != "unlabelled")
    fit_needs = derived(lambda self: ("attention",) if self.select == "unlabelled" else ())
    needs_permuted = derived(lambda self: self.select == "permutation")
    chosen_heads = derived(lambda self: () if self.provenance_ is None else self.heads_)
    _reads_until = derived(lambda self: max((block for block, _ in self.chosen_heads), default=None))

    def __post_init__(self) -> None:
        if self.select == "unlabelled" and self.prefer == "earliest":
            raise InnerjudgeError.of("probes.accuracies")

    def fit_note(self, n: int) -> str:
        """Which heads were chosen, and how good the best one was."""
        where = ", ".join(f"block {block} head {head}" for block, head in self.heads_)
        best = max(float(self.quality_[block - 1, head]) for block, head in self.heads_)
        how = {
            "accuracy": f"accuracy {best:.3g}",
            "permutation": f"permutation accuracy {best:.3g}",
            "unlabelled": "how much its attention moves between options, without labels,",
        }[self.select]
        return f"chose {where} (by {how} on the {n} fit questions)"


class HeadScore(ChosenHeads):
    """A judge with one score per head and option; ``fit`` picks the heads."""

    def fit(
        self,
        features: Features,
        labels: npt.ArrayLike | None = None,
        *,
        permuted: Features | None = None,
        permuted_labels: npt.ArrayLike | None = None,
    ) -> Self:
        """Pick heads on validation questions; report results on others (the best of many noisy heads looks too good).

        ``labels`` are 0-based right answers ``[n]``; ``select="unlabelled"`` does not read them but ``"attention"``.
        For ``select="permutation"``, ``permuted`` are the same questions in the same order with their options in
        another order, and ``permuted_labels`` their right answers. ``InnerjudgeError`` if labels are missing, out of
        range or all the same letter, or the permuted questions are others.
        """
        reasons = self._reasons(features, *self.fit_needs)
        if self.select == "permutation":
            if permuted is None or permuted_labels is None or permuted.ids != features.ids:
                given = "none" if permuted is None or permuted_labels is None else "those of other ids"
                raise InnerjudgeError.of("probes.permutation", given)
            features.provenance.require(permuted.provenance, "permuted questions")
            reasons = self._reasons(permuted) | reasons
        if labels is None and self.select != "unlabelled":
            raise InnerjudgeError.of("probes.select", self.select)
        values = np.full(len(features), -1) if labels is None else labels
        part, right, excluded = self._training(features, values, reasons=reasons)
        n_options, scores = self._n_options(part), part[self.needs[0]]
        accuracy = None
        if labels is not None:
            right = answers(right, n_options, part.ids)
            accuracy = choices.head_accuracies(scores, n_options, right)
        if self.select == "unlabelled":
            quality = choices.attention_variability(part["attention"], n_options)
        elif permuted is not None and permuted_labels is not None and self.select == "permutation":
            other, turned, _ = self._training(permuted, permuted_labels, reasons=reasons)
            turned = answers(turned, self._n_options(other), other.ids)
            both = choices.head_credits(scores, n_options, right)
            both *= choices.head_credits(other[self.needs[0]], self._n_options(other), turned)
            quality = np.asarray(both.mean(axis=0))
        else:
            assert accuracy is not None
            quality = accuracy
        self.heads_ = choices.choose_heads(quality, n=len(part), n_heads=self.n_heads, prefer=self.prefer)
        self.quality_, self.head_accuracy_ = quality, accuracy
        return self._fitted_on(features, excluded)

    def unscored(self, features: Features) -> dict[str, str]:
        """Item id -> reason, also for questions whose options all score the same: the first would win by its place."""
        reasons = super().unscored(features)
        rest = [k for k, item in enumerate(features.ids) if item not in reasons]
        if not rest:
            return reasons
        flat = choices.all_tied(self._by_option(features.take(rest)))
        blind = f"the {'heads do' if self.n_heads > 1 else 'head does'} not tell the options apart"
        return reasons | {features.ids[k]: blind for k, tied in zip(rest, flat, strict=True) if tied}

    def _scores(self, features: Features) -> Scores:
        return self._by_option(features)

    def _by_option(self, features: Features) -> Scores:
        block, head = np.array(self.heads_).T
        n_options = self._n_options(features)
        masked = choices.mask_options(features[self.needs[0]][:, block - 1, head].astype(np.float64), n_options)
        return masked[:, 0] if len(self.heads_) == 1 else choices.voted(masked)


@parameters
class QKScore(HeadScore):
    r"""Query-key product of the best head (arXiv 2410.02343, section 3): :math:`\langle q_N, k_{t_i}\rangle`.

    ``q_N`` is the query at the last prompt token, ``k_{t_i}`` the key at the end of option line ``i``; no scaling, no
    softmax. Scores compare the options of one question only: neither questions nor heads share a scale. A question
    whose options all have the same score, up to rounding, is unscored.

    Args:
        rotary: ``"before"`` the rotary embedding, as published, or ``"after"`` it.
        query: ``"own_text(score)"`` for the query at the verdict that the model wrote after reasoning ("Think, Align,
            Select"; arXiv 2502.17017), with the keys in the prompt as before. Where it wrote none, at the end of the
            cue, which then follows what it wrote.
        select: How ``fit`` measures a head: ``"accuracy"`` (published), ``"permutation"`` (right before and after the
            options trade places), ``"unlabelled"`` (:func:`~innerjudge.probes.choices.attention_variability`).
        n_heads: 1 as published: scores are the raw products. More: a vote, the mean over heads of the scores
            z-scored within the question (a head without variance there adds 0).
        prefer: ``"best"``, or ``"earliest"`` within one standard error of the best: a judge of an early block needs no
            pass beyond it.
        abstain: Whether the last two option lines ("None of the above", "I don't know") take part, in the fit and
            after.

    Attributes:
        heads_: Chosen heads as ``(block, head)``, block 1..L as in ``h[l]``, head 0..H-1.
        quality_: ``[L, H]``, what the heads were chosen by.
        head_accuracy_: ``[L, H]`` accuracy on the validation questions; ``None`` without labels.

    Example:
        >>> right = np.array([0, 1, 2, 1])
        >>> qk = np.zeros((4, 2, 3, 3), np.float32)  # 4 questions, 2 blocks, 3 heads, 3 options
        >>> qk[np.arange(4), 1, 2, right] = 5.0  # head 2 of block 2 knows
        >>> f = Features.from_arrays({"qk/before": qk, "labels": np.full(4, 3, np.float32)}, provenance="m")
        >>> judge = QKScore().fit(f, right)
        >>> judge.heads_, judge.predict(f)
        (((2, 2),), array([0, 1, 2, 1]))
    """

    rotary: Literal["before", "after"] = "before"
    query: Literal["score", "own_text(score)"] = "score"

    needs = derived(lambda s: (f"qk/{s.rotary}" if s.query == "score" else f"qk/{s.query}.{s.rotary}", "labels"))
    on_request = derived(lambda self: self.query != "score")


@parameters
class QKVerification(HeadScore):
    """Whether an answer is true, by the product of the best head with "(A) true" less that with "(B) false".

    The shipped prompt ``p-true`` asks that in a pass of its own: array ``"qk/p-true"``, ``[n, L, H, 2]``, true first,
    of the query where the verdict stands and the ends of the two lines (after arXiv 2502.17017, which compares the
    words for valid and invalid). Of several heads (an odd number) each has a vote. ``n_heads``, ``prefer`` and the
    attributes are those of :class:`QKScore`.

    Example:
        >>> qk = np.zeros((4, 1, 2, 2), np.float32)
        >>> qk[:, 0, 1, 0] = [3, -1, 2, -2]  # head 1 knows
        >>> f = Features.from_arrays({"qk/p-true": qk}, provenance="m")
        >>> judge = QKVerification().fit(f, [True, False, True, False])
        >>> judge.heads_, judge.decision_function(f)
        (((1, 1),), array([ 3., -1.,  2., -2.]))
    """

    needs = ("qk/p-true",)
    kinds = ("trace",)
    pointwise = True
    on_request = True

    def fit(self, features: Features, labels: npt.ArrayLike | None = None, **more: Any) -> Self:
        """Pick heads by labels ``[n]``, booleans; ``InnerjudgeError`` if they are missing or of one class."""
        if self.select != "accuracy" or more:
            given = ", ".join((f"select={self.select!r}", *more))
            raise InnerjudgeError(f"given {given}, expected select='accuracy' alone: p-true is asked in one order")
        return super().fit(features, np.where(correctness(np.asarray([] if labels is None else labels)), 0, 1))

    def _n_options(self, features: Features) -> Ints:
        return np.full(len(features), 2)

    def _unreadable(self, features: Features) -> dict[str, str]:
        return {}

    def _scores(self, features: Features) -> Scores:
        return np.asarray(-np.diff(self._by_option(features))[:, 0])

    def _labels(self, scores: Scores, features: Features) -> list[Any]:
        return [bool(score > 0) for score in scores]


@parameters
class AttentionScore(HeadScore):
    r"""Post-softmax attention weight of the best head (arXiv 2410.02343, section 3): :math:`a_{N,t_i}`.

    Parameters and attributes are those of :class:`QKScore`.

    Example:
        >>> a = np.zeros((2, 1, 2, 2), np.float32)
        >>> a[:, 0, 0], a[:, 0, 1] = [[0.1, 0.0], [0.0, 0.1]], [[0.5, 0.2], [0.5, 0.2]]
        >>> f = Features.from_arrays({"attention": a, "labels": np.full(2, 2, np.float32)}, provenance="m")
        >>> AttentionScore(select="unlabelled").fit(f).heads_  # variance 0.0025 * mass 0.1, against none
        ((1, 0),)
    """

    needs = ("attention", "labels")
