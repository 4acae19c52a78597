"""What the model would predict from inside its blocks: of the stream, and of what attention and MLP add to it."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import combinations
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ...models.blocks import Stream
from ...models.errors import UnreadableError
from ...models.loading import LanguageModel
from ...models.observation import ModuleCall, Observation, observe, states_given, states_taken
from ...models.unembedding import exact
from ..readouts import Lens, reads_parts
from ..token_statistics import divergences, entropies
from .residual import Bucket, RangeStates, Reading

#: Largest part of a block's change of the stream that its two parts may leave, in single precision and in half, and
#: least part of it that is of each of the two; all are squared.
_LEFT, _OWN = (1e-8, 1e-3), 1e-6
#: The modules whose outputs, times a factor, a block adds to the stream: attention (or what mixes tokens), and MLP.
Parts = dict[str, tuple[nn.Module, float]]
_found: WeakKeyDictionary[Any, tuple[Parts, ...]] = WeakKeyDictionary()


class LensStates(RangeStates):
    """Numbers of one readout, computed as soon as there are states: of the stream, or with ``parts`` of its blocks."""

    def __init__(self, of: Reading, readout: Lens) -> None:
        super().__init__(of, readout, range(1, of.last + 1))
        self._of, self._lm = (readout.at, readout.what), of.lm
        #: Of the divergence to the end, what waits for it; of labels, the ids of each range, ``[N, M]``, and -1 behind.
        self._waiting: list[tuple[int, Bucket, Tensor]] = []
        ids = [torch.tensor(item.label_ids, dtype=torch.long) for item in of.items]
        self._ids = pad_sequence(ids, batch_first=True, padding_value=-1)[self.owner]
        self.parts = find_lens_parts(of.lm, readout)[: of.last]

    def _put(self, row: int, bucket: Bucket, tokens: Tensor, part: tuple[int, int] | None = None) -> None:
        match self._of[1]:
            case "divergence_to_last":
                return self._waiting.append((row, bucket, tokens))
            case "labels":
                ids = self._ids[bucket.ranges.cpu()]
                logits = self._anatomy.label_logits(self._anatomy.normed(tokens), ids.clamp(min=0))
                made = logits.masked_fill((ids < 0)[:, None].to(logits.device), 0.0)
            case what:
                made = (entropies if what == "entropy" else divergences)(self._lm, tokens)
        return super()._put(row, bucket, made, part)

    def finish(self, end: Tensor) -> None:
        """Compare what waited with what the model predicts from the final norm's input, ``[B, T, W]``."""
        for row, bucket, tokens in self._waiting:
            pairs = torch.cat((tokens, bucket.of(end).to(tokens.device)), dim=-1)
            super()._put(row, bucket, divergences(self._lm, pairs))

    def hear(self, number: int, part: str, before: Tensor, added: dict[str, Tensor]) -> None:
        """Take what a ``part`` of a block adds to the states ``before``, and the other one if it was ``added`` too."""
        middle = before + added["attention"] if "attention" in added else before
        match self._of:
            case ("middle", what) if part == "attention":
                self.keep(number, torch.cat((before, middle), dim=-1) if what == "divergence" else middle)
            case ("residual", _) if len(added) == 2:
                self.keep(number, torch.cat((middle, middle + added["mlp"]), dim=-1))
            case (at, _) if at == part:
                self.keep(number, added[part])


def find_lens_parts(lm: LanguageModel, readout: Lens) -> tuple[Parts, ...]:
    """The parts of every block that a lens needs, perhaps none; ``UnreadableError`` if the model lacks them."""
    parts = find_parts(lm.model, lm.anatomy.stream) if reads_parts(readout) else ()
    if (reads_parts(readout) and not any(parts)) or lm.anatomy.residuals is not None:  # which read all earlier states
        raise UnreadableError.of("extraction.no-stream", type(lm.model).__name__, readouts={readout.name})
    return parts


