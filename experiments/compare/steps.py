"""Steps of a comparison, kept on disk: a killed run resumes where it stopped, a changed one does only the rest."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from ...extraction.features import Features
from ...extraction.provenance import versions
from ...extraction.store import FeatureStore
from ...extraction.store.index import StoreHeader
from ...models.errors import InnerjudgeError
from ...models.foreign import HALF, HEADER_LIMIT, parse_json, read_file, replacing
from ..data.jsonl import is_whole, write_jsonl
from ..data.kinds import hash_items
from ..data.verdict_files import read_rows, read_table, row_json
from ..data.verdict_table import Row
from ..reading.progress import Steps, silent, whole

#: Reads some items, and shows it by the steps that it is given.
ReadPart = Callable[[Sequence[Any], Steps], Features]
#: Items a part of features where nothing else is said: what a killed pass loses at most.
PART = 64


class StepStore:
    """Results of steps under a folder, each under its name and a hash of all that it depends on.

    Steps that were made with other versions, or other code of innerjudge, are thrown away; ``lost`` says so. What a
    killed run left half-written goes too, and what is not as it was written (checksum) is made again. ``None`` for a
    folder keeps nothing; ``depends`` is what every step depends on (the model's provenance), ``part`` how many items
    are read at a time.
    """

    def __init__(self, folder: Path | None, depends: Any, *, part: int = PART) -> None:
        self.folder, self.depends, self.part = folder, depends, part
        self.lost = None if folder is None else renew(folder, made_with())
        for half in () if folder is None else folder.glob(f"steps/*{HALF}"):
            half.unlink()

    def rows(self, name: str, depends: Any, make: Callable[[], Iterable[Row]], beside: Sequence[str] = ()) -> list[Row]:
        """Rows of a step: read if they are there, else made and written, whole or not at all.

        They are made again where one of the records ``beside`` them, which are made with them, is not whole.
        """
        path = self._path("steps", name, depends, ".jsonl")
        if path is None:
            return list(make())
        others = (self._path("steps", one, depends, ".jsonl") for one in beside)
        if not all(other is not None and is_whole(other) for other in (path, *others)):
            write_jsonl(path, map(row_json, made := list(make())))
            return made
        return list(read_table(path)) if path.stat().st_size else []

    def records(self, name: str, depends: Any, make: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """The same for any plain records."""
        path = self._path("steps", name, depends, ".jsonl")
        if path is None:
            return make()
        if not is_whole(path):
            write_jsonl(path, make())
        return read_rows(path, "steps") if path.stat().st_size else []

    def features(
        self, name: str, depends: Any, items: Sequence[Any], read_part: ReadPart, steps: Steps = silent
    ) -> Features:
        """Features of items, read in parts that are kept one by one in a store.

        The parts are the same where nothing is kept, so the features are as well.
        """
        folder = self._path("features", name, [depends, hash_items(items)], "")
        if folder is None:
            shown = whole(steps, len(items))
            parts = [read_part(items[at : at + self.part], shown) for at in range(0, len(items), self.part)]
            return Features.concat(parts)
        begun = None
        with suppress(InnerjudgeError):  # it is not there, or its header is damaged and written again below
            begun = FeatureStore.begun(folder)
        spans = [begun.header.span(number) for number in begun.missing()] if begun else [(0, len(items))]
        shown = whole(steps, sum(stop - start for start, stop in spans))
        if begun is None:  # only what was read says of which provenance it is
            first = read_part(items[: self.part], shown)
            begun = FeatureStore.create(folder, StoreHeader(first.provenance, len(items), shard_items=self.part))
            begun.write(0, first)
        for number in begun.missing():
            start, stop = begun.header.span(number)
            begun.write(number, read_part(items[start:stop], shown))
        return begun.features()

    def withdraw(self) -> None:
        """Delete the folder where no step was made: a run that was refused leaves nothing behind."""
        kept = () if self.folder is None else (*self.folder.glob("steps/*"), *self.folder.glob("features/*"))
        if self.folder is not None and not kept:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, kind: str, name: str, depends: Any, suffix: str) -> Path | None:
        if self.folder is None:
            return None
        # The name goes into the digest whole: of a long one, the file shows the end only.
        known = json.dumps([name, self.depends, depends], sort_keys=True, default=str)
        digest = hashlib.sha256(known.encode()).hexdigest()
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[-48:]
        return self.folder / kind / f"{slug}-{digest[:12]}{suffix}"


#: The file beside the steps that says so.
MADE_WITH = "made-with.json"

_PACKAGE = Path(__file__).resolve().parents[2]

_ROOMS = ("models", "extraction", "probes", "experiments")


@cache
def made_with() -> dict[str, str]:
    """Versions of Python, innerjudge and its libraries, and a hash of its code: work on it keeps the version."""
    digest = hashlib.sha256()
    for path in sorted(path for room in _ROOMS for path in (_PACKAGE / room).rglob("*.py")):
        digest.update(f"{path.relative_to(_PACKAGE).as_posix()}\n".encode())
        digest.update(path.read_bytes())
    return {**dict(versions()), "code": digest.hexdigest()[:12]}


def renew(folder: Path, now: Mapping[str, str]) -> str | None:
    """Throw away kept steps that were made with something else, and say so; ``None`` if there were none of that kind.

    ``now`` is what they are made with from here on; the folder is made if it is not there.
    """
    note = folder / MADE_WITH
    before: dict[str, str] = {}
    with suppress(InnerjudgeError, ValueError, AttributeError):  # it is not there, or damaged
        before = {str(name): str(value) for name, value in parse_json(read_file(note, HEADER_LIMIT)).items()}
    lost = [*folder.glob("steps/*.jsonl"), *folder.glob("features/*")]
    if before == dict(now):
        return None
    for name in ("steps", "features"):
        shutil.rmtree(folder / name, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(note) as half:
        half.write_text(json.dumps(dict(now), indent=1) + "\n", encoding="utf-8")
    if not lost:
        return None
    count = f"{len(lost)} kept steps were" if len(lost) > 1 else "1 kept step was"
    return f"{count} thrown away: {_why(before, now)}."


def _why(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    if not before:
        return "the versions they were made with are not recorded"
    changed = [name for name in dict.fromkeys((*before, *now)) if before.get(name) != now.get(name)]
    if changed == ["code"]:
        return f"made with other code of innerjudge {now.get('innerjudge')}"
    named = [name for name in changed if name != "code"]
    return "made with " + ", ".join(f"{n} {before.get(n, 'missing')}, now {now.get(n, 'missing')}" for n in named)
