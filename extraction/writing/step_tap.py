"""The residual stream of the tokens that the latest pass of a generation read."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...models.anatomy import Anatomy
from ..taps.residual import ResidualTap


class StepTap(ResidualTap):
    """Keeps ``h[0..L]`` of one pass at a time: of chosen tokens of the prompts, then of each step's newest token.

    :meth:`expect` comes before the first pass and after every one. What was kept of the pass before is dropped by it,
    so that no more than one step is ever held.

    Args:
        anatomy: Parts of the model.
        early: For each item, one token of its prompt that is kept beside the last; ``None`` for no other.
    """

    def __init__(self, anatomy: Anatomy, early: Sequence[int | None]) -> None:
        super().__init__(anatomy, torch.zeros(0, 0, dtype=torch.long), last=anatomy.n_blocks, keep_last=False)
        self._early = early
        self._at: Tensor | None = None
        self._handed: Tensor | None = None
        self._kept: dict[int, Tensor] = {}

    def columns(self, items: Sequence[int], offsets: Tensor, width: int) -> Tensor:
        """Places of the early and of the last token of some items in a left-padded batch: ``[len(items), 2]``."""
        early = [self._early[k] for k in items]
        last = torch.full_like(offsets, width - 1)
        first = [width - 1 if at is None else at + int(offset) for at, offset in zip(early, offsets, strict=True)]
        return torch.stack([torch.tensor(first, device=offsets.device), last], dim=1)

    def expect(self, at: Tensor | None = None) -> None:
        """Make ready for the next pass: keep tokens ``at`` (``[B, P]``), or the newest one where it is ``None``."""
        self._at = at
        self._started = self._ended = 0
        self._kept = {}

    def hand_on(self, rows: Sequence[int]) -> None:
        """After a pass over distinct prompts: row ``k`` of the batch that goes on from it has prompt ``rows[k]``."""
        self._handed = self.of(rows)[:, :, 0]
        self.expect()

    def of(self, items: Sequence[int]) -> Tensor:
        """States of some items of the latest pass: ``[len(items), L + 1, P, W]``; ``P`` is 1 for the newest token."""
        near = self._anatomy.on_norm(self._kept[self._last][:1]).device
        return torch.stack([self._kept[k][list(items)].to(near) for k in range(self._last + 1)], dim=1)

    def prompts(self) -> tuple[Tensor, Tensor]:
        """After the pass that read the last tokens of the prompts: early and last ones, each ``[B, L + 1, W]``."""
        found = self.of(range(len(self._early)))
        early = found[:, :, 0] if self._handed is None else self._handed
        self._handed = None
        return early, found[:, :, -1]

    def _keep(self, number: int, states: Tensor | None) -> None:
        if states is None:
            return
        layout = self._stream.layout
        if self._at is not None:
            self._kept[number] = layout.rows(states, self._at)
        elif (layout.items, layout.tokens) == (0, 1) and states.ndim == 3:
            self._kept[number] = states[:, -1:].clone()
        else:  # a copy: blocks may go on writing into what they gave, and a view would hold the states of every token
            self._kept[number] = states.movedim((layout.items, layout.tokens), (0, 1))[:, -1:].flatten(2).clone()
