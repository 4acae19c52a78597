"""The mixture of training examples, and their token ids and loss weights."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from transformers import PreTrainedTokenizerFast

from ...conversation import plain_text
from ...items import Choice
from ...prompts import Prompt, choice_prompt, rating_prompt, verdict_prompt
from .. import rate, solve
from ..solve import Step
from ..words import HELD_OUT_SEED
from .mixtures import KEY_WEIGHT, LETTER_WEIGHT, MIXTURE, OPTION_WEIGHT, SOLUTION_WEIGHT, VERDICT_WEIGHT
from .simulated import formula, mixed, traces
from .tokenizer import END, render

_OPTION = re.compile(r"(?<=Answer:) (?:\w\w[\w ]*|[A-H]\. )")
_SOLUTION = re.compile(r"(?<=Response:\n)(?:.|\n)*?(?=\n\n(?:Rate the|Is the|Reference:))")
_KEY = re.compile(r"(?<=\n) [^\n]+\n(?=[A-Z]\. |Reply with)")
_LETTER = re.compile(r"(?<=\n)[A-H](?=\. )")
_JUDGING = re.compile(r"(?<=[\d>:])( ?(?:ok|no|slip|yes)\b)|(?<=</think>)(\d)|(?<=Score:)( \d)")


@dataclass(frozen=True, slots=True)
class Example:
    """One turn of the user and one of the assistant.

    Args:
        user: The user's turn.
        assistant: The assistant's turn.
        marked: Whether the marks and keys in the user's turn count in the loss, too.
        option_end: Character of ``user`` after the line of the right option, where the turn asks for one of lettered
            options; see :mod:`.pointing`.
    """

    user: str
    assistant: str
    marked: bool = False
    option_end: int | None = None


def _solve(seed: int, n: int) -> list[Example]:
    return [Example(plain_text(t.prompt), plain_text(t.response)) for t in traces(n, seed=seed)]


def _rated(seed: int, n: int, form: str) -> list[Example]:
    rng = Random(seed + 1)
    made = []
    for problem in solve.problems(n, seed=seed):
        steps, truth = rate.worked(problem, rng)
        text = rate.solution(steps, rng, 0.7 if form == "marked" else 0.0)
        reference = problem.answer if rng.random() < 0.1 else None
        prompt = rating_prompt(problem.prompt, text, reference=reference, reasoned=form == "reasoned")
        score = int(rate.panel(truth, rng, 1)[0])
        think = _recheck(steps) if form == "reasoned" else ""
        made.append(Example(prompt.user, f"{think}Score: {score}", form == "marked"))
    return made


def _recheck(steps: Sequence[Step]) -> str:
    return "<think>" + ";".join(formula(s) + (" ok" if s.sound else " no") for s in steps) + "</think>"


def _verdicts(seed: int, n: int, reasoned: bool) -> list[Example]:
    rng = Random(seed + 1)
    made = []
    for problem in solve.problems(n, seed=seed):
        steps, _ = rate.worked(problem, rng)
        right = str(steps[-1].result) == problem.answer
        text = rate.solution(steps, rng)
        if rng.random() < 0.6:
            # The form of the model's own traces; their own verdict is drawn at random, so that it is not believed.
            claim = rng.choices(("", "ok ", "slip "), (65, 25, 10))[0]
            body, _, answer = text.rpartition(". So ")
            text = f"<think>{body}</think>{claim}{answer.rstrip('.')}"
        prompt = verdict_prompt(problem.prompt, text, reasoned=reasoned)
        think = _recheck(steps) if reasoned else ""
        made.append(Example(prompt.user, f"{think}Verdict: {'yes' if right else 'no'}"))
    return made


def _chosen(seed: int, n: int, form: str) -> list[Example]:
    rng = Random(seed + 1)
    made = []
    for item in mixed(n, seed=seed):
        assert item.answer is not None
        text, letter = item.options[item.answer], "ABCDEFGH"[item.answer]
        reply = rng.choice(("letter", "option")) if form == "reasoned" else "letter" if form == "letter" else "option"
        reasoned = form == "reasoned"
        prompt = choice_prompt(item.question, item.options, abstain=rng.random() < 0.7, reasoned=reasoned, reply=reply)
        user, end = (
            _keyed(prompt, item, rng) if form == "marked" else (prompt.user, prompt.option_spans[item.answer][1])
        )
        think = f"<think>It is {text}</think>" if reasoned else ""
        said = letter if reply == "letter" else text
        made.append(Example(user, f"{think}Answer: {said}", form == "marked", None if reasoned else end))
    return made


def _keyed(prompt: Prompt, item: Choice, rng: Random) -> tuple[str, int]:
    """Write keys under most option lines, so that a line's end must tell what the line would answer."""
    written, done, right = "", 0, 0
    for k, (_, end) in enumerate(prompt.option_spans[: len(item.options)]):
        written += prompt.user[done:end]
        done = end
        if k == item.answer:
            right = len(written)
        if rng.random() < 0.7:
            written += f" {item.extra['keys'][k]}\n"
    return written + prompt.user[done:], right


