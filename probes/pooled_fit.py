"""How a :class:`.pooled.PooledProbe` pools the outputs of a head, and learns from batches of whole questions."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from sklearn.model_selection import GroupShuffleSplit
from sklearn.preprocessing import StandardScaler
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid, softplus

from ..extraction.ragged import Ragged, runs
from ..models.errors import InnerjudgeError, one_line
from .labels import Bools, Floats, Ints

if TYPE_CHECKING:
    from .pooled import PooledProbe

Pool = Literal["mean", "min", "max", "last", "probability", "product", "gated", "attention", "rolling"]


def pool(out: torch.Tensor, counts: torch.Tensor, how: Pool, window: int = 10) -> torch.Tensor:
    r"""Pool outputs over the states of each item, and take the mean over heads: ``[N, outputs]`` to ``[n]``.

    Items lie one after another, ``counts[k] >= 1`` states each. An item of one state has that state's value, whatever
    ``how``.

    * ``"mean"``, ``"min"``, ``"max"``, ``"last"`` of the values. The minimum is MultiMax (arXiv 2601.11516, which takes
      the maximum, as its scores are of a fault and not of correctness).
    * ``"probability"``: the log-odds of the mean of :math:`\sigma(v)` (STEP, arXiv 2601.09093).
    * ``"product"``: the log-odds of the product of :math:`\sigma(v)`; it falls with the number of states.
    * ``"gated"``: :math:`\sum g v / \sum g` with :math:`g = \sigma(a)` (SWIFT, arXiv 2505.12225).
    * ``"attention"``: :math:`\sum_t \mathrm{softmax}(a)_t v_t` (arXiv 2601.11516).
    * ``"rolling"``: the lowest mean over ``window`` consecutive states; over all if there are fewer.

    For the two with :math:`a`, the first half of the outputs are values and the second half :math:`a`.
    """
    count = partial(torch.arange, device=out.device)
    item = count(len(counts)).repeat_interleave(counts)
    ends = counts.cumsum(0)
    heads = out.shape[1] // 2 if how in ("gated", "attention") else out.shape[1]
    values, more = out[:, :heads], out[:, heads:]
    if how == "last":
        return values[ends - 1].mean(dim=1)
    if how in ("min", "max"):
        return _extreme(values, item, len(counts), how).mean(dim=1)
    if how == "rolling":
        starts, length = ends - counts, counts.clamp(max=window)
        windows = counts - length + 1
        owner = count(len(counts)).repeat_interleave(windows)
        first = starts[owner] + count(len(owner)) - (windows.cumsum(0) - windows)[owner]
        place = count(window)
        inside = (place < length[owner][:, None])[..., None]
        picked = values[(first[:, None] + place).clamp(max=len(values) - 1)]
        return _extreme((picked * inside).sum(dim=1) / length[owner][:, None], owner, len(counts), "min").mean(dim=1)
    if how == "probability":  # log of the sums of probabilities of right and of wrong
        right, wrong = (_log_sum(logsigmoid(side), item, len(counts)) for side in (values, -values))
        return (right - wrong).mean(dim=1)
    if how == "product":
        total = values.new_zeros(len(counts), heads).index_add(0, item, logsigmoid(values))
        return (total - torch.expm1(total).neg().clamp_min(torch.finfo(total.dtype).tiny).log()).mean(dim=1)
    if how == "attention":
        weights = (more - _extreme(more, item, len(counts), "max")[item]).exp()
    else:
        weights = more.sigmoid() if how == "gated" else torch.ones_like(values)
    zeros = values.new_zeros(len(counts), heads)
    total = zeros.index_add(0, item, weights).clamp_min(torch.finfo(values.dtype).tiny)
    return (zeros.index_add(0, item, weights * values) / total).mean(dim=1)


def _log_sum(logs: torch.Tensor, item: torch.Tensor, n: int) -> torch.Tensor:
    """Logarithm of the sum of exponentials over each item, head by head."""
    most = _extreme(logs, item, n, "max")
    return most + logs.new_zeros(n, logs.shape[1]).index_add(0, item, (logs - most[item]).exp()).log()


def _extreme(values: torch.Tensor, item: torch.Tensor, n: int, how: Literal["min", "max"]) -> torch.Tensor:
    """The least or greatest row of each item, head by head."""
    index = item[:, None].expand_as(values)
    return values.new_zeros(n, values.shape[1]).scatter_reduce(0, index, values, f"a{how}", include_self=False)


@dataclass(frozen=True)
class Head:
    """A fully connected network on each state, with pooling; its weights are one flat vector.

    Args:
        widths: Width of each hidden layer (ReLU).
        heads: Number of outputs that are pooled.
        how: How they are pooled; see :func:`pool`.
        window: Number of states in a window, for ``"rolling"``.
    """

    widths: tuple[int, ...]
    heads: int
    how: Pool
    window: int

    def layers(self, read: int) -> list[tuple[int, int]]:
        """Number of inputs and outputs of each layer, for states of ``read`` numbers."""
        return list(pairwise((read, *self.widths, self.heads * (2 if self.how in ("gated", "attention") else 1))))

    def size(self, read: int) -> int:
        """Number of weights and biases."""
        return sum((a + 1) * b for a, b in self.layers(read))

    def start(self, read: int, generator: torch.Generator) -> torch.Tensor:
        """Initial weights on the CPU, drawn as in ``torch.nn.Linear``."""
        draw = partial(torch.rand, generator=generator, device="cpu")
        drawn = [(draw((a + 1) * b) * 2 - 1) * a**-0.5 for a, b in self.layers(read)]
        return torch.cat(drawn)

    def outputs(self, weights: torch.Tensor, x: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """Outputs for states ``[N, F]``, each on its own: ``[N, outputs]``."""
        for k, (read, write) in enumerate(self.layers(x.shape[1])):
            matrix, bias, weights = weights.split([read * write, write, len(weights) - (read + 1) * write])
            x = (x.relu() if k else x) @ matrix.view(read, write) + bias
        return x

    def pooled(self, weights: torch.Tensor, x: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """One number per item, ``[n]``."""
        return pool(self.outputs(weights, x, counts), counts, self.how, self.window)


def place(device: str) -> torch.device:
    """The device of this name; ``InnerjudgeError`` if there is none."""
    try:
        return torch.zeros(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise InnerjudgeError(f"given {device=}, expected one of this machine's: {one_line(error)}") from None


Loss = Literal["bce", "brier", "pairwise", "listwise"]
#: Losses that compare the items of a question.
WITHIN = ("pairwise", "listwise")
Each = Literal["item", "state", "both", "step"]
#: Share of the questions that say when to stop.
_HELD_OUT = 0.2
#: Numbers of states that are standardised, or scored, at once.
_NUMBERS = 1 << 22


class StatesOfItems:
    """The states of items, of which some ``rows`` (``None``: all) are put side by side, ``[N, F]``.

    ``held`` are those of each item, in memory or on the disk: no more of them is in memory than is read at a time.
    """

    def __init__(
        self, held: Ragged, rows: Sequence[int] | None = None, scaled: tuple[Floats, Floats] | None = None
    ) -> None:
        self.held, self.counts, self._rows = held, held.counts, rows
        axis = [*held.shape[1:2], 1][0] if rows is None else len(rows)
        self.width = axis * math.prod(held.shape[2:])
        self.mean, self.scale = (np.zeros(self.width), np.ones(self.width)) if scaled is None else scaled

    def states(self, items: Ints) -> npt.NDArray[np.float32]:
        """States of some items, ``[N, F]``."""
        found = self.held.take(items).values
        return (found if self._rows is None else found[:, self._rows]).reshape(len(found), self.width)

    def read(
        self, items: Ints, kind: Any = np.float32, device: torch.device | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Standardised states of some items, as numbers of this ``kind``, and how many each has."""
        states = (self.states(items) - self.mean.astype(kind)) / self.scale.astype(kind)
        return torch.from_numpy(states).to(device), torch.from_numpy(self.counts[items]).to(device)

    def runs(self, items: Ints) -> Iterator[Ints]:
        """Some items after others, as many at a time as may be in memory at once."""
        return (items[run] for run in runs(self.counts[items] * self.width, _NUMBERS))


