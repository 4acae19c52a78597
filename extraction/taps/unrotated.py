"""Queries and keys of a few tokens as they were before the rotary embedding, block after block of one pass."""

from weakref import ref

import torch
from torch import Tensor

from ...models.heads import Heads
from ...models.rotary import Rotation, before_rotation, turned_into


class UnrotatedStates:
    """Looks rows up in what the rotary functions of the present block took and gave.

    Args:
        items: Items of the batch, ``B``.
        lent: Tokens before those of the pass whose keys are lent to it.

    Attributes:
        rotations: What the rotary functions took and gave in the present block.
    """

    def __init__(self, items: int, lent: int) -> None:
        self._items, self._lent = items, lent
        self.rotations: list[Rotation] = []
        self._known: list[tuple[ref[Tensor], Tensor | None, Tensor]] = []
        self._lines: Tensor | None = None

    def keys(self, heads: Heads, every: Tensor, at: Tensor) -> Tensor | None:
        """Keys of tokens ``at`` of the pass before the rotary embedding; ``None`` if no rotation explains them.

        ``every`` key is what the attention received, those of a lent prompt first. Where later blocks share the keys of
        an earlier one, they are those of the earlier one.
        """
        given = turned_into(every, self.rotations)
        if given is not None:
            plain = self.pick(given, at)
            self._known.append((ref(every), None, plain))  # a block that shares them holds them
            return plain
        rows = self.pick(every, at + self._lent)
        found = before_rotation(rows, at, self.rotations, heads.key_norm)
        if found is None:
            found = next((p for held, own, p in self._known if self._same(held(), own, every, rows, at)), None)
        if found is not None:
            self._known.append((ref(every), rows, found))
        return found

    def _same(self, held: Tensor | None, own: Tensor | None, every: Tensor, rows: Tensor, at: Tensor) -> bool:
        """Whether keys are known ones: the same tensor, or the same rows (``own``, or those of what is ``held``)."""
        if held is every:
            return True
        if own is None and held is not None and held.shape == every.shape:
            own = self.pick(held, at + self._lent)
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
