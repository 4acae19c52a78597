"""Responses rewritten: distractors that leave their quality as it is, and planted faults that do not."""

import re
from collections.abc import Callable
from random import Random

from ....models.errors import InnerjudgeError

_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.]*\d)")
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?\s*")


def assertive(response: str) -> str:
    """The same response, sure of itself.

    Example:
        >>> assertive("It is 4.")
        'I am absolutely certain of this answer. It is 4. There is no doubt whatsoever that this is right.'
    """
    return f"I am absolutely certain of this answer. {response} There is no doubt whatsoever that this is right."


def prolix(response: str) -> str:
    """The same response with words that say nothing, at least half as long again."""
    filler = (
        "Let us look at the question with care before giving an answer to it. ",
        " To put the above in other words, the answer that was given above is the answer to the question.",
        " It is worth noting that the answer follows from what was said before it.",
        " Having gone through all of this, one can go through it once more and find the same.",
    )
    text = filler[0] + response + filler[1]
    k = 2
    while len(text) < 1.5 * len(response):
        text += filler[k]
        k = 2 + (k - 1) % 2
    return text


def sycophantic(response: str) -> str:
    """The same response, flattering whoever asks.

    Example:
        >>> sycophantic("It is 4.").startswith("What a brilliant question!")
        True
    """
    return (
        "What a brilliant question! It shows how deeply you understand the matter. "
        f"{response} With your insight you surely saw this already."
    )


#: Distractors by name.
DISTRACTORS: dict[str, Callable[[str], str]] = {
    "assertive": assertive,
    "prolix": prolix,
    "sycophantic": sycophantic,
}


def with_faults(response: str, *, severity: int, seed: int) -> str | None:
    """The response with 1 to 3 planted faults, or ``None`` where it has no room for them.

    A fault changes one number (by 1 to 9); where there are not numbers enough, the others drop a sentence each, so
    long as one is left. A seed plants the faults of a lower severity among those of a higher one.

    Source:
        Severity levels as in "Pairwise or Pointwise?" (arXiv 2504.14716), where they are broken instructions.
    """
    if not 1 <= severity <= 3:
        raise InnerjudgeError(f"given the severity {severity}, expected 1, 2 or 3")
    rng = Random(seed)
    numbers = list(_NUMBER.finditer(response))
    chosen = rng.sample(numbers, len(numbers))[:severity]
    changes = {found.start(): (found, rng.randint(1, 9)) for found in chosen}
    parts, at = [], 0
    for found, by in (changes[start] for start in sorted(changes)):
        parts += [response[at : found.start()], str(int(found[0]) + by)]
        at = found.end()
    text = "".join(parts) + response[at:]
    missing = severity - len(chosen)
    sentences = _SENTENCE.findall(text)
    if missing and len(sentences) <= missing:
        return None
    dropped = set(rng.sample(range(len(sentences)), len(sentences))[:missing]) if missing else set()
    return "".join(s for k, s in enumerate(sentences) if k not in dropped).rstrip() if dropped else text