class LabelledStates(StatesOfItems):
    """Items to learn from; ``right`` says whether each is, ``groups`` of which question.

    ``told`` ``[N]`` says of each state whether it is right, NaN where that is unknown; without, states have their
    item's label.
    """

    def __init__(
        self,
        held: Ragged,
        groups: tuple[str, ...],
        right: Bools,
        told: Floats | None = None,
        rows: Sequence[int] | None = None,
    ) -> None:
        super().__init__(held, rows)
        self.right, self.told = right, np.repeat(right, self.counts).astype(np.float64) if told is None else told
        self.groups: Ints = np.unique(np.array(groups), return_inverse=True)[1]

    def mixed(self, items: Bools | slice = slice(None)) -> bool:
        """Whether some question has both right and wrong items, among all of them or some."""
        right, all_ = np.bincount(self.groups[items], self.right[items]), np.bincount(self.groups[items])
        return bool(((right > 0) & (right < all_)).any())

    def standardise(self, items: Bools) -> None:
        """Set mean and scale from the states of some items."""
        scaler = StandardScaler()
        for some in self.runs(np.flatnonzero(items)):
            scaler.partial_fit(self.states(some))
        self.mean, self.scale = scaler.mean_, scaler.scale_

    def told_of(self, items: Ints) -> torch.Tensor:
        """What is known of each state of some items."""
        return torch.from_numpy(np.concatenate([self.told[self.held.offsets[k] :][: self.counts[k]] for k in items]))

    def batches(self, items: Ints, size: int, generator: torch.Generator, *, states: bool = False) -> Iterator[Ints]:
        """Yield all items once, by whole questions, in batches of at least ``size`` items or states (but the last)."""
        own, place = np.unique(self.groups[items], return_inverse=True)
        rank = torch.randperm(len(own), generator=generator, device="cpu").numpy()[place]
        batch: list[Ints] = []
        for one in np.split(items[np.argsort(rank, kind="stable")], np.cumsum(np.bincount(rank))[:-1]):
            batch.append(one)
            if sum(int(self.counts[part].sum()) if states else len(part) for part in batch) >= size:
                yield np.concatenate(batch)
                batch = []
        if batch:
            yield np.concatenate(batch)

    def split(self, seed: int, *, mixed: bool = False) -> tuple[Bools, Bools]:
        """Items to learn from and items held out, split by question; all and none if a side would have one class.

        With ``mixed``, also if a side would have no question with both classes.
        """
        everything = np.ones(len(self.right), bool)
        if self.groups.max() == 0:
            return everything, ~everything
        some, _ = next(
            GroupShuffleSplit(1, test_size=_HELD_OUT, random_state=seed).split(self.right, None, self.groups)
        )
        learned = np.isin(np.arange(len(self.right)), some)
        sides = learned, ~learned
        told = (self.told[np.repeat(side, self.counts)] for side in sides)
        both = all(map(self.mixed, sides)) if mixed else all((one == 0).any() and (one == 1).any() for one in told)
        return sides if both else (everything, ~everything)


