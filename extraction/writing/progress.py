"""How far the texts of a batch have come while they are written, and what each step shows of them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...models.anatomy import Anatomy
from ...models.errors import InnerjudgeError
from ...models.markers import Markers
from ...models.positions import Encoding
from ...models.tokens import FastTokenizer, decoded, tokens
from ..taps.residual import ResidualTap
from .checks import SPARE, Exit
from .drafts import Draft

#: Share of a batch that is still written when the others leave it: beginning anew costs about a step.
_FEW = 0.75


class BatchProgress:
    """The texts of a batch: their tokens so far, which of them go on, and which are still rows of the batch."""

    def __init__(self, n: int, ends: frozenset[int], device: torch.device) -> None:
        self._ends = ends
        self.ids: list[list[int]] = [[] for _ in range(n)]
        self.finished = [False] * n
        #: Why a text was ``rejected`` or ``exited``, and the tokens of the closing marker that are still to come.
        self.said: list[dict[str, str]] = [{} for _ in range(n)]
        self.forced: list[list[int]] = [[] for _ in range(n)]
        #: Texts that go on.
        self.open = list(range(n))
        #: Texts that are in the batch, in order.
        self.present = list(range(n))
        #: Whether the others are to leave it.
        self.leaving = False
        self._done = torch.zeros(n, dtype=torch.bool, device=device)

    def add(self, text: int, token: int) -> bool:
        """Add the newest token of a text; ``False`` where it ends the text."""
        if token in self._ends:
            self.finished[text] = True
            self.close(text)
            return False
        self.ids[text].append(token)
        return True

    def act(self, text: int, said: str | Exit | None, closing: Sequence[int]) -> None:
        """Stop a text for the reason in ``said``, or have the tokens ``closing`` written next, if there are any."""
        if isinstance(said, str):
            self.said[text] = {"rejected": said}
            self.close(text)
        elif said is not None and closing:
            self.said[text], self.forced[text] = {"exited": said.reason}, list(closing)

    def close(self, text: int) -> None:
        """Write no more of a text."""
        self.open.remove(text)
        self._done = self._done.clone()
        self._done[text] = True

    def begin_closing(self, newest: Tensor, tokens: dict[int, int], closing: list[int]) -> None:
        """Replace the newest token of texts that exit by the first token of the marker.

        ``newest`` is a view of the newest tokens, ``tokens`` has the same by text; both are changed.
        """
        for text in [k for k in self.open if len(self.forced[k]) == len(closing) > 0]:
            if [tokens[text]] == closing:
                self.forced[text], self.said[text] = [], {}
            else:
                newest[self.present.index(text)] = tokens[text] = self.forced[text].pop(0)

    def forced_next(self) -> dict[int, int]:
        """Row of the batch -> the token that it must write next, for rows that have one."""
        return {row: self.forced[text].pop(0) for row, text in enumerate(self.present) if self.forced[text]}

    def done(self) -> Tensor:
        """For each row of the batch, whether its text has ended."""
        return self._done[self.present]

    def few(self) -> bool:
        """Whether so few texts still go on that the others should leave the batch."""
        return 0 < len(self.open) <= _FEW * len(self.present)

    def shrink(self) -> list[int] | None:
        """Let ended texts leave the batch if ``leaving``; returns the earlier rows of the others, else ``None``."""
        if not self.leaving:
            return None
        rows = [row for row, text in enumerate(self.present) if text in self.open]
        self.present = list(self.open)
        return rows


class StateRecord:
    """The states of the few tokens that a readout may name, including a ``reasoning_start`` in the prompt."""

    def __init__(self, anatomy: Anatomy, items: Sequence[Encoding], drafts: Sequence[Draft] = ()) -> None:
        self._items = items
        self._early: list[Sequence[int]] = [item.positions.get("reasoning_start", ())[:1] for item in items]
        if drafts:
            self._early = [draft.kept for draft in drafts]
        #: Holds what the latest step read.
        self.tap = StepTap(anatomy, self._early)
        #: For each item, token (as in prompt and text together) -> its states, ``[L + 1, W]``.
        self.states: list[dict[int, Tensor]] = [{} for _ in items]

    def keep_prompts(self, progress: BatchProgress) -> None:
        """Keep states of the prompts and of begun texts, after the step that read their last tokens."""
        early, last = self.tap.prompts()
        for text, item in enumerate(self._items):
            self.states[text] = {at: early[text, :, k] for k, at in enumerate(self._early[text])}
            self.states[text][len(item.ids) + len(progress.ids[text]) - 1] = last[text]

    def keep_newest(self, texts: Sequence[int], progress: BatchProgress) -> None:
        """Keep what the latest step read for some texts: the states of their newest tokens."""
        if texts:
            rows = [progress.present.index(text) for text in texts]
            for text, states in zip(texts, self.tap.of(rows)[:, :, -1], strict=True):
                self.states[text][len(self._items[text].ids) + len(progress.ids[text]) - 1] = states

    def forget_newest(self, text: int, progress: BatchProgress) -> None:
        """Drop what was kept of a text's newest token."""
        del self.states[text][len(self._items[text].ids) + len(progress.ids[text]) - 1]


