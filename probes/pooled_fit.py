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
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from ..extraction.ragged import Ragged, runs
from ..models.errors import InnerjudgeError, one_line
from .labels import Bools, Floats, Ints
from .scaling import steady

if TYPE_CHECKING:
    from .pooled import PooledProbe

Pool = Literal[
    "mean", "min", "max", "last", "tail", "probability", "product", "geometric", "gated", "attention", "rolling", "ema"
]
#: Those whose outputs are values, and as many numbers that say how much each counts.
WEIGHED = ("gated", "attention", "rolling")


def pool(out: Tensor, counts: Tensor, how: Pool, window: int = 10) -> Tensor:
    r"""Pool outputs over the states of each item, and take the mean over heads: ``[N, outputs]`` to ``[n]``.

    Items lie one after another, ``counts[k] >= 1`` states each. An item of one state has that state's value, whatever
    ``how``; half of it with ``"ema"``.

    * ``"mean"``, ``"min"``, ``"max"``, ``"last"`` of the values; ``"tail"``: the mean of the last ``window`` of them.
      The minimum is MultiMax (arXiv 2601.11516, which takes the maximum, as its scores are of a fault and not of
      correctness; the same is turned round in the last two below).
    * ``"probability"``: the log-odds of the mean of :math:`\sigma(v)` (STEP, arXiv 2601.09093).
    * ``"product"``: the log-odds of the product of :math:`\sigma(v)`; it falls with the number of states.
      ``"geometric"``: of their geometric mean, which does not.
    * ``"gated"``: :math:`\sum g v / \sum g` with :math:`g = \sigma(a)` (SWIFT, arXiv 2505.12225).
    * ``"attention"``: :math:`\sum_t \mathrm{softmax}(a)_t v_t` (arXiv 2601.11516).
    * ``"rolling"``: the lowest of these over ``window`` consecutive states; over all if there are fewer (2601.11516).
    * ``"ema"``: the lowest :math:`e_t = (v_t + e_{t-1}) / 2`, from :math:`e_0 = 0` (2601.11516).

    For the three with :math:`a`, the first half of the outputs are values and the second half :math:`a`.
    """
    count = partial(torch.arange, device=out.device)
    item = count(len(counts)).repeat_interleave(counts)
    place = count(len(out)) - (counts.cumsum(0) - counts)[item]
    heads = out.shape[1] // 2 if how in WEIGHED else out.shape[1]
    values, more = out[:, :heads], out[:, heads:]
    if how == "ema":
        values, how = values / 2, "min"
        for back in (1, 2, 4, 8, 16, 32):  # sums of 2, 4 ... 64 states; what lies further back weighs 2 ** -64
            values = values + (place >= back)[:, None] * values.roll(back, 0) / 2**back
    if how == "rolling":  # each window by its last state; the first states of an item end none
        own, full = count(window), place >= (counts.clamp(max=window) - 1)[item]
        picked = (count(len(out))[:, None] - own).clamp(min=0)
        weights = more[picked].masked_fill((own > place[:, None])[..., None], -torch.inf).softmax(dim=1)
        values, item, how = (weights * values[picked]).sum(dim=1)[full], item[full], "min"
    if how in ("min", "max"):
        return _extreme(values, item, len(counts), how).mean(dim=1)
    zeros, tiny = values.new_zeros(len(counts), heads), torch.finfo(values.dtype).tiny
    if how == "probability":  # log of the sums of probabilities of right and of wrong, beside the largest of each item
        right, wrong = (logsigmoid(side) for side in (values, -values))
        high, low = (_extreme(logs, item, len(counts), "max") for logs in (right, wrong))
        of_right, of_wrong = ((a - b[item]).exp() for a, b in ((right, high), (wrong, low)))
        odds = zeros.index_add(0, item, of_right) / zeros.index_add(0, item, of_wrong)
        return (high - low + odds.log()).mean(dim=1)
    if how in ("product", "geometric"):
        lost = torch.minimum(-values, softplus(-values).clamp_min(tiny).log())  # logarithms of -ln of probabilities
        high = _extreme(lost, item, len(counts), "max")
        sums = zeros.index_add(0, item, (lost - high[item]).exp()) / (1 if how == "product" else counts[:, None])
        total = -(few := sums.log() + high).exp()  # near 0, 1 - exp(total) is -total: rounded to 0, its log not
        return (total - torch.minimum(few, torch.expm1(total).neg().clamp_min(tiny).log())).mean(dim=1)
    if how == "attention":
        weights = (more - _extreme(more, item, len(counts), "max")[item]).exp()
    elif how == "gated":
        weights = more.sigmoid()
    else:
        most = {"tail": window, "last": 1}.get(how, len(out))
        weights = (place >= (counts - most)[item])[:, None].expand_as(values).to(values)
    total = zeros.index_add(0, item, weights).clamp_min(tiny)
    return (zeros.index_add(0, item, weights * values) / total).mean(dim=1)


