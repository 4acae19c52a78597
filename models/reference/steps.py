"""One step of arithmetic: doing it, slipping in it, and putting it into words."""

from dataclasses import dataclass
from random import Random

#: Largest number that a trace may write; larger results are drawn again.
LIMIT = 199

#: What may stand after a step.
ENDS = ";,\n./"
_END_ODDS = (9, 4, 3, 2, 1)


@dataclass(frozen=True, slots=True)
class Step:
    """One written step; ``sound`` is false where it is a slip."""

    left: int
    op: str
    right: int
    result: int
    sound: bool = True

    def formula(self) -> str:
        """The step as a bare equation."""
        return f"{self.left}{self.op}{self.right}={self.result}"


def apply(left: int, op: str, right: int) -> int:
    """Compute one operation."""
    return left + right if op == "+" else left - right if op == "-" else left * right


def difficulty(left: int, op: str, right: int) -> float:
    """How likely a slip is, from 0 to 1: carries, borrows and large products are hard.

    Example:
        >>> difficulty(20, "+", 5) < difficulty(27, "+", 5) < difficulty(7, "*", 8)
        True
    """
    if op == "*":
        return 1.0 if left * right > 40 else 0.6
    carry = left % 10 + right % 10 > 9 if op == "+" else left % 10 < right % 10
    return (0.7 if carry else 0.25) + (0.2 if right > 9 else 0.0)


def slip(left: int, op: str, right: int, rng: Random) -> Step:
    """Make a plausible slip in the result: off by one, by two or by ten.

    Slips in what is copied (a wrong operand, a wrong operation) were tried and blurred the copying itself.
    """
    truth = apply(left, op, right)
    while True:
        result = truth + rng.choice((-1, 1)) * rng.choices((1, 2, 10), (50, 20, 30))[0]
        if 0 <= result <= LIMIT:
            return Step(left, op, right, result, sound=False)


def write(step: Step, rng: Random, mark: str = "") -> str:
    r"""Put a step into words, with its factors in either order, an optional mark, and a separator.

    Example:
        >>> write(Step(7, "+", 5, 12), Random(1), mark=" ok")
        '5+7=12 ok.'
    """
    left, right = step.left, step.right
    if step.op != "-" and rng.random() < 0.3:
        left, right = right, left
    return f"{left}{step.op}{right}={step.result}{mark}{rng.choices(ENDS, _END_ODDS)[0]}"
