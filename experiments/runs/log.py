"""What a run says while it runs: coloured on a terminal, plain lines with the time elsewhere, JSON on request."""

import io
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TextIO

from rich.logging import RichHandler

from ...models.errors import readable
from ..reading.progress import PlainConsole, Steps, shown

log = logging.getLogger("innerjudge")
#: Seconds between two lines of progress in a log.
EVERY = 30.0
#: What every record of the logging module carries; everything else is ours.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}

#: How a run reports what it does.
LogStyle = Literal["auto", "rich", "plain", "json"]


class _Json(logging.Formatter):
    """One JSON object a line: time, level, event, and the numbers that belong to it."""

    def format(self, record: logging.LogRecord) -> str:
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        said = {"time": when, "level": record.levelname.lower(), "event": record.getMessage()}
        return json.dumps(said | _given(record), default=str)


class JsonLines(io.TextIOBase):
    """Standard error on which every line is one JSON object: anything else (a warning, say) is turned into one."""

    encoding = "utf-8"

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._begun, self._lock = stream, "", threading.RLock()

    def write(self, text: str) -> int:
        """Take text, and write the lines that it completes."""
        with self._lock:
            *lines, self._begun = (self._begun + text).split("\n")
            for line in filter(None, (one.rstrip("\r").rpartition("\r")[2].rstrip() for one in lines)):
                level = "ERROR" if line.startswith("innerjudge: ") else "WARNING" if "Warning" in line else "INFO"
                record = logging.makeLogRecord({"levelname": level, "msg": line.removeprefix("innerjudge: ")})
                self._stream.write((line if line.startswith('{"time": ') else _Json().format(record)) + "\n")
        self._stream.flush()
        return len(text)

    def flush(self) -> None:
        """Write a line that has no end yet, such as a question."""
        if self._begun:
            self.write("\n")

    def fileno(self) -> int:
        """The file behind it, for other processes."""
        return self._stream.fileno()


class _Plain(logging.Formatter):
    """Time, level where it is not the usual one, sentence, and the numbers that belong to it."""

    def format(self, record: logging.LogRecord) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        more = " ".join(f"{name}={value}" for name, value in _given(record).items())
        return readable(f"{when} {level}{record.getMessage()}" + (f" ({more})" if more else ""))


@contextmanager
def logged(style: LogStyle, *, quiet: bool = False, kept: str | None = None) -> Iterator[Steps]:
    """Say on standard error what a run does, and yield what shows its steps.

    ``auto`` is ``rich`` on a terminal, ``plain`` elsewhere. ``quiet`` logs only warnings, for all but the first of
    several processes. ``kept`` is where finished work is kept; every line of progress names it.
    """
    console = PlainConsole(stderr=True)
    if style == "auto":
        style = "rich" if console.is_terminal else "plain"
    handler: logging.Handler
    if style == "rich":
        handler = RichHandler(console=console, show_path=False, log_time_format="%H:%M:%S")
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_Json() if style == "json" else _Plain())
    level, propagate = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.WARNING if quiet else logging.INFO)
    log.propagate = False
    try:
        if style == "rich" and not quiet:
            with shown(console) as steps:
                yield steps
        else:
            lines = Lines(kept)
            with lines.beating():
                yield lines.begin
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagate


class Lines:
    """Steps as lines of the log: when they begin, every :data:`EVERY` seconds whatever they do, and when they end.

    Every line says where finished work is ``kept``.
    """

    def __init__(self, kept: str | None = None) -> None:
        self._place = {} if kept is None else {"kept": kept}
        self._said = time.monotonic()
        self._tell: Callable[[], None] | None = None

    def begin(self, description: str, total: int) -> Callable[[int], None]:
        """Begin a step; the returned function is told how many more are done."""
        begun, done, ended = time.monotonic(), 0, False

        def tell() -> None:
            nonlocal ended
            self._said = now = time.monotonic()
            if ended:
                log.info(f"computing, after {description}", extra=self._place)
                return
            ended, speed = done >= total, done / max(now - begun, 1e-9)
            left = {"seconds_left": round((total - done) / speed)} if 0 < done < total else {}
            told = {"done": done, "of": total, "items_per_second": round(speed, 1), **left, **self._place}
            log.info(description, extra=told)

        def advance(more: int) -> None:
            nonlocal done
            done += more
            self._tell = tell
            if done >= total or time.monotonic() - self._said >= EVERY:
                tell()

        if total > 1:  # one piece of work says itself where it lasts
            log.info(description, extra={"of": total, **self._place})
        self._said, self._tell = begun, tell
        return advance

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Log a line every :data:`EVERY` seconds even while a step makes no progress."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(1.0):
                if self._tell is not None and time.monotonic() - self._said >= EVERY:
                    self._tell()

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _given(record: logging.LogRecord) -> dict[str, Any]:
    given = vars(record).items()  # Ray adds a name of its own, with a leading line
    return {name: value for name, value in given if name not in _OWN and not name.startswith("_")}
