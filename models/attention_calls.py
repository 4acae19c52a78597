"""Recording what every attention of a model receives, while its own kernel does the computing.

transformers sends most causal LMs through a registry of attention functions; each receives a block's query and key
after norm and rotary. While a listener is set, the registry hands out functions that report their calls. A family
outside the registry is heard one level lower: the product that enters a softmax has the query and key as its factors.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from transformers.modeling_utils import AttentionInterface

_lock = threading.Lock()
_listeners = threading.local()
_open = 0
_own: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class AttentionCall:
    """What one attention received; ``module`` is ``None`` where only its products were seen.

    ``query`` is ``[B, H, T, head_dim]`` after norm and rotary, ``key`` ``[B, Hkv, S, head_dim]``, ``None`` if the
    products do not tell it (learned biases, relative positions). ``mask``, additive or boolean, is ``[B, 1 or H, T,
    S]``; without one causal, or as the module says. ``scaling`` is ``None`` for ``1/sqrt(head_dim)``; ``weights`` after
    the softmax ``[B, H, T, S]``, if the kernel returned them. ``kernel`` is empty where only products were seen;
    ``eager`` is the family's own function that returns weights; ``extra`` what else the kernel was given (soft-cap,
    sinks, window, biases).
    """

    module: nn.Module | None
    query: Tensor
    key: Tensor | None
    mask: Tensor | None
    scaling: float | None
    weights: Tensor | None
    kernel: str = ""
    eager: Callable[..., Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)


Listener = Callable[[AttentionCall], None]


@contextmanager
def listening(tell: Listener) -> Iterator[None]:
    """While open, in this thread, ``tell`` is called with every call of a registered attention function."""
    _install()
    earlier = getattr(_listeners, "tell", None)
    _listeners.tell = tell
    try:
        yield
    finally:
        _listeners.tell = earlier
        _uninstall()


def _install() -> None:
    """Install the reporting look-ups, only while there is a listener, so that compiled code never meets them."""
    global _open
    with _lock:
        _open += 1
        if _open > 1:
            return
        for name in ("get_interface", "__getitem__"):
            _own[name] = getattr(AttentionInterface, name)

        def get_interface(self: Any, kernel: str, default: Callable[..., Any]) -> Callable[..., Any]:
            function = _own["get_interface"](self, kernel, default)
            return _telling(_plain(function), kernel, default)

        def getitem(self: Any, kernel: str) -> Callable[..., Any]:
            return _telling(_own["__getitem__"](self, kernel), kernel, None)

        setattr(AttentionInterface, "get_interface", get_interface)  # noqa: B010 the checker knows the signature
        setattr(AttentionInterface, "__getitem__", getitem)  # noqa: B010


def _uninstall() -> None:
    global _open
    with _lock:
        _open -= 1
        if not _open:
            for name, function in _own.items():
                setattr(AttentionInterface, name, function)


class _Telling:
    """An attention function that reports its calls to the thread's listener."""

    def __init__(self, function: Callable[..., Any], kernel: str, eager: Callable[..., Any] | None) -> None:
        self.function, self.kernel, self.eager = function, kernel, eager

    def __call__(
        self,
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Any,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        output = self.function(module, query, key, value, attention_mask, *args, **kwargs)
        tell: Listener | None = getattr(_listeners, "tell", None)
        if tell is not None:
            extra = {name: v for name, v in kwargs.items() if name not in ("scaling", "dropout")}
            scaling = kwargs.get("scaling")
            tell(
                AttentionCall(
                    module,
                    query,
                    key,
                    attention_mask,
                    scaling,
                    output[1],
                    self.kernel,
                    self.eager,
                    {**extra, "value": value},
                )
            )
        return output


def _telling(function: Callable[..., Any], kernel: str, eager: Callable[..., Any] | None) -> Callable[..., Any]:
    return _Telling(function, str(kernel), eager) if getattr(_listeners, "tell", None) is not None else function


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    return function.function if isinstance(function, _Telling) else function
