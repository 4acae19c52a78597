"""One tap on the attention of every block: query-key products and attention rows, of one query and a few keys.

A row is the attention of one query over all keys: never the square of the weights.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor
from transformers.models.llama import modeling_llama

from ...models.attention_calls import AttentionCall
from ...models.errors import UnreadableError
from ...models.heads import Heads, all_heads
from ...models.loading import LanguageModel
from ...models.rotary import select
from .block_attention import BlockAttention, PromptKeys

#: Terms that a softmax may have beside the scaled products and the mask.
_OWN = ("softcap", "s_aux", "position_bias")
#: Kernels whose attention rows can be computed again for one query.
_ROW_KERNELS = ("sdpa", "eager")


class AttentionRow:
    """Reads attention rows of the same queries, block by block; a mask that many blocks share is cut only once."""

    def __init__(self, family: str, kinds: frozenset[str] = frozenset()) -> None:
        self._family, self._kinds = family, kinds
        self._masks: list[tuple[Any, tuple[Any, ...], tuple[Tensor, bool]]] = []

    def of(self, call: AttentionCall, at: Tensor) -> Tensor:
        """Weights of the queries at ``at`` (``[B, Q]``, the same in every block) over all keys, ``[B, H, Q, S]``.

        They are those that the kernel returned; else those of the family's own eager function for these queries, with
        soft-cap, sinks and biases; else the softmax of the scaled products. ``UnreadableError`` where the softmax has
        terms of its own and no known function computes it.
        """
        if call.weights is not None:
            return _line(call.weights, call, at)  # type: ignore[no-any-return]
        assert call.key is not None
        scaling = call.query.shape[-1] ** -0.5 if call.scaling is None else call.scaling
        query, (mask, hides) = select(call.query, at), self._mask(call, at)
        own = [name for name in _OWN if call.extra.get(name) is not None]
        if call.eager is not None and (own or not is_plain(call.eager)):  # the softmax of scaled products costs less
            extra = {n: _line(v, call, at) for n, v in call.extra.items() if n not in ("value", "is_causal")}
            # What it makes of the values is thrown away: one number of each is enough.
            given = (query, call.key, call.extra["value"][..., :1], mask)
            _, weights = call.eager(call.module, *given, scaling=scaling, dropout=0.0, **extra)
            return weights  # type: ignore[no-any-return]
        if own:
            kinds = {"attention", *self._kinds}
            raise UnreadableError.of("extraction.own-kernel", self._family, own[0], readouts=kinds)
        key = call.key if call.eager is not None else call.key.float()
        grouped = query.to(key.dtype).reshape(len(query), key.shape[1], -1, key.shape[-1])  # heads of one key together
        # Contiguous: a product with strided keys takes twice as long as to copy them.
        logits = (grouped @ key.contiguous().transpose(2, 3)).view(*query.shape[:3], -1) * scaling
        return (logits + mask.to(logits.dtype) if hides else logits).softmax(-1, dtype=torch.float32)

    def _mask(self, call: AttentionCall, at: Tensor) -> tuple[Tensor, bool]:
        """Lines of the mask at ``at``, additive, in the query's type, ``[B, 1 or H, Q, S]``; and if they hide a key."""
        assert call.key is not None
        causal = call.extra.get("is_causal")
        causal = getattr(call.module, "is_causal", True) if causal is None else causal
        like = (causal, call.key.shape[2], call.query.shape[2], call.query.dtype, at.device)
        for mask, known, found in self._masks:
            if mask is call.mask and known == like:
                return found
        line = _mask(call, at, causal).to(call.query.dtype)
        # Full and sliding attention take turns: the lines of two masks are kept.
        self._masks = [*self._masks[-1:], (call.mask, like, (line, bool(line.any())))]
        return self._masks[-1][-1]


def _mask(call: AttentionCall, at: Tensor, causal: bool) -> Tensor:
    assert call.key is not None
    lowest = torch.finfo(call.query.dtype).min
    if call.mask is None:
        lent = call.key.shape[2] - call.query.shape[2]  # keys of a prompt before the tokens of the pass
        seen = torch.arange(call.key.shape[2], device=at.device) <= at[:, None, :, None] + lent
        hidden = torch.zeros_like(seen) if not causal else ~seen
        return torch.zeros(seen.shape, device=at.device).masked_fill(hidden, lowest)
    line: Tensor = _line(call.mask, call, at)[..., : call.key.shape[2]]
    if line.dtype != torch.bool:
        return line
    return torch.zeros_like(line, dtype=call.query.dtype).masked_fill(~line, lowest)


def _line(value: Any, call: AttentionCall, at: Tensor) -> Any:
    """What an argument of the kernel holds for the queries at ``at``: lines of ``[B, H, T, S]``, else as it is."""
    if not isinstance(value, Tensor) or value.ndim != 4 or value.shape[2] != call.query.shape[2] or value.shape[2] == 1:
        return value
    every = value.expand(len(at), *value.shape[1:])
    return every[torch.arange(len(at), device=at.device)[:, None], :, at].transpose(1, 2)


@cache
def is_plain(eager: Any) -> bool:
    """Whether a function is Llama's, line by line: ``softmax(scaling * query @ key + mask)``, in fp32.

    Most families have a copy of it with the same compiled code. One with terms of its own is another function.
    """
    plain = modeling_llama.eager_attention_forward
    repeat = getattr(eager, "__globals__", {}).get("repeat_kv")
    return _code(eager) == _code(plain) and _code(repeat) == _code(modeling_llama.repeat_kv)


def _code(function: Any) -> tuple[Any, ...] | None:
    code = getattr(function, "__code__", None)
    return None if code is None else (code.co_code, code.co_consts, code.co_names, code.co_varnames)


