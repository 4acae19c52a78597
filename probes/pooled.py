"""Probes of many states an item: a head on each token or step, and one number of what it says."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
import numpy.typing as npt
import torch
from sklearn.model_selection import GroupShuffleSplit
from sklearn.preprocessing import StandardScaler
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from ..extraction.features import Features
from ..extraction.readouts import Reduce, States
from ..models.errors import InnerjudgeError
from .description import Task
from .fitted_arrays import Array, Form
from .judge import LearningJudge, Scores
from .labels import Bools, correctness
from .pooling import Pool, pool

Loss = Literal["bce", "brier", "pairwise"]
#: Share of the questions that say when to stop.
_HELD_OUT = 0.2
#: Fewest rows that are standardised at once.
_CHUNK = 1 << 14


class PooledProbe(LearningJudge):
    r"""A linear or two-layered head on each state of a role, pooled to one number an item: the log-odds of correct.

    A head is ``widths`` hidden layers (ReLU) and ``heads`` outputs; each is pooled over the item's states by
    :func:`.pooling.pool`, and their mean is the score. It is trained with AdamW, on batches of whole questions; a fifth
    of the questions is held out, and the weights of the lowest loss there are kept (of the last epoch, where fewer than
    two questions are given or a side has one class). Nothing of an item that is judged reaches the fit.

    Args:
        role: Which tokens; see :mod:`innerjudge.models.roles`.
        reduce: ``"none"`` for one state a token, others for one a range; see :class:`~innerjudge.States`.
        rows: Rows of the states that stand side by side; ``None`` for all.
        widths: Width of each hidden layer; none for a linear head.
        heads: Number of outputs.
        how: How they are pooled; see :func:`.pooling.pool`.
        window: States of a window, for ``"rolling"``.
        loss: ``"bce"``, ``"brier"`` (mean squared error of the probability), or ``"pairwise"``:
            :math:`\ln(1 + e^{s_- - s_+})` of the right and wrong items of a question.
        each: What is held to the item's label: the ``"item"``, or each ``"state"`` (all of them, as STEP does).
        balance: Whether right items weigh ``wrong / right``; not for ``"pairwise"``.
        standardise: Whether states are standardised by those to learn from.
        learning_rate: Of AdamW.
        weight_decay: Of AdamW.
        epochs: At most so many.
        patience: Epochs without a lower loss before it stops.
        batch: Least number of items a step.
        seed: Of the weights, the order of questions, and which are held out.

    Attributes:
        weights_: All weights and biases, layer by layer.
        mean_: ``[F]``, taken from the states; zeros unless ``standardise``.
        scale_: ``[F]``, what they are divided by.
        n_excluded_: Training items left out because they could not be read.

    Raises:
        InnerjudgeError: If a parameter is none of its values.

    Example:
        >>> from innerjudge import Features, Ragged
        >>> steps = [[[[k % 2 * 2.0 - 1]], [[0.5]]] for k in range(20)]  # two steps each; the first tells
        >>> name = "hidden/reasoning/step_end.none[-1]"
        >>> f = Features.from_arrays({name: Ragged.of(steps)}, provenance="m", groups=[f"q{k // 2}" for k in range(20)])
        >>> probe = PooledProbe(role="reasoning/step_end", learning_rate=0.1).fit(f, [k % 2 for k in range(20)])
        >>> probe.predict(f)[:4]
        array([False,  True, False,  True])
    """

    fitted: ClassVar[tuple[str, ...]] = ("weights_", "mean_", "scale_", "n_excluded_")
    forms: ClassVar[Mapping[str, Form]] = {
        **LearningJudge.forms,
        "mean_": Array(("features",)),
        "scale_": Array(("features",), low=0),
        "weights_": Array(("weights",)),
    }

    def __init__(
        self,
        *,
        role: str = "response",
        reduce: Reduce = "none",
        rows: Sequence[int] | None = (-1,),
        widths: Sequence[int] = (),
        heads: int = 1,
        how: Pool = "mean",
        window: int = 10,
        loss: Loss = "bce",
        each: Literal["item", "state"] = "item",
        balance: bool = False,
        standardise: bool = True,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-3,
        epochs: int = 40,
        patience: int = 5,
        batch: int = 16,
        seed: int = 0,
    ) -> None:
        for given, known in ((how, Pool), (loss, Loss), (each, Literal["item", "state"])):
            if given not in get_args(known):
                raise InnerjudgeError(f"given {given!r}, expected one of {', '.join(get_args(known))}")
        if min(heads, window, epochs, patience, batch, *widths) < 1 or learning_rate <= 0 or weight_decay < 0:
            raise InnerjudgeError(
                f"given heads={heads}, window={window}, epochs={epochs}, patience={patience}, batch={batch}, widths="
                f"{tuple(widths)}, learning_rate={learning_rate}, weight_decay={weight_decay}, expected at least 1 "
                "each, a rate above 0 and a decay of at least 0"
            )
        if each == "state" and loss == "pairwise":
            raise InnerjudgeError("given loss='pairwise' of each 'state', expected each='item': items are compared")
        States(role, reduce, None if rows is None else tuple(rows))
        self.role, self.reduce, self.rows, self.widths, self.heads = role, reduce, rows, widths, heads
        self.how, self.window, self.loss, self.each, self.balance = how, window, loss, each, balance
        self.standardise, self.learning_rate, self.weight_decay = standardise, learning_rate, weight_decay
        self.epochs, self.patience, self.batch, self.seed = epochs, patience, batch, seed

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        """The one readout, by ``role``, ``reduce`` and ``rows``."""
        return (States(self.role, self.reduce, None if self.rows is None else tuple(self.rows)).name,)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Traces."""
        return ("trace",)

    @property
    def on_request(self) -> bool:
        """It keeps the states of many tokens."""
        return True

    @property
    def standardises(self) -> bool:
        """As it was asked to."""
        return self.standardise

    @classmethod
    def presets(cls, task: Task) -> Mapping[str, Self]:
        """Published readers of traces, where they are named."""
        if task.kind != "trace":
            return {}
        last, own = (-5, -4, -3, -1), {"learning_rate": 1e-4}
        return {
            "mean-probe": cls(reduce="mean"),
            "swift": cls(rows=last, how="gated", standardise=False, weight_decay=1e-5, patience=3, **own),
            "step": cls(role="reasoning/step_end", widths=(512,), how="probability", each="state", balance=True,
                        standardise=False, weight_decay=1e-5, epochs=20, batch=128, **own),
            "saplma": cls(role="response_end", widths=(256, 128, 64), standardise=False, epochs=5, batch=32),
            "multimax": cls(widths=(100, 100), heads=10, how="min", weight_decay=3e-3, **own),
            "attention-probe": cls(widths=(100, 100), heads=10, how="attention", weight_decay=3e-3, **own),
            "rolling-probe": cls(widths=(100, 100), heads=10, how="rolling", weight_decay=3e-3, **own),
        }  # fmt: skip

    def sizes(self, known: Mapping[str, int]) -> dict[str, int]:
        """Also the length of the vectors that are read, and the number of weights that such vectors take."""
        found = dict(known)
        if self.rows is not None and "width" in found:
            found["features"] = len(self.rows) * found["width"]
        read = found.get("features", len(self.mean_) if self.provenance_ is not None else 0)
        return {**found, "weights": sum(a * b + b for a, b in self._layers(read))} if read else found

    def fit(self, features: Features, labels: npt.ArrayLike) -> Self:
        """Learn from labels ``[n]``: booleans.

        Raises:
            InnerjudgeError: If no item can be read, the labels are all of one class, or the loss is pairwise and no
                question has both.
        """
        part, values, excluded = self._training(features, labels)
        right = correctness(values)
        states, counts = self._states(part)
        groups = np.unique(np.array(part.groups), return_inverse=True)[1]
        if self.loss == "pairwise" and not _mixed(groups, right):
            raise InnerjudgeError(
                "given no question with both right and wrong items, expected some for loss='pairwise': use loss='bce'"
            )
        scaler = StandardScaler(with_mean=self.standardise, with_std=self.standardise)
        learned, held_out = _split(groups, right, self.seed)
        for rows in np.array_split(np.flatnonzero(np.repeat(learned, counts)), max(1, len(states) // _CHUNK)):
            scaler.partial_fit(states[rows])
        plain = np.zeros(states.shape[1]), np.ones(states.shape[1])
        self.mean_, self.scale_ = (scaler.mean_, scaler.scale_) if self.standardise else plain
        given = _Items(states, counts, groups, right, self.mean_, self.scale_)
        self.weights_ = self._train(given, np.flatnonzero(learned), np.flatnonzero(held_out))
        self.n_excluded_, self.provenance_ = excluded, features.provenance
        return self

    def _states(self, features: Features) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """States of all items ``[N, F]``, and how many each item has."""
        name = self.needs[0]
        if name in features.ragged:
            rows, counts = features.ragged[name].values, features.ragged[name].counts
        else:
            rows, counts = features[name], np.ones(len(features), np.int64)
        return rows.reshape(len(rows), math.prod(rows.shape[1:])), counts

    def _layers(self, read: int) -> list[tuple[int, int]]:
        outputs = self.heads * (2 if self.how in ("gated", "attention") else 1)
        sizes = (read, *self.widths, outputs)
        return list(pairwise(sizes))

    def _outputs(self, weights: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """What the head says of states ``[N, F]``: ``[N, outputs]``."""
        at, layers = 0, self._layers(x.shape[1])
        for k, (read, write) in enumerate(layers):
            matrix, bias = weights[at : at + read * write], weights[at + read * write : at + (read + 1) * write]
            x = x @ matrix.view(read, write) + bias
            x = x.relu() if k + 1 < len(layers) else x
            at += (read + 1) * write
        return x

    def _train(self, items: "_Items", learned: npt.NDArray[np.intp], held_out: npt.NDArray[np.intp]) -> Scores:
        """The weights of the lowest loss on the items held out."""
        generator = torch.Generator().manual_seed(self.seed)
        parts = []
        for read, write in self._layers(items.states.shape[1]):
            bound = read**-0.5  # as torch.nn.Linear starts
            parts.append((torch.rand((read + 1) * write, generator=generator) * 2 - 1) * bound)
        weights = torch.cat(parts).requires_grad_()
        optimizer = torch.optim.AdamW([weights], lr=self.learning_rate, weight_decay=self.weight_decay)
        weigh = float((~items.right[learned]).sum() / items.right[learned].sum()) if self.balance else 1.0
        best, lowest, since = weights.detach().clone(), np.inf, 0
        for _ in range(self.epochs):
            for rows in items.batches(learned, self.batch, generator):
                loss = self._loss(weights, items, rows, weigh)
                if loss is not None:
                    optimizer.zero_grad()
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimizer.step()
            with torch.no_grad():
                said = self._loss(weights, items, held_out, weigh) if len(held_out) else None
            if said is None or float(said) < lowest:
                best, lowest, since = weights.detach().clone(), np.inf if said is None else float(said), 0
            else:
                since += 1
                if since >= self.patience:
                    break
        return best.double().numpy()

    def _loss(
        self, weights: torch.Tensor, items: "_Items", rows: npt.NDArray[np.intp], weigh: float
    ) -> torch.Tensor | None:
        """Mean loss of some items; ``None`` where there is none."""
        x, counts = items.read(rows)
        out, right = self._outputs(weights, x), torch.from_numpy(items.right[rows])
        if self.each == "state":
            logits, right = out[:, : self.heads].mean(dim=1), right.repeat_interleave(counts)
        else:
            logits = pool(out, counts, self.how, self.window)
        if self.loss == "pairwise":
            same = torch.from_numpy(items.groups[rows])
            pairs = (same[:, None] == same) & right[:, None] & ~right
            return softplus(logits - logits[:, None])[pairs].mean() if pairs.any() else None
        weight = torch.where(right, weigh, 1.0)
        if self.loss == "brier":
            return (weight * (logits.sigmoid() - right.float()).square()).mean()
        return binary_cross_entropy_with_logits(logits, right.float(), weight)

    @torch.no_grad()
    def _scores(self, features: Features) -> Scores:
        states, counts = self._states(features)
        scores = []
        weights = torch.from_numpy(self.weights_)
        for start, end in _chunks(counts, _CHUNK):
            rows = slice(int(counts[:start].sum()), int(counts[:end].sum()))
            x = torch.from_numpy((states[rows] - self.mean_) / self.scale_)
            scores.append(pool(self._outputs(weights, x), torch.from_numpy(counts[start:end]), self.how, self.window))
        return torch.cat(scores).numpy() if scores else np.zeros(0)

    def _labels(self, scores: Scores, features: Features) -> list[Any]:
        return [bool(s > 0) for s in scores]


class _Items:
    """Training items, and batches of them."""

    def __init__(
        self,
        states: npt.NDArray[np.float32],
        counts: npt.NDArray[np.int64],
        groups: npt.NDArray[np.intp],
        right: Bools,
        mean: Scores,
        scale: Scores,
    ) -> None:
        self.states, self.counts, self.groups, self.right = states, counts, groups, right
        self._mean, self._scale = mean.astype(np.float32), scale.astype(np.float32)
        self._starts = np.concatenate(([0], np.cumsum(counts)))

    def read(self, rows: npt.NDArray[np.intp]) -> tuple[torch.Tensor, torch.Tensor]:
        """Standardised states of some items, one item after another, and how many each has."""
        picked = np.concatenate([np.arange(self._starts[k], self._starts[k + 1]) for k in rows])
        return torch.from_numpy((self.states[picked] - self._mean) / self._scale), torch.from_numpy(self.counts[rows])

    def batches(
        self, rows: npt.NDArray[np.intp], size: int, generator: torch.Generator
    ) -> Iterator[npt.NDArray[np.intp]]:
        """All rows once, in batches of at least ``size`` (the last may have fewer) that no question is divided over."""
        own, place = np.unique(self.groups[rows], return_inverse=True)
        order = torch.randperm(len(own), generator=generator).numpy()
        rank = order[place]
        batch: list[npt.NDArray[np.intp]] = []
        for one in np.split(rows[np.argsort(rank, kind="stable")], np.cumsum(np.bincount(rank))[:-1]):
            batch.append(one)
            if sum(map(len, batch)) >= size:
                yield np.concatenate(batch)
                batch = []
        if batch:
            yield np.concatenate(batch)


def _split(groups: npt.NDArray[np.intp], right: Bools, seed: int) -> tuple[Bools, Bools]:
    """Items to learn from and those held out, by question; all and none where a side would have one class."""
    everything = np.ones(len(right), bool)
    if len(np.unique(groups)) < 2:
        return everything, ~everything
    some, _ = next(GroupShuffleSplit(1, test_size=_HELD_OUT, random_state=seed).split(right, groups=groups))
    learned = np.zeros(len(right), bool)
    learned[some] = True
    both = all(side.any() and not side.all() for side in (right[learned], right[~learned]))
    return (learned, ~learned) if both else (everything, ~everything)


def _mixed(groups: npt.NDArray[np.intp], right: Bools) -> bool:
    return any(0 < right[groups == one].sum() < (groups == one).sum() for one in np.unique(groups))


def _chunks(counts: npt.NDArray[np.int64], size: int) -> Iterator[tuple[int, int]]:
    """Whole items, of about ``size`` states together."""
    part = np.cumsum(counts) // size
    cuts = [0, *(np.flatnonzero(np.diff(part)) + 1).tolist(), len(counts)]
    yield from ((a, b) for a, b in pairwise(cuts) if b > a)
