"""Probes of many states per item: a head on each token or step, pooled to one number per item."""

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit

from ..extraction.features import Features
from ..extraction.ragged import Ragged
from ..extraction.readout_names import range_readout
from ..extraction.readouts import Reduce, States
from ..models.arguments import Count, Positive
from ..models.errors import InnerjudgeError
from ..models.foreign import parse_json
from .description import derived
from .encoder import head_of
from .estimator import parameters
from .judge import LearningJudge, Scores
from .labels import Floats, Known, Weights, soft_correctness
from .pooled_fit import WEIGHED, WITHIN, Each, LabelledStates, Loss, Pool, StatesOfItems, learn, place, score
from .row_judge import rows_at
from .steps import by_item, one_a_step, step_truths

_FIELDS = {"step": "step_labels", "both": "span_labels"}


def step_scores(probe: "PooledProbe", features: Features) -> list[Floats] | None:
    """Probability that each step is right, where there is one state a step."""
    if not one_a_step(probe.role, probe.reduce):
        return None
    items = _states(features, probe, (probe.mean_, probe.scale_))
    return by_item(expit(score(probe._head, probe.weights_, items, each=True)), items.counts)


@parameters
class PooledProbe(LearningJudge):
    r"""A linear or multi-layer head on each state of a role, pooled to one number per item: the log-odds of correct.

    A head is ``widths`` hidden layers (ReLU) and ``heads`` outputs; each is pooled over the item's states by
    :func:`.pooled_fit.pool`, and their mean is the score (SWIFT, arXiv 2505.12225; STEP, 2601.09093; LYNX, 2512.05325;
    SAPLMA, 2304.13734; MultiMax, 2601.11516; probes of chunks, 2504.05419, and of tokens, 2509.03531). With ``layers``,
    a small Transformer reads all states of the item together first (:class:`.encoder.Encoder`: HSRM, 2608.30841;
    ReProbe, 2511.06209). The head is trained with AdamW, on batches of whole questions; a fifth of the questions is
    held out, and the weights with the lowest loss on them are kept; those of the last epoch if a side would have one
    class only (for a loss within a question, no question with both). ``InnerjudgeError`` if a parameter has a value
    that is not allowed.

    Args:
        role: Which tokens; see :mod:`innerjudge.models.roles`.
        reduce: ``"none"`` for one state per token, others for one per range; see :class:`~innerjudge.States`.
        rows: Rows of the states to put side by side; ``None`` for all. A number such as 0.5 is a share of the depth, of
            ``L`` blocks the row nearest to it; ``"best"`` is the one of the lowest loss on the questions held out.
        readouts: Names of readouts that are read in the place of states: all numbers of a range side by side. They have
            a row for each range of ``role``, such as ``"attention/step@-1.own(5)"`` (ReProbe's other variant).
        widths: Width of each hidden layer; none for a linear head. With ``layers``, the width of the Transformer.
        layers: Number of layers of the Transformer; 0 for none, so that each state speaks for itself.
        attention: Number of its attention heads, of which ``widths`` is a multiple.
        causal: Whether a state sees only those before it.
        dropout: Share of its numbers that are dropped while it learns.
        heads: Number of outputs.
        how: How outputs are pooled; see :func:`.pooled_fit.pool`.
        window: Number of states, for ``"rolling"`` and ``"tail"``.
        loss: ``"bce"``, ``"brier"`` (mean squared error of the probability), ``"pairwise"``:
            :math:`\ln(1 + e^{s_- - s_+})` of the right and wrong items of a question, or ``"listwise"``: minus the mean
            log-softmax of its right items among all (SWIFT's InfoNCA with a low temperature).
        each: What is compared with the item's label: the pooled ``"item"``, every single ``"state"`` (as in STEP), or
            ``"both"``: at first states, at last items, linearly over the epochs; for the tokens of a response whose
            spans have labels these spans: other tokens are right then, and weigh a tenth (arXiv 2509.03531).
            ``"step"``: every state with the label of its step, where the item has such labels.
        balance: Whether right items (or states) weigh ``wrong / right``, or that number times it; not for losses within
            a question.
        wrong_weight: How many times as much wrong ones weigh, likewise.
        standardise: Whether states are standardised, by the mean and scale of the training items.
        learning_rate: Learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
        epochs: Most epochs.
        patience: Number of epochs without a lower loss after which training stops.
        batch: Least number of items per step; of states with ``each="state"``.
        seed: Draws the first weights, the order of questions, and which are held out.
        device: Where it learns, as torch names it: ``"cpu"``, ``"cuda:1"``. It scores on the CPU.

    Attributes:
        weights_: All weights and biases, layer by layer.
        mean_: ``[F]``, subtracted from the states; zeros unless ``standardise``.
        scale_: ``[F]``, what they are divided by.
        row_: The row that was chosen; ``None`` unless ``rows="best"``.
        n_excluded_: Training items left out: they could not be read, or labelled spans have no token, or share one.

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
    rows: Sequence[int | float] | Literal["best"] | None = (-1,)
    readouts: Sequence[str] = ()
    widths: Sequence[int] = ()
    layers: int = 0
    attention: int = 4
    causal: bool = False
    dropout: float = 0.1
    heads: Count = 1
    how: Pool = "mean"
    window: Count = 10
    loss: Loss = "bce"
    each: Each = "item"
    balance: bool | float = False
    wrong_weight: Positive = 1.0
    standardise: bool = True
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    epochs: Count = 40
    patience: Count = 5
    batch: Count = 16
    seed: int = 0
    device: str = "cpu"

    row_ = derived(lambda self: None)  # until a fit sets it
    standardises = derived(lambda self: self.standardise)
    _head = derived(head_of)
    #: The rows to read; ``None`` for all, of which shares of the depth are taken once it is known.
    _kept = derived(lambda s: tuple(s.rows) if all(isinstance(r, Integral) for r in s.rows or (0.0,)) else None)
    needs = derived(lambda self: _needs(self))
    kinds = ("trace",)
    step_scores = step_scores
    on_request = derived(lambda self: self.each != "step")  # it keeps the states of many tokens
    label_fields = derived(lambda self: (_FIELDS.get(self.each, "p_correct"), "sample_weight"))
    fit_needs = derived(lambda self: ("spans",) if self.each == "both" else ())

    def __post_init__(self) -> None:
        rate, decay, widths = self.learning_rate, self.weight_decay, tuple(self.widths)
        if min((1, *widths)) < 1 or not 0 < rate < 1e6 or not 0 <= decay < 1e6 or not self.balance >= 0:
            raise InnerjudgeError.of("probes.recipe", self.balance, widths, rate, decay)
        if self.each != "item" and (self.loss in WITHIN or self.how in WEIGHED):
            raise InnerjudgeError.of("probes.each", self.each, self.loss, self.how)
        _ = self.needs, self._head  # refuses a role, a reduction or rows that there are not, and a width that fits none

    def sizes(self, known: Mapping[str, int]) -> dict[str, int]:
        """Adds the length of the vectors that are read, and the number of weights for such vectors."""
        found = dict(known)
        if self.rows is not None and "width" in found and not self.readouts:
            found["features"] = (1 if self.rows == "best" else len(self.rows)) * found["width"]
        read = found.get("features", np.size(self.__dict__.get("mean_", ())))
        return {**found, "weights": self._head.size(read)} if read else found

    def fit(self, features: Features, labels: npt.ArrayLike, sample_weight: Weights = None) -> Self:
        """Learn from labels ``[n]``, and weights of items; one of weight 0 is not learned from.

        Labels are booleans, or numbers from 0 to 1 as for :class:`.LogisticProbe` (not for a loss within a question),
        or ``{"steps": (True, None), "correct": True}`` with ``each="step"``, ``{"spans": ...}`` with ``"both"``; one
        without ``"correct"`` is right unless a part is wrong. ``InnerjudgeError`` if no item can be read, the labels
        (within each question, for such a loss) are of one class, or there are no questions to choose the row by.
        """
        part, values, excluded, weight = self._weighted(features, labels, sample_weight, _lost(self, features, labels))
        if weight is not None:
            part, values, weight = part.take(np.flatnonzero(weight)), values[weight > 0], weight[weight > 0]
        held, on, within = _held(part, self), place(self.device), self.loss in WITHIN
        best, fits = self.rows == "best" and not self.readouts, []
        for row in range(held.shape[1]) if best else (None,):
            items = _items(self, held, part, values, weight, row)
            if within and not np.isin(items.right, (0, 1)).all():
                raise InnerjudgeError.of("probes.soft-pairs", self.loss)
            if within and not items.mixed():
                raise InnerjudgeError.of("probes.unmixed", self.loss)
            sides = items.split(self.seed, mixed=within)
            if best and not sides[1].any():
                raise InnerjudgeError.of("probes.no-held-out")
            if self.standardise:
                items.standardise(sides[0])
            with torch.random.fork_rng([on] if on.type == "cuda" else []):  # what is dropped is drawn from it
                torch.manual_seed(self.seed)
                fits.append((*learn(self._head, items, self, sides), items.mean, items.scale, row))
        self.weights_, _, self.mean_, self.scale_, self.row_ = min(fits, key=lambda one: one[1])
        return self._fitted_on(features, excluded)

    def _scores(self, features: Features) -> Scores:
        return score(self._head, self.weights_, _states(features, self, (self.mean_, self.scale_)))

    def _unreadable(self, features: Features) -> dict[str, str]:
        counts = np.array([one.counts for one in _parts(features, self)])
        none = (counts.min(axis=0) == 0) | (counts.min(axis=0) < counts.max(axis=0))
        why = f"not as many rows of each of {', '.join(self.needs)}" if self.readouts else f"no {self.role}"
        return {features.ids[k]: why for k in np.flatnonzero(none)}


def _needs(probe: PooledProbe) -> tuple[str, ...]:
    if any(range_readout(name) is None for name in probe.readouts):
        given = f"given readouts={tuple(probe.readouts)}"
        raise InnerjudgeError(f"{given}, expected names of readouts of ranges, such as tokens/step.mean(entropy)")
    return tuple(probe.readouts) or (States(probe.role, probe.reduce, probe._kept).name,)


def _lost(probe: PooledProbe, features: Features, labels: npt.ArrayLike) -> dict[str, str]:
    """Why items are left out whose spans have labels, but not all of them tokens of their own."""
    told = [isinstance(label, Mapping) for label in np.ravel(np.asarray(labels, dtype=object))]
    if probe.each != "both" or not any(told):
        return {}
    if (probe.role, probe.reduce, *probe.readouts) != ("response", "none"):
        raise InnerjudgeError.of("probes.each-span", probe.role, probe.reduce)
    if "spans" not in features.texts:
        raise InnerjudgeError.of("probes.no-spans")
    lost = (i for i, text, own in zip(features.ids, features.texts["spans"], told, strict=False) if own and not text)
    return dict.fromkeys(lost, "one of its spans has no token of the response, or shares one with another")


def _items(
    probe: PooledProbe, held: Ragged, features: Features, labels: Known, weight: Floats | None, row: int | None
) -> LabelledStates:
    right, told, span = labels, None, None
    if probe.each == "step":
        right, told = step_truths(labels.tolist(), held.counts)
    elif probe.each == "both" and labels.dtype == object:
        known = zip(features.texts.get("spans", ("[]",) * len(labels)), labels, held.counts.tolist(), strict=True)
        own = [parse_json(text or "[]") if isinstance(one, Mapping) else [(0, n)] for text, one, n in known]
        right, sure = step_truths(labels.tolist(), np.array([*map(len, own)]), "spans")
        told, span = np.ones(held.shape[0]), np.full(held.shape[0], -1)
        places = (slice(start + a, start + b) for start, some in zip(held.offsets, own, strict=False) for a, b in some)
        for k, (at, p) in enumerate(zip(places, sure, strict=True)):
            told[at], span[at] = p, -1 if np.isnan(p) else k
    else:
        right = soft_correctness(labels)
    return LabelledStates(held, features.groups, right, told, _rows(held, features, probe, row), weight, span)


def _states(features: Features, probe: PooledProbe, scaled: tuple[Floats, Floats]) -> StatesOfItems:
    return StatesOfItems(held := _held(features, probe), _rows(held, features, probe, probe.row_), scaled)


def _held(features: Features, probe: PooledProbe) -> Ragged:
    """The states of each item, or all numbers of its readouts, side by side."""
    if len(parts := _parts(features, probe)) == 1:
        return parts[0]
    flat = [np.reshape(one.values, (len(one.values), int(np.prod(one.shape[1:])))) for one in parts]
    return Ragged(np.concatenate(flat, axis=1), parts[0].offsets)


def _parts(features: Features, probe: PooledProbe) -> list[Ragged]:
    """The rows of each readout, one where it has one an item."""
    names, every = [name for name in probe.needs if name not in features.texts], np.arange(len(features) + 1)
    return [features.ragged[name] if name in features.ragged else Ragged(features[name], every) for name in names]


def _rows(held: Ragged, features: Features, probe: PooledProbe, row: int | None) -> list[int] | None:
    """The rows of the states to take: the ``row`` that was chosen, or where shares of the depth say so."""
    if probe.rows is None or isinstance(probe.rows, str) or probe._kept is not None or probe.readouts:
        return None if row is None else rows_at((row,), held.shape[1], features.provenance)
    return rows_at(probe.rows, held.shape[1], features.provenance)
