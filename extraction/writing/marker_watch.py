"""Noticing, while a text is written, the tokens that end a reasoning marker."""

from collections.abc import Sequence
from functools import lru_cache

from transformers import PreTrainedTokenizerFast

from ...models.replay import decoded

#: Tokens beyond its characters that a marker may be spread over (pieces of a character write nothing themselves).
_SPARE = 8


class MarkerWatch:
    """Follows one text token by token.

    Kept are the tokens that :func:`~innerjudge.models.markers.marker_positions` may name when the text is finished: the
    end of the first opening marker, of the first closing one, and of the first closing one after an opening one.

    Args:
        tokenizer: The tokenizer of the text.
        markers: Opening and closing reasoning marker.

    Example:
        >>> from innerjudge.models.loading import load
        >>> tokenizer = load("reference").tokenizer
        >>> ids = tokenizer("<think>7+5=12</think>12", add_special_tokens=False)["input_ids"]
        >>> watch = MarkerWatch(tokenizer, ("<think>", "</think>"))
        >>> ends = [k for k in range(len(ids)) if watch.ends_marker(ids[: k + 1])]
        >>> [tokenizer.decode(ids[: k + 1]) for k in ends]
        ['<think>', '<think>7+5=12</think>']
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, markers: tuple[str, str]) -> None:
        self._tokenizer, self._markers = tokenizer, markers
        self._candidates = _candidates(tokenizer, markers)
        self._tail = max(len(marker) for marker in markers) + _SPARE
        self._seen: set[str] = set()

    def ends_marker(self, ids: Sequence[int]) -> bool:
        """Whether the last of the tokens written so far ends a marker; ask once for every token, in order."""
        if len(self._seen) == 3 or (self._candidates is not None and ids[-1] not in self._candidates):
            return False
        opening, closing = self._markers
        tail = decoded(self._tokenizer, list(ids[-self._tail :]))
        if opening not in tail and closing not in tail:
            return False
        text = decoded(self._tokenizer, list(ids))
        start = text.find(opening)
        after = text.find(closing, start + len(opening)) if start >= 0 else -1
        found = {
            name
            for name, at in (("opening", start), ("closing", text.find(closing)), ("closing after opening", after))
            if at >= 0
        }
        new = found - self._seen
        self._seen |= new
        return bool(new)


@lru_cache(maxsize=8)
def _candidates(tokenizer: PreTrainedTokenizerFast, markers: tuple[str, str]) -> frozenset[int] | None:
    """Tokens that write the last character of a marker; ``None`` where pieces do not show which those are."""
    ends = {marker[-1] for marker in markers}
    if not all("!" <= end <= "~" for end in ends):  # other characters are spelt in bytes by many tokenizers
        return None
    pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    bytes_of = {f"<0x{ord(end):02X}>" for end in ends}
    return frozenset(k for k, piece in enumerate(pieces) if piece in bytes_of or ends.intersection(piece or ""))
