"""Problems of multi-step arithmetic: chains, sums and purchases, in several wordings."""

from dataclasses import dataclass
from random import Random

from .split import belongs
from .steps import LIMIT, apply

_GOODS = ("pens", "cups", "hats", "bags", "nuts", "keys", "figs", "maps")
_ADD = ("Add {}.", "Plus {}.", "Then add {}.")
_TAKE = ("Take {}.", "Minus {}.", "Then take away {}.")
_TIMES = ("Times {}.", "Multiply by {}.")
_OPENERS = ("Start with {}.", "Begin at {}.", "Take the number {}.")


@dataclass(frozen=True, slots=True)
class Problem:
    """One arithmetic problem.

    ``plan`` holds what is to be done: groups of ``(op, number)`` whose members may be done in any order, after
    ``start``; for purchases, products ``(count, price)`` to be summed, with ``start`` 0 and one group.
    """

    question_id: str
    prompt: str
    answer: str
    start: int
    plan: tuple[tuple[tuple[str, int], ...], ...]
    products: tuple[tuple[int, int], ...] = ()


def _chain(rng: Random) -> tuple[str, int, list[list[tuple[str, int]]]] | None:
    value = start = rng.randint(2, 15)
    parts = [rng.choice(_OPENERS).format(start)]
    groups: list[list[tuple[str, int]]] = []
    for _ in range(rng.randint(2, 5)):
        op = rng.choice("+++---*")
        right = rng.randint(2, 3 if op == "*" else 9)
        value = apply(value, op, right)
        if not 0 <= value <= 40:
            return None
        kind = _TIMES if op == "*" else _ADD if op == "+" else _TAKE
        parts.append(rng.choice(kind).format(right))
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


def _purchase(rng: Random) -> tuple[str, tuple[tuple[int, int], ...]]:
    goods = rng.sample(_GOODS, rng.randint(2, 3))
    products = tuple((rng.randint(2, 4), rng.randint(2, 5)) for _ in goods)
    listed = [f"{n} {good} at {price}" for good, (n, price) in zip(goods, products, strict=True)]
    return f"Buy {', '.join(listed[:-1])} and {listed[-1]}. What is the total?", products


def problems(n: int, *, seed: int) -> list[Problem]:
    """Draw ``n`` different problems; seeds from ``split.HELD_OUT_SEED`` on give held-out ones.

    Example:
        >>> [p.answer.isdigit() for p in problems(3, seed=1)]
        [True, True, True]
    """
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
        prompt, products = _purchase(rng)
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
