"""Follows every attention call of a pass, block by block, while the kernel keeps computing."""

import threading
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Self
from weakref import ref

import torch
from torch import Tensor, nn

from ...models.attention_calls import AttentionCall, AttentionProducts, listening
from ...models.errors import UnreadableError
from ...models.heads import Heads, of_text, repeats, token_keys
from ...models.loading import LanguageModel
from ...models.rotary import Rotation, before_rotation, turned_into, watched_rotations
from ..readouts import QueryKey, Readout

_FORGOTTEN = AttentionCall(None, torch.empty(0), None, None, None, None)


class BlockAttention(AbstractContextManager["BlockAttention"]):
    """Calls :meth:`_read` for every softmax attention of blocks ``1..last``, in the thread that opened it.

    The pass follows a shared prompt of ``lent`` tokens, whose keys it uses.
    """

    def __init__(self, lm: LanguageModel, items: int, *, kinds: frozenset[str], last: int, lent: int) -> None:
        self._heads = lm.anatomy.heads[:last]
        self._blocks, self._places = lm.anatomy.blocks, lm.rotary_places
        self._family = type(lm.model).__name__
        self._items, self._kinds, self._lent = items, kinds, lent
        self._before = frozenset[str]()  # those of the kinds that are products before the rotary embedding
        self._prefix = lm.anatomy.stream.layout.prefix
        self._block = -1
        self._calls: list[AttentionCall] = []
        self._unrotated = UnrotatedStates(items)
        self._thread = threading.get_ident()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        for block in dict.fromkeys(self._blocks):
            self._open.callback(block.register_forward_pre_hook(self._next_block).remove)
        self._open.enter_context(listening(self._take))
        if self._before and any(one.rotary for block in self._heads for one in block):
            self._open.enter_context(watched_rotations(self._places, lambda one: self._unrotated.rotations.append(one)))
        if any(not one.registered for block in self._heads for one in block):
            self._open.enter_context(AttentionProducts(self._items, lambda: self._block >= 0, self._take))
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._open.close()
        try:
            if kind is None:
                self._complete()
        finally:
            self._calls.clear()
            self._unrotated.rotations.clear()

    def hear(self, block: int, number: int, call: AttentionCall) -> None:
        """Read attention ``number`` of a block (from 0) from a call that was put together again."""
        self._block = block
        self._read(call, self._heads[block][number], number)

    @abstractmethod
    def _read(self, call: AttentionCall, heads: Heads, number: int) -> None:
        """Keep what is wanted of attention ``number`` of the present block, whose keys are those of tokens."""

    def _next_block(self, _module: nn.Module, _args: Any) -> None:
        if threading.get_ident() == self._thread:
            self._complete()
            self._block += 1
            self._calls.clear()
            self._unrotated.rotations.clear()

    def _complete(self) -> None:
        """Raise if a block has run and some of its heads were not heard, as they were when it was watched."""
        heads = self._heads[self._block] if 0 <= self._block < len(self._heads) else ()
        if len(self._calls) < len(heads):
            raise UnreadableError.of("extraction.unseen", self._family, self._block + 1, readouts=self._kinds)

    def _take(self, call: AttentionCall) -> None:
        """Called for every attention, with query ``[B, H, T, hd]`` and key ``[B, Hkv, S, hd]`` after rotary."""
        heads = self._heads[self._block] if 0 <= self._block < len(self._heads) else ()
        number = len(self._calls)
        if number >= len(heads) or not of_text(call, self._items):
            return
        if heads[number].registered == (call.kernel == "products") or repeats(call, self._calls):
            return
        self._calls.append(call)
        if heads[number].token_keys:
            self._read(call, heads[number], number)
        if len(self._calls) == len(heads):
            # The rest of the block needs the memory: nothing of it is read, so what was heard is let go.
            self._unrotated.rotations.clear()
            self._calls[:] = [_FORGOTTEN] * len(heads)

    def _require_token_keys(self, call: AttentionCall, at: Tensor | None) -> None:
        tokens = call.query.shape[2]
        alike = call.key is None or not self._lent or call.key.shape[2] == self._lent + tokens
        if not alike or not token_keys(call, tokens, at, lent=self._lent):
            raise UnreadableError.of("extraction.packed-keys", self._family, self._block + 1, readouts=self._kinds)


