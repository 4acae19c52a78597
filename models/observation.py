"""One short pass of a model, watched: which modules ran, in which order, with which inputs and outputs.

Parts of a model are recognised by what they do in it, not by their names; tensors are followed from call to call.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .attention_calls import AttentionCall, AttentionProducts, listening
from .errors import InnerjudgeError, one_line
from .rotary import Rotation, rotary_places, watched_rotations

#: Items and tokens of the watched pass: two primes, so that the axes of every tensor can be told by their sizes.
ITEMS, TOKENS = 3, 7
#: Class of block -> the names of the two streams that it takes, and of those that it gives: reversible residuals hand
#: on both. The one that transformers calls the hidden states comes first.
TWO_STREAMS: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "ReformerLayer": (("hidden_states", "prev_attn_output"), ("hidden_states", "attn_output"))
}


@dataclass(slots=True)
class ModuleCall:
    """One call of a module: its first floating input and output, and its place among all starts and ends of calls."""

    module: nn.Module
    given: Tensor | None
    returned: Tensor | None
    start: int
    end: int


@dataclass(slots=True)
class Observation:
    """What was seen in one pass of ``ids``, ``[ITEMS, TOKENS]``: calls of modules in the order of their starts.

    Calls of attention and rotary functions are kept with their place in the same order of starts and ends.
    """

    ids: Tensor
    calls: list[ModuleCall] = field(default_factory=list)
    attention: list[tuple[int, AttentionCall]] = field(default_factory=list)
    rotations: list[tuple[int, Rotation]] = field(default_factory=list)
    #: Logits of the pass, ``[ITEMS, TOKENS, vocabulary]``.
    logits: Tensor = field(default_factory=lambda: torch.empty(0))

    def of(self, module: nn.Module) -> list[ModuleCall]:
        """Calls of one module, in order."""
        return [call for call in self.calls if call.module is module]


@torch.no_grad()
def observe(model: Any, ids: Tensor | None = None) -> Observation:
    """Run a short pass (of ordinary tokens, if no ``ids`` are given) and keep the input and output of every module.

    ``InnerjudgeError`` if the model does not run on token ids alone, or gives no logits.
    """
    seen = Observation(probe_ids(model) if ids is None else ids)
    family = type(model).__name__
    given = {"input_ids": seen.ids, "attention_mask": torch.ones_like(seen.ids), "use_cache": False}
    with _watched(model, seen):
        try:
            logits = getattr(model(**given), "logits", None)
        except (TypeError, ValueError, RuntimeError, AttributeError, IndexError, KeyError, AssertionError) as error:
            raise InnerjudgeError.of("models.fails", family, type(error).__name__, one_line(error, 160)) from error
    if not isinstance(logits, Tensor) or logits.shape[:2] != seen.ids.shape:
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else None
        raise InnerjudgeError.of("models.logits-shape", family, tuple(seen.ids.shape), shape)
    seen.logits = logits
    return seen


@torch.no_grad()
def own_hidden_states(model: Any, seen: Observation) -> tuple[Tensor, ...]:
    """The hidden states that the model itself returns for the watched pass; empty if it returns none."""
    try:
        asked = {"use_cache": False, "output_hidden_states": True}
        output = model(input_ids=seen.ids, attention_mask=torch.ones_like(seen.ids), **asked)
    except (TypeError, ValueError, RuntimeError):
        return ()
    return tuple(getattr(output, "hidden_states", None) or ())


def probe_ids(model: Any) -> Tensor:
    """Ids of ordinary tokens, ``[ITEMS, TOKENS]``: none that the config calls special."""
    special: set[int] = set()
    for config in (model.config, model.config.get_text_config(decoder=True)):
        for name, value in config.to_dict().items():
            if "token" in name and name.endswith(("_id", "_ids", "_index")):
                special |= {v for v in (value if isinstance(value, list) else [value]) if isinstance(v, int)}
    embedding = model.get_input_embeddings()
    size = int(getattr(embedding, "num_embeddings", 0) or model.config.get_text_config(decoder=True).vocab_size)
    step = max(1, size // (2 * ITEMS * TOKENS))
    ordinary = [token for token in range(size // 4, size, step) if token not in special]
    ordinary = (ordinary or [0]) * (ITEMS * TOKENS)
    return torch.tensor(ordinary[: ITEMS * TOKENS], device=input_device(model)).view(ITEMS, TOKENS)


def input_device(model: Any) -> torch.device:
    """The device to put token ids on: that of the input embedding."""
    embedding = model.get_input_embeddings()
    device = getattr(getattr(embedding, "_hf_hook", None), "execution_device", None)  # of accelerate, offloading
    if device is not None:
        return torch.device(device)
    return next((p.device for p in embedding.parameters() if not p.is_meta), torch.device("cpu"))


@contextmanager
def _watched(model: nn.Module, seen: Observation) -> Iterator[None]:
    clock, thread = 0, threading.get_ident()
    running: list[ModuleCall] = []
    modules = list(model.modules())

    def heard(call: AttentionCall) -> None:
        seen.attention.append((clock, call))

    def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        nonlocal clock
        if threading.get_ident() != thread:  # another pass of the same model
            return
        clock += 1
        call = ModuleCall(module, states_taken(module, args, kwargs), None, clock, 0)
        running.append(call)
        seen.calls.append(call)

    def after(module: nn.Module, _args: tuple[Any, ...], output: Any) -> None:
        nonlocal clock
        if threading.get_ident() != thread:
            return
        clock += 1
        call = running.pop()
        call.returned, call.end = states_given(module, output), clock

    products = AttentionProducts(ITEMS, lambda: bool(running), heard)
    rotations = watched_rotations(rotary_places(modules), lambda rotation: seen.rotations.append((clock, rotation)))
    with ExitStack() as hooks, listening(heard), rotations, products:
        for module in modules:
            hooks.enter_context(module.register_forward_pre_hook(before, with_kwargs=True))
            hooks.enter_context(module.register_forward_hook(after))
        yield


def states_taken(module: nn.Module, args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor | None:
    """First floating tensor given to a module, ``hidden_states`` before others; two streams side by side."""
    names = TWO_STREAMS.get(type(module).__name__)
    if names is not None and all(name in kwargs for name in names[0]):
        return torch.cat([kwargs[name] for name in names[0]], dim=-1)
    given = floating(kwargs.get("hidden_states")) if not args else None
    return floating((*args, kwargs)) if given is None else given


def states_given(module: nn.Module, output: Any) -> Tensor | None:
    """First floating tensor of what a module returned; two streams side by side."""
    names = TWO_STREAMS.get(type(module).__name__)
    if names is not None and all(hasattr(output, name) for name in names[1]):
        return torch.cat([getattr(output, name) for name in names[1]], dim=-1)
    return floating(output)


def floating(values: Any) -> Tensor | None:
    """First floating tensor of what a module was given or gave; outputs may be tuples, lists or mappings."""
    if isinstance(values, Tensor):
        return values if values.is_floating_point() else None
    inner = values.values() if isinstance(values, dict) else values if isinstance(values, tuple | list) else ()
    return next((found for found in map(floating, inner) if found is not None), None)


class Times(nn.Module):
    """A factor that the model applies between two of its modules, outside of any."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, states: Tensor) -> Tensor:
        """``states`` times the factor."""
        return states * self.factor


