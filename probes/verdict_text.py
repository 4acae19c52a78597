"""Finding one clear verdict in a generated text."""

import re
from collections.abc import Sequence
from functools import lru_cache

#: Characters of a text that a reason shows.
SHOWN = 40

_LEFT, _RIGHT, _DASHES = "\N{LEFT SINGLE QUOTATION MARK}", "\N{RIGHT SINGLE QUOTATION MARK}", "\N{EN DASH}\N{EM DASH}"
#: Where reasoning opens and closes, as models of several families write it.
_REASONING = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
    ("◁think▷", "◁/think▷"),
)
_MARKS = rf"""[\s*_`"'“{_LEFT}(\[]*+"""  # markdown, quotes and brackets before a verdict
_BLANK = r"[^\S\n]"
_WORDS = frozenset({"a", "i", "no"})  # labels that also begin ordinary sentences
_SHUT = rf"""[*_`"'”{_RIGHT})\]]*+"""
_STOPPED = rf"{_SHUT}[.;!?](?=\s)"
_GOES_ON = rf"{_BLANK}+(?!(?:or|and|to|of|out)\b)[^\W_]+(?=[\s.,;!?])"


def find_verdict(text: str, labels: Sequence[str], *, cue: str | None = None) -> int | str:
    r"""Index of the one label that the text gives as its verdict, or the reason why it gives none.

    With a ``cue`` the verdict must follow the cue's last occurrence after any ``</think>`` (upper and lower case and
    markdown around the cue do not matter); a ``<think>`` that never closes is a truncated text, and so are the marks
    of other families (``[THINK]``, the analysis channel). Without a cue it must
    open the text.

    Blanks, markdown, quotes and one bracket may stand before it: ``**4**``, ``(B)``. What follows must end it:
    ``"10"``, ``"4.5"``, ``"5%"``, ``"Apple"``, ``"A-level"`` are other words. ``4/5`` and ``4 out of 5`` are read where
    5 is the highest label; ``4/10`` and ``4 1/2`` are not. Two labels, as in ``A or B``, ``A=B``, ``4-5``, ``4 5``,
    ``1 (worst) to 5 (best)``, ``yes/no``, are no verdict. Words
    count in any case (``YES``); letters are upper case, lower case only if nothing else stands on the line. ``A``,
    ``I`` and ``no`` also begin sentences (``A pear``, ``no idea``) and need punctuation or the line's end after them.

    Example:
        >>> find_verdict(" **4**\n", ["1", "2", "3", "4", "5"])
        3
        >>> find_verdict("<think>Score: 1?</think>All is well.\nScore: 5/5.", ["1", "2", "3", "4", "5"], cue="Score:")
        4
        >>> find_verdict(" Apple", ["A", "B"])
        "no verdict in the text ' Apple'"
    """
    place = "in the text"
    if cue is not None:
        tail = said(text)
        if tail is None:
            return f"no end of the reasoning in the text {shown(text)}"
        behind = _behind(cue, tail)
        if behind is None:
            return f"no verdict in the text {shown(text)}: it has no {cue!r}"
        text, place = behind, f"after the last {cue!r}"
    match = _verdict(tuple(labels)).match(text)
    if match is None:
        return f"no verdict {place} {shown(text)}"
    found = match["label"]
    index = next(k for k, label in enumerate(labels) if re.fullmatch(re.escape(label.strip()), found, re.IGNORECASE))
    line = text[match.end() :].split("\n", 1)[0]
    letter = len(found) == 1 and found.isalpha()
    if letter and found != labels[index].strip() and re.search(r"\w", line):
        return f"no verdict {place} {shown(text)}"
    if found.casefold() in _WORDS and re.match(rf"{_BLANK}+[*_`]*\w", line):
        return f"no verdict {place} {shown(text)}"
    return index


def said(text: str) -> str | None:
    """What a text says after its reasoning; ``None`` where the reasoning never closes."""
    tail = text
    for _, close in _REASONING:
        tail = tail.rpartition(close)[2]
    return None if any(opening in tail for opening, _ in _REASONING) else tail


def shown(text: str) -> str:
    """The first 40 characters of a text, quoted."""
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")


def _behind(cue: str, text: str) -> str | None:
    """What follows the last cue; ``None`` where there is none."""
    cues = list(_cue(cue).finditer(text))
    return text[cues[-1].end() :] if cues else None


