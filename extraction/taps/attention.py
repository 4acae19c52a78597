"""A tap on the attention of every block: query-key products and attention rows, of a few queries and keys.

A row is the attention of one query over all keys: never the square of the weights.
"""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers.models.llama import modeling_llama

from ...models.attention_calls import AttentionCall
from ...models.errors import UnreadableError
from ...models.heads import Heads, all_heads
from ...models.loading import LanguageModel
from ...models.positions import Encoding
from ...models.rotary import select
from ..readouts import Paired, QueryKey, Readout
from .block_attention import BlockAttention, KeptStates, PromptKeys
from .residual import Reading

#: Terms that a softmax may have beside the scaled products and the mask.
_OWN = ("softcap", "s_aux", "position_bias")
#: Kernels whose attention rows can be computed again for one query.
ROW_KERNELS = ("sdpa", "eager")


class VisibleRuns(NamedTuple):
    """A mask in which every query sees the keys from its ``first`` one, ``[B, T]``, up to its own."""

    first: Tensor

    def lines(self, at: Tensor, keys: int) -> Tensor:
        """Those of the queries at ``at`` (``[B, Q]``), whether each key is seen: ``[B, 1, Q, keys]``."""
        every, own = torch.arange(keys, device=at.device), at + keys - self.first.shape[1]
        return ((every >= self.first.gather(1, at)[..., None]) & (every <= own[..., None]))[:, None]


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
    if isinstance(call.mask, VisibleRuns):
        line = call.mask.lines(at, call.key.shape[2])
    else:
        line = _line(call.mask, call, at)[..., : call.key.shape[2]]
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
    """Keeps, in every block and head, products or weights of one role's queries with another's keys.

    All ``readouts`` are of these two roles. The pass follows ``lent`` tokens of a shared prompt, whose keys before the
    rotary embedding ``prompt`` holds.
    """

    def __init__(
        self, of: Reading, readouts: Sequence[Paired], lent: int, prompt: PromptKeys | KeptStates | None
    ) -> None:
        (query, keys), kinds, spread = readouts[0].roles, frozenset(r.name for r in readouts), of.lm.anatomy.spread
        super().__init__(of.lm, len(of.batch.ids), kinds=kinds, last=of.last, lent=lent)
        self._unrotated = prompt if isinstance(prompt, KeptStates) else self._unrotated
        self._packed = of.batch.lengths is not None
        self._before = frozenset(r.name for r in readouts if isinstance(r, QueryKey) and r.rotary == "before")
        self._after = frozenset(r.name for r in readouts if isinstance(r, QueryKey) and r.rotary == "after")
        self._weights = kinds - self._before - self._after
        q_at, k_at = (of.batch.tokens(of.items, role) for role in (query, keys))
        q_at, k_at = q_at.clamp(min=0) + self._prefix, k_at + self._prefix  # keys in a shared prompt are negative
        shares = _shares(of.items, query).to(q_at.device)
        #: Tokens of queries and keys among those of the pass, of keys among all keys; the share of each in a query.
        self._at, self._prompt = (q_at, k_at, k_at + lent, shares[:, None]), prompt
        self._row, self._spread = AttentionRow(self._family, self._weights), spread
        self._shape = shares.shape[1], k_at.shape[1]
        shape = (len(of.items), of.last, of.lm.anatomy.n_heads // spread, math.prod(self._shape))
        self._arrays = {kind: torch.zeros(shape, device=q_at.device) for kind in kinds}
        require_heads(of.lm, self._heads, kinds)

    def results(self) -> dict[str, Tensor]:
        """Name -> ``[B, N, last, H, K]``, fp32; zeros in blocks without such heads, and beyond the heads of a block."""
        # In one order in all processes, which send one another the heads that they hold.
        every = {kind: all_heads(self._arrays[kind], self._spread) for kind in sorted(self._arrays)}
        return {kind: array.unflatten(3, self._shape).movedim(3, 1) for kind, array in every.items()}

    def _read(self, call: AttentionCall, heads: Heads, number: int) -> None:
        device = call.query.device
        q_at, k_at, seen, shares = (places.to(device) for places in self._at)
        self._require_token_keys(call, q_at[:, 0])
        first = sum(one.n_heads for one in self._heads[self._block][:number])
        place = slice(first, first + heads.n_heads)

        def mean(values: Tensor) -> Tensor:  # [B, H, Q, ...] to [B, H, N, ...]; a step less where each is one token
            return values.float() if shares.shape[2:] == (1, 1) else shares @ values.float()

        def keep(kinds: frozenset[str], values: Tensor) -> None:  # [B, H, N, K]
            for kind in kinds:
                self._arrays[kind][:, self._block, place] = values.flatten(2).to(self._arrays[kind].device)

        if self._weights:
            rows = self._row.of(call, q_at.view(1, -1) if self._packed else q_at).transpose(1, 2)
            rows = rows.reshape(*q_at.shape, *rows.shape[2:]).transpose(1, 2)  # [B, H, Q, S]
            keep(self._weights, mean(rows.gather(3, seen[:, None, None].expand(*rows.shape[:3], -1))))
        if self._kinds == self._weights or heads.unreadable or call.key is None:
            return
        if self._after or not heads.rotary:
            query, key = self._unrotated.pick(call.query, q_at), self._unrotated.pick(call.key, seen)
            turned = products(mean(query), key, heads.factor)
            keep(self._after if heads.rotary else self._after | self._before, turned)
        if self._before and heads.rotary:
            query, key = self._before_rotary(heads, call, q_at, k_at, number)
            keep(self._before, products(mean(query), key, heads.factor))

    def _before_rotary(
        self, heads: Heads, call: AttentionCall, q_at: Tensor, k_at: Tensor, number: int
    ) -> tuple[Tensor, Tensor]:
        """Query and keys before rotation; those of a lent prompt were kept when the prompt was read."""
        assert call.key is not None
        before = self._unrotated.queries(heads, call.query, q_at)
        here = k_at.clamp(min=0) if self._lent else k_at  # for the prompt's keys others stand in below
        plain = self._unrotated.keys(heads, call.key, here, self._lent)
        if before is None or plain is None:
            raise UnreadableError.of("extraction.unexplained", self._family, readouts=self._before)
        if self._prompt is not None:
            lent = self._prompt.at(self._block, number, k_at + self._lent).to(plain.device)
            plain = torch.where((k_at < 0)[:, None, :, None], lent, plain)
        return before, plain


def by_roles(readouts: Sequence[Readout]) -> list[list[Paired]]:
    """The readouts of pairs among these, those of the same two roles together: a tap reads them at once."""
    paired = [r for r in readouts if isinstance(r, Paired)]
    return [[r for r in paired if r.roles == roles] for roles in dict.fromkeys(r.roles for r in paired)]


def _shares(items: Sequence[Encoding], role: str) -> Tensor:
    """The part that each of an item's tokens has in the mean of each of its ranges, ``[B, N, Q]``."""
    places = (item.places(role) or ((0, 1),) for item in items)
    own = [torch.block_diag(*(torch.full((1, b - a), 1 / (b - a)) for a, b in some)) for some in places]
    n, q = (max(one.shape[axis] for one in own) for axis in (0, 1))
    return torch.stack([pad(one, (0, q - one.shape[1], 0, n - one.shape[0])) for one in own])


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
    by_row = (".diagonal", ".own(", ".copied[", ".weights")
    of_rows = {kind for kind in of_weights if kind == "attention" or any(one in kind for one in by_row)}
    if of_rows and any(one.registered for one in every) and lm.attention not in ROW_KERNELS:
        raise UnreadableError.of("extraction.kernel", lm.attention, readouts=of_rows)


def products(query: Tensor, keys: Tensor, factor: float = 1.0) -> Tensor:
    """Queries ``[B, H, N, hd]`` times keys ``[B, Hkv, K, hd]`` over ``factor``: ``[B, H, N, K]``, fp32."""
    grouped = query.unflatten(1, (keys.shape[1], -1)).flatten(2, 3)
    found: Tensor = (grouped @ keys.float().transpose(2, 3)).view(*query.shape[:3], -1)
    return found if factor == 1.0 else found / factor
