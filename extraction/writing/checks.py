"""Where to look at a text while it is written: where segments, cues and steps of the finished text end."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from ...models.positions import Encoding
from ...models.roles import Role, Tokens, ranges_within, standing_in
from ...models.tokens import FastTokenizer, decoded

#: Tokens beyond its characters that a marker may be spread over (pieces of a character write nothing themselves).
SPARE = 8


class Exit(NamedTuple):
    """The decision to close a text's reasoning now, for this ``reason``, and go on to the answer."""

    reason: str


class RangeWatch:
    """Notices where ranges of some roles end in one text, after its prompt; ``positions`` are those known so far.

    Each is an end in the finished text as well, since it is decided only when the next token is known. Ends next to a
    half-written character, or where the ``closing`` marker of the reasoning may begin, are skipped.
    """

    def __init__(self, tokenizer: FastTokenizer, roles: Sequence[Role], closing: str, prompt: Encoding) -> None:
        self._tokenizer, self._roles, self._closing, self._prompt = tokenizer, roles, closing, prompt
        self.positions = prompt.positions
        #: Role and where its part begins -> how many tokens the short text stands for, it, and where the part begins.
        self._heads: dict[tuple[Role, int], tuple[int, str, int]] = {}
        cues = [word.strip() for role in roles if role.kind == "cue" for word in role.argument.split(",")]
        #: Signs of which the last token of a cue or of a step has one.
        self._signs = {"\n", "\ufffd", *(word[-1].casefold() for word in cues)}

    @property
    def reasoning(self) -> bool:
        """Whether the reasoning is open."""
        return "reasoning_start" in self.positions and "reasoning_end" not in self.positions

    def may_end(self, ids: Sequence[int]) -> bool:
        """Whether the last of the tokens written so far may end a range."""
        of_text = any(role.kind != "segment" for role in self._roles)
        piece = decoded(self._tokenizer, [ids[-1]]).casefold() if of_text else ""
        return any(
            (len(ids) - start) % int(role.argument) == 0
            if role.kind == "segment"
            else any(sign in piece for sign in self._signs)
            for role, start in self._open(ids)
        )

    def ends(self, ids: Sequence[int], ahead: int) -> bool:
        """Whether a range did end after ``ids``, now that ``ahead``, the token after them, is known."""
        return any(self._ends(role, ids, ahead, start) for role, start in self._open(ids))

    def so_far(self, ids: Sequence[int]) -> Encoding:
        """The text as if it ended here, and its reasoning, if that is open, with it."""
        whole, known = (*self._prompt.ids, *ids), self.positions
        last = (len(whole) - 1,)
        open_end = {"reasoning_end": last} if "reasoning_start" in known else {}
        return replace(self._prompt, ids=whole, positions=open_end | dict(known) | {"response_end": last})

    def _open(self, ids: Sequence[int]) -> list[tuple[Role, int]]:
        """The roles whose part goes on, and how many tokens were written before it began."""
        start = self.positions["reasoning_start"][0] + 1 - len(self._prompt.ids) if self.reasoning else len(ids)
        inside = max(start, 0)  # a template may open the reasoning
        starts = [(role, inside if role.part == "reasoning" else 0) for role in self._roles]
        return [(role, start) for role, start in starts if start < len(ids)]

    def _ends(self, role: Role, ids: Sequence[int], ahead: int, start: int) -> bool:
        if role.part == "reasoning" and self._beside_closing(ids, ahead):
            return False
        if role.kind == "segment":
            whole = not decoded(self._tokenizer, list(ids[-SPARE:])).endswith("\ufffd")
            return whole and (len(ids) - start) % int(role.argument) == 0
        return self._ends_in_text(role, ids, ahead, start)

    def _ends_in_text(self, role: Role, ids: Sequence[int], ahead: int, start: int) -> bool:
        """The same for a cue or a step, in time that does not grow with the text: a short one stands for the rest."""
        at, head, own = self._heads.get((role, start), (len(ids), "", 0))
        if at >= len(ids):
            head = decoded(self._tokenizer, list(ids[max(start - SPARE, 0) : start]))[-1:]
            at, own = start, len(head)
        near = max(at - SPARE, 0)  # a decoder may drop the space before its first token
        parts = [ids[near:at], ids[near:-1], ids[near:], [*ids[near:], ahead]]
        old, before, now, text = (decoded(self._tokenizer, list(part)) for part in parts)
        text, moved = head + text[len(old) :], len(head) - len(old)
        cuts = [own, len(before) + moved, len(now) + moved]
        # Everything before the token counts as one: no range that ends in there matters.
        spans = list(zip(cuts, [*cuts[1:], len(text)], strict=True))
        ends = (end for _, end in ranges_within(role, Tokens(text, spans), (0, 3)))
        for known, cut in ((len(ids) - 1, cuts[1]), (len(ids), cuts[2])):
            if found := standing_in(role, text[:cut], own):
                self._heads[role, start] = (known, *found)
        return 2 in ends and not text.endswith("\ufffd")

    def _beside_closing(self, ids: Sequence[int], ahead: int) -> bool:
        """Whether the last token is of the marker that closes the reasoning, or may be."""
        tail = list(ids[-len(self._closing) - SPARE :])
        start, end = (len(decoded(self._tokenizer, some)) for some in (tail[:-1], tail))
        text, n = decoded(self._tokenizer, [*tail, ahead]), len(self._closing)
        at = text.rfind(self._closing)
        return text.endswith(tuple(self._closing[:k] for k in range(1, n))) or (at >= 0 and start - n < at < end)