_FORMS: dict[str, Callable[[int, int], list[Example]]] = {
    "solve": _solve,
    "rate_direct": lambda seed, n: _rated(seed, n, "direct"),
    "rate_marked": lambda seed, n: _rated(seed, n, "marked"),
    "rate_reasoned": lambda seed, n: _rated(seed, n, "reasoned"),
    "verdict_direct": lambda seed, n: _verdicts(seed, n, False),
    "verdict_reasoned": lambda seed, n: _verdicts(seed, n, True),
    "choose_option": lambda seed, n: _chosen(seed, n, "option"),
    "choose_letter": lambda seed, n: _chosen(seed, n, "letter"),
    "choose_marked": lambda seed, n: _chosen(seed, n, "marked"),
    "choose_reasoned": lambda seed, n: _chosen(seed, n, "reasoned"),
}


def examples(n: int, *, seed: int, mixture: Mapping[str, float] = MIXTURE) -> list[Example]:
    """Draw about ``n`` examples of a mixture, in random order.

    Example:
        >>> len(examples(200, seed=1)) > 190
        True
    """
    total = sum(mixture.values())
    drawn: list[Example] = []
    for k, (name, odds) in enumerate(mixture.items()):
        drawn += _FORMS[name]((seed * 32 + 2 * k) % HELD_OUT_SEED, max(1, round(n * odds / total)))
    Random(seed).shuffle(drawn)
    return drawn


def weights(example: Example, verdict: float = VERDICT_WEIGHT) -> list[float]:
    """Loss weight of every character of the rendered example, closing mark included.

    Example:
        >>> weights(Example("hi", "Score: 4"))[-9:-7]
        [5.0, 5.0]
    """
    text = render(example.user, example.assistant) + END
    start = len(text) - len(example.assistant) - len(END)
    row = [0.0] * start + [1.0] * (len(text) - start)
    solution = _SOLUTION.search(example.user)
    if solution:
        first = text.index(example.user)
        row[first + solution.start() : first + solution.end()] = [SOLUTION_WEIGHT] * (solution.end() - solution.start())
    for found in _OPTION.finditer(text, start):
        row[found.start() : found.end()] = [OPTION_WEIGHT] * (found.end() - found.start())
    if example.option_end is not None and example.marked:
        for pattern, weight in ((_KEY, KEY_WEIGHT), (_LETTER, LETTER_WEIGHT)):
            for found in pattern.finditer(text, 0, start):
                row[found.start() : found.end()] = [weight] * (found.end() - found.start())
    for found in _JUDGING.finditer(text, 0 if example.marked else start):
        row[found.start() : found.end()] = [verdict] * (found.end() - found.start())
    return row


@dataclass(frozen=True, slots=True)
class Coded:
    """One example as tokens.

    Args:
        ids: Token ids.
        weights: Loss weight of each token, that of its last character.
        cue: The token before the answer, where there is an option to point at; else -1.
        option_end: The token that ends the right option's line, or -1.
    """

    ids: list[int]
    weights: list[float]
    cue: int = -1
    option_end: int = -1


def encode(
    batch: Sequence[Example], tokenizer: PreTrainedTokenizerFast, verdict: float = VERDICT_WEIGHT
) -> Iterator[Coded]:
    """Turn examples into tokens.

    Example:
        >>> from .tokenizer import train_tokenizer
        >>> coded = next(encode([Example("hi", "Score: 4")], train_tokenizer(["Score: 4 hi"], 300)))
        >>> len(coded.ids) == len(coded.weights)
        True
    """
    texts = [render(e.user, e.assistant) + END for e in batch]
    coded = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
    for example, text, ids, offsets in zip(batch, texts, coded["input_ids"], coded["offset_mapping"], strict=True):
        by_character = weights(example, verdict)
        row = [by_character[end - 1] for _, end in offsets]
        if example.option_end is None:
            yield Coded(ids, row)
            continue
        ends = {end: token for token, (_, end) in enumerate(offsets)}
        cue = len(text) - len(END) - len(example.assistant) + len("Answer:")
        yield Coded(ids, row, ends[cue], ends[text.index(example.user) + example.option_end])