def learn(head: Head, items: LabelledStates, recipe: "PooledProbe", learned: Bools, held_out: Bools) -> Floats:
    """The weights with the lowest loss on the items held out; those of the last epoch, if there are none.

    The parameters of the probe ``recipe`` say how they are learned, and where.
    """
    generator = torch.Generator("cpu").manual_seed(recipe.seed)
    weights = head.start(items.width, generator).to(recipe.device).requires_grad_()
    optimizer = torch.optim.AdamW([weights], lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    by_state = recipe.each in ("state", "step")
    right = items.told[np.repeat(learned, items.counts)] if by_state else items.right[learned]
    weigh = float(recipe.balance * (right == 0).sum() / (right == 1).sum()) if recipe.balance else 1.0
    best, lowest, since = weights.detach().clone(), np.inf, 0
    for epoch in range(recipe.epochs):
        progress = epoch / max(recipe.epochs - 1, 1)
        for some in items.batches(np.flatnonzero(learned), recipe.batch, generator, states=by_state):
            loss = _loss(head, weights, items, some, recipe, weigh, progress)
            if loss is not None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        with torch.no_grad():
            said = _loss(head, weights, items, np.flatnonzero(held_out), recipe, weigh) if held_out.any() else None
        if said is None or float(said) < lowest:
            best, lowest, since = weights.detach().clone(), np.inf if said is None else float(said), 0
        else:
            since += 1
            if since >= recipe.patience:
                break
    if (held_out.any() and lowest == np.inf) or not best.isfinite().all():
        raise InnerjudgeError.of("probes.no-number", recipe.learning_rate)
    return best.cpu().double().numpy()


def _loss(
    head: Head,
    weights: torch.Tensor,
    items: LabelledStates,
    some: Ints,
    recipe: "PooledProbe",
    weigh: float,
    progress: float = 1.0,
) -> torch.Tensor | None:
    """Mean loss of some items; ``None`` where they hold no pair to compare, or no state with a label.

    With ``each="both"``, ``progress`` is the share of the items' own loss, and the states' is the rest.
    """
    share = {"item": 1.0, "both": progress}.get(recipe.each, 0.0)
    logits, values = list[torch.Tensor](), list[torch.Tensor]()
    for part in [some] if torch.is_grad_enabled() else items.runs(some):
        read = items.read(part, device=weights.device)
        logits += [head.pooled(weights, *read)] if share else []
        values += [_values(head, weights, *read)] if share < 1 else []
    right = torch.from_numpy(items.right[some]).to(weights.device)

    def loss(logits: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        weight = torch.where(right, weigh, 1.0)
        if recipe.loss == "brier":
            return (weight * (logits.sigmoid() - right.float()).square()).mean()
        return binary_cross_entropy_with_logits(logits, right.float(), weight)

    if recipe.loss in WITHIN:
        question = torch.from_numpy(items.groups[some]).to(weights.device)
        return _within(torch.cat(logits), question[:, None] == question, right, recipe.loss)
    found = share * loss(torch.cat(logits), right) if share else weights.new_zeros(())
    if share < 1:
        told = items.told_of(some).to(weights.device)
        known = ~told.isnan()
        if not known.any():
            return None
        found = found + (1 - share) * loss(torch.cat(values)[known], told[known] == 1)
    return found


def _values(head: Head, weights: torch.Tensor, x: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Value of each state: the mean over the heads."""
    return head.outputs(weights, x, counts)[:, : head.heads].mean(dim=1)


def _within(logits: torch.Tensor, same: torch.Tensor, right: torch.Tensor, loss: Loss) -> torch.Tensor | None:
    """Mean over pairs, or over questions, of items with ``same [n, n]`` question; ``None`` where none has both."""
    pairs = same & right[:, None] & ~right
    if not pairs.any():
        return None
    if loss == "pairwise":
        return softplus(logits - logits[:, None])[pairs].mean()
    told = pairs.any(dim=1)
    logs = logits - logits.expand_as(same).masked_fill(~same, -torch.inf).logsumexp(dim=1)
    share = 1 / (same & right).sum(dim=1)[told]
    return -(share * logs[told]).sum() / share.sum()


@torch.no_grad()
def score(head: Head, weights: Floats, items: StatesOfItems, *, each: bool = False) -> Floats:
    """Scores ``[n]`` of items, or ``[N]`` of ``each`` of their states, some items at a time, on the CPU."""
    made: Any = _values if each else type(head).pooled
    flat, every = torch.from_numpy(weights), np.arange(len(items.counts))
    found = [made(head, flat, *items.read(some, np.float64)) for some in items.runs(every)]
    return torch.cat(found).numpy() if found else np.zeros(0)
