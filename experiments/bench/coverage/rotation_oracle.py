"""Products before the rotary embedding, held to the model's own rotary function run backwards."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ....models.loading import LanguageModel
from ....models.positions import Encoding
from ....models.rotary import rotary_functions

_TOLERANCE = 2e-4


@torch.no_grad()
def turned_back(lm: LanguageModel, item: Encoding, found: dict[str, npt.NDArray[np.float32]]) -> str:
    """Rotation may change a product by nothing but what it does to the dimensions that it turns.

    So in every block ``before - after`` must be the product of the queries and keys turned back, less that of the
    turned ones. They are turned back by the model's own function with the sine negated, and a stretch of cosine and
    sine (YaRN) divided out; a function without a sine, or one that reorders dimensions, is not run backwards: what went
    into it is taken instead.

    Args:
        lm: The model.
        item: One text.
        found: ``qk/before`` and ``qk/after`` of its last token with all, ``[L, H, T]``.

    Returns:
        ``"pass"``, or ``"WRONG: ..."``; blocks in which a rotation does not tell (shared keys, indexers, factors behind
        the rotation) are passed over.
    """
    ids = torch.tensor([item.ids])
    with _turns(lm) as turns:
        lm.model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False)
    for block, heads in enumerate(lm.anatomy.heads):
        pairs = [pair for at, pair in turns if at == block]
        if len(pairs) != 2 or len(heads) != 1:
            continue
        ours = {name: values[block, : heads[0].n_heads] * heads[0].factor for name, values in found.items()}
        misfits = []
        for (plain_q, turned_q), (plain_k, turned_k) in (pairs, pairs[::-1]):  # families turn either of the two first
            after = _product(turned_q, turned_k, heads[0].n_heads, len(item.ids))
            before = _product(plain_q, plain_k, heads[0].n_heads, len(item.ids))
            if after is None or before is None:
                continue
            if turned_q.shape[-1] == heads[0].head_dim and _apart(after, ours["qk/after"]) > _TOLERANCE:
                continue  # multiplied after the rotation, or queries taken for keys
            size = max(np.abs(before).max(), np.abs(ours["qk/before"]).max())
            off = np.abs((ours["qk/before"] - ours["qk/after"]) - (before - after)).max()
            misfits.append(float(off / size))
        if misfits and min(misfits) > _TOLERANCE:
            return f"WRONG: block {block + 1} turned back differs by {min(misfits):.1g}"
    return "pass"


def _apart(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    return float(np.abs(a - b).max() / np.abs(a).max())


def _product(queries: Tensor, keys: Tensor, n_heads: int, length: int) -> npt.NDArray[np.float32] | None:
    """Products of the last query with all keys, ``[H, T]``; ``None`` if the tensors do not lie as heads and tokens."""
    lined = [states[0] if states.shape[2] == length else states[0].transpose(0, 1) for states in (queries, keys)]
    q, k = lined
    if q.shape[:2] != (n_heads, length) or k.shape[1] != length or n_heads % k.shape[0]:
        return None
    keys_of = k.double()[[h // (n_heads // k.shape[0]) for h in range(n_heads)]]
    return np.asarray((keys_of @ q[:, -1].double()[:, :, None])[..., 0].float().numpy())


def _backwards(
    function: Callable[..., Any], args: Any, kwargs: Any, turned: Sequence[Tensor]
) -> list[tuple[Tensor, Tensor]]:
    """Each turned tensor with what it was before, computed backwards if the function lets itself be."""
    names = list(inspect.signature(function).parameters)
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    inputs = [n for n in names if isinstance(given.get(n), Tensor) and given[n].ndim == 4 and n not in ("cos", "sin")]
    inputs = inputs[: len(turned)]
    if len(inputs) != len(turned):
        return []
    plain = [given[n] for n in inputs]
    if {"cos", "sin"} <= given.keys() and "interleave" not in function.__name__:
        size = given["cos"].float().square() + given["sin"].float().square()
        if float((size - size.mean()).abs().max()) < 1e-3:
            back = function(**{**given, **dict(zip(inputs, turned, strict=True)), "sin": -given["sin"]})
            back = back if isinstance(back, tuple) else (back,)
            # Dimensions that do not turn are not stretched either.
            plain = [torch.where(t == p, p, b / size.mean()) for p, t, b in zip(plain, turned, back, strict=True)]
    return list(zip(plain, turned, strict=True))


@contextmanager
def _turns(lm: LanguageModel) -> Iterator[list[tuple[int, tuple[Tensor, Tensor]]]]:
    found: list[tuple[int, tuple[Tensor, Tensor]]] = []
    block = -1

    def enter(_module: Any, _args: Any) -> None:
        nonlocal block
        block += 1

    def kept(function: Callable[..., Any]) -> Callable[..., Any]:
        def turn(*args: Any, **kwargs: Any) -> Any:
            output = function(*args, **kwargs)
            outputs = output if isinstance(output, tuple) else (output,)
            found.extend((block, pair) for pair in _backwards(function, args, kwargs, outputs))
            return output

        return turn

    modules = {inspect.getmodule(type(m)) for b in lm.anatomy.blocks for m in b.modules()}
    with ExitStack() as stack:
        for one in dict.fromkeys(lm.anatomy.blocks):
            stack.callback(one.register_forward_pre_hook(enter).remove)
        for module in modules:
            for name in rotary_functions(module) if module is not None else ():
                function = vars(module)[name]
                stack.callback(setattr, module, name, function)
                setattr(module, name, kept(function))
        yield found
