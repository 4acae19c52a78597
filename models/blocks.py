"""The decoder blocks of a model and the residual stream through them, found from one watched pass."""

import itertools
import math
import threading
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from .errors import InnerjudgeError
from .observation import ITEMS, TOKENS, ModuleCall, Observation, follow, multiple, own_hidden_states

#: What to do about a part that was not found.
NAME_THEM = (
    "name them: load(..., blocks='model.layers', final_norm='model.norm', unembedding='lm_head'), with the paths that "
    "print(model) shows"
)
#: What the number of a block is called among its settings.
_NUMBERS = ("layer_idx", "layer_id", "layer_index", "block_idx")


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of residual stream tensors: which axes are items and tokens.

    The model puts ``prefix`` tokens of its own before those of the text; any that it adds after them are ignored.
    """

    items: int
    tokens: int
    prefix: int = 0

    def rows(self, states: Tensor, at: Tensor) -> Tensor:
        """States of tokens ``at`` (``[B, P]``): ``[B, P, W]``; parallel streams are side by side in ``W``."""
        lined = states.movedim((self.items, self.tokens), (0, 1)).flatten(2)
        return lined[torch.arange(lined.shape[0], device=lined.device)[:, None], at.to(lined.device) + self.prefix]

    def all_rows(self, states: Tensor, tokens: int | None = None) -> Tensor:
        """States of the text's ``tokens`` tokens, ``[B, T, W]``; left out: of all tokens after the prefix."""
        end = None if tokens is None else self.prefix + tokens
        return states.movedim((self.items, self.tokens), (0, 1)).flatten(2)[:, self.prefix : end]

    def shaped(self, rows: Tensor, like: Sequence[int]) -> Tensor:
        """Put rows ``[N, W]`` into the model's layout, as one item of ``N`` tokens; ``like`` is its tensors' shape."""
        rest = [size for axis, size in enumerate(like) if axis not in (self.items, self.tokens)]
        return rows.reshape(1, rows.shape[0], *rest).movedim((0, 1), (self.items, self.tokens))


@dataclass(frozen=True, slots=True)
class Stream:
    """Where the residual stream ``h[0..L]`` is read.

    ``blocks`` are in the order in which they run; a block that runs several times is listed as often. The output of
    ``leaves``, nearly always the last block, is ``h[L]``. With ``by_input``, ``h[l]`` is the input of block ``l + 1``,
    not the output of block ``l``; they differ where a model changes the stream between blocks. ``shape`` is that of the
    stream in the watched pass.
    """

    blocks: tuple[nn.Module, ...]
    leaves: nn.Module
    by_input: bool
    layout: Layout
    shape: tuple[int, ...]

    @property
    def width(self) -> int:
        """Size of the stream at one token."""
        return math.prod(n for k, n in enumerate(self.shape) if k not in (self.layout.items, self.layout.tokens))

    def until(self, n: int) -> "Stream":
        """The stream of the first ``n`` blocks."""
        return replace(self, blocks=self.blocks[:n], leaves=self.blocks[n - 1])


def leading(blocks: Sequence[nn.Module], config: Any) -> int:
    """How many blocks from the first contain one of every kind (by module settings and ``config``), plus one.

    All blocks, where their settings hold the block number under a name that is not known.

    Example:
        >>> leading([nn.Linear(2, n) for n in (2, 2, 3, 2, 2, 3)], None)
        4
    """
    types = getattr(config, "layer_types", None) or [None] * len(blocks)
    kinds = [
        (repr([(name, type(one), *sorted(_settings(one).items())) for name, one in block.named_modules()]), kind)
        for block, kind in zip(blocks, types, strict=False)
    ]
    return min(2 + max(map(kinds.index, kinds)), len(blocks)) if len(kinds) == len(blocks) else len(blocks)


def _settings(module: nn.Module) -> dict[str, Any]:
    plain = (bool, int, float, str, tuple, list)
    return {name: value for name, value in vars(module).items() if isinstance(value, plain) and name not in _NUMBERS}


def find_stream(
    model: Any, seen: Observation, unembedding: nn.Module, named: nn.Module | None
) -> tuple[Stream, list[Tensor]]:
    """Blocks and stream of a watched pass, and its states ``h[0..L]`` there.

    ``named`` is the block list, if the user named it. ``InnerjudgeError`` if no list of modules ran as blocks do.
    """
    family = type(model).__name__
    if named is not None and not isinstance(named, nn.ModuleList | nn.Sequential):
        raise InnerjudgeError.of("models.no-list", family, type(named).__name__, NAME_THEM)
    lists = [named] if named is not None else [m for m in model.modules() if isinstance(m, nn.ModuleList)]
    ran = {children: calls for children in lists if (calls := _calls(children, seen))}
    outer = [c for c in ran if not any(o is not c and any(m is c for m in o.modules()) for o in ran)]
    if not outer:
        raise InnerjudgeError.of("models.no-stream", family, NAME_THEM)
    own = () if any(_likeness(calls, ()) == 2 for calls in ran.values()) else own_hidden_states(model, seen)
    best = max(outer, key=lambda children: _rank(ran[children], own, seen, unembedding))
    kinds = {type(call.module) for call in ran[best]}
    # Stacks of the same blocks that take turns are one stream (hierarchical reasoning models).
    together = [c for c in outer if {type(call.module) for call in ran[c]} <= kinds]
    if _likeness(ran[best], own) == 2 or sum(len(ran[c]) for c in together) != len(own) - 1:
        together = [best]
    calls = sorted((call for c in together for call in ran[c]), key=lambda call: call.start)
    return _stream(model, calls, [c for c in outer if c not in together], seen, own)


