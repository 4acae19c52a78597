"""What is written for the training alone: traces with slips by chance, and questions of many numbers of options."""

from random import Random

from ...items import Choice, Trace
from ..choose import collect
from ..solve import ENDS, Step, problems, work, write
from ..words import ODDS

#: Chance of a slip at a step of difficulty 1.
SLIP_RATE = 0.27
#: Share of traces whose verdict on themselves follows the closing marker.
VERDICT_SHARE = 0.5


def formula(step: Step) -> str:
    """A step as a bare equation."""
    return f"{step.left}{step.op}{step.right}={step.result}"


def difficulty(left: int, op: str, right: int) -> float:
    """How likely a slip is, from 0 to 1: carries, borrows and large products are hard."""
    if op == "*":
        return 1.0 if left * right > 40 else 0.6
    carry = left % 10 + right % 10 > 9 if op == "+" else left % 10 < right % 10
    return (0.7 if carry else 0.25) + (0.2 if right > 9 else 0.0)


def traces(n: int, *, seed: int, verdicts: float = VERDICT_SHARE) -> list[Trace]:
    """Write ``n`` simulated traces, slips included; ``verdicts`` is the share with a verdict before the answer."""
    rng = Random(seed)
    made: list[Trace] = []

    def by_chance(_number: int, left: int, op: str, right: int) -> bool:
        return rng.random() < SLIP_RATE * difficulty(left, op, right)

    for problem in problems(n, seed=seed):
        steps = None
        while steps is None:
            steps = work(problem, rng, by_chance)
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
                extra={"formulas": list(map(formula, steps)), "sound": [s.sound for s in steps]},
            )
        )
    return made


def mixed(n: int, *, seed: int) -> list[Choice]:
    """Draw ``n`` training questions with 2 to 8 options each."""
    tasks, odds = [*ODDS, "synthetic"], [*ODDS.values(), 8]

    def draw(rng: Random) -> tuple[str, int]:
        return rng.choices(tasks, odds)[0], rng.choices(range(2, 9), (1, 2, 6, 2, 1, 1, 1))[0]

    return collect(n, seed, "mixed", draw)