def _extreme(values: Tensor, item: Tensor, n: int, how: Literal["min", "max"]) -> Tensor:
    """The least or greatest row of each item, head by head."""
    index = item[:, None].expand_as(values)
    return values.new_zeros(n, values.shape[1]).scatter_reduce(0, index, values, f"a{how}", include_self=False)


@dataclass(frozen=True)
class Head:
    """A fully connected network on each state, with pooling; its weights are one flat vector.

    Fields are parameters of :class:`.PooledProbe`.
    """

    widths: tuple[int, ...]
    heads: int
    how: Pool
    window: int

    def layers(self, read: int) -> list[tuple[int, int]]:
        """Number of inputs and outputs of each layer, for states of ``read`` numbers."""
        return list(pairwise((read, *self.widths, self.heads * (1 + (self.how in WEIGHED)))))

    def size(self, read: int) -> int:
        """Number of weights and biases."""
        return sum((a + 1) * b for a, b in self.layers(read))

    def start(self, read: int, generator: torch.Generator) -> Tensor:
        """Initial weights on the CPU, drawn as in ``torch.nn.Linear``."""
        draw = partial(torch.rand, generator=generator, device="cpu")
        return torch.cat([(draw((a + 1) * b) * 2 - 1) * a**-0.5 for a, b in self.layers(read)])

    def outputs(self, weights: Tensor, x: Tensor, counts: Tensor) -> Tensor:
        """Outputs for states ``[N, F]``, each on its own: ``[N, outputs]``."""
        for k, (read, write) in enumerate(self.layers(x.shape[1])):
            matrix, bias, weights = weights.split([read * write, write, len(weights) - (read + 1) * write])
            x = (x.relu() if k else x) @ matrix.view(read, write) + bias
        return x

    def pooled(self, weights: Tensor, x: Tensor, counts: Tensor) -> Tensor:
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
#: What a state in a labelled span weighs (arXiv 2509.03531).
_IN_SPAN = 10.0
#: Numbers of states that are standardised, or scored, at once.
_NUMBERS = 1 << 22


