"""Recording what every attention of a model receives, while its own kernel does the computing.

transformers sends most causal LMs through a registry of attention functions; each receives a block's query and key
after norm and rotary. While a listener is set, the registry hands out functions that report their calls. A family
outside the registry is heard one level lower: the product that enters a softmax has the query and key as its factors.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from transformers.modeling_utils import AttentionInterface

from .reports import Reports

_MATMUL = {torch.matmul, Tensor.matmul, Tensor.__matmul__, torch.bmm, Tensor.bmm}
_BADDBMM = {torch.baddbmm, Tensor.baddbmm}
_SOFTMAX = {functional.softmax, torch.softmax, Tensor.softmax, torch.special.softmax}
#: Softmax in two steps: the exponential of the logits less this.
_LOGSUMEXP = {torch.logsumexp, Tensor.logsumexp, torch.special.logsumexp}
#: Products that have not met a softmax yet; more in one block would be something else than attention.
_KEPT = 8


@dataclass(frozen=True, slots=True)
class AttentionCall:
    """What one attention received; ``module`` is ``None`` where only its products were seen.

    ``query`` is ``[B, H, T, head_dim]`` after norm and rotary, ``key`` ``[B, Hkv, S, head_dim]``, ``None`` if it cannot
    be found from the products (learned biases, relative positions). ``mask``, additive or boolean, is ``[B, 1 or H, T,
    S]``; without one the attention is causal, or as its module says. ``scaling`` is ``None`` for ``1/sqrt(head_dim)``;
    ``weights`` are ``[B, H, T, S]``, if the kernel returned them. ``eager`` is the family's own function that returns
    weights; ``extra`` what else the kernel was given (soft-cap, sinks, window, biases). ``again`` runs the same kernel
    on other values ``[B, Hkv, S, v]`` and gives ``[B, T, H, v]``; ``None`` where only weights were seen.
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
    again: Callable[[Tensor], Tensor] | None = None


_reports: Reports[AttentionCall] = Reports()


def listening(tell: Callable[[AttentionCall], None]) -> AbstractContextManager[None]:
    """While open, in this thread, ``tell`` is called with every call of a registered attention function."""
    look_ups = [(AttentionInterface, name) for name in ("get_interface", "__getitem__")]
    return _reports.listening(tell, look_ups, _handing_out)


def _handing_out(look_up: Callable[..., Any]) -> Callable[..., Any]:

    def handing_out(self: Any, kernel: str, *default: Any) -> Any:
        found = look_up(self, kernel, *default)
        return _telling(getattr(found, "untold", found), kernel, default[0] if default else None)

    return handing_out


def _telling(function: Callable[..., Any], kernel: str, eager: Callable[..., Any] | None) -> Callable[..., Any]:
    """An attention function that reports its calls to the thread's listener; without one as it is."""
    if _reports.tell is None:
        return function

    def told(module: Any, query: Any, key: Any, value: Any, attention_mask: Any, *args: Any, **kwargs: Any) -> Any:
        output = function(module, query, key, value, attention_mask, *args, **kwargs)
        if (tell := _reports.tell) is not None:
            extra = {n: v for n, v in kwargs.items() if n not in ("scaling", "dropout")} | {"value": value}
            given = (module, query, key, attention_mask, kwargs.get("scaling"))

            def again(other: Tensor) -> Tensor:
                return function(module, query, key, other, attention_mask, *args, **kwargs)[0]  # type: ignore[no-any-return]

            tell(AttentionCall(*given, output[1], str(kernel), eager, extra, again))
        return output

    setattr(told, "untold", function)  # noqa: B010 the checker knows no attributes of functions
    return told


