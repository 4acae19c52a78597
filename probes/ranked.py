"""A probe from rankings, or from scores that are comparable only within a question."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logsumexp, softmax

from ..extraction.features import Features
from ..models.arguments import Positive
from ..models.errors import InnerjudgeError
from .estimator import parameters
from .labels import Floats, Ints, Known, centred, folds
from .linear import Linear
from .regression import Candidates

OrderLoss = Literal["pairs", "soft-pairs", "plackett-luce", "list-mle"]


@parameters
class RankedProbe(Linear):
    r"""A linear probe from the order of each question's answers: ranks, grades, or a teacher's scores.

    The mean of each question is subtracted from its states, which are then standardised; grades are never compared
    across questions. With scores ``s``, and answers ``j`` worse than ``i``:

    * ``"pairs"``: :math:`\sum_q \frac1K \sum_{i \succ j} \log(1 + e^{s_j - s_i})`, Bradley and Terry's.
    * ``"soft-pairs"``: each pair :math:`\sigma(q_i - q_j)` won, the rest lost, of qualities that are log-odds, as those
      of ``stats.log_ratio_preferences``: here their scale counts.
    * ``"plackett-luce"``: :math:`\sum_i \alpha_i (\log(e^{s_i} + \sum_j e^{s_j}) - s_i)`, where :math:`\alpha` is the
      softmax over the question of its standardised qualities over ``tau``: PLD (arXiv 2506.12542, section 4), which
      puts one true class first and takes the teacher's logits as they are. Its authors report gains on images.
    * ``"list-mle"``: the same with every :math:`\alpha` equal to 1.

    Answers of equal quality are not compared. ``positions`` and ``combine`` are as in :class:`.LogisticProbe`.

    Args:
        row: Row of the states, a number.
        loss: One of the four above.
        tau: Temperature of ``"plackett-luce"``: the lower, the more only the best answers count.
        candidates: Penalties (half the squared length of the coefficients, standardised), of which the one with the
            highest mean Kendall correlation within questions that were not fitted on is taken.

    Attributes:
        coef_: ``[F]`` float64, on the states as they are.
        intercept_: 0: scores only rank the answers of a question.
        penalty_: The chosen candidate.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(60, 1, 2))
        >>> groups = np.repeat(np.arange(20), 3).tolist()
        >>> f = Features.from_arrays({"hidden/a": x.repeat(2, axis=1)}, provenance="m", groups=groups)
        >>> teacher = x[:, 0, 0] + np.repeat(np.arange(20), 3)  # each question on a level of its own
        >>> probe = RankedProbe(positions=["a"]).fit(f, teacher)
        >>> probe.coef_.round(1)
        array([0.7, 0.1])
    """

    row: int = -1
    loss: OrderLoss = "pairs"
    tau: Positive = 1.0
    candidates: Candidates = (1.0, 3.0, 10.0, 30.0, 100.0)

    on_request = True
    label_fields = ("quality", "sample_weight")

    def _learn(self, x: Floats, labels: Known, groups: tuple[str, ...], weight: Floats | None = None) -> None:
        """From qualities ``[n]``, higher is better: of a rank its negative, of a label true or false."""
        if weight is not None or labels.dtype.kind not in "biuf" or not np.isfinite(labels.astype(float)).all():
            raise InnerjudgeError.of("probes.quality", labels[:3].tolist(), " and weights" * (weight is not None))
        quality, z = labels.astype(np.float64), centred(x, groups)
        orders = Orders(quality, groups, self.loss, self.tau)
        if not orders.blocks:
            raise InnerjudgeError.of("probes.all-equal", len(set(groups)))
        scale = np.sqrt((z**2).sum(axis=0) / max(len(z) - len(set(groups)), 1))
        z /= np.where(scale > 0, scale, 1.0)
        penalties = sorted(map(float, self.candidates), reverse=True)
        found = np.zeros(len(penalties))
        for train, test in folds(groups) if len(penalties) > 1 else ():
            sides = [Orders(quality[s], tuple(groups[k] for k in s), self.loss, self.tau) for s in (train, test)]
            if sides[0].blocks:
                path = sides[0].path(z[train], penalties)
                found += [sides[1].kendall(z[test] @ w).sum() for w in path]
        self.penalty_ = penalties[int(found.argmax())]
        self.coef_ = orders.path(z, [self.penalty_])[0] / np.where(scale > 0, scale, 1.0)
        self.intercept_ = 0.0

    def _labels(self, scores: Floats, features: Features) -> list[None]:
        return [None] * len(scores)


class Orders:
    """Which answers are better than which, in ``blocks`` of questions of one size; all-equal ones are left out.

    A block has the rows ``[Q, K]`` of its items, ``[Q, K, K]`` whether the first is better, and weights ``[Q, K]`` (of
    soft pairs ``[Q, K, K]``, how surely the first is better).
    """

    def __init__(self, quality: Floats, groups: tuple[str, ...], loss: OrderLoss, tau: float = 1.0) -> None:
        _, code, sizes = np.unique(np.array(groups), return_inverse=True, return_counts=True)
        items, first = np.argsort(code, kind="stable"), np.cumsum(sizes) - sizes
        self.loss, self.blocks = loss, list[tuple[Ints, npt.NDArray[np.bool_], Floats]]()
        for k in np.unique(sizes):
            rows = items[first[sizes == k][:, None] + np.arange(k)]
            rows = rows[np.ptp(quality[rows], axis=1) > 0]
            if len(rows):
                t = quality[rows]
                level = (t - t.mean(axis=1, keepdims=True)) / t.std(axis=1, keepdims=True)
                alpha = softmax(level / tau, axis=1) if loss == "plackett-luce" else np.ones_like(t)
                gaps = t[:, :, None] - t[:, None, :]
                alpha = expit(gaps) * (1 - np.eye(k)) if loss == "soft-pairs" else alpha
                self.blocks.append((rows, gaps > 0, alpha))

    def losses(self, s: Floats) -> tuple[float, Floats]:
        """The loss of scores ``[n]``, and its gradient."""
        total, gradient = 0.0, np.zeros_like(s)
        for rows, better, alpha in self.blocks:
            own, k = s[rows], rows.shape[1]
            if self.loss in ("pairs", "soft-pairs"):
                gap, won = own[:, :, None] - own[:, None, :], better if self.loss == "pairs" else alpha
                total += (won * np.logaddexp(0, -gap)).sum() / k
                pull = won * expit(-gap) / k
                gradient[rows] = pull.sum(axis=1) - pull.sum(axis=2)
            else:
                rivals = np.where(better | np.eye(k, dtype=bool), own[:, None, :], -np.inf)
                all_of = logsumexp(rivals, axis=2)
                total += (alpha * (all_of - own)).sum()
                gradient[rows] = (alpha[..., None] * np.exp(rivals - all_of[..., None])).sum(axis=1) - alpha
        return float(total), gradient

    def path(self, z: Floats, penalties: Sequence[float]) -> list[Floats]:
        """Coefficients ``[F]`` at each penalty; each search starts from the result of the one before."""

        def objective(w: Floats, penalty: float) -> tuple[float, Floats]:
            loss, gradient = self.losses(z @ w)
            return loss + penalty * float(w @ w) / 2, gradient @ z + penalty * w

        w, found = np.zeros(z.shape[1]), []
        for penalty in penalties:
            steps: Any = {"maxiter": 1000, "ftol": 1e-12, "gtol": 1e-7}
            w = minimize(objective, w, args=(penalty,), jac=True, method="L-BFGS-B", options=steps).x
            found.append(w)
        return found

    def kendall(self, s: Floats) -> Floats:
        """Kendall's correlation within each question; pairs of equal quality are left out."""
        signs = [(better, np.sign(s[rows][:, :, None] - s[rows][:, None, :])) for rows, better, _ in self.blocks]
        return np.concatenate([np.zeros(0), *((b * d).sum(axis=(1, 2)) / b.sum(axis=(1, 2)) for b, d in signs)])
