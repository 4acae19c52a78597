"""Times of variants in turn, and their peak memory.

Every round runs each once, so that what the machine does meanwhile hits all alike. Memory is the bytes of live tensors
as PyTorch counts them: what the system says of the process misses peaks between its own looks, by as much as they are.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

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
    def of(cls, values: Sequence[float]) -> "Spread":
        """The spread of at least one figure."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of one variant in each round: of all threads of the process, and of the clock."""

    cpu: tuple[float, ...]
    wall: tuple[float, ...]

    def against(self, other: "Times") -> tuple[Spread, Spread]:
        """Ratio to the times of another variant, round by round: of processor time and of the clock."""
        cpu = [a / b for a, b in zip(self.cpu, other.cpu, strict=True)]
        return Spread.of(cpu), Spread.of([a / b for a, b in zip(self.wall, other.wall, strict=True)])


def timed(runs: Sequence[Run], rounds: int, *, device: torch.device, on_run: Callable[[int], None]) -> list[Times]:
    """Run each of ``runs``, which ran once already, once a round, in another order each time; a GPU is waited for."""
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


def peak_of(run: Run, device: torch.device) -> float:
    """Bytes of live tensors on the device at the peak of one run, less those before it; ``run`` ran once already.

    Example:
        >>> peak_of(lambda: torch.ones(1000) + torch.ones(1000), torch.device("cpu"))  # three of 4 bytes a number
        12000.0
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        torch.cuda.synchronize(device)
        return float(torch.cuda.max_memory_allocated(device) - before)
    seen = profile(activities=[ProfilerActivity.CPU], profile_memory=True)
    with _quiet():
        seen.start()
    try:
        run()
    finally:
        with _quiet():
            seen.stop()
    assert seen.profiler is not None
    assert seen.profiler.kineto_results is not None
    events: list[Any] = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]
    live = most = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        live += event.nbytes()
        most = max(most, live)
    return float(most)


@contextmanager
def _quiet() -> Iterator[None]:
    """While open nothing is heard of stderr: the profiler says there that it starts and stops, past Python."""
    sys.stderr.flush()
    own, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(own, 2)
        os.close(own)
        os.close(nowhere)
