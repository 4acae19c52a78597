"""Ctrl-C during a long run: the first one asks to stop after the shard at hand, the second stops at once."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import AbstractContextManager
from types import FrameType, TracebackType
from typing import Any

from ..log import log

#: What a cluster or a person sends to ask a run to stop.
_ASKED = (signal.SIGINT, signal.SIGTERM)

#: Seconds after which a second Ctrl-C is one.
_AGAIN = 0.5


class Interrupt(AbstractContextManager["Interrupt"]):
    """While open, ``asked`` says whether the run was asked to stop.

    Example:
        >>> with Interrupt() as interrupt:
        ...     interrupt.asked
        False
    """

    def __init__(self) -> None:
        self.asked = False
        self._when = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():  # elsewhere signals do not arrive
            self._before = {number: signal.signal(number, self._ask) for number in _ASKED}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.asked:  # one Ctrl-C reaches a process twice where a launcher passes it on
            if number == signal.SIGINT and now - self._when > _AGAIN:
                raise KeyboardInterrupt
            return
        self.asked, self._when = True, now
        log.warning("asked to stop: finishing the current shard; ask again to stop at once")
