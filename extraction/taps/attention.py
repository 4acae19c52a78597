"""One tap on the attention of every block: query-key products and attention rows, of one query and a few keys."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...models.attention_calls import AttentionCall
from ...models.errors import UnreadableError
from ...models.heads import Heads, all_heads
from ...models.loading import LanguageModel
from ...models.rotary import refusal
from ..batching import Packing
from .attention_row import AttentionRow
from .block_attention import BlockAttention, PromptKeys

#: Kernels whose attention rows can be computed again for one query.
_ROW_KERNELS = ("sdpa", "eager")


class AttentionTap(BlockAttention):
    """Keeps, in every block and head, what one query position has to do with ``K`` key positions.

    ``query`` (``[B]``) and ``keys`` (``[B, K]``) are counted from the first token of their row; keys of a lent prompt
    are negative, and ``prompt`` holds what was kept of them. ``lent`` is how many tokens that prompt has, ``packing``
    where the items lie in one row. ``kinds`` are any of ``"qk/before"``, ``"qk/after"``, ``"attention"``; ``last`` is
    the last block, ``1..L``.
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
        packing: Packing | None = None,
    ) -> None:
        super().__init__(lm, query.shape[0] if packing is None else 1, kinds=kinds, last=last, lent=lent)
        self._packing = packing
        self._query, self._keys, self._prompt = query, keys, prompt
        self._places_on: dict[torch.device, tuple[Tensor, Tensor, Tensor]] = {}
        self._row = AttentionRow(self._family)
        self._spread = lm.anatomy.spread
        shape = (query.shape[0], last, lm.anatomy.n_heads // self._spread, keys.shape[1])
        self._arrays = {kind: torch.zeros(shape, device=query.device) for kind in kinds}
        require_heads(lm, self._heads, kinds)

    def results(self) -> dict[str, Tensor]:
        """Kind -> ``[B, last, H, K]``, fp32; zeros in blocks without such heads, and beyond the heads of a block."""
        # In one order in all processes, which send one another the heads that they hold.
        return {kind: all_heads(self._arrays[kind], self._spread) for kind in sorted(self._arrays)}

    def _at(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens of the query and the keys among those of the pass, and of the keys among all keys, on a device."""
        if device not in self._places_on:
            q_at, k_at = self._query.to(device) + self._prefix, self._keys.to(device) + self._prefix
            self._places_on[device] = q_at, k_at, k_at + self._lent
        return self._places_on[device]

    def _read(self, call: AttentionCall, heads: Heads, number: int) -> None:
        device = call.query.device
        q_at, k_at, seen = self._at(device)
        self._require_token_keys(call, q_at)
        first = sum(one.n_heads for one in self._heads[self._block][:number])
        place = slice(first, first + heads.n_heads)

        def keep(kind: str, values: Tensor) -> None:
            self._arrays[kind][:, self._block, place] = values.to(self._query.device)

        if "attention" in self._kinds:
            if self._packing is None:
                row, place_of = self._row.of(call, q_at), seen
            else:
                row = self._row.of(self._packing.apart(call, q_at), torch.zeros_like(q_at))
                place_of = k_at - self._packing.starts.to(device)[:, None]
            keep("attention", row.float().gather(2, place_of[:, None].expand(-1, row.shape[1], -1)))
        if not self._kinds - {"attention"} or heads.unreadable or call.key is None:
            return
        if "qk/after" in self._kinds or not heads.rotary:
            turned = products(
                self._unrotated.pick(call.query, q_at[:, None])[:, :, 0],
                self._unrotated.pick(call.key, seen),
                heads.factor,
            )
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
            raise refusal(self._family)
        if self._prompt is not None:
            lent = self._prompt.at(self._block, number, k_at + self._lent).to(plain.device)
            plain = torch.where((k_at < 0)[:, None, :, None], lent, plain)
        return before, plain


def require_heads(lm: LanguageModel, heads: Sequence[Sequence[Heads]], kinds: frozenset[str]) -> None:
    """Raise ``UnreadableError`` for the ``kinds`` that no block of a model gives, with a judge that can do without."""
    family, every = type(lm.model).__name__, [one for block in heads for one in block]
    if not every:
        raise UnreadableError(
            f"given {family}, none of whose blocks has softmax attention, expected heads: judge this model with CLUE "
            "or LAGER",
            kinds,
        )
    of_products = kinds - {"attention"}
    if of_products and all(one.unreadable for one in every):
        raise UnreadableError(
            f"given {family}, which {every[0].unreadable}, expected the product of a query and a key: use "
            "Attention-score",
            of_products,
        )
    if "attention" in kinds and not any(one.token_keys for one in every):
        raise UnreadableError(
            f"given {family}, which {every[0].unreadable}, expected keys of tokens: judge this model with CLUE or "
            "LAGER",
            {"attention"},
        )
    if "attention" in kinds and any(one.registered for one in every) and lm.attention not in _ROW_KERNELS:
        raise UnreadableError(
            f"given the attention kernel {lm.attention!r}, expected sdpa or eager for attention rows: load the model "
            "with attn_implementation='sdpa'",
            {"attention"},
        )


def products(query: Tensor, keys: Tensor, factor: float = 1.0) -> Tensor:
    """``[B, H, hd]`` with ``[B, Hkv, K, hd]`` -> ``[B, H, K]``, fp32, over ``factor``.

    Query head ``h`` reads key head ``h // (H / Hkv)``.
    """
    grouped = query.float().unflatten(1, (keys.shape[1], -1))
    found: Tensor = (grouped @ keys.float().transpose(2, 3)).flatten(1, 2)
    return found if factor == 1.0 else found / factor
