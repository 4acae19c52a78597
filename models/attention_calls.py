"""Recording what every attention of a model receives, while its own kernel does the computing.

transformers sends most causal LMs through a registry of attention functions; each receives a block's query and key
after norm and rotary. While a listener is set, the registry hands out functions that report their calls. A family
outside the registry is heard one level lower: the product that enters a softmax has the query and key as its factors.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from transformers.modeling_utils import AttentionInterface

_Report = TypeVar("_Report")


class Reports(Generic[_Report]):
    """Replaces functions only while some thread listens to them, so that compiled code never meets the others."""

    def __init__(self) -> None:
        self._lock, self._here = threading.Lock(), threading.local()
        #: (Owner, name) of a replaced function -> how many listen to it, and the function itself.
        self._own: dict[tuple[Any, str], list[Any]] = {}

    @property
    def tell(self) -> Callable[[_Report], None] | None:
        """What reports of this thread are given to; ``None`` where it does not listen."""
        return getattr(self._here, "tell", None)

    @contextmanager
    def listening(
        self, tell: Callable[[_Report], None], places: Sequence[tuple[Any, str]], telling: Callable[[Any], Any]
    ) -> Iterator[None]:
        """Replace functions at ``places`` (owner, name) by what ``telling`` makes of them; others still hear."""
        with self._lock:
            for owner, name in places:
                held = self._own.setdefault((owner, name), [0, vars(owner).get(name, getattr(owner, name))])
                held[0] += 1
                if held[0] == 1:
                    setattr(owner, name, telling(held[1]))
        earlier = self.tell
        told = (tell,) if earlier is None else (earlier, tell)
        self._here.tell = lambda report: [one(report) for one in told]
        try:
            yield
        finally:
            self._here.tell = earlier
            with self._lock:
                for place in places:
                    self._own[place][0] -= 1
                    if not self._own[place][0]:
                        setattr(*place, self._own.pop(place)[1])


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
    weights; ``extra`` what else the kernel was given (soft-cap, sinks, window, biases). ``beside`` is what the kernel
    makes of the values that :func:`carrying` adds, ``[B, T, H, v]``.
    """

    module: nn.Module | None
    query: Tensor
    key: Tensor | None
    mask: Any
    scaling: float | None
    weights: Tensor | None
    kernel: str = ""
    eager: Callable[..., Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    beside: Tensor | None = None


_more = threading.local()
_reports: Reports[AttentionCall] = Reports()


def listening(tell: Callable[[AttentionCall], None]) -> AbstractContextManager[None]:
    """While open, in this thread, ``tell`` is called with every call of a registered attention function."""
    look_ups = [(AttentionInterface, name) for name in ("get_interface", "__getitem__")]
    return _reports.listening(tell, look_ups, _handing_out)


@contextmanager
def carrying(columns: Callable[[Tensor], Tensor | None]) -> Iterator[None]:
    """While open, in this thread, kernels weigh ``columns`` too, ``[B, Hkv, S, v]`` of values ``[B, Hkv, S, d]``.

    ``None`` for none. In single precision in the same call, which changes what the model gets by rounding at most.
    """
    _more.columns = columns
    try:
        yield
    finally:
        del _more.columns


def _carried(value: Tensor) -> Tensor | None:
    columns: Callable[[Tensor], Tensor | None] | None = getattr(_more, "columns", None)
    return None if columns is None else columns(value)


def _sums(weights: Tensor, columns: Tensor) -> Tensor:
    return (weights @ columns[:, :1].to(weights)).transpose(1, 2)  # they are the same for all heads


def _wider(columns: Tensor, function: Callable[..., Any], *given: Any, **kwargs: Any) -> tuple[Any, Tensor]:
    """What an attention function gives, and what it gives of ``columns`` in the same call."""
    module, *states = given[:4]
    width, more = states[2].shape[-1], columns.shape[-1]
    room = -more % 8 + more  # kernels on a GPU take steps of 8, and fast ones queries, keys and values of one width
    filled = (functional.pad(one, (0, room)) for one in states[:2])
    values = torch.cat((states[2], functional.pad(columns, (0, room - more))), dim=-1)
    kwargs["scaling"] = width**-0.5 if kwargs.get("scaling") is None else kwargs["scaling"]
    every, *rest = function(module, *filled, values, *given[4:], **kwargs)
    return (every[..., :width].contiguous(), *rest), every[..., width : width + more]


def _again(columns: Tensor, width: int, run: Callable[[Tensor], Tensor]) -> Tensor:
    """The same in calls of their own on values of a ``width``: a fused kernel takes no other."""
    parts = columns.split(width, dim=-1)
    return torch.cat([run(functional.pad(p, (0, width - p.shape[-1])))[..., : p.shape[-1]] for p in parts], dim=-1)


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
        given, columns = (module, query, key, value, attention_mask, *args), _carried(value)
        alike = query.dtype == torch.float32 and query.shape[-1] == value.shape[-1]
        if columns is not None and kernel == "sdpa" and alike:
            output, columns = _wider(columns, function, *given, **kwargs)
        else:
            output = function(*given, **kwargs)
            if columns is not None:
                run = lambda other: function(*given[:3], other, *given[4:], **kwargs)[0]  # noqa: E731
                columns = _again(columns, value.shape[-1], run) if output[1] is None else _sums(output[1], columns)
        if (tell := _reports.tell) is not None:
            extra = {n: v for n, v in kwargs.items() if n not in ("scaling", "dropout")} | {"value": value}
            seen = (module, query, key, attention_mask, kwargs.get("scaling"), output[1], str(kernel), eager)
            tell(AttentionCall(*seen, extra, columns))
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
            call = (None, given["query"], given["key"], given.get("attn_mask"), given.get("scale"), None, "products")
            if (columns := _carried(given["value"])) is not None:
                run = lambda other: func(**given | {"value": other}).transpose(1, 2)  # noqa: E731
                columns = _again(columns, given["value"].shape[-1], run)
            self._tell(AttentionCall(*call, extra=extra, beside=columns))
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
            columns = _carried(weights.transpose(2, 3))
            beside = None if columns is None else _sums(weights, columns)
            self._tell(AttentionCall(None, query, only, None, None, weights, kernel="products", beside=beside))

    def _unfolded(self, states: Tensor) -> Tensor:
        """``[B * H, T, d]`` as ``[B, H, T, d]``, and the latter as it is."""
        folded = states.ndim == 3 and states.shape[0] % self._items == 0
        return states.unflatten(0, (self._items, -1)) if folded else states