class StatesOfItems:
    """The states of items, of which some ``rows`` (``None``: all) are put side by side, ``[N, F]``.

    ``held`` are those of each item, in memory or on the disk: no more of them is in memory than is read at a time.
    """

    def __init__(self, held: Ragged, rows: Sequence[int] | None = None, scaled: tuple[Floats, ...] = ()) -> None:
        self.held, self.counts, self._rows = held, held.counts, rows
        axis = [*held.shape[1:2], 1][0] if rows is None else len(rows)
        self.width = axis * math.prod(held.shape[2:])
        self.mean, self.scale = scaled or (np.zeros(self.width), np.ones(self.width))
        if self.counts.any() and len(self.mean) != self.width:
            raise InnerjudgeError.of("probes.numbers", self.width, len(self.mean))

    def states(self, items: Ints) -> npt.NDArray[np.float32]:
        """States of some items, ``[N, F]``."""
        found = self.held.take(items).values
        return (found if self._rows is None else found[:, self._rows]).reshape(len(found), self.width)

    def read(self, items: Ints, kind: Any = np.float32, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
        """Standardised states of some items, as numbers of this ``kind``, and how many each has."""
        states = (self.states(items) - self.mean.astype(kind)) / self.scale.astype(kind)
        return torch.from_numpy(states).to(device), torch.from_numpy(self.counts[items]).to(device)

    def runs(self, items: Ints) -> Iterator[Ints]:
        """Some items after others, as many at a time as may be in memory at once."""
        return (items[run] for run in runs(self.counts[items] * self.width, _NUMBERS))


class LabelledStates(StatesOfItems):
    """Items to learn from: how surely each is ``right``, of which question (``groups``), and its ``weight``.

    ``told`` ``[N]`` says how surely each state is right, NaN where that is unknown; without, states have their item's
    label. ``span`` ``[N]`` is the number of the labelled span in which a state lies, or -1; ``None`` if none is.
    """

    def __init__(
        self,
        held: Ragged,
        groups: tuple[str, ...],
        right: npt.NDArray[Any],
        told: Floats | None = None,
        rows: Sequence[int] | None = None,
        weight: Floats | None = None,
        span: Ints | None = None,
    ) -> None:
        super().__init__(held, rows)
        self.right, self.span = right.astype(np.float64), span
        self.weight: Floats = np.ones(len(right)) if weight is None else weight / weight.mean()
        self.told = np.repeat(self.right, self.counts) if told is None else told
        self.share = np.repeat(self.weight, self.counts) * (1 if span is None else np.where(span < 0, 1, _IN_SPAN))
        self.groups: Ints = np.unique(np.array(groups), return_inverse=True)[1]

    def mixed(self, items: Bools | slice = slice(None)) -> bool:
        """Whether some question has both right and wrong items, among all of them or some."""
        right, all_ = np.bincount(self.groups[items], self.right[items]), np.bincount(self.groups[items])
        return bool(((right > 0) & (right < all_)).any())

    def standardise(self, items: Bools) -> None:
        """Set mean and scale from the states of some items."""
        scaler = StandardScaler()
        for some in self.runs(np.flatnonzero(items)):
            scaler.partial_fit(self.states(some), sample_weight=np.repeat(self.weight[some], self.counts[some]))
        self.mean, self.scale = scaler.mean_, steady(scaler).scale_

    def places(self, items: Ints) -> Ints:
        """Places of the states of some items among those of all."""
        return np.concatenate([np.arange(*self.held.offsets[k : k + 2]) for k in items])

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
        everything, learned = np.ones(len(self.right), bool), np.zeros(len(self.right), bool)
        if self.groups.max() == 0:
            return everything, ~everything
        splits = GroupShuffleSplit(1, test_size=_HELD_OUT, random_state=seed).split(self.right, groups=self.groups)
        learned[next(splits)[0]] = True
        sides = learned, ~learned
        told = (self.told[np.repeat(side, self.counts)] for side in sides)
        both = all(map(self.mixed, sides)) if mixed else all((one < 1).any() and (one > 0).any() for one in told)
        return sides if both else (everything, ~everything)


def learn(head: Head, items: LabelledStates, recipe: "PooledProbe", sides: tuple[Bools, Bools]) -> tuple[Floats, float]:
    """The weights with the lowest loss on the items held out, and that; those of the last epoch, if there are none.

    The parameters of the probe ``recipe`` say how they are learned, and where.
    """
    learned, held_out = sides
    generator = torch.Generator("cpu").manual_seed(recipe.seed)
    weights = head.start(items.width, generator).to(recipe.device).requires_grad_()
    optimizer = torch.optim.AdamW([weights], lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    by_state = recipe.each in ("state", "step")
    kept = np.repeat(learned, items.counts) if by_state else learned
    sure, share = (items.told[kept], items.share[kept]) if by_state else (items.right[kept], items.weight[kept])
    wrong, right = np.nansum(share * (1 - sure)), np.nansum(share * sure)
    weigh = (float(recipe.balance * wrong / right) if recipe.balance else 1.0) / recipe.wrong_weight
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
        elif (since := since + 1) >= recipe.patience:
            break
    if (held_out.any() and lowest == np.inf) or not best.isfinite().all():
        raise InnerjudgeError.of("probes.no-number", recipe.learning_rate)
    return best.cpu().double().numpy(), lowest


def _loss(
    head: Head, weights: Tensor, items: LabelledStates, some: Ints, recipe: "PooledProbe", weigh: float, done: float = 1
) -> Tensor | None:
    """Mean loss of some items; ``None`` where they hold no pair to compare, or no state with a label.

    With ``each="both"``, ``done`` is the share of the items' own loss, and the states' is the rest. Labelled spans take
    the place of items, and are pooled as these are.
    """
    share = {"item": 1.0, "both": done}.get(recipe.each, 0.0)
    logits, values = list[Tensor](), list[Tensor]()
    for part in [some] if torch.is_grad_enabled() else items.runs(some):
        read = items.read(part, device=weights.device)
        if share and items.span is not None:
            within, _, sizes = map(torch.from_numpy, _spans(items.span[items.places(part)]))
            out = head.outputs(weights, *read)[within]
            logits.append(pool(out, sizes.to(out.device), head.how, head.window))
        elif share:
            logits.append(head.pooled(weights, *read))
        values += [_values(head, weights, *read)] if share < 1 else []

    def loss(logits: Tensor, *given: Floats) -> list[Tensor]:
        """Of logits with labels and weights; nothing of none."""
        p, (sure, weight) = logits.sigmoid(), (torch.from_numpy(one).to(weights) for one in given)
        brier = recipe.loss == "brier"
        right, wrong = ((1 - p).square(), p.square()) if brier else (softplus(-logits), softplus(logits))
        return [(weight * (weigh * sure * right + (1 - sure) * wrong)).mean()] if len(p) else []

    told = items.right[some], items.weight[some]
    if recipe.loss in WITHIN:
        question, right, weight = (torch.from_numpy(one).to(weights) for one in (items.groups[some], *told))
        return _within(torch.cat(logits), question[:, None] == question, right == 1, weight, recipe.loss)
    places = items.places(some)
    if items.span is not None:
        first = _spans(items.span[places])[1]
        told = items.told[places][first], items.share[places][first] / _IN_SPAN
    found = [share * one for one in loss(torch.cat(logits), *told)] if share else []
    if share < 1:
        places, known = places[seen := ~np.isnan(items.told[places])], torch.from_numpy(seen)
        found += [(1 - share) * one for one in loss(torch.cat(values)[known], items.told[places], items.share[places])]
    return torch.stack(found).sum() if found else None


def _spans(span: Ints) -> tuple[Bools, Bools, Ints]:
    """Which states lie in a labelled span, which is the first in each, and of how many states it is."""
    within = span >= 0
    first = within & (np.diff(span, prepend=-1) != 0)
    return within, first, np.diff(np.flatnonzero(np.append(first[within], True)))


def _values(head: Head, weights: Tensor, x: Tensor, counts: Tensor) -> Tensor:
    """Value of each state: the mean over the heads."""
    return head.outputs(weights, x, counts)[:, : head.heads].mean(dim=1)


def _within(logits: Tensor, same: Tensor, right: Tensor, weight: Tensor, loss: Loss) -> Tensor | None:
    """Mean over pairs, or over questions, of items with ``same [n, n]`` question; ``None`` where none has both."""
    pairs = (same & right[:, None] & ~right) * weight[:, None] * weight
    told = pairs.any(dim=1)
    if not told.any():
        return None
    if loss == "pairwise":
        return (pairs * softplus(logits - logits[:, None])).sum() / pairs.sum()
    logs = logits - (logits + weight.log()).expand_as(same).masked_fill(~same, -torch.inf).logsumexp(dim=1)
    share = weight[told] / ((same & right) * weight).sum(dim=1)[told]
    return -(share * logs[told]).sum() / share.sum()


@torch.no_grad()
def score(head: Head, weights: Floats, items: StatesOfItems, *, each: bool = False) -> Floats:
    """Scores ``[n]`` of items, or ``[N]`` of ``each`` of their states, some items at a time, on the CPU."""
    made: Any = _values if each else type(head).pooled
    flat, every = torch.from_numpy(weights), np.arange(len(items.counts))
    found = [made(head, flat, *items.read(some, np.float64)) for some in items.runs(every)]
    return torch.cat(found).numpy() if found else np.zeros(0)
