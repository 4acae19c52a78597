"""Other wordings of the questions of :mod:`.prompts`, and questions that only text judging asks.

``"default"`` is the wording of :mod:`.prompts`; the others ask the same thing in other words, so that one can see
whether a verdict hangs on them. A reference answer is put under the response, in every wording alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase

from .errors import InnerjudgeError, UnreadableError
from .prompts import Prompt, pair_prompt, rating_prompt, require_different

#: Names of the wordings.
WORDINGS = ("default", "examiner", "terse")

_VERDICT = {
    "default": 'Is the response correct? {ask} "Verdict:" and yes or no.',
    "examiner": 'You are an examiner. Would you mark the response above as correct? {ask} "Verdict:" and yes or no.',
    "terse": 'Correct? {ask} "Verdict:" and yes or no.',
}
_RATING = {
    "default": 'Rate the response from {low} to {high}. {ask} "Score:" and the number.',
    "examiner": 'You are an examiner. Which mark from {low} to {high} do you give? {ask} "Score:" and the number.',
    "terse": 'Score, {low} to {high}? {ask} "Score:" and the number.',
}
_PAIR = {
    "default": 'Which response is better? {ask} "Better:" and A or B.',
    "examiner": 'You are an examiner. To which response do you give the better mark? {ask} "Better:" and A or B.',
    "terse": 'Better one? {ask} "Better:" and A or B.',
}


def verdict_wording(
    prompt: str, response: str, *, wording: str = "default", reference: str | None = None, reasoned: bool = False
) -> Prompt:
    """Ask whether one response is correct.

    Example:
        >>> from innerjudge.models.prompts import verdict_prompt
        >>> verdict_wording("2+2?", "4") == verdict_prompt("2+2?", "4")
        True
        >>> "Reference:" in verdict_wording("2+2?", "4", wording="terse", reference="4").user
        True
    """
    ask = _line(_VERDICT, wording).format(ask=_ask(reasoned))
    return Prompt(_body(prompt, response, reference, None, ask), "Verdict:", ("no", "yes"))


def rating_wording(
    prompt: str,
    response: str,
    *,
    wording: str = "default",
    criterion: str | None = None,
    reference: str | None = None,
    scale: tuple[int, int] = (1, 5),
    reasoned: bool = False,
) -> Prompt:
    """Ask for a score of one response.

    Example:
        >>> rating_wording("2+2?", "4", criterion="Brevity") == rating_prompt("2+2?", "4", criterion="Brevity")
        True
    """
    plain = rating_prompt(prompt, response, criterion=criterion, reference=reference, scale=scale, reasoned=reasoned)
    low, high = scale
    ask = _line(_RATING, wording).format(ask=_ask(reasoned), low=low, high=high)
    return Prompt(_body(prompt, response, reference, criterion, ask), plain.cue, plain.labels)


def pair_wording(
    prompt: str, response_a: str, response_b: str, *, wording: str = "default", reasoned: bool = False
) -> Prompt:
    """Ask which of two responses is better.

    Example:
        >>> pair_wording("Say hi.", "hi", "no") == pair_prompt("Say hi.", "hi", "no")
        True
    """
    plain = pair_prompt(prompt, response_a, response_b, reasoned=reasoned)
    shown = plain.user.rsplit("\n\n", 1)[0]
    return Prompt(f"{shown}\n\n{_line(_PAIR, wording).format(ask=_ask(reasoned))}", plain.cue, plain.labels)


def ranking_prompt(prompt: str, responses: Sequence[str], *, reasoned: bool = False) -> Prompt:
    """Ask for all responses at once, best first. The verdict is a line of letters, not one label.

    Raises:
        UnreadableError: With fewer than two responses or more than letters, or if two responses are one text.

    Example:
        >>> ranking_prompt("Say hi.", ["hi", "no"]).labels
        ('A', 'B')
    """
    if not 2 <= len(responses) <= len(ascii_uppercase):
        raise UnreadableError(f"given {len(responses)} responses to rank, expected 2 to {len(ascii_uppercase)}")
    require_different(responses, "response")
    letters = ascii_uppercase[: len(responses)]
    shown = [f"Response {letter}:\n{text}" for letter, text in zip(letters, responses, strict=True)]
    ask = f'Rank the responses from best to worst. {_ask(reasoned)} "Ranking:" and the letters, best first.'
    return Prompt("\n\n".join([prompt, *shown, ask]), "Ranking:", tuple(letters))


def checklist_prompt(prompt: str) -> Prompt:
    """Ask for a checklist of yes/no questions that a good response must pass; the answer is free text, one a line.

    Source:
        TICK (arXiv 2410.03608): one question a requirement of the instruction.

    Example:
        >>> checklist_prompt("Say hi.").cue
        'Checklist:'
    """
    ask = (
        "Write a checklist for judging responses to the request above: a few yes/no questions, one for each "
        "requirement, one a line, yes being good."
    )
    return Prompt(f"{prompt}\n\n{ask}", "Checklist:")


def check_prompt(prompt: str, response: str, question: str, *, reasoned: bool = False) -> Prompt:
    """Ask one question of a checklist.

    Example:
        >>> check_prompt("Say hi.", "hi", "Is it a greeting?").labels
        ('no', 'yes')
    """
    ask = f'{question} {_ask(reasoned)} "Answer:" and yes or no.'
    return Prompt(_body(prompt, response, None, None, ask), "Answer:", ("no", "yes"))


def _ask(reasoned: bool) -> str:
    return "Think first, then reply with" if reasoned else "Reply with"


def _line(lines: dict[str, str], wording: str) -> str:
    if wording not in lines:
        raise InnerjudgeError(f"given the wording {wording!r}, expected one of {', '.join(lines)}")
    return lines[wording]


def _body(prompt: str, response: str, reference: str | None, criterion: str | None, ask: str) -> str:
    parts = [prompt, f"Response:\n{response}"]
    parts += [f"Reference:\n{reference}"] if reference is not None else []
    parts += [f"Criterion: {criterion}"] if criterion is not None else []
    return "\n\n".join([*parts, ask])
