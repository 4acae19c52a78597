"""Judges of attention spans, entropies and log-determinants: Lookback Lens, TriLens, LLM-Check, ReDeEP."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from ..extraction.features import Features
from ..extraction.readout_names import range_readout
from ..extraction.readouts import AttentionSpans, Lens
from ..models.arguments import Count, Positive
from ..models.errors import InnerjudgeError
from .description import derived
from .estimator import parameters
from .judge import LearningJudge, Scores, ThresholdJudge
from .labels import Floats, best_threshold, correctness
from .regression import fit_sparse
from .scaling import divisors


@parameters
class ReadoutProbe(LearningJudge):
    """Logistic regression (scikit-learn) on the numbers of readouts as they are; the score is the log-odds of correct.

    By default Lookback Lens (arXiv 2407.07071): of every head, the mean weight on the context over its sum with that on
    the answer so far, averaged over the queries that write the answer. Of three :class:`.Lens`, TriLens (2606.01033).
    ``InnerjudgeError`` if a readout may give an item several rows.

    Args:
        readouts: Names of the readouts.
        C: Inverse strength of the penalty, as in scikit-learn; the paper leaves it at 1.

    Attributes:
        coef_: ``[F]`` float64, readout after readout.
        intercept_: Log-odds at the origin.

    Example:
        >>> ratios = np.repeat(np.linspace(0.2, 0.8, 8)[:, None, None], 2, axis=2)  # one block of two heads
        >>> f = Features.from_arrays({AttentionSpans(what="ratio").name: ratios}, provenance="m", groups="pqrspqrs")
        >>> ReadoutProbe().fit(f, [0, 0, 0, 0, 1, 1, 1, 1]).predict(f)
        array([False, False, False, False,  True,  True,  True,  True])
    """

    readouts: Sequence[str] = (AttentionSpans(what="ratio").name,)
    C: Positive = 1.0
    coef_: Floats = field(init=False)
    intercept_: float = field(init=False)

    needs = derived(lambda self: tuple(self.readouts))
    kinds = ("trace",)
    on_request = True

    def __post_init__(self) -> None:
        known = [range_readout(name) for name in self.readouts]
        if not known or any(one is None or one.ragged for one in known):
            raise InnerjudgeError.of("probes.one-row", tuple(self.readouts))

    def fit(self, features: Features, labels: npt.ArrayLike) -> Self:
        """Learn from labels ``[n]``: booleans.

        ``InnerjudgeError`` if no item can be read, or the labels are all of one class.
        """
        part, values, excluded = self._training(features, labels)
        found = fit_sparse("correct", self._vectors(part), correctness(values), part.groups, (self.C,))
        self.coef_, self.intercept_ = found.coef, found.intercept
        return self._fitted_on(features, excluded)

    def _vectors(self, features: Features) -> Floats:
        columns = [one.reshape(len(one), math.prod(one.shape[1:])) for one in map(features.array, self.needs)]
        return np.concatenate(columns, axis=1, dtype=np.float64)

    def _scores(self, features: Features) -> Scores:
        return np.asarray(self._vectors(features) @ self.coef_ + self.intercept_)


@parameters
class LLMCheck(ThresholdJudge, LearningJudge):
    r"""Attention score or hidden score of the response (LLM-Check, NeurIPS 2024), in the block that separates best.

    ``"attention"`` is :math:`\sum_h \frac1T \sum_t \ln a_{tt}`, of the weights of the response's tokens on themselves
    (higher is better, as published). ``"hidden"`` is the log-determinant of their states over their number (see
    :class:`~innerjudge.States`); the fit finds its direction, which no released file tells, and it depends on the
    length. The released code reads the best layer off the evaluation set; here the training items choose, by AUROC.

    Args:
        statistic: Which of the two.
        block: The block ``1..L`` to read; ``None`` for the one of the highest AUROC in training, the first in a tie.

    Attributes:
        block_: The block that is read.
        sign_: -1 if lower is better on the training items, for ``"hidden"``.
        threshold_: Score above which a trace is called correct, of the best balanced accuracy.

    Example:
        >>> own = np.log([[[[0.5, 0.25], [0.8, 0.1]]], [[[0.1, 0.1], [0.1, 0.1]]]]).mean(axis=3)
        >>> f = Features.from_arrays({"attention/response.diagonal": own}, provenance="m")
        >>> LLMCheck().fit(f, [True, False]).decision_function(f).round(6)  # methods.md, section 17
        array([-2.302585, -4.60517 ])
    """

    statistic: Literal["attention", "hidden"] = "attention"
    block: int | None = None
    block_: int = field(init=False)
    sign_: int = field(init=False)

    needs = derived(
        lambda s: ({"attention": "attention/response.diagonal"}.get(s.statistic, "hidden/response.logdet"),)
    )
    kinds = ("trace",)
    on_request = True
    needs_threshold = False
    _reads_until = derived(lambda self: None if self.provenance_ is None else self.block_)

    def fit(self, features: Features, labels: npt.ArrayLike) -> Self:
        """Choose block, direction and threshold from labels ``[n]``: booleans.

        ``InnerjudgeError`` if no item can be read, the labels are all of one class, or there is no such ``block``.
        """
        part, values, excluded = self._training(features, labels)
        right, blocks = correctness(values), self._blocks(part)
        if self.block is not None and not 1 <= self.block <= blocks.shape[1]:
            raise InnerjudgeError(f"given block={self.block}, expected one of the {blocks.shape[1]} that were read")
        lead = np.array([roc_auc_score(right, column) - 0.5 for column in blocks.T])
        best = int((np.abs(lead) if self.statistic == "hidden" else lead).argmax()) + 1
        self.block_ = best if self.block is None else self.block
        self.sign_ = -1 if self.statistic == "hidden" and lead[self.block_ - 1] < 0 else 1
        self.threshold_ = best_threshold(self.sign_ * blocks[:, self.block_ - 1], right)
        return self._fitted_on(features, excluded)

    def _blocks(self, features: Features) -> Floats:
        """The statistic in every block, ``[n, blocks]``."""
        found = features[self.needs[0]].astype(np.float64)
        if self.statistic == "attention":
            return np.asarray(found.sum(axis=2))
        return np.asarray(found[:, 1 : None if features.provenance.last_block else -1])

    def _scores(self, features: Features) -> Scores:
        return np.asarray(self.sign_ * self._blocks(features)[:, self.block_ - 1])


@parameters
class ReDeEP(ThresholdJudge, LearningJudge):
    r"""External context less parametric knowledge (ReDeEP, arXiv 2410.11414): does the answer draw on its prompt?

    Of every head, the external context score is the mean cosine of a token's final state with those of the prompt's
    tokens that the head attends to most; of every block, the parametric knowledge score is the mean divergence that its
    MLP makes in what the model would predict. The score is :math:`\alpha E - P`, of the sums :math:`E` over ``heads``
    and :math:`P` over ``blocks``, each scaled to 0..1 on the training items: higher is better. The paper's regression
    has fixed weights, and so has this one; the fit chooses heads and blocks by AUROC. The released code chooses them on
    the items that it is tested on, scales tokens instead of items, and takes the divergences of the mean distribution
    from the two; here it is Jensen-Shannon's, of the two from their mean, as in the paper.

    Args:
        heads: How many heads to add up; as all defaults, what the paper has for Llama-2-7B on RAGTruth.
        blocks: How many blocks to add up.
        alpha: Weight of the external context score.

    Attributes:
        heads_: The heads that are read, each as block ``1..L`` and head from 0.
        blocks_: The blocks that are read, ``[blocks]``, ``1..L``.
        least_: Least sum of each of the two on the training items.
        range_: Largest less least sum, 1 where these are equal.
        threshold_: Score above which a trace is called correct, of the best balanced accuracy.

    Example:
        >>> e, p = np.array([[[0.9, 0.2]], [[0.5, 0.4]]]), np.array([[0.3], [0.8]])  # one block of two heads
        >>> f = Features.from_arrays(dict(zip(ReDeEP().needs, (e, p))), provenance="m")
        >>> ReDeEP(blocks=1).fit(f, [True, False]).decision_function(f)  # of head 0: .2 * 1 - 0 and .2 * 0 - 1
        array([ 0.2, -1. ])
    """

    heads: Count = 1
    blocks: Count = 10
    alpha: Positive = 0.2
    heads_: tuple[tuple[int, int], ...] = field(init=False)
    blocks_: npt.NDArray[np.int64] = field(init=False)
    least_: Floats = field(init=False)
    range_: Floats = field(init=False)

    needs = (AttentionSpans("response@-1", ("prompt",), "copied").name, Lens("response@-1", what="divergence").name)
    kinds = ("trace",)
    on_request = True
    needs_threshold = False

    def fit(self, features: Features, labels: npt.ArrayLike) -> Self:
        """Choose heads, blocks, scales and threshold from labels ``[n]``: booleans.

        ``InnerjudgeError`` if no item can be read, or the labels are all of one class. A model that has fewer heads or
        blocks gives all of them.
        """
        part, values, excluded = self._training(features, labels)
        right = correctness(values)
        every, changed = (part[name].astype(np.float64) for name in self.needs)
        lead = [roc_auc_score(right, one) for one in every.reshape(len(every), -1).T]
        best = np.argsort(-np.array(lead), kind="stable")[: self.heads]
        self.heads_ = tuple((int(k) // every.shape[2] + 1, int(k) % every.shape[2]) for k in best)
        lead = [roc_auc_score(right, -one) for one in changed.T]
        self.blocks_ = np.argsort(-np.array(lead), kind="stable")[: self.blocks].astype(np.int64) + 1
        sums = self._sums(part)
        self.least_, self.range_ = sums.min(0), divisors(np.ptp(sums, axis=0), np.abs(sums).max(0))
        self.threshold_ = best_threshold(self._scores(part), right)
        return self._fitted_on(features, excluded)

    def sizes(self, known: Mapping[str, int]) -> dict[str, int]:
        """As many blocks are chosen as were asked for, or all."""
        return super().sizes(known) | ({"chosen": min(self.blocks, known["blocks"])} if "blocks" in known else {})

    def _sums(self, features: Features) -> Floats:
        """External context and parametric knowledge, ``[n, 2]``."""
        every, changed = (features[name].astype(np.float64) for name in self.needs)
        block, head = np.array(self.heads_).T
        return np.stack((every[:, block - 1, head].sum(1), changed[:, self.blocks_ - 1].sum(1)), axis=1)

    def _scores(self, features: Features) -> Scores:
        return np.asarray((self._sums(features) - self.least_) / self.range_ @ np.array([self.alpha, -1.0]))