class AttentionProducts(TorchFunctionMode):
    """Reports every softmax over keys, with the query and key that it multiplies, while ``inside`` a block.

    ``items`` is the batch size: it tells items from heads where the model folds both into one axis.
    """

    def __init__(self, items: int, inside: Callable[[], bool], tell: Callable[[AttentionCall], None]) -> None:
        super().__init__()
        self._items, self._inside, self._tell = items, inside, tell
        self._products: list[tuple[Tensor, Tensor, Tensor]] = []
        self._weights: Tensor | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        if not self._inside():
            return output
        if func in _MATMUL:
            self._keep(args[0], args[1].transpose(-1, -2) if args[1].ndim > 2 else args[1], output)
        elif func in _BADDBMM:
            given = dict(zip(("input", "batch1", "batch2"), args, strict=False)) | kwargs
            self._keep(given["batch1"], given["batch2"].transpose(-1, -2), output)
        elif func is torch.einsum:
            self._keep_einsum(args, output)
        elif func in _SOFTMAX:
            self._match(output)
        elif func in _LOGSUMEXP and args[0].ndim == output.ndim:
            self._match((args[0] - output).exp())
        elif func is functional.scaled_dot_product_attention:
            names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
            given = {**dict(zip(names, args, strict=False)), **kwargs}
            extra = {"is_causal": bool(given.get("is_causal", False)), "value": given["value"]}
            call = (None, given["query"], given["key"], given.get("attn_mask"), given.get("scale"), None)

            def again(other: Tensor) -> Tensor:
                return func(**given | {"value": other}).transpose(1, 2)

            self._tell(AttentionCall(*call, kernel="products", extra=extra, again=again))
        return output

    def _keep(self, query: Tensor, key: Tensor, product: Tensor) -> None:
        if self._weights is not None and query.shape == self._weights.shape and torch.equal(query, self._weights):
            return  # of the weights with the values
        if product.ndim in (3, 4) and query.ndim == key.ndim == product.ndim and query.is_floating_point():
            self._products = [*self._products[-_KEPT:], (query, key, product)]

    def _keep_einsum(self, args: Any, product: Tensor) -> None:
        if len(args) != 3 or not isinstance(args[0], str) or product.ndim != 4:
            return
        inputs, _, output = args[0].replace(" ", "").partition("->")
        first, second = inputs.split(",")
        summed = [letter for letter in first if letter in second and letter not in output]
        rows = [letter for letter in output if letter in first and letter not in second]
        columns = [letter for letter in output if letter in second and letter not in first]
        if len(summed) == len(rows) == len(columns) == 1 and len(first) == len(second) == 4:
            outer = [letter for letter in output if letter in first and letter in second]
            query = torch.einsum(f"{first}->{''.join(outer)}{rows[0]}{summed[0]}", args[1])
            key = torch.einsum(f"{second}->{''.join(outer)}{columns[0]}{summed[0]}", args[2])
            self._keep(query, key, torch.einsum(f"{output}->{''.join(outer)}{rows[0]}{columns[0]}", product))

    def _match(self, weights: Tensor) -> None:
        """A softmax: its last product of the same size is what it was taken of."""
        size, last = weights.numel(), weights.shape[-2:]
        same = [p for p in self._products if p[2].numel() == size and p[2].shape[-2:] == last]
        self._products.clear()
        self._weights = weights
        if not same or weights.ndim not in (3, 4) or weights.shape[-2] * weights.shape[-1] == 0:
            return
        query, key, _ = same[-1]
        query, key, weights = (self._unfolded(t) for t in (query, key, weights))
        if query.ndim == key.ndim == weights.ndim == 4:
            # Beside the product with the keys there may be one with positions, which are more than keys (XLNet); two of
            # the size of the weights cannot be told apart.
            only = key if len(same) == 1 else None
            self._tell(AttentionCall(None, query, only, None, None, weights, kernel="products"))

    def _unfolded(self, states: Tensor) -> Tensor:
        """``[B * H, T, d]`` as ``[B, H, T, d]``, and the latter as it is."""
        folded = states.ndim == 3 and states.shape[0] % self._items == 0
        return states.unflatten(0, (self._items, -1)) if folded else states
