"""Probes of many states per item: a head on each token or step, pooled to one number per item."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from ..extraction.features import Features
from ..extraction.readouts import Reduce, States
from ..models.errors import InnerjudgeError
from .description import derived
from .estimator import parameters
from .fitted_arrays import Array, Forms
from .judge import LearningJudge, Scores
from .labels import correctness
from .pooled_fit import Each, Head, Loss, Pool, StatesOfItems, learn, score


@parameters
class PooledProbe(LearningJudge):
    r"""A linear or multi-layer head on each state of a role, pooled to one number per item: the log-odds of correct.

    A head is ``widths`` hidden layers (ReLU) and ``heads`` outputs; each is pooled over the item's states by
    :func:`.pooled_fit.pool`, and their mean is the score. It is trained with AdamW, on batches of whole questions; a
    fifth of the questions is held out, and the weights with the lowest loss on them are kept. The weights of the last
    epoch are kept if there are fewer than two questions, or a side has one class only or, for ``"pairwise"``, no
    question with both. Judged items never enter the fit. ``InnerjudgeError`` if a parameter has a value that is not
    allowed.

    Args:
        role: Which tokens; see :mod:`innerjudge.models.roles`.
        reduce: ``"none"`` for one state per token, others for one per range; see :class:`~innerjudge.States`.
        rows: Rows of the states to put side by side; ``None`` for all.
        widths: Width of each hidden layer; none for a linear head.
        heads: Number of outputs.
        how: How outputs are pooled; see :func:`.pooled_fit.pool`.
        window: Number of states in a window, for ``"rolling"``.
        loss: ``"bce"``, ``"brier"`` (mean squared error of the probability), or ``"pairwise"``:
            :math:`\ln(1 + e^{s_- - s_+})` of the right and wrong items of a question.
        each: What is compared with the item's label: the pooled ``"item"``, or every single ``"state"`` (as in STEP).
        balance: Whether right items (or states) weigh ``wrong / right``; not for ``"pairwise"``.
        standardise: Whether states are standardised, by the mean and scale of the training items.
        learning_rate: Learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
        epochs: Most epochs.
        patience: Number of epochs without a lower loss after which training stops.
        batch: Least number of items per step; of states with ``each="state"``.
        seed: Draws the first weights, the order of questions, and which are held out.

    Attributes:
        weights_: All weights and biases, layer by layer.
        mean_: ``[F]``, subtracted from the states; zeros unless ``standardise``.
        scale_: ``[F]``, what they are divided by.
        n_excluded_: Training items left out because they could not be read.

    Example:
        >>> from innerjudge import Features, Ragged
        >>> steps = [[[[k % 2 * 2.0 - 1]], [[0.5]]] for k in range(20)]  # two steps each; the first tells
        >>> name = "hidden/reasoning/step_end.none[-1]"
        >>> f = Features.from_arrays({name: Ragged.of(steps)}, provenance="m", groups=[f"q{k // 2}" for k in range(20)])
        >>> probe = PooledProbe(role="reasoning/step_end", learning_rate=0.1).fit(f, [k % 2 for k in range(20)])
        >>> probe.predict(f)[:4]
        array([False,  True, False,  True])
    """

    role: str = "response"
    reduce: Reduce = "none"
    rows: Sequence[int] | None = (-1,)
    widths: Sequence[int] = ()
    heads: int = 1
    how: Pool = "mean"
    window: int = 10
    loss: Loss = "bce"
    each: Each = "item"
    balance: bool = False
    standardise: bool = True
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    epochs: int = 40
    patience: int = 5
    batch: int = 16
    seed: int = 0

    standardises = derived(lambda self: self.standardise)
    _head = derived(lambda self: Head(tuple(self.widths), self.heads, self.how, self.window))
    needs = derived(lambda s: (States(s.role, s.reduce, None if s.rows is None else tuple(s.rows)).name,))
    kinds = ("trace",)
    on_request = True  # it keeps the states of many tokens
    forms: ClassVar[Forms] = {
        "weights_": Array(("weights",)),
        "mean_": Array(("features",)),
        "scale_": Array(("features",), low=0),
    }

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in ("heads", "window", "epochs", "patience", "batch")}
        rate, decay, widths = self.learning_rate, self.weight_decay, tuple(self.widths)
        if min(*counts.values(), *widths) < 1 or not 0 < rate < 1e6 or not 0 <= decay < 1e6:
            said = ", ".join(f"{name}={value}" for name, value in counts.items())
            raise InnerjudgeError(
                f"given {said}, {widths=}, learning_rate={rate}, weight_decay={decay}, expected at least 1 each, a "
                "rate above 0, a decay of at least 0"
            )
        if self.each == "state" and (self.loss == "pairwise" or self.how in ("gated", "attention")):
            raise InnerjudgeError(
                f"given each='state' with loss={self.loss!r} and how={self.how!r}, expected each='item': only items "
                "are compared, and only they are weighted sums"
            )
        _ = self.needs  # refuses a role, a reduction or rows that there are not

    def sizes(self, known: Mapping[str, int]) -> dict[str, int]:
        """Adds the length of the vectors that are read, and the number of weights for such vectors."""
        found = dict(known)
        if self.rows is not None and "width" in found:
            found["features"] = len(self.rows) * found["width"]
        read = found.get("features", np.size(self.__dict__.get("mean_", ())))
        return {**found, "weights": self._head.size(read)} if read else found

    def fit(self, features: Features, labels: npt.ArrayLike) -> Self:
        """Learn from labels ``[n]``: booleans.

        ``InnerjudgeError`` if no item can be read, the labels are all of one class, or the loss is pairwise and no
        question has both.
        """
        part, values, excluded = self._training(features, labels)
        items = StatesOfItems(*_states(part, self.needs[0]), part.groups, correctness(values))
        if self.loss == "pairwise" and not items.mixed():
            raise InnerjudgeError(
                "given no question with both right and wrong items, expected some for loss='pairwise': use loss='bce'"
            )
        sides = items.split(self.seed, mixed=self.loss == "pairwise")
        if self.standardise:
            items.standardise(sides[0])
        self.weights_ = learn(self._head, items, self, *sides)
        self.mean_, self.scale_ = items.mean, items.scale
        self.n_excluded_, self.provenance_ = excluded, features.provenance
        return self

    def _scores(self, features: Features) -> Scores:
        states, counts = _states(features, self.needs[0])
        return score(self._head, self.weights_, states, counts, (self.mean_, self.scale_))

    def _unreadable(self, features: Features) -> dict[str, str]:
        _, counts = _states(features, self.needs[0])
        return {features.ids[k]: f"no {self.role}" for k in np.flatnonzero(counts == 0)}

    def _labels(self, scores: Scores, features: Features) -> list[Any]:
        return [bool(s > 0) for s in scores]


def _states(features: Features, name: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """States of all items ``[N, F]``, and how many each item has."""
    if name in features.ragged:
        rows, counts = features.ragged[name].values, features.ragged[name].counts
    else:
        rows, counts = features[name], np.ones(len(features), np.int64)
    return rows.reshape(len(rows), math.prod(rows.shape[1:])), counts
