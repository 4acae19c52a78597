"""How far the texts of a batch are while they are written, and what is recorded of each step."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import LogitsProcessor

from ...models.anatomy import Anatomy
from ...models.positions import Encoding
from .step_tap import StepTap

#: Share of a batch that is still written when the others leave it: beginning anew costs about a step.
_FEW = 0.75


class BatchProgress:
    """The texts of a batch: their tokens so far, which of them go on, and which are still rows of the batch.

    Args:
        n: How many texts.
        ends: Tokens that end a text.
        device: Where the model takes its inputs.

    Example:
        >>> texts = BatchProgress(2, frozenset({0}), torch.device("cpu"))
        >>> texts.add(0, 7), texts.add(1, 0)
        (True, False)
        >>> texts.ids, texts.finished, texts.open
        ([[7], []], [False, True], [0])
        >>> texts.shrink(), texts.present
        ([0], [0])
    """

    def __init__(self, n: int, ends: frozenset[int], device: torch.device) -> None:
        self._ends = ends
        self.ids: list[list[int]] = [[] for _ in range(n)]
        self.finished = [False] * n
        self.rejected: list[str | None] = [None] * n
        #: Texts that go on.
        self.open = list(range(n))
        #: Texts that are in the batch, in order.
        self.present = list(range(n))
        self._done = torch.zeros(n, dtype=torch.bool, device=device)

    def add(self, text: int, token: int) -> bool:
        """Add the newest token of a text; ``False`` where it ends the text."""
        if token in self._ends:
            self.finished[text] = True
            self.close(text)
            return False
        self.ids[text].append(token)
        return True

    def close(self, text: int, rejected: str | None = None) -> None:
        """Write no more of a text; ``rejected`` is the reason where it was stopped."""
        self.rejected[text] = rejected
        self.open.remove(text)
        self._done = self._done.clone()
        self._done[text] = True

    def done(self) -> Tensor:
        """For each row of the batch, whether its text has ended."""
        return self._done[self.present]

    def few(self) -> bool:
        """Whether so few texts go on that the others should leave the batch."""
        return 0 < len(self.open) <= _FEW * len(self.present)

    def shrink(self) -> list[int]:
        """Let the texts that have ended leave the batch; the rows of the others before that."""
        rows = [row for row, text in enumerate(self.present) if text in self.open]
        self.present = list(self.open)
        return rows


class StateRecord:
    """The states of the few tokens that a readout may name.

    Args:
        anatomy: Parts of the model.
        items: The prompts; a ``reasoning_start`` in them is kept too.
    """

    def __init__(self, anatomy: Anatomy, items: Sequence[Encoding]) -> None:
        self._items = items
        self._early = [item.positions.get("reasoning_start", (None,))[0] for item in items]
        #: Holds what the latest step read.
        self.tap = StepTap(anatomy, self._early)
        #: For each item, token (as in prompt and text together) -> its states, ``[L + 1, W]``.
        self.states: list[dict[int, Tensor]] = [{} for _ in items]

    def keep_prompts(self) -> None:
        """Keep the states of the prompts, after the step that read their last tokens."""
        early, last = self.tap.prompts()
        for text, item in enumerate(self._items):
            at, end = self._early[text], len(item.ids) - 1
            if at is not None and at != end:
                self.states[text][at] = early[text]
            self.states[text][end] = last[text]

    def keep_newest(self, texts: Sequence[int], progress: BatchProgress) -> None:
        """Keep what the latest step read of some texts: the states of their newest tokens."""
        if texts:
            rows = [progress.present.index(text) for text in texts]
            for text, states in zip(texts, self.tap.of(rows)[:, :, -1], strict=True):
                self.states[text][len(self._items[text].ids) + len(progress.ids[text]) - 1] = states


class LogProbRecord(LogitsProcessor):
    """The log-probability of every token, by the raw logits of its step.

    Args:
        n: How many texts.
    """

    def __init__(self, n: int) -> None:
        self._n = n
        self._raw = torch.zeros(0)
        self._steps: list[Tensor] = []

    def __call__(self, _input_ids: Tensor, scores: Tensor) -> Tensor:
        """Hold the raw logits of a step."""
        self._raw = scores
        return scores

    def add(self, tokens: Tensor, present: Sequence[int]) -> None:
        """Add a step: the token that it wrote for each text that is in the batch."""
        raw, self._raw = self._raw, torch.zeros(0)
        every = torch.zeros(self._n, device=tokens.device)
        every[list(present)] = raw.gather(1, tokens[:, None])[:, 0] - raw.logsumexp(1)
        self._steps.append(every)

    def sums(self, texts: Sequence[int], ids: Sequence[Sequence[int]]) -> Tensor:
        """Summed log-probability of the tokens ``ids`` of some texts, and how many they are: ``[len(texts), 2]``."""
        lengths = torch.tensor([len(ids[text]) for text in texts])
        if not self._steps:
            return torch.stack([torch.zeros(len(texts)), lengths.float()], dim=1)
        steps = torch.stack(self._steps, dim=1)[list(texts)].cpu()
        written = torch.arange(steps.shape[1]) < lengths[:, None]
        return torch.stack([torch.where(written, steps, 0.0).sum(1), lengths.float()], dim=1)
