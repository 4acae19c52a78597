"""Unfinished texts, kept on disk while they are written: after a kill a run goes on with their tokens."""

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ...models.errors import InnerjudgeError
from ...models.foreign import parse_sealed, read_file, replacing, sealed
from ...models.positions import Encoding

#: Seconds of work that a killed run loses at most, beside the step that it is in.
_LOST = 20.0


@dataclass(frozen=True, slots=True)
class Draft:
    """A text so far: its tokens, and what a batch knows of them.

    ``log_probs`` has a number for each of ``ids`` (or is empty); ``kept`` are tokens of prompt and text whose states
    must be read again. A ``closed`` text is complete.
    """

    ids: list[int]
    closed: bool
    finished: bool
    said: dict[str, str]
    positions: dict[str, tuple[int, ...]]
    log_probs: list[float]
    kept: list[int]
    forced: list[int] = field(default_factory=list)
    marked: bool = False
    passing: bool = False


class Drafts:
    """The texts of a job that are being written, by the id of their item, in one file.

    ``begun`` are those that a killed run of the same ``job`` left; none if the file is damaged or of another job: the
    texts are then written again.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> place = TemporaryDirectory()
        >>> path = Path(place.name) / "answers.drafts"
        >>> Drafts(path, "a job", seconds=0).keep(["q/0"], lambda: [Draft([5, 7], False, False, {}, {}, [], [])])
        >>> Drafts(path, "a job").begun["q/0"].ids, Drafts(path, "another").begun
        ([5, 7], {})
    """

    def __init__(self, path: Path, job: str, *, seconds: float = _LOST) -> None:
        self._path, self._job, self._seconds = path, job, seconds
        self.begun: dict[str, Draft] = {}
        with suppress(InnerjudgeError, OSError, ValueError, TypeError, AttributeError):  # of another version, too
            held = parse_sealed(read_file(path))
            if held.get("job") == job:
                self.begun = {key: Draft(**one) for key, one in held["texts"].items()}
        self._all, self._last = dict(self.begun), time.monotonic()

    def keep(self, ids: Sequence[str], texts: Callable[[], Sequence[Draft]], *, done: bool = False) -> None:
        """Write all texts to the file, at most every few seconds; texts ``done`` in between are written next time."""
        due = time.monotonic() - self._last >= self._seconds
        if due or done:
            self._all |= zip(ids, texts(), strict=True)
        if not due:
            return
        # JSON holds no NaN; a text with one is written again.
        texts_of_job = {key: asdict(one) for key, one in self._all.items() if math.isfinite(sum(one.log_probs))}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self._path) as half:
            half.write_text(json.dumps(sealed({"job": self._job, "texts": texts_of_job})), encoding="utf-8")
        self._last = time.monotonic()

    def forget(self, ids: Iterable[str]) -> None:
        """Let go of texts that are kept elsewhere."""
        for one in ids:
            self._all.pop(one, None)


def alike_far(prompts: Sequence[Encoding], begun: Mapping[str, Draft]) -> list[tuple[list[int], int]]:
    """Rows of prompts whose texts can share a batch, and how many tokens each text has already; 0 for closed ones.

    Example:
        >>> prompts = [Encoding(id=name, group="", ids=(1,), positions={}) for name in "abcd"]
        >>> a, c, d = ([5, 7], False), ([5], True), ([6, 7], False)
        >>> begun = {name: Draft(*one, False, {}, {}, [], []) for name, one in zip("acd", (a, c, d))}
        >>> alike_far(prompts, begun)
        [([0, 3], 2), ([1], 0), ([2], 0)]
    """
    parts: dict[tuple[bool, int], list[int]] = {}
    for row, prompt in enumerate(prompts):
        one = begun.get(prompt.id)
        parts.setdefault((False, 0) if one is None else (one.closed, 0 if one.closed else len(one.ids)), []).append(row)
    return [(rows, n) for (_, n), rows in parts.items()]
