"""The *rate* job: worked solutions, right or with planted mistakes, scored by noisy raters or step by step."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from random import Random
from typing import Any

from ..items import Rating, Trace
from .solve import ENDS, Problem, Step, apply, problems, work, write

#: Standard deviation of one rater around the noiseless quality, and of a rater's own severity.
RATER_NOISE, RATER_BIAS = 0.6, 0.3
#: Odds of 0, 1, 2 and 3 planted mistakes.
MISTAKE_ODDS = (50, 25, 15, 10)


def quality(steps: Sequence[Step], truths: Sequence[int]) -> int:
    """Noiseless quality: no mistake 5, one small 4, one gross 3, two 2, more 1; ``truths`` are the right results."""
    gaps = [abs(step.result - truth) for step, truth in zip(steps, truths, strict=True) if not step.sound]
    if len(gaps) == 1:
        return 4 if gaps[0] <= 1 else 3
    return {0: 5, 2: 2}.get(len(gaps), 1)


def panel(truth: int, rng: Random, raters: int = 3) -> tuple[float, ...]:
    """Scores that ``raters`` noisy raters give to a response of quality ``truth``."""
    drawn = (round(truth + rng.gauss(0, RATER_BIAS) + rng.gauss(0, RATER_NOISE)) for _ in range(raters))
    return tuple(float(min(5, max(1, score))) for score in drawn)


def worked(problem: Problem, rng: Random) -> tuple[list[Step], int]:
    """Work a problem with a drawn number of planted mistakes: the steps, and the noiseless quality."""
    while True:
        clean = work(problem, rng, lambda *_: False)
        if clean is None:
            continue
        wanted = rng.choices(range(len(MISTAKE_ODDS)), MISTAKE_ODDS)[0]
        places = rng.sample(range(len(clean)), min(wanted, len(clean)))
        steps = work(problem, rng, lambda number, *_, places=places: number in places)
        if steps is not None:
            return steps, quality(steps, [s.result if s.sound else _truth(s) for s in steps])


def _truth(step: Step) -> int:
    """What a slipped step's own equation gives; a wrong operand or operation counts as gross."""
    value = apply(step.left, step.op, step.right)
    return value if value != step.result else step.result + 10


def solution(steps: Sequence[Step], rng: Random, marks: float = 0.0) -> str:
    """Write a worked solution; ``marks`` is the chance that a step is followed by its mark."""
    parts = [write(s, rng, (" ok" if s.sound else " no") if rng.random() < marks else "") for s in steps]
    return "".join(parts).rstrip(ENDS) + f". So {steps[-1].result}."


def ratings(n: int, *, seed: int, per_question: int = 4, raters: int = 3) -> list[Rating]:
    """Draw ``n`` rated responses, ``per_question`` to each problem."""
    rng = Random(seed)
    made: list[Rating] = []
    for problem in problems(-(-n // per_question), seed=seed):
        for k in range(per_question):
            steps, truth = worked(problem, rng)
            name = problem.question_id.replace("solve", "rate")
            text, scores = solution(steps, rng), panel(truth, rng, raters)
            extra = {"quality": truth, "question_id": name}
            made.append(Rating(item_id=f"{name}-{k}", prompt=problem.prompt, response=text, scores=scores, extra=extra))
    return made[:n]


def traces(n: int, *, seed: int, per_question: int = 4) -> list[Trace]:
    """Write ``n`` traces, ``per_question`` to each problem, in steps; a mistake in any of them is carried on.

    Example:
        >>> one = next(trace for trace in traces(24, seed=1_000_000) if trace.first_error == 1)
        >>> one.step_labels[:2], one.correct, len(one.step_texts) == len(one.steps)
        ((True, False), False, True)
    """
    rng = Random(seed)
    made: list[Trace] = []
    for problem in problems(-(-n // per_question), seed=seed):
        for k in range(per_question):
            steps, place = None, -1
            while steps is None or len(steps) <= place:
                place = rng.randrange(5) if rng.random() < 0.7 else -1
                steps = work(problem, rng, lambda number, *_, place=place: number == place)
            texts, answer = [write(step, rng) for step in steps], str(steps[-1].result)
            ends = list(accumulate(map(len, texts), initial=len("<think>")))
            known: dict[str, Any] = {"answer": answer, "correct": answer == problem.answer, "first_error": place}
            name = problem.question_id.replace("solve", "steps")
            response = f"<think>{''.join(texts)}</think>{answer}"
            own: dict[str, Any] = {"prompt": problem.prompt, "response": response, "steps": tuple(pairwise(ends))}
            made.append(Trace(question_id=name, candidate_id=str(k), **own, **known))
    return made[:n]
