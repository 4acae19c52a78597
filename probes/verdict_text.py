"""Find one clear verdict in a generated text: after a cue, or in any of the forms that models use freely."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..models.markers import FORMATS

#: Characters of a text that a reason shows.
SHOWN = 40
_LEFT, _RIGHT, _DASHES = "\N{LEFT SINGLE QUOTATION MARK}", "\N{RIGHT SINGLE QUOTATION MARK}", "\N{EN DASH}\N{EM DASH}"
_WRITTEN = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
#: Where reasoning opens and closes, as models of several families write it; ordinary words are no marks.
_REASONING = (
    *(pair for pair in FORMATS.values() if not pair[0][0].isalpha()),
    *((opening, closing) for opening, closing in _WRITTEN["reasoning"]),
)
_MARKS = rf"""[\s*_`"'“{_LEFT}(\[]*+"""  # markdown, quotes and brackets before a verdict
_BLANK = r"[^\S\n]"
_WORDS = frozenset({"a", "i", "no"})  # labels that also begin ordinary sentences
_SHUT = rf"""[*_`"'”{_RIGHT})\]]*+"""
_STOPPED = rf"{_SHUT}[.;!?](?=\s)"
_GOES_ON = rf"{_BLANK}+(?!(?:or|and|to|of|out)\b)[^\W_]+(?=[\s.,;!?])"
#: Words of an option, written out from its beginning, by which it is known.
_BEGUN = 4
#: How an answer was found, in the order in which the ways are tried.
FORMS = ("opens the text", "announced", "in LaTeX", "the option's text", "a line of its own")
# "The correct answer is (B)", "Answer: B", "Option B is correct", "Antwort: B", "La respuesta es B".
_NOUN, _NOUN_ALONE = ("|".join(_WRITTEN[name]) for name in ("nouns", "nouns_alone"))
_BEFORE = r"[\s*_`\"“(\[]*(?:\\?\(|\$|\\text\{|\\boxed\{(?:\\text\{)?)?(?:\b(?:option|choice|response)\b)?"
_ANNOUNCED = re.compile(
    rf"(?:(?:\b(?:{_NOUN})\b\s*)+|{_NOUN_ALONE})[*_`\"”)\]]*\s*"
    rf"(?:(?:is|ist|est|es|è|é|are|of|to be|would be|should be)\b|是|为|は)?\s*[*_`]*[:\uff1a]?{_BEFORE}",
    re.IGNORECASE,
)
_SAID_OF = re.compile(
    r"\b(?:option|choice|answer|response)\s+([*_`\"“(\[]*\w+[*_`\"”)\]]*)\s*"
    r"(?:is|ist|est|es)\s+(?:the\s+)?(?:correct|right|best|better|richtig|correcte|correcta)\b",
    re.IGNORECASE,
)
#: The heading of a response that is written out again.
_QUOTED = re.compile(r"(?:^|(?<=\n))\s*[*_]*(?:Response\s+)?[A-Z][*_]*[:)][*_]*(?=\s)")
_BOXED = re.compile(r"\\boxed\s*\{\s*(?:\\text(?:bf|rm)?\s*\{)?\s*([^{}]*?)\s*\}")
_MATH = re.compile(r"^[\s*]*(?:\\\[|\\\(|\$+)\s*(?:\\text(?:bf|rm)?\s*\{|\\mathbf\s*\{)?\s*([^\s{}$\\]{1,12})\s*[}$\\]")


def find_verdict(text: str, labels: Sequence[str], *, cue: str | None = None) -> int | str:
    r"""Index of the one label that the text gives as its verdict, or the reason why it gives none.

    With a ``cue`` the verdict must follow the cue's last occurrence after any ``</think>`` (case and markdown around
    the cue do not matter); a ``<think>`` that never closes means a truncated text, and so do the marks of other
    families (``[THINK]``, the analysis channel). Without a cue the verdict must open the text.

    Blanks, markdown, quotes and one bracket may stand before it: ``**4**``, ``(B)``. What follows must end it:
    ``"10"``, ``"4.5"``, ``"5%"``, ``"Apple"``, ``"A-level"`` are other words. ``4/5`` and ``4 out of 5`` are read where
    5 is the highest label; ``4/10`` and ``4 1/2`` are not. Two labels, as in ``A or B``, ``A=B``, ``4-5``, ``4 5``,
    ``1 (worst) to 5 (best)``, ``yes/no``, are no verdict. Words count in any case (``YES``); letters are upper case,
    lower case only if nothing else stands on the line. ``A``, ``I`` and ``no`` also begin sentences (``A pear``, ``no
    idea``) and need punctuation or the line's end after them.
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
    match, none = _verdict(tuple(labels)).match(text), f"no verdict {place} {shown(text)}"
    if match is None:
        return none
    found = match["label"]
    index = next(k for k, label in enumerate(labels) if re.fullmatch(re.escape(label.strip()), found, re.IGNORECASE))
    line = text[match.end() :].split("\n", 1)[0]
    if len(found) == 1 and found.isalpha() and found != labels[index].strip() and re.search(r"\w", line):
        return none
    return none if found.casefold() in _WORDS and re.match(rf"{_BLANK}+[*_`]*\w", line) else index


def verdict_start(text: str, labels: Sequence[str], *, cue: str | None = None) -> int | str:
    """The character of a text at which the verdict of :func:`find_verdict` begins, or why there is none."""
    found = find_verdict(text, labels, cue=cue)
    if isinstance(found, str):
        return found
    match = _match(text, labels, cue)
    return len(text) - len(match.string) + match.start("label")


def _match(text: str, labels: Sequence[str], cue: str | None) -> re.Match[str]:
    """Where a verdict that :func:`find_verdict` has found stands in what follows the cue."""
    match = _verdict(tuple(labels)).match(text if cue is None else (_behind(cue, text) or ""))
    assert match is not None
    return match


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
    out_of = rf"(?:{_BLANK}+(?:points?|stars?))?{_BLANK}+[(\[]?(?:out{_BLANK}+)?of\b"
    of = rf"{_SHUT}(?:{_BLANK}*[/\u2044\u2215\uff0f]|{out_of}){_BLANK}*"
    of_top = rf"{of}{top}{alone}" if labels[-1].strip().isdigit() else r"(?!)"
    word = "" if labels[-1].strip().isdigit() else rf"(?!{_BLANK}+\w)"  # "yes, no mistakes" says yes
    join = rf"(?:[^\w\s.,;:!?()\[\]{{}}\"'*`“”{_LEFT}{_RIGHT}]|\.\.|\(?\b(?:or|and|to|vs)\b)+"  # A=B, 3..4
    aside = rf"(?:{_BLANK}*\([^()\n]*\))?"  # 1 (worst) to 5 (best)
    other_number = rf"{_BLANK}+(?!(?P=label)(?!\S))\d|{_BLANK}*[½⅓⅔¼¾]|[\W_]+and[\W_]+a[\W_]+(?:half|quarter|third)"
    again = other_number if labels[-1].strip().isdigit() else r"(?!)"  # 4 1/2, 4 5, 4 and a half
    second = rf"{_BLANK}*+{_MARKS}(?:{other})(?![^\W_])"
    more = rf"{_SHUT}(?:{again})|{_SHUT}{aside}{_BLANK}*+(?:,?{_BLANK}*+{join}{second}|,{second}{word})"
    joined = rf"[-{_DASHES}&+'{_RIGHT}~]\w|{_BLANK}*="  # A-level, I'm, 1=worst
    end = rf"(?:{of_top}(?!{more})|(?!{more})(?!{joined})(?!{of}))"
    return re.compile(rf"{_MARKS}(?P<label>{one}){alone}{end}", re.IGNORECASE)


def settled(text: str, labels: Sequence[str], *, cue: str | None = None) -> bool:
    r"""Whether :func:`find_verdict` would find the same verdict whatever is written after a text.

    True only if that is certain: after the label (and marks that close it) the line has ended and the next has begun,
    or a full stop or the like and a blank follow; or, for a label in its own case that is not an ordinary word, a word
    follows that does not join or count. A text without a verdict is never settled, as all of it is needed for the
    reason.

    With a ``cue`` the verdict after it is the requested answer, and a text may end there: the line of the cue has ended
    and the next has begun. Only another cue further on could give another verdict.
    """
    index = find_verdict(text, labels, cue=cue)
    if isinstance(index, str):
        return False
    label, match = labels[index].strip(), _match(text, labels, cue)
    rest = match.string[match.end("label") :]
    if re.match(rf"{_SHUT}{_BLANK}*\n\s*[^\s%]", rest):
        return True
    plain = cue is None and (match["label"] == label or len(label) > 1)
    return plain and bool(re.match(_STOPPED if label.casefold() in _WORDS else rf"{_STOPPED}|{_GOES_ON}", rest))


@dataclass(frozen=True, slots=True)
class Reading:
    """Which label a text gives (``None`` for none or several), and how it was found (see :data:`FORMS`), or why not."""

    index: int | None
    form: str


def find_answer(text: str, labels: Sequence[str], *, options: Sequence[str] = (), quotes: bool = False) -> Reading:
    r"""The one label that a freely written text gives as its answer.

    Tried in turn, after any reasoning: a verdict that opens the text (:func:`~.verdict_text.find_verdict`); one that is
    announced (``The correct answer is **B**``, ``Option B is correct``, ``Antwort: B``); one written in LaTeX
    (``\boxed{B}``, ``$B$``); the text of exactly one option; a verdict that stands alone on a line. The first form in
    which something is found decides; where what it finds contradicts itself, there is no answer.

    Example:
        >>> find_answer("The correct answer is (B).", "ABCD")
        Reading(index=1, form='announced')
        >>> find_answer(r"\[\boxed{C}\]", "ABCD")
        Reading(index=2, form='in LaTeX')
    """
    told = said(text)
    if told is None:
        return Reading(None, f"no end of the reasoning in the text {shown(text)}")
    if quotes:
        told = _QUOTED.sub("\n", told)
    for form, find in zip(FORMS, (_opening, _announced, _latex, _option, _line), strict=True):
        found = find(told, tuple(labels), tuple(options))
        if len(found) == 1:
            return Reading(found.pop(), form)
        if found:
            return Reading(None, f"several answers in the text {shown(text)}")
    return Reading(None, f"no answer in the text {shown(text)}")


def answered_freely(text: str, labels: Sequence[str], *, quotes: bool = False) -> bool:
    """Whether no more of a text is needed: it opens with a verdict, or announces one, and has gone on after that."""
    if quotes:
        text = _QUOTED.sub("\n", text)
    if settled(text, labels):
        return True
    told = said(text)
    return told is not None and any(settled(told[match.end() :], labels) for match in _ANNOUNCED.finditer(told))


def _opening(text: str, labels: tuple[str, ...], _options: tuple[str, ...]) -> set[int]:
    found = find_verdict(text, labels)
    if not isinstance(found, str):
        return {found}
    word = re.match(r"[\s*_`\"'(]*([^\W\d_]+)(?![-\w])", text)
    if word is None or {label.casefold() for label in labels} != {"yes", "no"}:
        return set()
    own = next((own for own, others in _WRITTEN["words"].items() if word[1].casefold() in others), None)
    return {k for k, label in enumerate(labels) if label.casefold() == own}


def _announced(text: str, labels: tuple[str, ...], _options: tuple[str, ...]) -> set[int]:
    found = [find_verdict(text[match.end() :], labels) for match in _ANNOUNCED.finditer(text)]
    found += [find_verdict(match[1], labels) for match in _SAID_OF.finditer(text)]
    return {one for one in found if isinstance(one, int)}


def _latex(text: str, labels: tuple[str, ...], options: tuple[str, ...]) -> set[int]:
    boxed = [match[1] for match in _BOXED.finditer(text)][-1:]
    opens = _MATH.match(text)
    inside = boxed or ([opens[1]] if opens else [])
    found: set[int] = set()
    for one in inside:
        verdict = find_verdict(one, labels)
        found |= _option(one, labels, options) if isinstance(verdict, str) else {verdict}
    return found


def _option(text: str, _labels: tuple[str, ...], options: tuple[str, ...]) -> set[int]:
    """Options whose text stands in the text as whole words, those inside a longer such option left out."""
    plain = _words(text)
    every = {k: words for k, option in enumerate(options) if (words := _words(option)).strip()}
    there = {k: words for k, words in every.items() if words in plain}
    found = {k for k, words in there.items() if not any(words != o and words in o for o in there.values())}
    if not found and plain.count(" ") > _BEGUN:
        found = {k for k, words in every.items() if words.startswith(plain.rstrip())}
    return found


def _line(text: str, labels: tuple[str, ...], _options: tuple[str, ...]) -> set[int]:
    lines = [line.strip(" \t*_`\"'()[]{}.#$>-") for line in text.splitlines()]
    return {k for line in lines for k, label in enumerate(labels) if line == label}


def _words(text: str) -> str:
    return " ".join(["", *re.findall(r"\w+", text.casefold()), ""])
