"""What can be checked of a real answer without knowing the right one, and the kind of its question."""

import re
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .worlds import Bools, Floats

#: A step of the built-in model, such as ``3+4=7``; a calculation of GSM8K solutions, such as ``<<3+4=7>>``.
STEP, CALCULATION = re.compile(r"(\d+)([-+*])(\d+)=(\d+)"), re.compile(r"<<([^=<>]+)=([^=<>]+)>>")
_SIGNS: dict[str, Callable[[int, int], int]] = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}
_PLAIN = re.compile(r"[-+*/(). \d]{1,60}")


def of_solved(responses: list[str], length: Floats) -> dict[str, Bools]:
    """Of answers of the built-in model: every step holds; each begins with the last result; no words; and so on."""
    steps = [STEP.findall(text) for text in responses]
    return {
        "sound": np.array([all(_SIGNS[sign](int(a), int(b)) == int(c) for a, sign, b, c in its) for its in steps]),
        "carried": np.array([all(p[3] in (s[0], s[2]) for p, s in pairwise(its)) for its in steps]),
        "bare": np.array([not re.search(r"</think>.*[a-z]", text) for text in responses]),
        "short": length <= np.median(length),
        "lines": np.array(["\n" in text for text in responses]),
        "slashes": np.array([bool(re.search(r"\d/\d", text)) for text in responses]),
    }


def of_solutions(responses: list[str], length: Floats) -> dict[str, Bools]:
    """Of GSM8K solutions: every calculation holds; the answer is the result of the last; a whole number; and so on."""
    found = [CALCULATION.findall(text) for text in responses]
    ends = [re.search(r"A: *(.*)", text) for text in responses]
    said = ["" if end is None else end.group(1).strip().replace(",", "") for end in ends]
    return {
        "sound": np.array([bool(its) and all(_holds(a, b) for a, b in its) for its in found]),
        "carried": np.array([bool(its) and its[-1][1].strip() == end for its, end in zip(found, said, strict=True)]),
        "whole": np.array([end.lstrip("-").isdigit() for end in said]),
        "short": length <= np.median(length),
        "few steps": np.array([len(its) <= 2 for its in found]),
        "divides": np.array([any("/" in a for a, _ in its) for its in found]),
    }


def _holds(left: str, right: str) -> bool:
    """Whether a calculation is right; false where it is none."""
    if not _PLAIN.fullmatch(left) or "**" in left or "//" in left:
        return False
    try:
        return bool(abs(float(eval(left, {"__builtins__": {}})) - float(right)) < 0.01)
    except (SyntaxError, ValueError, ZeroDivisionError, TypeError, OverflowError):
        return False


def kinds(prompts: list[str]) -> npt.NDArray[np.str_]:
    """The kind of each question: what is bought, other sums of money, lists of numbers to add, and the rest."""
    return np.array(
        [
            "bought"
            if text.startswith("Buy")
            else "money"
            if "$" in text
            else "sum"
            if re.match(r"Find the sum|Add \d|What is \d", text)
            else "other"
            for text in prompts
        ]
    )