class AttentionTap(BlockAttention):
    """Keeps, in every block and head, products or weights of one query position with ``K`` key positions.

    ``query`` (``[B]``) and ``keys`` (``[B, K]``) are counted from the first token of their row; keys in a shared prompt
    are negative, and ``prompt`` holds what was kept of them. ``lent`` is the length of that prompt; ``packed``: the
    items lie in one row. ``kinds`` are any of ``"qk/before"``, ``"qk/after"``, ``"attention"``;
    ``last`` is the last block, ``1..L``.
    """

    def __init__(
        self,
        lm: LanguageModel,
        query: Tensor,
        keys: Tensor,
        *,
        kinds: frozenset[str],
        last: int,
        lent: int = 0,
        prompt: PromptKeys | None = None,
        packed: bool = False,
    ) -> None:
        super().__init__(lm, 1 if packed else query.shape[0], kinds=kinds, last=last, lent=lent)
        self._packed = packed
        q_at, k_at = query + self._prefix, keys + self._prefix
        #: Tokens of the query and the keys among those of the pass, and of the keys among all keys.
        self._at, self._prompt = (q_at, k_at, k_at + lent), prompt
        self._row = AttentionRow(self._family)
        self._spread = lm.anatomy.spread
        shape = (query.shape[0], last, lm.anatomy.n_heads // self._spread, keys.shape[1])
        self._arrays = {kind: torch.zeros(shape, device=query.device) for kind in kinds}
        require_heads(lm, self._heads, kinds)

    def results(self) -> dict[str, Tensor]:
        """Kind -> ``[B, last, H, K]``, fp32; zeros in blocks without such heads, and beyond the heads of a block."""
        # In one order in all processes, which send one another the heads that they hold.
        return {kind: all_heads(self._arrays[kind], self._spread) for kind in sorted(self._arrays)}

    def _read(self, call: AttentionCall, heads: Heads, number: int) -> None:
        device = call.query.device
        q_at, k_at, seen = (places.to(device) for places in self._at)
        self._require_token_keys(call, q_at)
        first = sum(one.n_heads for one in self._heads[self._block][:number])
        place = slice(first, first + heads.n_heads)

        def keep(kind: str, values: Tensor) -> None:
            self._arrays[kind][:, self._block, place] = values.to(self._arrays[kind].device)

        if "attention" in self._kinds:
            at = q_at[None] if self._packed else q_at[:, None]
            rows = self._row.of(call, at).transpose(1, 2).flatten(0, 1)  # [B, H, S]
            keep("attention", rows.float().gather(2, seen[:, None].expand(-1, rows.shape[1], -1)))
        if not self._kinds - {"attention"} or heads.unreadable or call.key is None:
            return
        if "qk/after" in self._kinds or not heads.rotary:
            query, key = self._unrotated.pick(call.query, q_at[:, None]), self._unrotated.pick(call.key, seen)
            turned = products(query[:, :, 0], key, heads.factor)
            for kind in self._kinds - {"attention"} if not heads.rotary else {"qk/after"}:
                keep(kind, turned)
        if "qk/before" in self._kinds and heads.rotary:
            query, key = self._before_rotary(heads, call, q_at[:, None], k_at, number)
            keep("qk/before", products(query[:, :, 0], key, heads.factor))

    def _before_rotary(
        self, heads: Heads, call: AttentionCall, q_at: Tensor, k_at: Tensor, number: int
    ) -> tuple[Tensor, Tensor]:
        """Query and keys before rotation; those of a lent prompt were kept when the prompt was read."""
        assert call.key is not None
        before = self._unrotated.queries(heads, call.query, q_at)
        here = k_at.clamp(min=0) if self._lent else k_at  # for the prompt's keys others stand in below
        plain = self._unrotated.keys(heads, call.key, here)
        if before is None or plain is None:
            raise UnreadableError.of("extraction.unexplained", self._family, readouts={"qk/before"})
        if self._prompt is not None:
            lent = self._prompt.at(self._block, number, k_at + self._lent).to(plain.device)
            plain = torch.where((k_at < 0)[:, None, :, None], lent, plain)
        return before, plain


def require_heads(lm: LanguageModel, heads: Sequence[Sequence[Heads]], kinds: frozenset[str]) -> None:
    """Raise ``UnreadableError`` for ``kinds`` that no block of a model gives; it names a judge without that need."""
    family, every = type(lm.model).__name__, [one for block in heads for one in block]
    if not every:
        raise UnreadableError.of("extraction.no-softmax", family, readouts=kinds)
    of_products = {kind for kind in kinds if kind.startswith("qk/")}
    if of_products and all(one.unreadable for one in every):
        raise UnreadableError.of("extraction.no-product", family, every[0].unreadable, readouts=of_products)
    of_weights = {kind for kind in kinds if kind.startswith("attention")}
    if of_weights and not any(one.token_keys for one in every):
        raise UnreadableError.of("extraction.no-token-keys", family, every[0].unreadable, readouts=of_weights)
    by_row = (".diagonal", ".own(", ".copied[")
    of_rows = {kind for kind in of_weights if kind == "attention" or any(one in kind for one in by_row)}
    if of_rows and any(one.registered for one in every) and lm.attention not in _ROW_KERNELS:
        raise UnreadableError.of("extraction.kernel", lm.attention, readouts=of_rows)


def products(query: Tensor, keys: Tensor, factor: float = 1.0) -> Tensor:
    """Query ``[B, H, hd]`` times key ``[B, Hkv, K, hd]`` over ``factor``: ``[B, H, K]``, fp32; heads grouped."""
    found: Tensor = (query.float().unflatten(1, (keys.shape[1], -1)) @ keys.float().transpose(2, 3)).flatten(1, 2)
    return found if factor == 1.0 else found / factor
