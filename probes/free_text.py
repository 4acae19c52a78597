"""Finding the answer in a text that was written freely: no cue before it, and any of the forms that models use."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .verdict_text import find_verdict, said, settled, shown

#: Words of an option, written out from its beginning, by which it is known.
_BEGUN = 4
#: How an answer was found, in the order in which the ways are tried.
FORMS = ("opens the text", "announced", "in LaTeX", "the option's text", "a line of its own")

# "The correct answer is (B)", "Answer: B", "Option B is correct", "Antwort: B", "La respuesta es B".
_NOUN = (
    r"answer|option|choice|verdict|score|rating|better|response|conclusion|"
    r"antwort|lösung|bewertung|réponse|note|respuesta|opción|risposta|resposta|antwoord|ответ|答案|回答|答え|评分|正解"
)
_BEFORE = r"[\s*_`\"“(\[]*(?:\\?\(|\$|\\text\{|\\boxed\{(?:\\text\{)?)?(?:\b(?:option|choice|response)\b)?"
_ANNOUNCED = re.compile(
    rf"(?:(?:\b(?:{_NOUN})\b\s*)+|答案|回答|答え|正解|评分)[*_`\"”)\]]*\s*"
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
_YES = {
    "yes": ("true", "correct", "ja", "oui", "sí", "si", "sì", "sim", "да", "是", "是的", "はい", "正确"),
    "no": ("false", "incorrect", "wrong", "nein", "non", "não", "nee", "нет", "不", "否", "不是", "いいえ", "错误"),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read in a text.

    Args:
        index: Which label it gives; ``None`` where it gives none, or several.
        form: How it was found, one of :data:`FORMS`; else why there is none.
    """

    index: int | None
    form: str


def find_answer(text: str, labels: Sequence[str], *, options: Sequence[str] = (), quotes: bool = False) -> Reading:
    r"""The one label that a freely written text gives as its answer.

    Tried in turn, after any reasoning: a verdict that opens the text (:func:`~.verdict_text.find_verdict`); one that is
    announced (``The correct answer is **B**``, ``Option B is correct``, ``Antwort: B``); one in LaTeX
    (``\boxed{B}``, ``$B$``); the text of exactly one option; a verdict that stands alone on a line. The first form in
    which something is found decides; where what it finds contradicts itself, there is no answer.

    Example:
        >>> find_answer("The correct answer is (B).", "ABCD")
        Reading(index=1, form='announced')
        >>> find_answer(r"\[\boxed{C}\]", "ABCD")
        Reading(index=2, form='in LaTeX')
        >>> find_answer("It is a pear.", "AB", options=["iron", "pear"])
        Reading(index=1, form="the option's text")
        >>> find_answer("A or B", "AB").index is None
        True
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
    """Whether nothing more of a text is needed: it opens with a verdict, or announces one, and has gone on from there.

    Example:
        >>> answered_freely("The answer is B", "AB"), answered_freely("The answer is B. It", "AB")
        (False, True)
    """
    if quotes:
        text = _QUOTED.sub("\n", text)
    if settled(text, labels):
        return True
    told = said(text)
    return told is not None and any(settled(told[match.end() :], labels) for match in _ANNOUNCED.finditer(told))


def _opening(text: str, labels: tuple[str, ...], _options: tuple[str, ...]) -> set[int]:
    found = find_verdict(text, labels)
    if isinstance(found, str) and _yes_no(labels):
        word = re.match(r"[\s*_`\"'(]*([^\W\d_]+)(?![-\w])", text)
        return _translated(word[1], labels) if word else set()
    return set() if isinstance(found, str) else {found}


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


def _yes_no(labels: tuple[str, ...]) -> bool:
    return {label.casefold() for label in labels} == {"yes", "no"}


def _translated(word: str, labels: tuple[str, ...]) -> set[int]:
    said_as = {other: own for own, others in _YES.items() for other in others}
    own = said_as.get(word.casefold())
    return {k for k, label in enumerate(labels) if label.casefold() == own}
