"""Times of variants in turn: every round runs each once, so that what the machine does meanwhile hits all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from .section import Run


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and most of several figures.

    Example:
        >>> Spread.of([3.0, 1.0, 2.0])
        Spread(median=2.0, low=1.0, high=3.0)
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of at least one figure."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of one variant in each round.

    Args:
        cpu: Of all threads of the process.
        wall: Of the clock.
    """

    cpu: tuple[float, ...]
    wall: tuple[float, ...]

    def against(self, other: Times) -> tuple[Spread, Spread]:
        """Ratio to the times of another variant, round by round: of processor time and of the clock."""
        cpu = [a / b for a, b in zip(self.cpu, other.cpu, strict=True)]
        return Spread.of(cpu), Spread.of([a / b for a, b in zip(self.wall, other.wall, strict=True)])


def timed(runs: Sequence[Run], rounds: int, *, device: torch.device, on_run: Callable[[int], None]) -> list[Times]:
    """Run each of ``runs`` once a round, in another order each time.

    Args:
        runs: What is timed; each was run once already.
        rounds: How often.
        device: Where the model runs; a GPU is waited for.
        on_run: Told of every finished run.
    """
    seconds: list[list[tuple[float, float]]] = [[] for _ in runs]
    for number in range(rounds):
        for k in range(len(runs)):
            at = (k + number) % len(runs)
            seconds[at].append(_once(runs[at], device))
            on_run(1)
    return [Times(tuple(s[0] for s in one), tuple(s[1] for s in one)) for one in seconds]


def _once(run: Run, device: torch.device) -> tuple[float, float]:
    _wait(device)
    cpu, wall = time.process_time(), time.perf_counter()
    run()
    _wait(device)
    return time.process_time() - cpu, time.perf_counter() - wall


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
