"""Texts that are not finished, kept while they are written: a run that was killed goes on with their tokens."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from ...models.errors import InnerjudgeError
from ...models.foreign import dump_sealed, parse_sealed, read_file, replacing
from ...models.positions import Encoding

#: Seconds of work that a killed run loses at most, beside the step that it is in.
_LOST = 20.0


@dataclass(frozen=True, slots=True)
class Draft:
    """A text so far: its tokens, and what a batch knows of them.

    ``log_probs`` has a number for each of ``ids`` (or is empty); the states of the tokens ``kept``, of prompt and text
    together, are read again. Where ``closed`` nothing is to come.
    """

    ids: list[int]
    closed: bool
    finished: bool
    said: dict[str, str]
    positions: dict[str, tuple[int, ...]]
    log_probs: list[float]
    kept: list[int]


class Drafts:
    """The texts of a job that are being written, by the id of their item, in one file.

    ``begun`` are those that a killed run of the same ``job`` left; none where the file is damaged, or of another job:
    these texts are written again.

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
        with suppress(InnerjudgeError, OSError, ValueError):
            held = parse_sealed(read_file(path))
            if held.get("job") == job:
                self.begun = {key: Draft(**one) for key, one in held["texts"].items()}
        self._all, self._last = dict(self.begun), time.monotonic()

    def keep(self, ids: Sequence[str], texts: Callable[[], Sequence[Draft]], *, done: bool = False) -> None:
        """Write all to the file if that was not done for some seconds; what is ``done`` is in it the next time."""
        due = time.monotonic() - self._last >= self._seconds
        if due or done:
            self._all |= zip(ids, texts(), strict=True)
        if not due:
            return
        texts_of_job = {key: asdict(one) for key, one in self._all.items()}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self._path) as half:
            half.write_bytes(dump_sealed({"job": self._job, "texts": texts_of_job}))
        self._last = time.monotonic()


def alike_far(prompts: Sequence[Encoding], begun: Mapping[str, Draft]) -> list[tuple[list[int], int]]:
    """Rows of the prompts whose texts can be in a batch, and the tokens that they have already; 0 for closed ones.

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