def _calls(children: Iterable[Any], seen: Observation) -> list[ModuleCall]:
    """Calls of the members of a list, if each took and gave a stream of one shape."""
    members = set(children)
    calls = [call for call in seen.calls if call.module in members]
    shapes = {() if t is None else tuple(t.shape) for call in calls for t in (call.given, call.returned)}
    fits = len(shapes) == 1 and len(shape := shapes.pop()) >= 3 and ITEMS in shape
    return calls if fits else []


def _rank(
    calls: Sequence[ModuleCall], own: Sequence[Tensor], seen: Observation, unembedding: nn.Module
) -> tuple[bool, bool, bool, int, int]:
    """Of several stacks of blocks: the one that the logits come from, if it runs in one piece; else the likeliest."""
    likeness = _likeness(calls, own)
    reads = [call.given for call in seen.of(unembedding) if call.given is not None]
    end = follow(_tensor(calls[-1].returned), (c for c in seen.calls if c.start > calls[-1].end)).end
    reaches = bool(reads) and multiple(reads[-1], end) is not None
    return likeness == 2 and reaches, likeness == 1, reaches, len(calls), calls[-1].end


def _likeness(calls: Sequence[ModuleCall], own: Sequence[Tensor]) -> int:
    """2: each block gets what the one before it gave. 1: what they get is what the model calls its hidden states."""
    if all(same(a.returned, b.given) for a, b in itertools.pairwise(calls)):
        return 2
    return int(len(own) == len(calls) + 1 and all(same(a.given, b) for a, b in zip(calls, own, strict=False)))


def _stream(
    model: Any, calls: list[ModuleCall], others: list[Any], seen: Observation, own: Sequence[Tensor]
) -> tuple[Stream, list[Tensor]]:
    given, returned = [_tensor(call.given) for call in calls], [_tensor(call.returned) for call in calls]
    shape = tuple(given[0].shape)
    items = shape.index(ITEMS)
    if TOKENS in shape:
        layout = Layout(items, shape.index(TOKENS))
    else:  # the model adds tokens of its own
        layout = Layout(items, items + 1, 0 if _text_first(model, seen) else shape[items + 1] - TOKENS)
    leaves, end = calls[-1].module, returned[-1]
    by_input = False
    if _likeness(calls, own) != 2:
        # Which of the two the model calls its hidden states, it says itself; its tuple may begin after the first block.
        as_inputs = [[same(a, b) for a, b in zip(given[1:], own[k:], strict=False)] for k in (0, 1)]
        as_outputs = [same(a, b) for a, b in zip(returned[:-1], own[1:], strict=False)]
        by_input = len(own) == len(calls) + 1 and not all(as_outputs) and any(map(all, as_inputs))
        # A block may be several modules in lists of one length (XLM): it ends with the last of them.
        ends = [c for o in others if len(o) == len(calls) for c in seen.of(o[-1]) if c.start > calls[-1].end]
        if by_input and ends:
            last = max(ends, key=lambda call: call.end)
            leaves, end = last.module, _tensor(last.returned)
    states = [given[0], *(given[1:] if by_input else returned[:-1]), end]
    return Stream(tuple(c.module for c in calls), leaves, by_input, layout, shape), states


def _text_first(model: Any, seen: Observation) -> bool:
    """Whether tokens that the model adds stand behind those of the text: its embedding was given them so (Reformer)."""
    embedding = model.get_input_embeddings()
    got = next((call.returned for call in seen.of(embedding)), None)
    return got is not None and got.ndim == 3 and got.shape[1] > TOKENS and same(got[:, :TOKENS], embedding(seen.ids))


def same(a: Tensor | None, b: Tensor | None) -> bool:
    """Whether both tensors are given and equal; they may be on different devices."""
    return a is not None and b is not None and a.shape == b.shape and torch.equal(a, b.to(a.device))


def _tensor(states: Tensor | None) -> Tensor:
    assert states is not None
    return states


class _Enough(BaseException):
    """Thrown through a forward pass when all that is wanted has been seen; no ``except Exception`` may catch it."""


class StopAfter(AbstractContextManager["StopAfter"]):
    """Ends a forward pass of this thread after block ``last`` (``1..L``); open it after the taps that read."""

    def __init__(self, stream: Stream, last: int | None = None) -> None:
        n = len(stream.blocks)
        self._last = n if last is None else last
        if stream.by_input and self._last < n:
            self._last += 1  # h[last] is what the next block is given
        # The stream may leave the last block elsewhere (XLM): then that module is waited for.
        self._at_end = self._last == n
        self._modules = [stream.leaves] if self._at_end else list(dict.fromkeys(stream.blocks))
        self._left = stream.blocks.count(stream.leaves) or 1 if self._at_end else self._last
        self._thread = threading.get_ident()
        self._handles: list[Any] = []

    def __enter__(self) -> Self:
        self._handles = [module.register_forward_hook(self._after) for module in self._modules]
        return self

    def __exit__(self, kind: object, *_: object) -> bool:
        for handle in self._handles:
            handle.remove()
        return kind is _Enough

    def _after(self, _module: nn.Module, _args: tuple[Any, ...], _output: Any) -> None:
        if threading.get_ident() == self._thread:
            self._left -= 1
            if not self._left:
                raise _Enough
