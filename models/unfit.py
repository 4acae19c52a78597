"""Texts that cannot be put to a model: not Unicode, or too long for its context; found before they are tokenised."""

import re
import sys
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from tokenizers.pre_tokenizers import ByteLevel

from .tokens import FastTokenizer

_UNBOUNDED = sys.maxsize
#: White space of any kind.
_SPACES = "".join(c for c in map(chr, range(0x3001)) if c.isspace())
#: How byte-level vocabularies spell the bytes that UTF-8 text has.
_BYTES = set(ByteLevel.alphabet()) - set(map(chr, (0xC0, 0xC1, *range(0xF5, 0x100))))
#: Characters a token up to which a text is short.
_SHORT = 16
#: Steps before the vocabulary that take away nothing but white space, but for some settings of some.
_KEEPING = {"Sequence", "ByteLevel", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Prepend", "Strip", "Metaspace"}
_KEEPING |= {"Digits", "Split", "Replace"}
_TAKING = re.compile(r'"Removed"|"type": ?"Replace", ?"pattern": ?\{(?!"String": ?" "\})')
#: Tokenizer -> context of its model, and the most characters that one of its tokens can stand for, if there is a bound.
_bounds: WeakKeyDictionary[FastTokenizer, tuple[int, int | None]] = WeakKeyDictionary()


def bound_texts(tokenizer: FastTokenizer, context: int | None) -> None:
    """Tell :func:`unfit` the longest input of a tokenizer's model, in tokens.

    If models share a tokenizer, the longest context counts; later each model counts tokens against its own.
    """
    context = context or _UNBOUNDED
    _bounds[tokenizer] = max(_bounds.get(tokenizer, (context, None))[0], context), _characters(tokenizer)


def unfit(tokenizer: FastTokenizer, *texts: str, ids: Sequence[int] = ()) -> str | None:
    """Why texts, or stored ``ids``, cannot be put to the model of a tokenizer; ``None`` if they may.

    White space is not counted: special tokens may swallow any amount. Nothing is tokenised; only where one token may
    stand for any number of characters, just enough to show that there are too many tokens.
    """
    for text in texts:
        try:
            text.encode()  # halves of a surrogate pair, as broken JSON or UTF-8 leaves them
        except UnicodeEncodeError as error:
            return f"half of a surrogate pair ({text[error.start]!a}) is no Unicode text"
    context, longest = _bounds.get(tokenizer, (_UNBOUNDED, 1))
    least = len(ids)
    if context < _UNBOUNDED and sum(map(len, texts)) > context * (longest or _SHORT):
        if longest is None:
            least = max(least, *(_begun(tokenizer, text, context) for text in texts))
        else:
            characters = sum(len(text) - sum(map(text.count, _SPACES)) for text in texts)  # without a copy of any
            least = max(least, -(-characters // longest))
    if least <= context:
        return None
    return f"at least {least} tokens, longer than the model's context of {context}; not cut"


def _characters(tokenizer: FastTokenizer) -> int | None:
    """Most characters, white space left out, that one token stands for; ``None`` where there is no bound.

    There is one where every byte has a token (else an unknown one may stand for a whole word, or none be written at
    all), and where no step before the vocabulary takes characters away, as one that strips accents does.
    """
    backend, vocabulary = tokenizer.backend_tokenizer, tokenizer.get_vocab()
    try:
        steps = " ".join(str(one.__getstate__()) for one in (backend.normalizer, backend.pre_tokenizer) if one)
    except Exception:  # a step of somebody's own in Python
        return None
    kinds = set(re.findall(r'"type": ?"(\w+)"', steps))
    fallback = getattr(backend.model, "byte_fallback", False) and all(f"<0x{b:02X}>" in vocabulary for b in range(256))
    known = fallback or ("ByteLevel" in kinds and vocabulary.keys() >= _BYTES)
    if type(backend.model).__name__ not in ("BPE", "Unigram") or not known or kinds - _KEEPING or _TAKING.search(steps):
        return None
    # Unicode's canonical forms compose no more than four characters to one.
    return max(map(len, vocabulary)) * (4 if kinds & {"NFC", "NFKC"} else 1)


def _begun(tokenizer: FastTokenizer, text: str, context: int) -> int:
    """Tokens of as much of a text as has more of them than ``context``; 0 where all of it may have to be tokenised.

    A word that the cut goes through does not count, and where words are not told apart only half of the tokens do:
    the rest of the text could make others of them, but not so few.
    """
    by_word = type(tokenizer.backend_tokenizer.model).__name__ in ("WordLevel", "WordPiece")
    end = 2 * _SHORT * context
    while end < len(text):
        words = tokenizer(text[:end], add_special_tokens=False, verbose=False).word_ids()
        n = sum(word != words[-1] for word in words) if by_word else len(words) // 2
        if n > context:
            return n
        end *= 4
    return 0
