"""Answers that are the same mathematically: LaTeX, fractions, decimals, sets and expressions, by math-verify.

Each answer has a key of its own, and equal keys are one answer. So whether two are the same never depends on the others
or on their order, as it would if they were compared two by two with a tolerance.
"""

import re
import threading
from collections.abc import Hashable, Sequence
from fractions import Fraction
from typing import Any

from ...models.extra import require
from ..data.answers import normalise

#: Longer answers are no final answers; they keep their own spelling.
_MOST = 400
#: Seconds for one answer (with the library's own imports, on a busy machine); what takes longer keeps its own spelling.
#: A signal keeps them: only in the main thread.
_PATIENCE = 5
_NUMBER = re.compile(r"[-+]?[$]?[\d.,/ ]*\d[\d.,/ ]*%?")
#: Powers of powers, and exponents and factorials of many digits: to compute them would take for ever.
_HUGE = re.compile(r"\^\s*\{[^}]*\^|\*\*[^*+]*\*\*|(\^|\*\*)\s*\{?\s*-?\d{5,}|\d{5,}\s*!")
#: Thin spaces before three digits, mixed numbers, and numbers side by side, which the library would add up.
_GAP = r"(?:\s|\\[,;:! ]|~)"
_THIN = re.compile(r"(?<=\d)(?:\\[,;:! ]|~)(?=\d{3}(?!\d))")
_MIXED = re.compile(rf"(?<![\d.,/])(\d+){_GAP}+(\d+)\s*/\s*(\d+)(?!\s*[\d.,/])")
_APART = re.compile(rf"\d{_GAP}+\d")
#: What is a number as it stands.
_EXACT = re.compile(r"[+-]?(\d+/0*[1-9]\d*|(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?)", re.ASCII)
#: Digits to which numbers without an exact fraction are compared.
_DIGITS = 30
#: ``\\frac 1 2``, whose digits are no numbers side by side.
_BARE = re.compile(r"(\\(?:[dt]?frac|[dt]?binom))\s*(\d)\s+(\d)")
_SIGNS = re.compile(r"[\\^{}()\[\]+*=|<>]")


def equal_answers(answers: Sequence[str | None]) -> list[str | None]:
    r"""One spelling for answers that are mathematically equal; needs math-verify (the extra ``[math]``).

    ``1/2``, ``0.5`` and ``\frac{1}{2}`` are one answer, and so are ``1 1/2`` and ``1.5``. Letters, words and numbers
    side by side (``1 2``) are compared as :func:`~innerjudge.experiments.data.answers.normalise` spells them, and a
    percent sign is dropped as there. Every group has the shortest spelling of its members, the first by alphabet where
    several are; an answer that cannot be parsed keeps its own. ``None`` and blank ones give ``None``.
    """
    library = require("math_verify", "math")
    keys = {answer: _key(library, answer) for answer in dict.fromkeys(answers) if answer is not None}
    names: dict[Hashable, str] = {}
    for answer, key in keys.items():
        plain = normalise(answer)
        if plain is not None:
            names[key] = min(names.get(key, plain), plain, key=lambda text: (len(text), text))
    return [None if a is None else names.get(keys[a]) for a in answers]


def _key(library: Any, answer: str) -> Hashable:
    """What stands for an answer: two answers are one exactly where their keys are equal."""
    plain = normalise(answer)
    if plain is None:
        return None
    if _EXACT.fullmatch(plain) and len(plain) <= _MOST:
        return ("number", Fraction(plain))
    text = answer.strip().strip("$").strip().removesuffix("%").removesuffix("\\")
    if len(text) > _MOST or not (_NUMBER.fullmatch(text) or (_SIGNS.search(text) and len(plain) > 1)):
        return ("text", plain)
    text = _MIXED.sub(r"\1\\frac{\2}{\3}", _BARE.sub(r"\1{\2}{\3}", _THIN.sub("", text)))
    if _HUGE.search(text) or _APART.search(text):
        return ("text", plain)
    # Between dollars, the whole answer is one expression: of a bare "3\\sqrt{2}" only the 3 would be read.
    read = library.parse(f"${text}$", [library.LatexExtractionConfig()], parsing_timeout=_patience())
    if not read or isinstance(read[0], str):
        return ("text", plain)
    limited = library.utils.timeout(_patience())(_canonical)
    try:
        found = limited(read[0])
    except Exception:  # the algebra raises what it likes, and its clock its own
        return ("text", plain)
    return ("text", plain) if found is None else found


def _canonical(value: Any) -> Hashable:
    """One form for a parsed answer and for all that equal it; ``None`` where it is no value."""
    import sympy

    if isinstance(value, sympy.Equality) and value.lhs.is_Symbol and not value.rhs.is_Symbol:
        return _canonical(value.rhs)  # "x=5" says 5
    if isinstance(value, sympy.FiniteSet):
        return ("set", frozenset(map(_canonical, value.args)))
    if isinstance(value, sympy.Interval):
        return ("interval", _canonical(value.start), _canonical(value.end), value.left_open, value.right_open)
    if isinstance(value, sympy.MatrixBase):
        return ("matrix", value.shape, tuple(map(_canonical, value)))
    if isinstance(value, sympy.Tuple):
        return ("tuple", tuple(map(_canonical, value)))
    if not isinstance(value, sympy.Basic):
        return None
    if value.is_Symbol:
        return ("text", normalise(str(value)))
    exact = value.xreplace({one: sympy.Rational(str(one)) for one in value.atoms(sympy.Float)})
    if exact.is_number and not exact.is_Relational:
        return _constant(exact)
    if isinstance(exact, sympy.Expr):
        exact = sympy.cancel(sympy.expand(exact.doit()))
        return _constant(exact) if exact.is_number else ("expression", sympy.srepr(exact))
    return ("expression", sympy.srepr(getattr(exact, "canonical", exact)))


def _constant(value: Any) -> Hashable:
    real, imaginary = value.evalf(2 * _DIGITS).as_real_imag()
    if not (real.is_finite and imaginary.is_finite):
        return ("text", str(value)) if value.is_infinite and value.is_extended_real else None
    if imaginary == 0 and abs(real) < 10**_MOST:
        exact = value.doit()
        if exact.is_Rational:
            return ("number", Fraction(int(exact.p), int(exact.q)))
        if abs(real - round(real)) < 10.0**-_DIGITS:
            return ("number", Fraction(round(real)))
    return ("constant", str(real.n(_DIGITS)), str(imaginary.n(_DIGITS)))


def _patience() -> int | None:
    return _PATIENCE if threading.current_thread() is threading.main_thread() else None