class PartRecord:
    """What every block is given and its parts add at the newest token of each pass, until texts are complete."""

    def __init__(self, parts: Sequence[Parts]) -> None:
        self.parts = tuple(parts)
        self._now: dict[tuple[int, str], Tensor] = {}

    def hear(self, number: int, part: str, before: Tensor, added: dict[str, Tensor]) -> None:
        """Hold what a ``part`` of a block adds at the newest token of each text, and once what the block was given."""
        if len(added) == 1:
            self._now[number, "before"] = before[:, -1].clone()
        self._now[number, part] = added[part][:, -1].clone()

    def newest(self) -> Tensor:
        """Of the latest pass, ``[B, P, W]``."""
        order = [(number, name) for number, own in enumerate(self.parts, 1) if own for name in ("before", *own)]
        first, *others = (self._now[one] for one in order)  # an MLP may run before the attention
        return torch.stack([first, *(one.to(first.device) for one in others)], dim=1)

    def give(self, kept: Tensor, lens: LensStates) -> None:
        """Hand on what was kept of texts, ``[n, T, P, W]``."""
        every = iter(kept.unbind(2))
        for number, own in enumerate(self.parts, 1):
            before, added = next(every) if own else kept, dict[str, Tensor]()
            for part in own:
                added[part] = next(every)
                lens.hear(number, part, before, added)


@contextmanager
def reading_parts(stream: Stream, lenses: "Sequence[LensStates | PartRecord]") -> Iterator[None]:
    """While open, hand what attention and MLP give in every block to the readouts that read it."""
    parts = max((lens.parts for lens in lenses), key=len, default=())
    number, thread = 0, threading.get_ident()
    before, added = torch.empty(0), dict[str, Tensor]()

    def entered(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        nonlocal number, before
        taken = states_taken(module, args, kwargs)
        if threading.get_ident() == thread and taken is not None:
            number, before = number % len(stream.blocks) + 1, taken  # while texts are written, pass after pass
            added.clear()

    def left(module: nn.Module, _args: tuple[Any, ...], output: Any) -> None:
        states = states_given(module, output)
        if threading.get_ident() == thread and states is not None and 0 < number <= len(parts):
            for part, (own, factor) in parts[number - 1].items():
                if own is module:
                    rows = stream.layout.all_rows
                    added[part] = rows(states.reshape(before.shape)) * factor
                    for lens in lenses:
                        if lens.parts:
                            lens.hear(number, part, rows(before).to(states.device), added)

    with ExitStack() as hooks:
        for block in dict.fromkeys(stream.blocks if parts else ()):
            hooks.enter_context(block.register_forward_pre_hook(entered, with_kwargs=True))
        for module in dict.fromkeys(module for one in parts for module, _ in one.values()):
            hooks.enter_context(module.register_forward_hook(left))
        yield


@torch.no_grad()
def find_parts(model: Any, stream: Stream) -> tuple[Parts, ...]:
    """The parts of each block that runs, found in a watched pass; none if it does not add two parts."""
    if model not in _found:
        seen, blocks = observe(model), set(stream.blocks)
        calls = sorted((call for call in seen.calls if call.module in blocks), key=lambda call: call.start)
        _found[model] = tuple(_parts(model, call, seen) for call in calls)
    return _found[model]


def _parts(model: Any, block: ModuleCall, seen: Observation) -> Parts:
    """Of all pairs of modules in a block, the outermost whose outputs add up to what it changes in the stream."""
    given, returned = block.given, block.returned
    if given is None or returned is None or given.shape != returned.shape:
        return {}
    within = [call for call in seen.calls if block.start < call.start and call.end < block.end]
    inner = [(c, c.returned) for c in within if c.returned is not None and c.returned.numel() == given.numel()]
    every = (returned.double() - given.double(), *(output.double() for _, output in inner))
    gram = (flat := np.stack([one.flatten().cpu().numpy() for one in every])) @ flat.T
    best: tuple[float, Any, Any] = (np.inf, (), ())
    for i, j in combinations(range(1, len(gram)), 2):
        if gram[i, j] ** 2 >= (1 - 1e-9) * gram[i, i] * gram[j, j]:  # one output, seen twice
            continue
        factors = np.linalg.solve(gram[[[i], [j]], [i, j]], gram[0, [i, j]])
        if min(factors) > 0 and min(factors**2 * gram[[i, j], [i, j]]) >= _OWN * gram[0, 0]:
            left = round(1 - float(factors @ gram[0, [i, j]]) / gram[0, 0], 10)
            best = min(best, (left, (i, j), tuple(factors)))
    half = returned.dtype in (torch.float16, torch.bfloat16)
    if not best[0] <= _LEFT[half]:
        return {}
    at = next((at for at, _ in seen.attention if block.start <= at <= block.end), block.start)
    near = 1e-2 if half else 1e-4
    found = [(inner[k - 1][0], exact(factor, model, near)) for k, factor in zip(*best[1:], strict=True)]
    # The first that ends behind the attention is that; one before it is a parallel MLP.
    order = found[:: 1 if found[0][0].end > at else -1]
    return {part: (call.module, factor) for part, (call, factor) in zip(("attention", "mlp"), order, strict=True)}
