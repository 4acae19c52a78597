"""What the answers to one question say together: how far their states, or their words, lie apart."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy.stats import entropy

from ..extraction.features import Features
from ..extraction.readouts import States
from ..models.arguments import Positive, require_type
from ..models.errors import InnerjudgeError
from .description import derived
from .estimator import parameters
from .judge import Scores, ThresholdJudge
from .labels import Floats
from .penalised import LogisticProbe
from .row_judge import rows_at


@parameters
class EigenScore(ThresholdJudge):
    r"""Minus the EigenScore of a question's answers (INSIDE, arXiv 2402.03744): one number for all of them.

    Of one state :math:`z_k` an answer, each less the mean of its own numbers, the score is minus the mean
    :math:`\log_{10}` eigenvalue of :math:`Z Z^\top / (D - 1) + \alpha I`: states that lie apart mean that the model
    makes answers up. It says which questions to trust, and cannot rank the answers of one. Answers are scored together:
    give all of a question at once; a lone one is unscored. As in the released code, which takes the decimal logarithm
    (the paper's is natural). ``fit`` is optional and only sets ``threshold_``.

    Args:
        role: The token whose state is taken: the second last, as published; see :mod:`innerjudge.models.roles`.
        row: Row of the states; such as 0.5 for the row in the middle of the model, as published.
        alpha: What is added to each eigenvalue, above 0.

    Example:
        >>> from innerjudge import Features
        >>> h = np.array([[[1, 0, -1]], [[2, 0, 1]]])  # two answers, one row
        >>> f = Features.from_arrays({"hidden/nth_last(2).mean": h}, provenance="m", groups=["q", "q"])
        >>> EigenScore(row=0).decision_function(f).round(4)  # eigenvalues 1.501 and .501
        array([0.0619, 0.0619])
    """

    role: str = "nth_last(2)"
    row: int | float = 0.5
    alpha: Positive = 1e-3

    kinds = ("trace",)
    on_request = True  # it has one score a question
    scores_together = True
    needs = derived(lambda self: (States(self.role).name,))

    def __post_init__(self) -> None:
        if States(self.role).ragged:
            raise InnerjudgeError(f"given role={self.role!r}, expected a role of one place")

    def _unreadable(self, features: Features) -> dict[str, str]:
        sizes = Counter(features.groups)
        alone = (one for one, group in zip(features.ids, features.groups, strict=True) if sizes[group] < 2)
        return dict.fromkeys(alone, "no second answer to its question beside it")

    def _scores(self, features: Features) -> Scores:
        states = features[self.needs[0]]
        states = states[:, rows_at((self.row,), states.shape[1], features.provenance)[0]].astype(np.float64)
        scores, groups = np.zeros(len(states)), np.array(features.groups)
        for group in np.unique(groups):
            own = groups == group
            spread = np.linalg.eigvalsh(np.cov(states[own]) + self.alpha * np.eye(own.sum()))
            scores[own] = -np.log10(spread).mean()
        return scores


@parameters
class SemanticEntropyProbe(LogisticProbe):
    r"""A Semantic Entropy Probe (arXiv 2406.15927): how sure the model is, learned from how its own answers differ.

    No label is needed. The answers of a question are put into clusters; of their shares the semantic entropy is
    :math:`-\sum_c p_c \ln p_c`. It is split in two where the squared error within both sides is lowest (100 places, as
    released), and a logistic regression learns the low side from the states at the end of the prompt: a score above 0
    says that answers would agree. The paper clusters by entailment both ways, here answers are equal or not; its code
    chooses a range of layers by the test AUROC. The other parameters are those of :class:`LogisticProbe`.

    Args:
        positions: The end of the prompt by default; the paper's other one is ``["nth_last(2).mean"]``.
        cluster: ``"answer"`` clusters by the items' final answers (by their texts where an item has none), ``"text"``
            by whole texts; case, blanks and a full stop at the end do not count. Own clusters are given to ``fit``.

    Example:
        >>> from innerjudge import Features
        >>> h = np.repeat(np.linspace(-1, 1, 8), 2)[:, None, None].repeat(3, axis=1)
        >>> said = ["4", "4", "5", "5", "6", "6", "7", "7", *"abcdefgh"]  # the first four questions have one answer
        >>> texts, groups = {"answer": said, "response": said}, [f"q{k // 2}" for k in range(16)]
        >>> f = Features.from_arrays({"hidden/prompt_end": h}, provenance="m", groups=groups, texts=texts)
        >>> SemanticEntropyProbe().fit(f).predict(f)[::2]
        array([ True,  True,  True,  True, False, False, False, False])
    """

    positions: Sequence[str] = ("prompt_end",)
    cluster: Literal["answer", "text"] = "answer"

    kinds = ("trace",)
    on_request = True
    needs_labels = learns_in_parts = False
    fit_needs = ("answer", "response")

    def fit(self, features: Features, labels: npt.ArrayLike | None = None) -> Self:  # type: ignore[override]
        """Learn from the answers of each question, or from the names of their clusters, ``labels [n]``.

        Questions of one answer are left out. ``InnerjudgeError`` if the answers of all others differ alike, or no item
        can be read.
        """
        require_type(features, Features, "SemanticEntropyProbe.fit")
        part, clusters, _ = self._training(features, self._clusters(features) if labels is None else labels)
        _, code, sizes = np.unique(np.array(part.groups), return_inverse=True, return_counts=True)
        several = np.flatnonzero(sizes > 1)
        spread = np.array([semantic_entropy(clusters[code == k]) for k in range(len(sizes))])
        if not len(several) or np.ptp(spread[several]) == 0:
            raise InnerjudgeError.of("probes.equal-entropies", len(several))
        low, kept = spread < entropy_border(spread[several]), np.isin(code, several)
        super().fit(part.take(kept), low[code[kept]])
        self.n_excluded_ = len(features) - int(kept.sum())
        return self

    def _clusters(self, features: Features) -> npt.NDArray[np.str_]:
        features.reasons(*self.fit_needs)  # refuses features without them
        whole = features.texts["response"]
        said = whole if self.cluster == "text" else features.texts["answer"]
        return np.array([" ".join((a or b).casefold().split()).rstrip(". ") for a, b in zip(said, whole, strict=True)])


def semantic_entropy(clusters: npt.NDArray[Any]) -> float:
    """Entropy in nats of the shares of the clusters, from the cluster ``[K]`` of each answer."""
    return float(entropy(np.sort(np.unique(clusters, return_counts=True)[1])))  # equal shares, equal to the bit


def entropy_border(entropies: Floats) -> float:
    """The first of 100 places up to the largest that splits them with the least squared error within both sides."""
    places = np.linspace(1e-10, entropies.max(), 100)
    sides = ((entropies[entropies < t], entropies[entropies >= t]) for t in places)
    return float(places[np.argmin([sum(len(side) * side.var() for side in both if len(side)) for both in sides])])
