"""The *solve* job: problems of multi-step arithmetic, reasoned between the markers, with plausible slips."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from .words import PROBLEMS, belongs

#: Largest number that a trace may write; larger results are drawn again.
LIMIT = 199
#: What may stand after a step.
ENDS = ";,\n./"
_END_ODDS = (9, 4, 3, 2, 1)
#: Share of traces that take the steps in an order of their own.
FREE_ORDER = 0.3


@dataclass(frozen=True, slots=True)
class Step:
    """One written step; ``sound`` is false where it is a slip."""

    left: int
    op: str
    right: int
    result: int
    sound: bool = True


def apply(left: int, op: str, right: int) -> int:
    """Compute one operation."""
    return left + right if op == "+" else left - right if op == "-" else left * right


def slip(left: int, op: str, right: int, rng: Random) -> Step:
    """Make a plausible slip in the result: off by one, by two or by ten.

    Slips in copying (a wrong operand or operation) were tried, and blurred the model's ability to copy.
    """
    while True:
        result = apply(left, op, right) + rng.choice((-1, 1)) * rng.choices((1, 2, 10), (50, 20, 30))[0]
        if 0 <= result <= LIMIT:
            return Step(left, op, right, result, sound=False)


def write(step: Step, rng: Random, mark: str = "") -> str:
    """Put a step into words, with its factors in either order, an optional mark, and a separator."""
    left, right = step.left, step.right
    if step.op != "-" and rng.random() < 0.3:
        left, right = right, left
    return f"{left}{step.op}{right}={step.result}{mark}{rng.choices(ENDS, _END_ODDS)[0]}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One arithmetic problem.

    ``plan`` holds the operations: groups of ``(op, number)``, applied to ``start``, whose members may be done in any
    order; for purchases ``products`` holds ``(count, price)`` to be summed, with ``start`` 0 and one group.
    """

    question_id: str
    prompt: str
    answer: str
    start: int
    plan: tuple[tuple[tuple[str, int], ...], ...]
    products: tuple[tuple[int, int], ...] = ()


def _chain(rng: Random) -> tuple[str, int, list[list[tuple[str, int]]]] | None:
    value = start = rng.randint(2, 15)
    parts = [rng.choice(PROBLEMS["begin"]).format(start)]
    groups: list[list[tuple[str, int]]] = []
    for _ in range(rng.randint(2, 5)):
        op = rng.choice("+++---*")
        right = rng.randint(2, 3 if op == "*" else 9)
        value = apply(value, op, right)
        if not 0 <= value <= 40:
            return None
        parts.append(rng.choice(PROBLEMS[op]).format(right))
        if groups and (groups[-1][0][0] == "*") == (op == "*"):
            groups[-1].append((op, right))
        else:
            groups.append([(op, right)])
    return " ".join(parts) + rng.choice(("", "", " What is the result?")), start, groups


def _sum(rng: Random) -> tuple[str, int, list[list[tuple[str, int]]]]:
    numbers = [rng.randint(2, 9) for _ in range(rng.randint(3, 5))]
    listed = ", ".join(map(str, numbers[:-1])) + f" and {numbers[-1]}"
    prompt = rng.choice((f"What is {' + '.join(map(str, numbers))}?", f"Add {listed}.", f"Find the sum of {listed}."))
    return prompt, 0, [[("+", n) for n in numbers]]


def problems(n: int, *, seed: int) -> list[Problem]:
    """Draw ``n`` different problems; seeds from ``HELD_OUT_SEED`` on give held-out ones."""
    rng = Random(seed)
    found: dict[str, Problem] = {}
    while len(found) < n:
        problem = _draw(rng, f"solve-{seed}-{len(found)}")
        if problem and problem.prompt not in found and belongs(problem.prompt, seed):
            found[problem.prompt] = problem
    return list(found.values())


def _draw(rng: Random, name: str) -> Problem | None:
    shape = rng.random()
    if shape < 0.1:
        goods = rng.sample(PROBLEMS["goods"], rng.randint(2, 3))
        products = tuple((rng.randint(2, 4), rng.randint(2, 5)) for _ in goods)
        listed = [f"{n} {good} at {price}" for good, (n, price) in zip(goods, products, strict=True)]
        prompt = f"Buy {', '.join(listed[:-1])} and {listed[-1]}. What is the total?"
        total = sum(a * b for a, b in products)
        return Problem(name, prompt, str(total), 0, (), products) if total <= LIMIT else None
    drawn = _sum(rng) if shape < 0.35 else _chain(rng)
    if drawn is None:
        return None
    prompt, start, groups = drawn
    value = start
    for op, right in (member for group in groups for member in group):
        value = apply(value, op, right)
    return Problem(name, prompt, str(value), start, tuple(tuple(g) for g in groups))


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


def work(problem: Problem, rng: Random, slips: Callable[[int, int, str, int], bool]) -> list[Step] | None:
    """Work out a problem step by step, carrying every slip on to the end; ``None`` where that cannot be written.

    ``slips`` says whether to slip in a step, given its number, its left operand, its operation and its right operand.
    """
    steps: list[Step] = []

    def do(left: int, op: str, right: int) -> int:
        wrong = slips(len(steps), left, op, right)
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


def final_answer(response: str) -> str | None:
    """Read the answer after the closing marker; ``None`` where there is none."""
    _, marker, tail = response.partition("</think>")
    found = re.match(r"\s*(?:ok|slip)?\s*(\d+)\s*(?:<\|end\|>)*\s*$", tail)
    return found.group(1) if marker and found else None
