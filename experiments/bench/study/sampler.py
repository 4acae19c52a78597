"""Where time goes: the functions that are found running when the process is sampled again and again."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import FrameType, TracebackType
from typing import Any

#: Processor seconds between two looks.
_EVERY = 0.002
_OURS = __name__.partition(".")[0] + "."


class Sampler(AbstractContextManager["Sampler"]):
    """Counts our innermost function at each look; what libraries do counts for the function of ours that called them.

    Only in the main thread, and where the system has profiling timers (not on Windows). A look costs time itself: what
    it says are shares, and a run that is timed has no sampler.

    Args:
        skip: Says at each look whether it does not count.

    Example:
        >>> with Sampler(lambda: False) as seen:
        ...     found = sum(k * k for k in range(10))
        >>> seen.shares()
        []
    """

    def __init__(self, skip: Callable[[], bool]) -> None:
        self._skip = skip
        self._seen: Counter[str] = Counter()

    def __enter__(self) -> Sampler:
        self._before: Any = signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, _EVERY, _EVERY)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, self._before)

    def shares(self) -> list[tuple[str, float]]:
        """Function -> its share of the looks that count, largest first."""
        total = self._seen.total()
        return [(name, n / total) for name, n in self._seen.most_common()]

    def _look(self, _signal: int, frame: FrameType | None) -> None:
        if self._skip():
            return
        while frame is not None and not _is_ours(frame):
            frame = frame.f_back
        self._seen["elsewhere" if frame is None else _name(frame)] += 1


def _is_ours(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__", ""))
    return module.startswith(_OURS) and module != __name__


def _name(frame: FrameType) -> str:
    """Module and function, without the lambdas and comprehensions inside it."""
    code = frame.f_code
    function = code.co_qualname.partition(".<locals>")[0]
    return f"{str(frame.f_globals['__name__']).removeprefix(_OURS)}: {function}"