class Chain(NamedTuple):
    """Modules that the stream passed through, one after another (maybe none), and what came out."""

    modules: tuple[nn.Module, ...]
    end: Tensor

    @property
    def module(self) -> nn.Module:
        """The chain as one module."""
        if len(self.modules) == 1:
            return self.modules[0]
        return nn.Sequential(*self.modules) if self.modules else nn.Identity()


def follow(state: Tensor, calls: Iterable[ModuleCall]) -> Chain:
    """Follow ``state`` through those of ``calls`` that it passed through.

    A call is one step if it was given the state, or a multiple of it, and gave a tensor with the same items and tokens.
    """
    modules: list[nn.Module] = []
    for call in calls:
        if call.given is None or call.returned is None:
            continue
        factor = multiple(call.given, state)
        if factor is None or call.returned.shape[:2] != state.shape[:2]:
            continue
        modules += [call.module] if factor == 1.0 else [Times(factor), call.module]
        state = call.returned
    return Chain(tuple(modules), state)


def multiple(a: Tensor, b: Tensor) -> float | None:
    """``c`` with ``a = c * b``; ``None`` if there is none."""
    if a.shape != b.shape:
        return None
    b = b.to(a.device)
    if torch.equal(a, b.to(a.dtype)):
        return 1.0
    wide, own = a.double(), b.double()
    factor = float((wide * own).sum() / own.square().sum().clamp(min=1e-300))
    tolerance = 1e-5 if a.dtype in (torch.float32, torch.float64) else 1e-2
    return factor if factor and float((wide - factor * own).norm()) <= tolerance * float(wide.norm()) else None
