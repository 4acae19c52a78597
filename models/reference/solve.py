"""The *solve* job: multi-step arithmetic, reasoned between the markers, with plausible slips."""

import re
from random import Random

from ..items import Trace
from .problem import Problem, problems
from .steps import ENDS, LIMIT, Step, apply, difficulty, slip, write

__all__ = ["Problem", "final_answer", "problems", "traces", "work"]

#: Chance of a slip at a step of difficulty 1.
SLIP_RATE = 0.27
#: Share of traces that take the steps in an order of their own.
FREE_ORDER = 0.3
#: Share of traces whose verdict on themselves follows the closing marker.
VERDICT_SHARE = 0.5


def _tasks(problem: Problem, rng: Random) -> list[tuple[str, int]]:
    """One order of work that keeps every number writable: mostly that of the problem, which is easier to follow."""
    for _ in range(20 if rng.random() < FREE_ORDER else 0):
        order = [m for group in problem.plan for m in rng.sample(group, len(group))]
        value, fine = problem.start, True
        for op, right in order:
            value = apply(value, op, right)
            fine = fine and 0 <= value <= LIMIT
        if fine:
            return order
    return [m for group in problem.plan for m in group]


def work(problem: Problem, rng: Random, slips: frozenset[int] | None = None) -> list[Step] | None:
    """Work a problem out step by step, carrying every slip on to the end.

    Args:
        problem: What to solve.
        rng: Source of the order of work and of the slips.
        slips: Steps to slip in; ``None`` slips by chance, more often in harder steps.

    Returns:
        The steps, or ``None`` where a slip led to numbers that cannot be written.

    Example:
        >>> p = problems(1, seed=3)[0]
        >>> str(work(p, Random(0), frozenset())[-1].result) == p.answer
        True
    """
    steps: list[Step] = []

    def do(left: int, op: str, right: int) -> int:
        wrong = rng.random() < SLIP_RATE * difficulty(left, op, right) if slips is None else len(steps) in slips
        step = slip(left, op, right, rng) if wrong else Step(left, op, right, apply(left, op, right))
        steps.append(step)
        return step.result

    if problem.products:
        todo = rng.sample(problem.products, len(problem.products))
        eager = rng.random() < 0.5
        value = do(todo[0][0], "*", todo[0][1])
        if eager:
            for a, b in todo[1:]:
                value = do(value, "+", do(a, "*", b))
        else:
            rest = [do(a, "*", b) for a, b in todo[1:]]
            for part in rng.sample(rest, len(rest)):
                value = do(value, "+", part)
    else:
        tasks = _tasks(problem, rng)
        value = problem.start
        if value == 0:
            value, tasks = tasks[0][1], tasks[1:]
        for op, right in tasks:
            if not 0 <= apply(value, op, right) <= LIMIT:
                return None
            value = do(value, op, right)
    return steps if all(0 <= s.result <= LIMIT for s in steps) else None


def traces(n: int, *, seed: int, verdicts: float = VERDICT_SHARE) -> list[Trace]:
    """Write ``n`` simulated traces, slips included; ``verdicts`` is the share with a verdict before the answer.

    Example:
        >>> t = traces(1, seed=1)[0]
        >>> t.response.startswith("<think>"), final_answer(t.response) == t.answer
        (True, True)
    """
    rng = Random(seed)
    made: list[Trace] = []
    for problem in problems(n, seed=seed):
        steps = None
        while steps is None:
            steps = work(problem, rng)
        answer = str(steps[-1].result)
        correct = answer == problem.answer
        verdict = ("ok " if correct else "slip ") if rng.random() < verdicts else ""
        body = "".join(write(step, rng) for step in steps).rstrip(ENDS)
        made.append(
            Trace(
                question_id=problem.question_id,
                candidate_id="0",
                prompt=problem.prompt,
                response=f"<think>{body}</think>{verdict}{answer}",
                answer=answer,
                correct=correct,
                extra={"formulas": [s.formula() for s in steps], "sound": [s.sound for s in steps]},
            )
        )
    return made


def final_answer(response: str) -> str | None:
    """Read the answer after the closing marker; ``None`` where there is none.

    Example:
        >>> final_answer("<think>7+5=12</think>ok 12"), final_answer("<think>7+5=")
        ('12', None)
    """
    _, marker, tail = response.partition("</think>")
    found = re.match(r"\s*(?:ok|slip)?\s*(\d+)\s*(?:<\|end\|>)*\s*$", tail)
    return found.group(1) if marker and found else None
