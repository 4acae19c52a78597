"""The same questions as :mod:`.prompts`, put as plain text that goes on with its answer: no chat, no instruction.

The layout of choices is that of MMLU in lm-evaluation-harness (``hendrycks_test``; Hendrycks et al. 2021): the option
lines, and ``Answer:`` on a line of its own.
"""

from collections.abc import Sequence
from string import ascii_uppercase

from .prompts import Prompt


def plain_choice(question: str, options: Sequence[str]) -> Prompt:
    r"""A question, its lettered options, and ``Answer:``.

    Example:
        >>> plain_choice("Which is a fruit?", ["iron", "pear"]).user
        'Which is a fruit?\nA. iron\nB. pear\nAnswer:'
    """
    letters = tuple(ascii_uppercase[: len(options)])
    lines = [f"{letter}. {text}" for letter, text in zip(letters, options, strict=True)]
    return _asked([question.strip(), *lines], letters)


def plain_verdict(prompt: str, response: str) -> Prompt:
    r"""A question, a response, and whether it is correct.

    Example:
        >>> plain_verdict("2+2?", "4").user
        'Question: 2+2?\nResponse: 4\nIs the response correct, yes or no?\nAnswer:'
    """
    lines = [f"Question: {prompt}", f"Response: {response}", "Is the response correct, yes or no?"]
    return _asked(lines, ("no", "yes"))


def plain_rating(prompt: str, response: str, *, criterion: str | None, scale: tuple[int, int]) -> Prompt:
    r"""A question, a response, and its rating.

    Example:
        >>> plain_rating("2+2?", "4", criterion=None, scale=(1, 5)).user
        'Question: 2+2?\nResponse: 4\nRating of the response from 1 to 5\nAnswer:'
    """
    low, high = scale
    about = [f"Criterion: {criterion}"] if criterion else []
    lines = [f"Question: {prompt}", f"Response: {response}", *about, f"Rating of the response from {low} to {high}"]
    return _asked(lines, tuple(str(value) for value in range(low, high + 1)))


def plain_pair(prompt: str, first: str, second: str) -> Prompt:
    r"""A question, two responses, and which is better.

    Example:
        >>> plain_pair("Say hi.", "hi", "no").user
        'Question: Say hi.\nA. hi\nB. no\nWhich response is better, A or B?\nAnswer:'
    """
    return _asked(
        [f"Question: {prompt}", f"A. {first}", f"B. {second}", "Which response is better, A or B?"], ("A", "B")
    )


def _asked(lines: Sequence[str], labels: tuple[str, ...]) -> Prompt:
    return Prompt("\n".join([*lines, "Answer:"]), labels=labels)
