"""Steps of a study, kept on disk: a killed study goes on where it stopped, a changed one does only the rest."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ...extraction.features import Features
from ...extraction.store import FeatureStore
from ...extraction.store.header import HEADER, StoreHeader
from ..data.jsonl import write_jsonl
from ..data.kinds import item_to_row, kind_of
from ..data.verdict_table import Row
from ..data.verdict_files import read_table, row_json
from .made_with import made_with, renew

#: Items a part of features: what a killed pass loses at most.
PART = 128


class Kept:
    """Results of steps under a folder, each under its name and a hash of all that it depends on.

    Steps that were made with other versions, or other code of innerjudge, are thrown away; ``lost`` says so.

    Args:
        folder: Where they lie.
        depends: What every step depends on: the model's provenance.
    """

    def __init__(self, folder: Path, depends: Any) -> None:
        self.folder, self.depends = folder, depends
        self.lost = renew(folder, made_with())

    def rows(self, name: str, depends: Any, make: Callable[[], Iterable[Row]]) -> list[Row]:
        """Rows of a step: read where they are, else made and written, whole or not at all."""
        path = self._path("steps", name, depends, ".jsonl")
        if not path.is_file():
            write_jsonl(path, map(row_json, made) if (made := list(make())) else [{"empty": True}])
            return made
        if path.read_text(encoding="utf-8").startswith('{"empty"'):
            return []
        return list(read_table(path))

    def records(self, name: str, depends: Any, make: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """Likewise for any plain records."""
        path = self._path("steps", name, depends, ".jsonl")
        if not path.is_file():
            write_jsonl(path, make())
        lines = path.read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines if line]

    def features(
        self, name: str, depends: Any, items: Sequence[Any], read_part: Callable[[Sequence[Any]], Features]
    ) -> Features:
        """Features of items, read in parts that are kept one by one in a store."""
        known = hashlib.sha256(json.dumps([[kind_of(i), item_to_row(i)] for i in items], sort_keys=True).encode())
        folder = self._path("features", name, [depends, known.hexdigest()], "")
        if (folder / HEADER).is_file():
            store = FeatureStore.begun(folder)
        else:  # only what was read says of which provenance it is
            first = read_part(items[:PART])
            store = FeatureStore.create(folder, StoreHeader(first.provenance, len(items), shard_items=PART))
            store.write(0, first)
        for number in store.missing():
            start, stop = store.header.span(number)
            store.write(number, read_part(items[start:stop]))
        return store.features()

    def forget_features(self) -> None:
        """Delete the features, which are large; the rows made from them stay."""
        shutil.rmtree(self.folder / "features", ignore_errors=True)

    def _path(self, kind: str, name: str, depends: Any, suffix: str) -> Path:
        digest = hashlib.sha256(json.dumps([self.depends, depends], sort_keys=True, default=str).encode()).hexdigest()
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[-48:]
        return self.folder / kind / f"{slug}-{digest[:12]}{suffix}"