@lru_cache(maxsize=64)
def _cue(cue: str) -> re.Pattern[str]:
    words, colon = (cue.strip()[:-1], ":") if cue.strip().endswith(":") else (cue.strip(), "")
    return re.compile(rf"(?<![^\W_]){re.escape(words.strip())}[*_`]*\s*{colon}", re.IGNORECASE)


@lru_cache(maxsize=256)
def _verdict(labels: tuple[str, ...]) -> re.Pattern[str]:
    stripped = sorted((label.strip() for label in labels), key=len, reverse=True)
    one = "|".join(re.escape(label) for label in stripped)
    # A second label: letters in their own case only, since "B, a pear" holds no second letter.
    other = "|".join(f"(?-i:{re.escape(s)})" if len(s) == 1 else re.escape(s) for s in stripped)
    top = re.escape(labels[-1].strip())
    alone = r"(?![^\W_])(?![.,:]\d)(?!\s*%)(?![*_`]+[^\W_])"  # the label ends here, and is no part of a number
    of = rf"{_SHUT}(?:{_BLANK}*/{_BLANK}*|{_BLANK}+(?:out{_BLANK}+)?of\b{_BLANK}*)"
    of_top = rf"{of}{top}{alone}" if labels[-1].strip().isdigit() else r"(?!)"
    word = "" if labels[-1].strip().isdigit() else rf"(?!{_BLANK}+\w)"  # "yes, no mistakes" says yes
    join = rf"(?:[-{_DASHES}~/&+|=<>≈≤≥]|\b(?:or|and|to|vs)\b)+"
    aside = rf"(?:{_BLANK}*\([^()\n]*\))?"  # 1 (worst) to 5 (best)
    other_number = rf"{_BLANK}+(?!(?P=label)(?!\S))\d|{_BLANK}*[½⅓⅔¼¾]"
    again = other_number if labels[-1].strip().isdigit() else r"(?!)"  # 4 1/2, 4 5
    second = rf"{_BLANK}*+{_MARKS}(?:{other})(?![^\W_])"
    more = rf"{_SHUT}(?:{again})|{_SHUT}{aside}{_BLANK}*+(?:,?{_BLANK}*+{join}{second}|,{second}{word})"
    joined = rf"[-{_DASHES}&+'{_RIGHT}~]\w"  # A-level, I'm
    end = rf"(?:{of_top}(?!{more})|(?!{more})(?!{joined})(?!{of}))"
    return re.compile(rf"{_MARKS}(?P<label>{one}){alone}{end}", re.IGNORECASE)


def settled(text: str, labels: Sequence[str], *, cue: str | None = None) -> bool:
    r"""Whether a text that opens with its verdict says the same whatever is written after it: :func:`find_verdict`.

    True only where that is certain: behind the label (and marks that close it) the line has ended and the next has
    begun, or a full stop or the like and a blank follow; or, after a label in its own case that is no word of ordinary
    sentences, a word that does not join or count. A text without a verdict is never settled, as all of it is shown in
    the reason.

    With a ``cue`` the verdict is the answer that was asked for, and a text may end there: it stands behind the cue, the
    line has ended and the next has begun. Only another cue in what would follow could give another verdict.

    Example:
        >>> [settled(text, ["1", "2", "3", "4", "5"]) for text in (" 4", " 4\n", " 4\n\nIt", "4. ", "4 or", "4 is ")]
        [False, False, True, True, False, True]
        >>> [settled(text, ["A", "B"], cue="Answer:") for text in ("Answer: B is", "Answer: B\nI")]
        [False, True]
    """
    index = find_verdict(text, labels, cue=cue)
    if isinstance(index, str):
        return False
    text = text if cue is None else (_behind(cue, text) or "")
    label = labels[index].strip()
    match = _verdict(tuple(labels)).match(text)
    assert match is not None
    rest = text[match.end("label") :]
    if re.match(rf"{_SHUT}{_BLANK}*\n\s*[^\s%]", rest):
        return True
    plain = cue is None and (match["label"] == label or len(label) > 1)
    return plain and bool(re.match(_STOPPED if label.casefold() in _WORDS else rf"{_STOPPED}|{_GOES_ON}", rest))
