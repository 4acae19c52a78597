"""The mixture of training examples, and its way to token ids and loss weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from transformers import PreTrainedTokenizerFast

from ..prompts import choice_prompt, rating_prompt, verdict_prompt
from . import choose, rate, solve
from .mixtures import MIXTURE, OPTION_WEIGHT, SOLUTION_WEIGHT, VERDICT_WEIGHT
from .split import HELD_OUT_SEED
from .steps import Step
from .tokenizer import END, render

_OPTION = re.compile(r"(?<=Answer:) (?:\w\w[\w ]*|[A-H]\. )")
_SOLUTION = re.compile(r"(?<=Response:\n)(?:.|\n)*?(?=\n\n(?:Rate the|Is the|Reference:))")
_JUDGING = re.compile(r"(?<=[\d>:])( ?(?:ok|no|slip|yes)\b)|(?<=</think>)(\d)|(?<=Score:)( \d)")


@dataclass(frozen=True, slots=True)
class Example:
    """One turn of the user and one of the assistant; ``marked`` weighs the judging words of the user's turn, too."""

    user: str
    assistant: str
    marked: bool = False


def _solve(seed: int, n: int) -> list[Example]:
    return [Example(t.prompt, t.response) for t in solve.traces(n, seed=seed)]


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
    return "<think>" + ";".join(s.formula() + (" ok" if s.sound else " no") for s in steps) + "</think>"


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
    for item in choose.mixed(n, seed=seed):
        assert item.answer is not None
        text, letter = item.options[item.answer], "ABCDEFGH"[item.answer]
        reply = rng.choice(("letter", "option")) if form == "reasoned" else form
        prompt = choice_prompt(item.question, item.options, reasoned=form == "reasoned", reply=reply)
        think = f"<think>{text}</think>" if form == "reasoned" else ""
        said = {"letter": letter, "option": text, "line": f"{letter}. {text}"}[reply]
        made.append(Example(prompt.user, f"{think}Answer: {said}"))
    return made


_FORMS: dict[str, Callable[[int, int], list[Example]]] = {
    "solve": _solve,
    "rate_direct": lambda seed, n: _rated(seed, n, "direct"),
    "rate_marked": lambda seed, n: _rated(seed, n, "marked"),
    "rate_reasoned": lambda seed, n: _rated(seed, n, "reasoned"),
    "verdict_direct": lambda seed, n: _verdicts(seed, n, False),
    "verdict_reasoned": lambda seed, n: _verdicts(seed, n, True),
    "choose_option": lambda seed, n: _chosen(seed, n, "option"),
    "choose_letter": lambda seed, n: _chosen(seed, n, "letter"),
    "choose_line": lambda seed, n: _chosen(seed, n, "line"),
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
    for found in _JUDGING.finditer(text, 0 if example.marked else start):
        row[found.start() : found.end()] = [verdict] * (found.end() - found.start())
    return row


def encode(
    batch: Sequence[Example], tokenizer: PreTrainedTokenizerFast, verdict: float = VERDICT_WEIGHT
) -> Iterator[tuple[list[int], list[float]]]:
    """Turn examples into token ids and one loss weight a token (that of its last character).

    Example:
        >>> from .tokenizer import train_tokenizer
        >>> ids, row = next(encode([Example("hi", "Score: 4")], train_tokenizer(["Score: 4 hi"], 300)))
        >>> len(ids) == len(row)
        True
    """
    texts = [render(e.user, e.assistant) + END for e in batch]
    coded = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
    for example, ids, offsets in zip(batch, coded["input_ids"], coded["offset_mapping"], strict=True):
        by_character = weights(example, verdict)
        yield ids, [by_character[end - 1] for _, end in offsets]
