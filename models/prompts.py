"""What the user turn says, for each thing that a model can be asked to judge.

One wording a task, the same for every judge, so that hidden-state judges and text judges see the same prompt. A
:class:`Prompt` is text only; :mod:`.chat` puts it into a model's chat template and :mod:`.positions` finds its tokens.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from .errors import InnerjudgeError, UnreadableError

#: Appended to every multiple-choice question and never correct (QK-score paper, section 3).
ABSTAIN_OPTIONS = ("None of the above", "I don't know")

_DIRECT = "Reply with"
_REASONED = "Think first, then reply with"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A user turn and the beginning of the assistant turn that announces the verdict.

    Args:
        user: Text of the user turn.
        cue: Text before the verdict, such as ``"Score:"``. Teacher-forced in direct mode; searched in the generated
            text in reasoned mode.
        labels: The verdict strings in order, such as ``("1", ..., "5")``.
        option_spans: For choices, the character span ``[start, end)`` of each option line in ``user``, newline
            included.
    """

    user: str
    cue: str = ""
    labels: tuple[str, ...] = ()
    option_spans: tuple[tuple[int, int], ...] = ()


def rating_prompt(
    prompt: str,
    response: str,
    *,
    criterion: str | None = None,
    reference: str | None = None,
    scale: tuple[int, int] = (1, 5),
    reasoned: bool = False,
) -> Prompt:
    """Ask for a score of one response.

    Example:
        >>> rating_prompt("2+2?", "4").cue
        'Score:'
    """
    low, high = scale
    if high <= low:
        raise InnerjudgeError(f"given the scale {low}..{high}, expected low < high: pass for example (1, 5)")
    parts = [prompt, f"Response:\n{response}"]
    if reference is not None:
        parts.append(f"Reference:\n{reference}")
    if criterion is not None:
        parts.append(f"Criterion: {criterion}")
    ask = _REASONED if reasoned else _DIRECT
    parts.append(f'Rate the response from {low} to {high}. {ask} "Score:" and the number.')
    return Prompt("\n\n".join(parts), "Score:", tuple(str(s) for s in range(low, high + 1)))


def verdict_prompt(prompt: str, response: str, *, reasoned: bool = False) -> Prompt:
    """Ask whether one response is correct.

    Example:
        >>> verdict_prompt("2+2?", "4").labels
        ('no', 'yes')
    """
    ask = _REASONED if reasoned else _DIRECT
    user = f'{prompt}\n\nResponse:\n{response}\n\nIs the response correct? {ask} "Verdict:" and yes or no.'
    return Prompt(user, "Verdict:", ("no", "yes"))


def choice_prompt(
    question: str,
    options: Sequence[str],
    *,
    abstain: bool = True,
    reasoned: bool = False,
    reply: str = "letter",
) -> Prompt:
    r"""Ask for one of several lettered options; every option line ends in a newline.

    Args:
        question: The question.
        options: Texts of the options, at most 24 (two letters are kept for ``abstain``).
        abstain: Append "None of the above" and "I don't know" as the last two options.
        reasoned: Ask for reasoning before the answer.
        reply: ``"letter"``, or ``"option"`` to ask for the option's text (used to train the built-in model).

    Raises:
        UnreadableError: If there are fewer than two options, or more than letters, or two of them are one text.

    Example:
        >>> p = choice_prompt("Which is a fruit?", ["iron", "pear"], abstain=False)
        >>> [p.user[a:b] for a, b in p.option_spans]
        ['A. iron\n', 'B. pear\n']
    """
    texts = [*options, *(ABSTAIN_OPTIONS if abstain else ())]
    if not len(options) >= 2 or len(texts) > len(ascii_uppercase):
        most = len(ascii_uppercase) - len(texts) + len(options)
        raise UnreadableError(f"given {len(options)} options, expected 2 to {most}: drop or merge options")
    texts = [" ".join(text.split()) for text in texts]
    require_different(texts, "option")
    user = f"Question: {question}\nOptions:\n"
    spans = []
    for letter, text in zip(ascii_uppercase, texts, strict=False):
        line = f"{letter}. {text}\n"
        spans.append((len(user), len(user) + len(line)))
        user += line
    ask = _REASONED if reasoned else _DIRECT
    user += f'{ask} "Answer:" and the {reply}.'
    return Prompt(user, "Answer:", tuple(ascii_uppercase[: len(texts)]), tuple(spans))


def require_different(texts: Sequence[str], what: str) -> None:
    """Refuse texts to choose from of which two are the same: which of them a verdict means, nobody can say.

    Raises:
        UnreadableError: Names the two by their letters.

    Example:
        >>> require_different(["iron", "pear"], "option")
    """
    first: dict[str, int] = {}
    for place, text in enumerate(texts):
        known = first.setdefault(unicodedata.normalize("NFC", " ".join(text.split())), place)
        if known != place:
            letters = f"{ascii_uppercase[known]} and {ascii_uppercase[place]}"
            raise UnreadableError(f"given one text as {what} {letters}, expected different ones: drop one of them")


def pair_prompt(prompt: str, response_a: str, response_b: str, *, reasoned: bool = False) -> Prompt:
    """Ask which of two responses is better.

    Example:
        >>> pair_prompt("Say hi.", "hi", "no").labels
        ('A', 'B')
    """
    ask = _REASONED if reasoned else _DIRECT
    user = (
        f"{prompt}\n\nResponse A:\n{response_a}\n\nResponse B:\n{response_b}\n\n"
        f'Which response is better? {ask} "Better:" and A or B.'
    )
    return Prompt(user, "Better:", ("A", "B"))
