"""Which characters of a decoded text each of its tokens wrote."""

from itertools import pairwise

from transformers import PreTrainedTokenizerFast

#: Written for bytes that are no character (yet).
_BROKEN = "\N{REPLACEMENT CHARACTER}"
#: Tokens without a safe place to start from, after which the whole prefix is decoded once.
_STUCK = 64


def decoded(tokenizer: PreTrainedTokenizerFast, ids: list[int]) -> str:
    """The text of sampled ids, markers and special tokens included."""
    return str(tokenizer.decode(ids))


def replayed_spans(tokenizer: PreTrainedTokenizerFast, ids: list[int], start: int) -> list[tuple[int, int]]:
    """Span of each token in ``decode(ids)``, moved by ``start``.

    A token ends where the decoded tokens up to it leave the text: a character made of several tokens belongs to the
    token that completes it, and those before it have empty spans. Spans are contiguous, and the last one ends with the
    text.

    The time is linear. Only a window is decoded, which starts one safe piece early, since decoders drop the space
    before the first token of what they are given. A piece is safe if it wrote something, ends in a whole character
    and reads as the text does.
    """
    text = decoded(tokenizer, ids)
    cuts = [0]
    before, safe, head = 0, 0, ""  # where the window and its new part start, and what its old part reads
    base = 0  # characters that the tokens before `safe` wrote
    for end in range(1, len(ids) + 1):
        window, origin = decoded(tokenizer, ids[before:end]), base
        if (end - safe) % _STUCK == 0:
            new, origin = decoded(tokenizer, ids[:end]), 0
        else:
            new = window[len(head) :] if window.startswith(head) else ""
        shared = origin + _shared(new, text[origin : origin + len(new)])
        cuts.append(max(cuts[-1], shared))
        if shared == origin + len(new) and new and not new.endswith(_BROKEN):
            piece = decoded(tokenizer, ids[safe:end])
            if piece:
                before, safe, head, base = safe, end, piece, shared
    cuts[-1] = len(text)
    return [(start + a, start + b) for a, b in pairwise(cuts)]


def _shared(one: str, other: str) -> int:
    """Length of the longest common beginning."""
    if one == other:
        return len(one)
    return next((k for k, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
