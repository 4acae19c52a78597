"""One tap on the attention of every block: query-key products and attention rows, of one query and a few keys."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

from ..models.attention_calls import AttentionCall
from ..models.errors import UnreadableError
from ..models.heads import Heads
from ..models.loading import LanguageModel
from ..models.rotary import before_rotation, refusal, select
from ..models.sharding import all_heads
from .attention_row import attention_row
from .block_attention import BlockAttention
from .packing import Packing
from .prompt_keys import PromptKeys

#: Kernels whose attention rows can be computed again for one query.
_ROW_KERNELS = ("sdpa", "eager")


class AttentionTap(BlockAttention):
    """Keeps, in every block and head, what one query position has to do with ``K`` key positions.

    Args:
        lm: The model.
        query: Token of the query, ``[B]``, counted from the first one of its row.
        keys: Tokens of the keys, ``[B, K]``, counted likewise; those of a lent prompt are negative.
        kinds: Any of ``"qk/before"``, ``"qk/after"``, ``"attention"``.
        last: The last block that is read, ``1..L``.
        lent: Tokens of a prompt that was read before and whose keys the pass is lent; 0 for whole texts.
        prompt: What was kept of that prompt's keys; ``None`` where none of ``keys`` is in it.
        packing: Where the items lie in one row; ``None`` where each has a row of its own.
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
        self._kernel = lm.attention
        self._query, self._keys, self._prompt = query, keys, prompt
        self._spread = lm.anatomy.spread
        shape = (query.shape[0], last, lm.anatomy.n_heads // self._spread, keys.shape[1])
        self._arrays = {kind: torch.zeros(shape, device=query.device) for kind in kinds}
        self._refuse()

    def results(self) -> dict[str, Tensor]:
        """Kind -> ``[B, last, H, K]``, fp32; zeros in blocks without such heads, and beyond the heads of a block."""
        # In one order in all processes, which send one another the heads that they hold.
        return {kind: all_heads(self._arrays[kind], self._spread) for kind in sorted(self._arrays)}

    def _refuse(self) -> None:
        """Raise for what no block of this model gives."""
        every = [one for block in self._heads for one in block]
        if not every:
            raise UnreadableError(
                f"given {self._family}, none of whose blocks has softmax attention, expected heads: judge this model "
                "with CLUE or LAGER",
                self._kinds,
            )
        products = self._kinds - {"attention"}
        if products and all(one.unreadable for one in every):
            raise UnreadableError(
                f"given {self._family}, which {every[0].unreadable}, expected the product of a query and a key: use "
                "Attention-score",
                products,
            )
        if "attention" in self._kinds and not any(one.token_keys for one in every):
            raise UnreadableError(
                f"given {self._family}, which {every[0].unreadable}, expected keys of tokens: judge this model with "
                "CLUE or LAGER",
                {"attention"},
            )
        registered = any(one.registered for one in every)
        if "attention" in self._kinds and registered and self._kernel not in _ROW_KERNELS:
            raise UnreadableError(
                f"given the attention kernel {self._kernel!r}, expected sdpa or eager for attention rows: load the "
                "model with attn_implementation='sdpa'",
                {"attention"},
            )

    def _read(self, call: AttentionCall, heads: Heads, number: int) -> None:
        device = call.query.device
        q_at, k_at = self._query.to(device) + self._prefix, self._keys.to(device) + self._prefix
        self._require_token_keys(call, q_at)
        first = sum(one.n_heads for one in self._heads[self._block][:number])
        place = slice(first, first + heads.n_heads)

        def keep(kind: str, values: Tensor) -> None:
            self._arrays[kind][:, self._block, place] = values.to(self._query.device)

        if "attention" in self._kinds:
            if self._packing is None:
                row, place_of = attention_row(call, q_at, self._family), k_at + self._lent
            else:
                row = attention_row(self._packing.apart(call, q_at), torch.zeros_like(q_at), self._family)
                place_of = k_at - self._packing.starts.to(device)[:, None]
            keep("attention", row.float().gather(2, place_of[:, None].expand(-1, row.shape[1], -1)))
        if not self._kinds - {"attention"} or heads.unreadable or call.key is None:
            return
        n = q_at.shape[0]  # packed: every item reads of the one row
        query, key = (states.expand(n, -1, -1, -1) for states in (call.query, call.key))
        every_key, query, key = key, select(query, q_at[:, None]), select(key, k_at + self._lent)
        if "qk/after" in self._kinds:
            keep("qk/after", products(query[:, :, 0].float() / heads.factor, key.float()))
        if "qk/before" in self._kinds:
            if heads.rotary:
                query, key = self._unrotated(heads, query, every_key, q_at[:, None], k_at, number)
            keep("qk/before", products(query[:, :, 0].float() / heads.factor, key.float()))

    def _unrotated(
        self, heads: Heads, query: Tensor, every_key: Tensor, q_at: Tensor, k_at: Tensor, number: int
    ) -> tuple[Tensor, Tensor]:
        """Query and keys before rotation; those of a lent prompt were kept when the prompt was read."""
        here = k_at.clamp(min=0)
        before = before_rotation(query, q_at, self._rotations, heads.query_norm)
        plain = self._unrotated_keys(heads, select(every_key, here + self._lent), here)
        if before is None or plain is None:
            raise refusal(self._family)
        if self._prompt is not None:
            lent = self._prompt.at(self._block, number, k_at + self._lent).to(plain.device)
            plain = torch.where((k_at < 0)[:, None, :, None], lent, plain)
        return before, plain


def products(query: Tensor, keys: Tensor) -> Tensor:
    """``[B, H, hd]`` with ``[B, Hkv, K, hd]`` -> ``[B, H, K]``; query head ``h`` reads key head ``h // (H / Hkv)``."""
    grouped = rearrange(query, "b (g r) d -> b g r d", g=keys.shape[1])
    return rearrange(torch.einsum("bgrd,bgkd->bgrk", grouped, keys), "b g r k -> b (g r) k")
