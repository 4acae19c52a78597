"""What the user turn says, for each thing that a model can be asked to judge.

One wording a task, the same for every judge, so that hidden-state judges and text judges see the same prompt. A
:class:`Prompt` is text only; :mod:`.chat` puts it into a model's chat template and :mod:`.positions` finds its tokens.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from .conversation import Conversation, Message, Text, plain_text
from .errors import InnerjudgeError, UnreadableError
from .items import Choice, Item, Pair, Rating, Trace

#: Appended to every multiple-choice question and never correct (QK-score paper, section 3).
ABSTAIN_OPTIONS = ("None of the above", "I don't know")
#: How far apart the ends of a scale may be: each whole number between is a label.
STEPS = 1000


@dataclass(frozen=True, slots=True)
class Prompt:
    """A user turn and the beginning of the assistant turn that announces the verdict.

    ``cue`` is the text before the verdict, such as ``"Score:"``: teacher-forced in direct mode, searched in the
    generated text in reasoned mode. ``labels`` are the verdicts in order. For choices, ``option_spans`` are the
    characters ``[start, end)`` of each option line in ``user``, newline included. ``before`` are the turns before it.
    ``asked`` is what the judged model was asked, as the item has it.
    """

    user: str
    cue: str = ""
    labels: tuple[str, ...] = ()
    option_spans: tuple[tuple[int, int], ...] = ()
    before: tuple[Message, ...] = ()
    asked: Text = ""

    @property
    def turns(self) -> Text:
        """The user turn, with those before it."""
        return Conversation((*self.before, Message("user", self.user))) if self.before else self.user


def rating_prompt(
    prompt: Text, response: Text, *, criterion: str | None = None, reference: str | None = None,
    scale: tuple[int, int] = (1, 5), reasoned: bool = False
) -> Prompt:  # fmt: skip
    """Ask for a score of one response."""
    low, high = require_scale(scale)
    ask = f'Rate the response from {low} to {high}. {reply_with(reasoned)} "Score:" and the number.'
    labels = tuple(str(s) for s in range(low, high + 1))
    return Prompt(_body(prompt, response, reference, criterion, ask), "Score:", labels, asked=prompt)


def require_scale(scale: tuple[int, int]) -> tuple[int, int]:
    """The scale; ``InnerjudgeError`` unless it rises, by no more than can be labels."""
    low, high = scale
    if not low < high <= low + STEPS:
        raise InnerjudgeError.of("models.scale", low, high, STEPS)
    return low, high


def verdict_prompt(prompt: Text, response: Text, *, reference: str | None = None, reasoned: bool = False) -> Prompt:
    """Ask whether one response is correct."""
    ask = f'Is the response correct? {reply_with(reasoned)} "Verdict:" and yes or no.'
    return Prompt(_body(prompt, response, reference, None, ask), "Verdict:", ("no", "yes"), asked=prompt)


def choice_prompt(
    question: Text, options: Sequence[str], *, abstain: bool = True, reasoned: bool = False, reply: str = "letter"
) -> Prompt:
    r"""Ask for one of at most 24 lettered options (two letters are kept for ``abstain``); each line ends in a newline.

    ``abstain`` appends "None of the above" and "I don't know" as the last two options, ``reasoned`` asks for reasoning
    before the answer; ``reply`` is ``"letter"``, or ``"option"`` to ask for the option's text (used to train the
    built-in model). ``UnreadableError`` if there are fewer than two options or more than letters, or two are equal.
    """
    texts = shown_options(options, abstain=abstain)
    before = () if isinstance(question, str) else question.messages[:-1]
    user = f"Question: {question if isinstance(question, str) else question.messages[-1].content}\nOptions:\n"
    spans = []
    for letter, text in zip(ascii_uppercase, texts, strict=False):
        line = f"{letter}. {text}\n"
        spans.append((len(user), len(user) + len(line)))
        user += line
    user += f'{reply_with(reasoned)} "Answer:" and the {reply}.'
    return Prompt(user, "Answer:", tuple(ascii_uppercase[: len(texts)]), tuple(spans), before, question)


def shown_options(options: Sequence[str], *, abstain: bool) -> list[str]:
    """Options as prompts show them, each on one line; errors as in :func:`choice_prompt`."""
    texts = [" ".join(text.split()) for text in (*options, *(ABSTAIN_OPTIONS if abstain else ()))]
    if not len(options) >= 2 or len(texts) > len(ascii_uppercase):
        most = len(ascii_uppercase) - len(texts) + len(options)
        raise UnreadableError(f"given {len(options)} options, expected 2 to {most}: drop or merge options")
    require_different(texts, "option")
    return texts


def require_different(texts: Sequence[str], what: str) -> None:
    """Refuse options or responses of which two are equal: a verdict could mean either."""
    first: dict[str, int] = {}
    for place, text in enumerate(texts):
        plain = unicodedata.normalize("NFC", " ".join(text.split()))
        if not any(map(str.isalpha, plain)):  # 50 % and 50%, 7 / 14 and 7/14; but not 1 2 and 12, or 1 -2 and 1-2
            plain = re.sub(r"^([+-]) (?=\d)", r"\1", re.sub(r" ?([%/$(),]) ?", r"\1", plain))
        known = first.setdefault(plain, place)
        if known != place:
            letters = f"{ascii_uppercase[known]} and {ascii_uppercase[place]}"
            raise UnreadableError(f"given one text as {what} {letters}, expected different ones: drop one of them")


def pair_prompt(prompt: Text, response_a: Text, response_b: Text, *, reasoned: bool = False) -> Prompt:
    """Ask which of two responses is better."""
    ask = f'Which response is better? {reply_with(reasoned)} "Better:" and A or B.'
    a, b = plain_text(response_a), plain_text(response_b)
    user = f"{plain_text(prompt)}\n\nResponse A:\n{a}\n\nResponse B:\n{b}\n\n{ask}"
    return Prompt(user, "Better:", ("A", "B"), asked=prompt)


def ranking_prompt(prompt: Text, responses: Sequence[Text], *, reasoned: bool = False) -> Prompt:
    """Ask for a ranking of all responses, best first. The verdict is a line of letters, not one label.

    ``UnreadableError`` if there are fewer than two responses or more than letters, or two of them are equal.
    """
    if not 2 <= len(responses) <= len(ascii_uppercase):
        raise UnreadableError(f"given {len(responses)} responses to rank, expected 2 to {len(ascii_uppercase)}")
    texts = [plain_text(one) for one in responses]
    require_different(texts, "response")
    letters = ascii_uppercase[: len(responses)]
    shown = [f"Response {letter}:\n{text}" for letter, text in zip(letters, texts, strict=True)]
    ask = f'Rank the responses from best to worst. {reply_with(reasoned)} "Ranking:" and the letters, best first.'
    return Prompt("\n\n".join([plain_text(prompt), *shown, ask]), "Ranking:", tuple(letters), asked=prompt)


def checklist_prompt(prompt: Text) -> Prompt:
    """Ask for a checklist of yes/no questions that a good response must pass (TICK, arXiv 2410.03608), one a line."""
    ask = (
        "Write a checklist for judging responses to the request above: a few yes/no questions, one for each "
        "requirement, one a line, yes being good."
    )
    return Prompt(f"{plain_text(prompt)}\n\n{ask}", "Checklist:", asked=prompt)


def check_prompt(prompt: Text, response: Text, question: str, *, reasoned: bool = False) -> Prompt:
    """Ask one question of a checklist."""
    ask = f'{question} {reply_with(reasoned)} "Answer:" and yes or no.'
    return Prompt(_body(prompt, response, None, None, ask), "Answer:", ("no", "yes"), asked=prompt)


def reply_with(reasoned: bool) -> str:
    """The beginning of the request for a reply, up to what the reply is."""
    return "Think first, then reply with" if reasoned else "Reply with"


def _body(prompt: Text, response: Text, reference: str | None, criterion: str | None, ask: str) -> str:
    parts = [plain_text(prompt), f"Response:\n{plain_text(response)}"]
    parts += [f"Reference:\n{reference}"] if reference is not None else []
    parts += [f"Criterion: {criterion}"] if criterion is not None else []
    return "\n\n".join([*parts, ask])


def plain_prompt(item: Item, *, scale: tuple[int, int] = (1, 5), swapped: bool = False) -> Prompt:
    """A question, what is judged of it, and ``Answer:``; ``swapped`` shows response b of a pair first."""
    asked = item.question if isinstance(item, Choice) else item.prompt
    question = f"Question: {plain_text(asked)}"
    labels: tuple[str, ...] = ("A", "B")
    match item:
        case Choice():
            labels = tuple(ascii_uppercase[: len(item.options)])
            lines = [plain_text(asked).strip(), *map("{}. {}".format, labels, item.options)]
        case Pair():
            sides = map(plain_text, item.sides(swapped))
            lines = [question, *map("{}. {}".format, labels, sides), "Which response is better, A or B?"]
        case Rating(criterion=criterion):
            labels = tuple(str(value) for value in range(scale[0], scale[1] + 1))
            about = [f"Criterion: {criterion}"] if criterion else []
            ask = f"Rating of the response from {scale[0]} to {scale[1]}"
            lines = [question, f"Response: {plain_text(item.response)}", *about, ask]
        case Trace():
            labels, ask = ("no", "yes"), "Is the response correct, yes or no?"
            lines = [question, f"Response: {plain_text(item.response)}", ask]
    return Prompt("\n".join([*lines, "Answer:"]), labels=labels, asked=asked)