class StepTap(ResidualTap):
    """Keeps ``h[0..L]`` of one pass at a time: of chosen tokens of the prompts, then of each step's newest token.

    Call :meth:`expect` before the first pass and after every one; it drops what was kept before. ``early`` lists, for
    each item, tokens of its prompt to keep beside the last.
    """

    def __init__(self, anatomy: Anatomy, early: Sequence[Sequence[int]]) -> None:
        super().__init__(anatomy, torch.zeros(0, 0, dtype=torch.long), last=anatomy.n_blocks, keep_last=False)
        self._early = early
        self._at: Tensor | None = None
        self._handed: Tensor | None = None
        self._kept: dict[int, Tensor] = {}

    def columns(self, items: Sequence[int], offsets: Tensor, width: int) -> Tensor:
        """Places of the early tokens and of the last one of some items in a left-padded batch: ``[len(items), P]``."""
        early = [self._early[k] for k in items]
        found = torch.full((len(items), 1 + max(1, *map(len, early))), width - 1)
        for row, places, offset in zip(found, early, offsets.tolist(), strict=True):
            row[: len(places)] = torch.tensor(places, dtype=torch.long) + offset
        return found.to(offsets.device)

    def expect(self, at: Tensor | None = None) -> None:
        """Prepare for the next pass: keep tokens ``at`` (``[B, P]``), or the newest one if it is ``None``."""
        self._at = at
        self.restart()
        self._kept = {}

    def hand_on(self, rows: Sequence[int]) -> None:
        """After a pass over distinct prompts: row ``k`` of the batch that follows gets prompt ``rows[k]``."""
        self._handed = self.of(rows)
        self.expect()

    def of(self, items: Sequence[int]) -> Tensor:
        """States of some items of the latest pass: ``[len(items), L + 1, P, W]``; ``P`` is 1 for the newest token."""
        near = self._anatomy.on_norm(self._kept[self._last][:1]).device
        return torch.stack([self._kept[k][list(items)].to(near) for k in range(self._last + 1)], dim=1)

    def prompts(self) -> tuple[Tensor, Tensor]:
        """After the pass over the prompts' last tokens: states of early tokens ``[B, L + 1, P, W]``, and last."""
        found = self.of(range(len(self._early)))
        early = found[:, :, :-1] if self._handed is None else self._handed
        self._handed = None
        return early, found[:, :, -1]

    def _keep(self, number: int, states: Tensor | None) -> None:
        if states is None:
            return
        layout = self._stream.layout
        if self._at is not None:
            self._kept[number] = layout.rows(states, self._at)
        else:  # a copy: blocks may go on writing into what they gave, and a view would hold the states of every token
            self._kept[number] = states.movedim((layout.items, layout.tokens), (0, 1))[:, -1:].flatten(2).clone()


class MarkerWatch:
    """Follows one text token by token, and notices tokens that end a reasoning marker.

    It notices those that :func:`~innerjudge.models.markers.marker_positions` may name when the text is finished: the
    end of the first opening marker, of the first closing one, and of the first closing one after an opening one.
    """

    def __init__(self, tokenizer: FastTokenizer, markers: Markers) -> None:
        self._tokenizer, self._markers = tokenizer, markers
        ends = {marker[-1] for marker in markers}
        #: Of which a token that ends a marker writes one; none if they may be spelt in pieces, as other characters are.
        self._ends = ends if all("!" <= end <= "~" for end in ends) else set[str]()
        self._tail = max(len(marker) for marker in markers) + SPARE
        #: Which of these three have been written.
        self._seen: set[int] = set()

    def ends_marker(self, ids: Sequence[int]) -> bool:
        """Whether the last of the tokens written so far ends a marker; ask once for every token, in order."""
        if len(self._seen) == 3 or (self._ends and self._ends.isdisjoint(decoded(self._tokenizer, [ids[-1]]))):
            return False
        opening, closing = self._markers
        tail = decoded(self._tokenizer, list(ids[-self._tail :]))
        new_closing = 1 not in self._seen or 0 in self._seen
        if not (0 not in self._seen and opening in tail) and not (new_closing and closing in tail):
            return False  # all that the tail shows is known: the whole text is decoded a few times at most
        text = decoded(self._tokenizer, list(ids))
        start = text.find(opening)
        after = text.find(closing, start + len(opening)) if start >= 0 else -1
        found = {k for k, at in enumerate((start, text.find(closing), after)) if at >= 0}
        new, self._seen = found - self._seen, self._seen | found
        return bool(new)


def marker_ids(tokenizer: FastTokenizer, marker: str) -> list[int]:
    """The tokens that write a marker within a text; ``InnerjudgeError`` if this tokenizer cannot write it."""
    # At the beginning of a text some tokenizers put a space before it.
    bare, behind = (list(tokens(tokenizer, text)[0]) for text in ("0", f"0{marker}"))
    for ids in (behind[len(bare) :], tokenizer(marker, add_special_tokens=False)["input_ids"]):
        if decoded(tokenizer, ids).strip() == marker.strip():
            return ids
    raise InnerjudgeError(f"given the marker {marker!r}, expected one that this tokenizer can write: choose another")
