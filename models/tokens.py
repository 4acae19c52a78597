"""Text to token ids with their places in the text, and back; and the tokens of the labels that a verdict may have."""

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from weakref import WeakKeyDictionary

from tokenizers import Tokenizer
from tokenizers.pre_tokenizers import ByteLevel
from transformers import PreTrainedTokenizerFast

from .errors import UnreadableError
from .markers import Span

#: A tokenizer that says where in a text each of its tokens stands.
FastTokenizer = PreTrainedTokenizerFast


def tokens(tokenizer: FastTokenizer, text: str, judged: Span = (0, 0)) -> tuple[tuple[int, ...], list[Span]]:
    """Ids of the tokens of a text, and the characters ``[start, end)`` of each.

    Within the characters ``judged`` there are no control tokens: what is spelled like one is read as plain text, so
    that a judged text cannot end its turn or open another.
    """
    # A rendered chat already holds its special tokens; adding them again would double the beginning token.
    own = not tokenizer.chat_template
    coded = tokenizer(text, add_special_tokens=own, return_offsets_mapping=True, return_special_tokens_mask=own)
    ids, spans = coded["input_ids"], coded["offset_mapping"]
    while own and ids and coded["special_tokens_mask"][len(ids) - 1] and spans[-1][0] == spans[-1][1]:
        ids, spans = ids[:-1], spans[:-1]  # the text goes on: a sequence end that the tokenizer appends is none
    if judged[0] < judged[1] and (held := control_tokens(tokenizer)):
        places = enumerate(zip(ids, spans, strict=True))
        inside = [k for k, (one, (a, b)) in places if one in held and a < judged[1] and b > judged[0]]
        for k in reversed(inside):
            start, end = spans[k]
            coded = _without_added(tokenizer).encode(text[start:end], add_special_tokens=False)
            if start < judged[0] or len(text[:end].rstrip()) > judged[1] or held.intersection(coded.ids):
                raise UnreadableError(f"{text[start:end]!r} in the judged text cannot be told from a control token")
            ids = [*ids[:k], *coded.ids, *ids[k + 1 :]]
            spans = [*spans[:k], *((start + a, start + b) for a, b in coded.offsets), *spans[k + 1 :]]
    return tuple(ids), spans


_control: WeakKeyDictionary[FastTokenizer, tuple[int, frozenset[int]]] = WeakKeyDictionary()
_bare: WeakKeyDictionary[FastTokenizer, Tokenizer] = WeakKeyDictionary()


def control_tokens(tokenizer: FastTokenizer) -> frozenset[int]:
    """Added tokens that have a meaning in a chat: special ones, and those in brackets, such as ``<think>``.

    Not the ``judged_markers`` of a tokenizer's configuration, which its model has learned to read in judged texts.
    """
    added = tokenizer.added_tokens_decoder
    known = _control.get(tokenizer)
    if known is None or known[0] != len(added):
        plain = tokenizer.init_kwargs.get("judged_markers", ())
        meant = [k for k, one in added.items() if one.special or _BRACKETS.fullmatch(one.content)]
        known = _control[tokenizer] = len(added), frozenset(k for k in meant if added[k].content not in plain)
    return known[1]


def _without_added(tokenizer: FastTokenizer) -> Tokenizer:
    if tokenizer not in _bare:
        parts = json.loads(tokenizer.backend_tokenizer.to_str())
        _bare[tokenizer] = Tokenizer.from_str(json.dumps(parts | {"added_tokens": [], "post_processor": None}))
    return _bare[tokenizer]


_BRACKETS = re.compile(r"[<\[|{\u25c1\uff5c]\S*[>\]|}\u25b7\uff5c]")


