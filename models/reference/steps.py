"""The *steps* task: worked problems in steps, half of them with one planted mistake, whose place is known."""

from itertools import accumulate, pairwise
from random import Random
from typing import Any

from ..items import Trace
from .solve import problems, work, write


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
