"""Texts that are not finished, kept while they are written: a run that was killed goes on with their tokens."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor

from ...models.errors import InnerjudgeError
from ...models.foreign import digest_of_parts, parse_sealed, read_file, replacing, sealed
from ...models.positions import Encoding

#: Seconds of work that a killed run loses at most, beside the step that it is in.
_LOST = 20.0


@dataclass(frozen=True, slots=True)
class Draft:
    """A text so far: its tokens, and what was kept of them and of its prompt.

    ``log_probs`` has a number for each of ``ids`` (or is empty), ``states`` those of some tokens of prompt and text
    together, ``[L + 1, W]`` each. Where ``closed`` nothing is to come. The rest is as a batch holds it.
    """

    ids: list[int]
    closed: bool
    finished: bool
    said: dict[str, str]
    positions: dict[str, tuple[int, ...]]
    log_probs: Tensor = field(default_factory=lambda: torch.zeros(0))
    states: Mapping[int, Tensor] = field(default_factory=dict)


class Drafts:
    """The texts of a job that are being written, by the id of their item, in one file.

    ``begun`` are those that a killed run of the same ``job`` left; none where the file is damaged, or of another job:
    these texts are written again.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> place = TemporaryDirectory()
        >>> path = Path(place.name) / "answers.drafts"
        >>> Drafts(path, "a job", seconds=0).keep(["q/0"], lambda: [Draft([5, 7], False, False, {}, {})])
        >>> Drafts(path, "a job").begun["q/0"].ids, Drafts(path, "another").begun
        ([5, 7], {})
    """

    def __init__(self, path: Path, job: str, *, seconds: float = _LOST) -> None:
        self._path, self._job, self._seconds = path, job, seconds
        self.begun: dict[str, Draft] = {}
        with suppress(InnerjudgeError, OSError, ValueError):
            self.begun = _drafts(read_file(path), job)
        self._all, self._last = dict(self.begun), time.monotonic()

    def keep(self, ids: Sequence[str], texts: Callable[[], Sequence[Draft]], *, done: bool = False) -> None:
        """Write all to the file if that was not done for some seconds; what is ``done`` is in it the next time."""
        due = time.monotonic() - self._last >= self._seconds
        if due or done:
            self._all |= zip(ids, texts(), strict=True)
        if not due:
            return
        tensors = {f"{k} {at}": s for k, one in enumerate(self._all.values()) for at, s in one.states.items()}
        tensors |= {f"{k} log_probs": one.log_probs for k, one in enumerate(self._all.values())}
        body = save({name: values.cpu().contiguous() for name, values in tensors.items()})
        names = ("ids", "closed", "finished", "said", "positions")
        rows = [{"id": key, **{name: getattr(one, name) for name in names}} for key, one in self._all.items()]
        about = sealed({"job": self._job, "texts": rows, "body": digest_of_parts([body])})
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self._path) as half:
            half.write_bytes(json.dumps(about).encode() + b"\n" + body)
        self._last = time.monotonic()


def alike_far(prompts: Sequence[Encoding], begun: Mapping[str, Draft]) -> list[tuple[list[int], int]]:
    """Rows of the prompts whose texts can be in a batch, and the tokens that they have already; 0 for closed ones.

    Example:
        >>> prompts = [Encoding(id=name, group="", ids=(1,), positions={}) for name in "abcd"]
        >>> a, c, d = ([5, 7], False), ([5], True), ([6, 7], False)
        >>> begun = {name: Draft(*one, False, {}, {}) for name, one in zip("acd", (a, c, d))}
        >>> alike_far(prompts, begun)
        [([0, 3], 2), ([1], 0), ([2], 0)]
    """
    parts: dict[tuple[bool, int], list[int]] = {}
    for row, prompt in enumerate(prompts):
        one = begun.get(prompt.id)
        parts.setdefault((False, 0) if one is None else (one.closed, 0 if one.closed else len(one.ids)), []).append(row)
    return [(rows, n) for (_, n), rows in parts.items()]


def _drafts(raw: bytes, job: str) -> dict[str, Draft]:
    """``ValueError`` if the bytes are not what was written."""
    head, _, body = raw.partition(b"\n")
    about = parse_sealed(head)
    if about.get("job") != job or about["body"] != digest_of_parts([body]):
        return {}
    kept: list[dict[str, Tensor]] = [{} for _ in about["texts"]]
    for name, values in load(body).items():
        text, _, what = name.partition(" ")
        kept[int(text)][what] = values
    drafts = {}
    for row, tensors in zip(about["texts"], kept, strict=True):
        key, log_probs = row.pop("id"), tensors.pop("log_probs")
        row["positions"] = {role: tuple(at) for role, at in row["positions"].items()}
        drafts[key] = Draft(**row, log_probs=log_probs, states={int(at): states for at, states in tensors.items()})
    return drafts
