"""What the model would predict from inside its blocks: the stream, and what attention and MLP add to it."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import combinations
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import nn

from ...models.blocks import Stream
from ...models.errors import UnreadableError
from ...models.observation import ModuleCall, Observation, observe, states_given, states_taken
from ..readouts import Lens
from ..token_statistics import entropies
from .residual import RangeStates, Reading

#: Largest part of a block's change of the stream that its two parts may leave, in single precision and in half, and
#: least part of it that is of each of the two; all are squared.
_LEFT, _OWN = (1e-8, 1e-3), 1e-6
#: The modules whose outputs, times a factor, a block adds to the stream: attention (or what mixes tokens), and MLP.
Parts = dict[str, nn.Module]
_found: WeakKeyDictionary[Any, tuple[Parts, ...]] = WeakKeyDictionary()


class LensStates(RangeStates):
    """Entropies of one readout, computed as soon as there are states: of the stream, or of outputs of ``modules``."""

    def __init__(self, of: Reading, readout: Lens) -> None:
        super().__init__(of, readout, range(1, of.last + 1), partial(entropies, of.lm))
        anatomy = of.lm.anatomy
        every = find_parts(of.lm.model, anatomy.stream)[: of.last] if readout.at != "residual" else ()
        self.modules = [one.get(readout.at) for one in every]
        if (every and not any(self.modules)) or anatomy.residuals is not None:  # which read all earlier states
            raise UnreadableError(
                f"given {type(of.lm.model).__name__}, whose blocks do not add the outputs of attention and MLP to "
                "one stream, expected such parts: read its states",
                {readout.name},
            )


@contextmanager
def reading_parts(stream: Stream, lenses: Sequence[LensStates]) -> Iterator[None]:
    """While open, hand what attention and MLP give in every block to the readouts that read it."""
    number, shape, thread = 0, torch.Size(), threading.get_ident()

    def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        nonlocal number, shape
        taken = states_taken(module, args, kwargs)
        if threading.get_ident() == thread and taken is not None:
            number, shape = number + 1, taken.shape

    def after(module: nn.Module, _args: tuple[Any, ...], output: Any) -> None:
        states = states_given(module, output)
        if threading.get_ident() == thread and states is not None:
            for lens in lenses:
                if 0 < number <= len(lens.modules) and lens.modules[number - 1] is module:
                    lens.keep(number, stream.layout.all_rows(states.reshape(shape)))

    modules = dict.fromkeys(module for lens in lenses for module in lens.modules if module is not None)
    with ExitStack() as hooks:
        for block in dict.fromkeys(stream.blocks if modules else ()):
            hooks.enter_context(block.register_forward_pre_hook(before, with_kwargs=True))
        for module in modules:
            hooks.enter_context(module.register_forward_hook(after))
        yield


@torch.no_grad()
def find_parts(model: Any, stream: Stream) -> tuple[Parts, ...]:
    """The parts of each block in the order in which they run, found in a watched pass; none if it adds no two parts."""
    if model not in _found:
        seen, blocks = observe(model), set(stream.blocks)
        calls = sorted((call for call in seen.calls if call.module in blocks), key=lambda call: call.start)
        _found[model] = tuple(_parts(call, seen) for call in calls)
    return _found[model]


def _parts(block: ModuleCall, seen: Observation) -> Parts:
    """Of all pairs of modules in a block, the outermost whose outputs add up to what it changes in the stream."""
    given, returned = block.given, block.returned
    if given is None or returned is None or given.shape != returned.shape:
        return {}
    within = [call for call in seen.calls if block.start < call.start and call.end < block.end]
    inner = [(c, c.returned) for c in within if c.returned is not None and c.returned.numel() == given.numel()]
    every = (returned.double() - given.double(), *(output.double() for _, output in inner))
    gram = (flat := np.stack([one.flatten().cpu().numpy() for one in every])) @ flat.T
    best = (np.inf, 0, 0)
    for i, j in combinations(range(1, len(gram)), 2):
        if gram[i, j] ** 2 >= (1 - 1e-9) * gram[i, i] * gram[j, j]:  # one output, seen twice
            continue
        factors = np.linalg.solve(gram[[[i], [j]], [i, j]], gram[0, [i, j]])
        if min(factors) > 0 and min(factors**2 * gram[[i, j], [i, j]]) >= _OWN * gram[0, 0]:
            best = min(best, (round(1 - float(factors @ gram[0, [i, j]]) / gram[0, 0], 10), i, j))
    if not best[0] <= _LEFT[returned.dtype in (torch.float16, torch.bfloat16)]:
        return {}
    at = next((at for at, _ in seen.attention if block.start <= at <= block.end), block.start)
    one, other = (inner[k - 1][0] for k in best[1:])
    # The first that ends behind the attention is that; one before it is a parallel MLP.
    return dict(zip(("attention", "mlp"), (one.module, other.module)[:: 1 if one.end > at else -1], strict=True))