class LabelTokens:
    """Finds the tokens of verdict labels, once for all stems that end alike; the tokenizer must not change meanwhile.

    A tokenizer first cuts a text at its added tokens (such as those of a chat template), so what follows the last of
    them is tokenised the same whatever stands before. One of GPT-2's kind also cuts between the end of a line and a
    letter, whatever stands on either side.
    """

    def __init__(self, tokenizer: FastTokenizer) -> None:
        self._tokenizer = tokenizer
        added = tokenizer.added_tokens_decoder
        self._added = frozenset(added)
        # GPT-2's expression has no piece that holds a line's end and a letter.
        backend, cutter = tokenizer.backend_tokenizer, tokenizer.backend_tokenizer.pre_tokenizer
        cuts_lines = backend.normalizer is None and isinstance(cutter, ByteLevel) and bool(cutter.use_regex)
        self._by_line = cuts_lines and not any("\n" in token.content for token in added.values())
        self._known: dict[tuple[str, tuple[str, ...]], tuple[str, tuple[int, ...]]] = {}

    def after(
        self, stem: str, labels: Sequence[str], cue: str, judged: Span = (0, 0)
    ) -> tuple[tuple[int, ...], list[Span], tuple[int, ...]]:
        """Tokens of the stem that makes every label exactly one further token, and the labels' ids.

        Tried in turn: the label with a space before it (GPT-2: one token), the space as part of the stem
        (digit-splitting vocabularies: the space is a token of its own), no space at all. ``UnreadableError`` if a label
        is not one token; ``cue``, the end of the stem, is for its message. ``judged`` is as in :func:`tokens`.
        """
        ids, spans = tokens(self._tokenizer, stem, judged)
        cut = self._cut(stem, ids, spans)
        key = None if cut is None else (stem[cut:], tuple(labels))
        if key is None or key not in self._known:
            end, found = self._found(stem, ids, labels, cue, judged)
            if key is not None:
                self._known[key] = end, found
        else:
            end, found = self._known[key]
        if end:
            ids, spans = tokens(self._tokenizer, stem + end, judged)
        return ids, spans, found

    def spelled(self, stem: str, labels: Sequence[str], lead: str, judged: Span = (0, 0)) -> tuple[int, ...]:
        """Ids of the labels right after a stem, each after ``lead``; empty if one of them is not a single token."""
        ids, spans = tokens(self._tokenizer, stem, judged)
        cut = self._cut(stem, ids, spans)
        key = None if cut is None else (stem[cut:] + f"\0{lead}", tuple(labels))
        if key is not None and key in self._known:
            return self._known[key][1]
        longer = [tokens(self._tokenizer, stem + lead + label, judged)[0] for label in labels]
        found = tuple(one[-1] for one in longer if one[:-1] == ids)
        found = found if len(set(found)) == len(labels) else ()
        if key is not None:
            self._known[key] = "", found
        return found

    def _cut(self, stem: str, ids: Sequence[int], spans: Sequence[Span]) -> int | None:
        """From which character on a stem is read alike whatever stands before; ``None`` where that is not known."""
        place = next((k for k in reversed(range(len(ids))) if ids[k] in self._added), None)
        line = stem.rfind("\n") + 1
        letter = stem[line : line + 1]
        latest = place is None or spans[place][1] <= line
        if self._by_line and line and latest and letter.isascii() and letter.isalpha():
            return line
        return None if place is None else spans[place][0]

    def _found(
        self, stem: str, bare: tuple[int, ...], labels: Sequence[str], cue: str, judged: Span
    ) -> tuple[str, tuple[int, ...]]:
        """What the stem ends with, beside itself, and the labels' ids after that."""
        most, split = -1, ""
        for end, lead in (("", " "), (" ", ""), ("", "")):
            ids = tokens(self._tokenizer, stem + end, judged)[0] if end else bare
            found: list[int] = []
            for label in labels:
                longer, _ = tokens(self._tokenizer, stem + end + lead + label, judged)
                if longer[:-1] != ids:
                    if len(found) > most:
                        rest = self._tokenizer.convert_ids_to_tokens(list(longer[len(ids) :]))
                        most, split = len(found), f"{label!r} is {rest}"
                    break
                found.append(longer[-1])
            if len(found) == len(labels):
                if len(set(found)) == len(labels):
                    return end, tuple(found)
                most, split = len(found), "two of them are the same token"
        scale = "use labels of one token, such as a scale of 1 to 5 or 0 to 9"
        do = scale if labels[0].isdigit() else "use another model for these"
        raise UnreadableError.of("models.labels", ", ".join(labels), cue, split, do)


#: Written for bytes that are no character (yet).
_BROKEN = "\N{REPLACEMENT CHARACTER}"
#: Tokens without a safe place to start from, after which the whole prefix is decoded once.
_STUCK = 64


def decoded(tokenizer: FastTokenizer, ids: list[int]) -> str:
    """The text of sampled ids, markers and special tokens included."""
    return str(tokenizer.decode(ids))


def replayed_spans(tokenizer: FastTokenizer, ids: list[int], start: int) -> list[tuple[int, int]]:
    """Span of each token in ``decode(ids)``, moved by ``start``.

    A token ends where the text decoded up to it ends: a character made of several tokens belongs to the token that
    completes it, and those before it have empty spans. Spans are contiguous up to the text's end.

    To take linear time only a window is decoded, from one safe piece before, since decoders drop the space before their
    first token. A piece is safe if it wrote something, ends with a whole character and agrees with the text.
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
        shared = origin + shared_start(new, text[origin : origin + len(new)])
        cuts.append(max(cuts[-1], shared))
        whole = shared == origin + len(new) and new and not new.endswith(_BROKEN)
        if whole and (piece := decoded(tokenizer, ids[safe:end])):
            before, safe, head, base = safe, end, piece, shared
    cuts[-1] = len(text)
    return [(start + a, start + b) for a, b in pairwise(cuts)]


def shared_start(one: Sequence[object], other: Sequence[object]) -> int:
    """Length of the longest common beginning of two texts, or of two lists of ids."""
    if one == other:
        return len(one)
    return next((k for k, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
