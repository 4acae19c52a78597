"""One tap on the attention of every block: query-key products and attention rows, while the kernel keeps computing."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from ..models.attention_calls import AttentionCall, listening
from ..models.attention_products import AttentionProducts
from ..models.errors import UnreadableError
from ..models.heads import Heads, of_text, repeats, token_keys
from ..models.loading import LanguageModel
from ..models.rotary import Rotation, before_rotation, refusal, select, watched_rotations
from ..models.sharding import all_heads
from .attention_row import attention_row

#: Kernels whose attention rows can be computed again for one query.
_ROW_KERNELS = ("sdpa", "eager")


class AttentionTap(AbstractContextManager["AttentionTap"]):
    """Keeps, in every block and head, what one query position has to do with ``K`` key positions.

    Args:
        lm: The model.
        query: Token index of the query, ``[B]``.
        keys: Token indices of the keys, ``[B, K]``.
        kinds: Any of ``"qk/before"``, ``"qk/after"``, ``"attention"``.
        last: The last block that is read, ``1..L``.
    """

    def __init__(self, lm: LanguageModel, query: Tensor, keys: Tensor, *, kinds: frozenset[str], last: int) -> None:
        self._heads = lm.anatomy.heads[:last]
        self._blocks = lm.anatomy.blocks
        self._family = type(lm.model).__name__
        self._query, self._keys, self._kinds = query, keys, kinds
        self._prefix = lm.anatomy.stream.layout.prefix
        self._kernel = lm.attention
        self._block = -1
        self._calls: list[AttentionCall] = []
        self._rotations: list[Rotation] = []
        self._known_keys: list[tuple[Tensor, Tensor]] = []
        self._spread = lm.anatomy.spread
        shape = (query.shape[0], last, lm.anatomy.n_heads // self._spread, keys.shape[1])
        self._arrays = {kind: torch.zeros(shape, device=query.device) for kind in kinds}
        self._thread = threading.get_ident()
        self._open = ExitStack()

    def __enter__(self) -> AttentionTap:
        self._refuse()
        handles = [b.register_forward_pre_hook(self._next_block) for b in dict.fromkeys(self._blocks)]
        for handle in handles:
            self._open.callback(handle.remove)
        self._open.enter_context(listening(self._take))
        if "qk/before" in self._kinds and any(one.rotary for block in self._heads for one in block):
            modules = {m for block in self._blocks for m in block.modules()}
            self._open.enter_context(watched_rotations(modules, self._rotations.append))
        if any(not one.registered for block in self._heads for one in block):
            self._open.enter_context(AttentionProducts(self._query.shape[0], lambda: self._block >= 0, self._take))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

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

    def _next_block(self, _module: nn.Module, _args: Any) -> None:
        if threading.get_ident() == self._thread:
            self._block += 1
            self._calls.clear()
            self._rotations.clear()

    def _take(self, call: AttentionCall) -> None:
        """Called for every attention, with query ``[B, H, T, hd]`` and key ``[B, Hkv, T, hd]`` after rotary."""
        heads = self._heads[self._block] if 0 <= self._block < len(self._heads) else ()
        number = len(self._calls)
        if number >= len(heads) or not of_text(call, self._query.shape[0]):
            return
        if heads[number].registered == (call.kernel == "products"):
            return
        if repeats(call, self._calls):
            return
        self._calls.append(call)
        first = sum(one.n_heads for one in heads[:number])
        place = slice(first, first + heads[number].n_heads)
        for kind in self._kinds:
            found = self._read(kind, call, heads[number])
            if found is not None:
                self._arrays[kind][:, self._block, place] = found.to(self._query.device)

    def _read(self, kind: str, call: AttentionCall, heads: Heads) -> Tensor | None:
        device = call.query.device
        q_at, k_at = self._query.to(device) + self._prefix, self._keys.to(device) + self._prefix
        if not heads.token_keys:
            return None
        if not token_keys(call, call.query.shape[2], q_at):
            raise UnreadableError(
                f"given {self._family}, the keys of whose block {self._block + 1} are no tokens (compressed or "
                "hashed), expected one a token: judge this model with CLUE or LAGER",
                self._kinds,
            )
        if kind == "attention":
            row = attention_row(call, q_at, self._family)
            return row.float().gather(2, k_at[:, None].expand(-1, row.shape[1], -1))
        if heads.unreadable or call.key is None:
            return None
        query, key = select(call.query, q_at[:, None]), select(call.key, k_at)
        if kind == "qk/before" and heads.rotary:
            query, key = self._unrotated(query, key, q_at[:, None], k_at)
        return products(query[:, :, 0].float() / heads.query_factor, key.float())

    def _unrotated(self, query: Tensor, key: Tensor, q_at: Tensor, k_at: Tensor) -> tuple[Tensor, Tensor]:
        before = before_rotation(query, q_at, self._rotations)
        plain = before_rotation(key, k_at, self._rotations)
        if plain is None:  # keys of an earlier block, where later blocks share them
            plain = next((p for turned, p in self._known_keys if torch.equal(turned, key)), None)
        if before is None or plain is None:
            raise refusal(self._family)
        self._known_keys.append((key, plain))
        return before, plain


def products(query: Tensor, keys: Tensor) -> Tensor:
    """``[B, H, hd]`` with ``[B, Hkv, K, hd]`` -> ``[B, H, K]``; query head ``h`` reads key head ``h // (H / Hkv)``."""
    grouped = rearrange(query, "b (g r) d -> b g r d", g=keys.shape[1])
    return rearrange(torch.einsum("bgrd,bgkd->bgrk", grouped, keys), "b g r k -> b (g r) k")