class UnrotatedStates:
    """Queries and keys of a few tokens before the rotary embedding, found from inputs and outputs of rotary functions.

    ``rotations`` are those of the current block.
    """

    def __init__(self, items: int) -> None:
        self._items = items
        self.rotations: list[Rotation] = []
        self._known: list[tuple[ref[Tensor], Tensor | None, Tensor]] = []
        self._lines: Tensor | None = None

    def keys(self, heads: Heads, every: Tensor, at: Tensor, lent: int) -> Tensor | None:
        """Keys of tokens ``at`` of the pass before the rotary embedding; ``None`` if no rotation explains them.

        ``every`` is all keys that the attention received, the ``lent`` ones of earlier tokens first. Where later blocks
        use the keys of an earlier block, the result is that of the earlier one.
        """
        given = turned_into(every, self.rotations)
        if given is not None:
            plain = self.pick(given, at)
            self._known.append((ref(every), None, plain))  # a block that shares them holds them
            return plain
        rows = self.pick(every, at + lent)
        found = before_rotation(rows, at, self.rotations, heads.key_norm)
        if found is None:
            found = next((p for held, own, p in self._known if self._same(held(), own, every, rows, at + lent)), None)
        if found is not None:
            self._known.append((ref(every), rows, found))
        return found

    def _same(self, held: Tensor | None, own: Tensor | None, every: Tensor, rows: Tensor, at: Tensor) -> bool:
        """Whether keys are known ones: the same tensor, or the same rows (``own``, or those of what is ``held``)."""
        if held is every:
            return True
        if own is None and held is not None and held.shape == every.shape:
            own = self.pick(held, at)
        return own is not None and torch.equal(own, rows)

    def queries(self, heads: Heads, every: Tensor, at: Tensor) -> Tensor | None:
        """Queries of tokens ``at`` of the pass before the rotary embedding, which no block shares with another."""
        given = turned_into(every, self.rotations)
        if given is not None:  # nearly always, and then there is nothing to explain
            return self.pick(given, at)
        return before_rotation(self.pick(every, at), at, self.rotations, heads.query_norm)

    def pick(self, states: Tensor, at: Tensor) -> Tensor:
        """Rows ``at`` (``[B, N]``) of queries or keys: ``[B, heads, N, hd]``; packed items all lie in one row."""
        if self._lines is None or self._lines.device != states.device or len(self._lines) != len(at):
            rows = torch.arange(len(at)) if len(at) == self._items else torch.zeros(len(at), dtype=torch.long)
            self._lines = rows[:, None].to(states.device)
        return states[self._lines, :, at].transpose(1, 2)


class KeptStates(UnrotatedStates):
    """Queries and keys of one attention, of tokens and before them, that were kept while texts were written."""

    query = key = torch.empty(0)

    def keys(self, _heads: Heads, _every: Tensor, at: Tensor, lent: int) -> Tensor | None:
        """Keys of tokens ``at`` of the pass, which follow ``lent`` ones."""
        return self.pick(self.key, at + lent)

    def queries(self, _heads: Heads, _every: Tensor, at: Tensor) -> Tensor | None:
        """Queries of tokens ``at`` of the pass."""
        return self.pick(self.query, at)

    def at(self, _block: int, _number: int, tokens: Tensor) -> Tensor:
        """Keys of ``tokens`` (``[B, K]``) among all."""
        return self.pick(self.key, tokens)


class PromptKeys(BlockAttention):
    """Keeps the keys of a few ``tokens`` (``[K]``, in order) of one prompt as they were before the rotary embedding."""

    def __init__(self, lm: LanguageModel, tokens: Tensor, readouts: Sequence[Readout], last: int) -> None:
        super().__init__(lm, 1, kinds=frozenset(r.name for r in readouts), last=last, lent=0)
        self._before = frozenset(r.name for r in readouts if isinstance(r, QueryKey) and r.rotary == "before")
        self._tokens = tokens
        self._kept: dict[tuple[int, int], Tensor] = {}

    def at(self, block: int, number: int, tokens: Tensor) -> Tensor:
        """Keys of ``tokens`` (``[B, K]``) in one attention: ``[B, Hkv, K, hd]``; arbitrary for tokens not kept."""
        place = nearest(self._tokens, tokens)
        kept = self._kept[block, number][0]
        return kept[:, place.to(kept.device)].movedim(1, 0)

    def _read(self, call: AttentionCall, heads: Heads, number: int) -> None:
        if not self._before or not heads.rotary or heads.unreadable or call.key is None:
            return
        at = self._tokens.to(call.key.device)[None]
        self._require_token_keys(call, None)
        plain = self._unrotated.keys(heads, call.key, at, 0)
        if plain is None:
            raise UnreadableError.of("extraction.unexplained", self._family, readouts=self._before)
        self._kept[self._block, number] = plain


def nearest(kept: Tensor, wanted: Tensor) -> Tensor:
    """Places of ``wanted`` in ``kept`` (``[K]``, sorted); an arbitrary place for what is not there."""
    return torch.searchsorted(kept, wanted.to(kept.device).contiguous()).clamp(max=len(kept) - 1)
