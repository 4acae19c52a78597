"""What is kept of a batch of texts while transformers' ``generate`` writes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor, StoppingCriteria

from ...models.loading import LanguageModel
from ...models.positions import Encoded
from ...models.stopping import StopAfter
from .decoding import decode, leaves_batches
from .marker_watch import MarkerWatch
from .step_tap import StepTap

#: Share of a batch that is still written when the others leave it: beginning anew costs about a step.
_FEW = 0.75
#: Asked about rows of the batch whose newest token ended a marker: the row and its token ids so far -> why it stops.
Ask = Callable[["Watch", Sequence[int]], Sequence[str | None]]


class Watch(StoppingCriteria):
    """Follows every text of a batch, and keeps the states of the few tokens that a readout may name.

    A step reads one token a text and writes the next: the states of the newest token come with the step after it. That
    of the last token is read by a step of its own, through the blocks alone, where the limit and not an end token ended
    a text. A text that has ended is padded by ``generate``; nothing more is kept of it. Where texts may be stopped,
    those that ended leave the batch once they are a quarter of it.

    Args:
        lm: The model.
        items: The prompts; a ``reasoning_start`` in them is kept too.
        limit: Most tokens to write.
        ends: Tokens that end a text.
        markers: Opening and closing reasoning marker.
        log_probs: Whether the log-probability of each token is kept.
        last: Whether the state of the last token is wanted.
        ask: Asked whether texts are to be stopped, at the tokens that end a marker.
    """

    def __init__(
        self,
        lm: LanguageModel,
        items: Sequence[Encoded],
        *,
        limit: int,
        ends: frozenset[int],
        markers: tuple[str, str],
        log_probs: bool,
        last: bool,
        ask: Ask | None = None,
    ) -> None:
        self._lm, self._items, self._limit, self._ends = lm, items, limit, ends
        self._last, self._ask = last, ask
        early = [item.positions.get("reasoning_start", (None,))[0] for item in items]
        self._tap = StepTap(lm.anatomy, early)
        self._early = early
        self._markers = [MarkerWatch(lm.tokenizer, markers) for _ in items]
        self._logits = _Logits() if log_probs else None
        self._open = list(range(len(items)))
        self._present = list(range(len(items)))  # in the batch, in order
        self._leaves = ask is not None and len(items) > 1 and leaves_batches(lm)
        self._leaving = False
        self._due: set[int] = set()
        self._begun = False
        self._tail = ExitStack()
        self._done = torch.zeros(len(items), dtype=torch.bool, device=lm.device)
        self.ids: list[list[int]] = [[] for _ in items]
        self.finished = [False] * len(items)
        self.rejected: list[str | None] = [None] * len(items)
        #: For each item, token (as in prompt and text together) -> its states, ``[L + 1, W]``.
        self.states: list[dict[int, Tensor]] = [{} for _ in items]
        self._log_probs: list[Tensor] = []

    @torch.inference_mode()
    def run(self, temperature: float) -> None:
        """Write the texts."""
        processors = [] if self._logits is None else [self._logits]
        with self._tap, self._tail, self._lm.uncompiled():
            decode(
                self._lm,
                self._items,
                self._limit + 1,  # the step that reads the last token stops before it writes another
                temperature=temperature,
                ends=self._ends,
                criteria=[self],
                processors=processors,
                tap=self._tap,
                staying=self._staying if self._leaves else None,
            )
        if self._open:
            self._keep(self._open)
            self._stop_rejected()

    def log_probs(self, rows: Sequence[int]) -> Tensor:
        """Summed log-probability of the tokens of some items so far, and how many they are: ``[len(rows), 2]``."""
        lengths = torch.tensor([len(self.ids[row]) for row in rows])
        if not self._log_probs:
            return torch.stack([torch.zeros(len(rows)), lengths.float()], dim=1)
        steps = torch.stack(self._log_probs, dim=1)[list(rows)].cpu()
        written = torch.arange(steps.shape[1]) < lengths[:, None]
        return torch.stack([torch.where(written, steps, 0.0).sum(1), lengths.float()], dim=1)

    def __call__(self, input_ids: Tensor, _scores: Any, **_: Any) -> Tensor:
        """After every step: ``input_ids`` end with the tokens that it wrote, and the tap holds what it read."""
        newest = input_ids[:, -1]
        tokens = dict(zip(self._present, newest.tolist(), strict=True))
        if self._logits is not None:
            every = torch.zeros(len(self._items), device=newest.device)
            every[self._present] = self._logits.of(newest)
            self._log_probs.append(every)
        if self._begun:
            ending = {row for row in self._open if self._last and tokens[row] in self._ends}
            self._keep(sorted(self._due | ending))
            self._stop_rejected()
        else:
            self._keep_prompts()
        for row in list(self._open):
            if tokens[row] in self._ends:
                self.finished[row] = True
                self._close(row)
                continue
            self.ids[row].append(tokens[row])
            if self._markers[row].ends_marker(self.ids[row]):
                self._due.add(row)
        at_end = bool(self._open) and len(self.ids[self._open[0]]) == self._limit
        if at_end:
            for row in [row for row in self._open if not self._last and row not in self._due]:
                self._close(row)
            if self._open:
                self._tail.enter_context(StopAfter(self._lm.anatomy.stream))
        self._tap.expect()
        self._leaving = self._leaves and not at_end and 0 < len(self._open) <= _FEW * len(self._present)
        return torch.ones_like(newest, dtype=torch.bool) if self._leaving else self._done[self._present]

    def _staying(self) -> list[int] | None:
        """Places in the batch of the texts that go on in a smaller one; ``None`` where all have ended."""
        if not self._leaving:
            return None
        stay = [place for place, row in enumerate(self._present) if row in self._open]
        self._present = list(self._open)
        return stay

    def _close(self, row: int) -> None:
        self._open.remove(row)
        self._due.discard(row)
        self._done = self._done.clone()
        self._done[row] = True

    def _keep_prompts(self) -> None:
        self._begun = True
        early, last = self._tap.prompts()
        for row, item in enumerate(self._items):
            at, end = self._early[row], len(item.ids) - 1
            if at is not None and at != end:
                self.states[row][at] = early[row]
            self.states[row][end] = last[row]

    def _keep(self, rows: Sequence[int]) -> None:
        """Keep the states that the latest step read of some rows: those of their newest tokens."""
        if rows:
            places = [self._present.index(row) for row in rows]
            for row, states in zip(rows, self._tap.of(places)[:, :, -1], strict=True):
                self.states[row][len(self._items[row].ids) + len(self.ids[row]) - 1] = states

    def _stop_rejected(self) -> None:
        """Ask about the texts whose newest token ended a marker."""
        rows, self._due = [row for row in self._open if row in self._due], set()
        if self._ask is None or not rows:
            return
        for row, reason in zip(rows, self._ask(self, rows), strict=True):
            if reason is not None:
                self.rejected[row] = reason
                self._close(row)


class _Logits(LogitsProcessor):
    """Holds the raw logits of the latest step."""

    def __init__(self) -> None:
        self._raw = torch.zeros(0)

    def __call__(self, _input_ids: Tensor, scores: Tensor) -> Tensor:
        self._raw = scores
        return scores

    def of(self, tokens: Tensor) -> Tensor:
        """Log-probability of one token a text, ``[B]``."""
        raw, self._raw = self._raw, torch.zeros(0)
        return raw.gather(1, tokens[:, None])[:, 0] - raw.logsumexp(1)
