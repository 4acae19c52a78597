"""LAGER with layer weights learned from human scores."""

from collections.abc import Mapping
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import torch

from ..extraction.features import Features
from ..models.arguments import Count, Share
from ..models.errors import InnerjudgeError
from .estimator import parameters
from .judge import LearningJudge
from .labels import Floats, ratings
from .lager import LAGER


@parameters
class TunedLAGER(LAGER, LearningJudge):
    r"""LAGER whose layer weights ``w = softmax(theta)`` are fitted to human scores (arXiv 2508.03550, section 3.3).

    The recipe is that of the paper and the authors' code: ``theta`` starts at zero, Adam, batches of 4, one epoch.
    Their plateau schedule steps once per epoch and never acts in one or two epochs; it is left out. The losses, with
    ``y`` the mean human score:

    * ``"code"``: :math:`\alpha\,CE(z, y) + (1-\alpha)\,(E[s]-y)^2`, as in the released code;
    * ``"paper"``: the same with :math:`|E[s]-y|`.

    The code learns alpha as ``sigmoid(a)`` from ``a = 0.5`` but reads it once an epoch, so that it stays
    0.622 in a run of one epoch; here it is the constant ``alpha`` (the paper gives no value). The cross-entropy's
    target is the label nearest to ``y`` (the first of a tie).

    The other parameters are those of :class:`LAGER`; with ``values=(0, 1)`` the labels may be booleans. The
    cross-entropy takes the logarithm of what ``aggregate`` gives, and tuning always uses the expectation.

    Args:
        loss: ``"code"`` or ``"paper"``.
        alpha: Weight of the cross-entropy, within ``[0, 1]``.
        epochs: Passes over the training items.
        batch_size: Items per step.
        learning_rate: Learning rate of Adam.
        seed: Seed for the order of items.

    Attributes:
        weights_: ``[entries]`` float64, sums to 1.
        losses_: Mean loss of each epoch.

    Example:
        >>> logits = np.zeros((8, 2, 3, 2), np.float32)
        >>> y = np.arange(8) % 2
        >>> logits[:, 0, 1, 1] = 6 * y - 3  # only h[1] of blocks 1..2 knows
        >>> f = Features.from_arrays({"logits/score": logits, "labels": np.full(8, 2, np.float32)}, provenance="m")
        >>> judge = TunedLAGER(values=(0, 1), epochs=20).fit(f, y)
        >>> int(judge.weights_.argmax()), round(float(judge.weights_.sum()), 12)
        (1, 1.0)
    """

    loss: Literal["code", "paper"] = "code"
    alpha: Share = 0.6224593312018546  # sigmoid(0.5)
    epochs: Count = 1
    batch_size: Count = 4
    learning_rate: float = 0.01
    seed: int = 42

    fitted = ("weights_", "losses_", "n_excluded_")

    def fit(self, features: Features, labels: npt.ArrayLike) -> Self:
        """Tune the weights on mean human scores ``[n]`` (booleans for no/yes).

        ``InnerjudgeError`` if the scores are all the same, not finite, or outside of ``values``.
        """
        part, raw, excluded = self._training(features, labels)
        y = ratings(raw)
        if y.min() < min(self.values) or y.max() > max(self.values):
            raise InnerjudgeError.of("probes.beyond-values", y.min(), y.max(), tuple(self.values))
        self.weights_, self.losses_ = _tune(self, self._entries(part), y)
        return self._fitted_on(features, excluded)

    def sizes(self, known: Mapping[str, int]) -> dict[str, int]:
        """Adds the number of entries that are averaged."""
        if isinstance(self.entries, int) or self.entries == "last":
            return {**known, "entries": 1 if self.entries == "last" else self.entries}
        if "blocks" not in known:
            return dict(known)
        return {**known, "entries": known["blocks"] + (self.entries == "all")}

    def _weights(self, n_entries: int) -> Floats:
        if n_entries != len(self.weights_):
            raise InnerjudgeError.of("probes.entries", n_entries, len(self.weights_))
        return self.weights_


def _tune(judge: TunedLAGER, entries: Floats, y: Floats) -> tuple[Floats, tuple[float, ...]]:
    """Weights of the entries ``[entries]``, and the mean loss of each epoch."""
    z, target = torch.from_numpy(entries), torch.from_numpy(y)
    values = torch.tensor(judge._scale[0], dtype=torch.float64)
    nearest = (target[:, None] - values).abs().argmin(dim=-1)
    theta = torch.zeros(z.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([theta], lr=judge.learning_rate)
    generator, losses = torch.Generator().manual_seed(judge.seed), []
    for _ in range(judge.epochs):
        total = 0.0
        for rows in torch.split(torch.randperm(len(z), generator=generator), judge.batch_size):
            w, part = theta.softmax(dim=0), z[rows]
            if judge.aggregate == "logits":
                log_p = torch.einsum("e,nem->nm", w, part).log_softmax(dim=-1)
            else:
                mean = torch.einsum("e,nem->nm", w, part.softmax(dim=-1))
                twice = judge.aggregate == "probabilities_twice"
                log_p = mean.log_softmax(dim=-1) if twice else mean.clamp_min(1e-300).log()
            error = log_p.exp() @ values - target[rows]
            gap = error.square() if judge.loss == "code" else error.abs()
            loss = judge.alpha * torch.nn.functional.nll_loss(log_p, nearest[rows]) + (1 - judge.alpha) * gap.mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(rows)
        losses.append(total / len(z))
    return np.asarray(theta.detach().softmax(dim=0).numpy(), dtype=np.float64), tuple(losses)
