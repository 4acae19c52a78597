"""Tables of anybody's, in every form, with columns of any name."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

from harness import Reader, from_file, lines

ROWS = [{"q": "2+2?", "r": f"so, {k}", "ok": k % 2, "more": {"a": [k]}} for k in range(4)]
COLUMNS = {"prompt": "q", "response": "r", "correct": "ok"}


def table_readers(folder: Path) -> Iterator[tuple[str, Reader]]:
    """JSON, CSV, Parquet, archives of one file, what ``datasets`` saves, and columns that are known by their names."""
    import pandas as pd
    from innerjudge.experiments.data.mapping import items_from

    def table(name: str) -> Callable[[bytes], object]:
        return from_file(folder, name, lambda at: items_from(at, COLUMNS))

    frame, parquet = pd.DataFrame(ROWS).drop(columns=["more"]), BytesIO()
    frame.to_parquet(parquet)
    yield "table: JSONL", Reader(table("t.jsonl"), lines(*ROWS), "lines")
    yield "table: JSON", Reader(table("t.json"), json.dumps(ROWS, indent=1).encode(), "json")
    yield "table: CSV", Reader(table("t.csv"), frame.to_csv(index=False).encode())
    yield "table: Parquet", Reader(table("t.parquet"), parquet.getvalue())
    yield "table: gzip", Reader(table("t.gz"), gzip.compress(lines(*ROWS), mtime=0))
    with suppress(ImportError):
        import zstandard

        yield "table: zstandard", Reader(table("t.zst"), zstandard.ZstdCompressor().compress(lines(*ROWS)))
    with suppress(ImportError):
        yield from _saved(folder / "saved")
    pairs = lines(*({"prompt": "?", "chosen": "x", "rejected": [{"role": "assistant", "content": "y"}]} for _ in "ab"))
    yield "table: preferences", Reader(from_file(folder, "p.jsonl", items_from), pairs, "lines")
    choice = lines({"question": "?", "choices": ["x", "y"], "answer": "B"}, {"question": "!", "choices": ["x", "y"]})
    yield "table: choices", Reader(from_file(folder, "c.jsonl", items_from), choice, "lines")


def _saved(folder: Path) -> Iterator[tuple[str, Reader]]:
    """Each file of a folder that ``datasets`` saved, beside the good others."""
    import datasets
    from innerjudge.experiments.data.mapping import items_from

    datasets.Dataset.from_list(ROWS).save_to_disk(folder)
    for end, kind in (("state.json", "json"), (".arrow", "bytes")):
        part = next(one for one in folder.iterdir() if one.name.endswith(end))
        good = part.read_bytes()

        def saved(raw: bytes, part: Path = part, good: bytes = good) -> object:
            part.write_bytes(raw)
            try:
                return items_from(part.parent, COLUMNS)
            finally:
                part.write_bytes(good)

        yield f"table: saved, {end}", Reader(saved, good, kind)
