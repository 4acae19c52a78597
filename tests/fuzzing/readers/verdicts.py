"""What one command writes and another reads: verdicts, scores, results, rows of a job, kept steps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

from harness import Reader, from_file, lines

_ROW = {"data": "d", "judge": "j", "score": 0.5, "label": True, "length": 3.0, "unscored": None, "scores": [0.1, 0.2],
        "split": "test", "answer": "4", "label_again": True, "text": "so"}  # fmt: skip
ROWS = [
    _ROW | {"question": f"q{k // 2}", "candidate": str(k), "truth": k % 2 == 0}
    | {"question_id": f"q{k // 2}", "candidate_id": str(k), "correct": k % 2 == 0}
    for k in range(12)
]  # fmt: skip


def verdict_readers(folder: Path) -> Iterator[tuple[str, Reader]]:
    """Verdicts as a table, as rows and as columns to select from; scores to examine; results; parts; steps."""
    import pandas as pd
    from innerjudge.experiments.compare.doctor.scores import read_scores
    from innerjudge.experiments.compare.report.folder import read_results
    from innerjudge.experiments.data.verdict_files import read_rows, read_table
    from innerjudge.experiments.runs.part_file import PartFile
    from innerjudge.experiments.selection.columns import judges_of, read_columns
    from innerjudge.extraction.writing.drafts import Draft, Drafts
    from innerjudge.models.foreign import dump_sealed, sealed

    rows = lines(*ROWS)
    yield "verdicts", Reader(from_file(folder, "v.jsonl", read_table), rows, "lines")
    yield "verdicts as rows", Reader(from_file(folder, "v.jsonl", read_rows), rows, "lines")
    columns = from_file(folder, "v.jsonl", lambda at: (judges_of(at), read_columns(at)))
    yield "columns", Reader(columns, rows, "lines")
    scored = [row | {"label": k % 2 == 0} for k, row in enumerate(ROWS)]
    yield "scores to examine", Reader(from_file(folder, "v.jsonl", read_scores), lines(*scored), "lines")
    parquet = BytesIO()
    pd.DataFrame(scored).drop(columns=["scores"]).to_parquet(parquet)
    read = from_file(folder, "s.parquet", read_scores)
    yield "scores to examine: Parquet", Reader(read, parquet.getvalue())
    figure = {"data": "d", "part": "p", "judge": "j", "metric": "m", "value": 0.5, "low": None, "high": 1}
    results = {"spec": {}, "versions": {}, "figures": [figure]}

    def resealed(raw: bytes) -> object:
        """With a checksum that fits, where it is JSON."""
        with suppress(ValueError, TypeError, RecursionError):
            raw = dump_sealed(json.loads(raw))
        return from_file(folder, "results.json", read_results)(raw)

    yield "results", Reader(resealed, json.dumps(results).encode(), "json")
    part = lines(sealed({"job": "j"}), *(sealed({"place": k, "row": {"score": k}}) for k in range(3)))
    begun = from_file(folder, "o.jsonl.part", lambda at: PartFile(at.with_suffix(""), "j", 1))
    yield "part of a job", Reader(begun, part, "lines")
    at = folder / "o.jsonl.drafts"
    Drafts(at, "j", seconds=0).keep(["q"], lambda: [Draft([5], False, False, {}, {"prompt_end": (3,)}, [], [3])])
    kept = at.read_bytes()
    yield "texts that were begun", Reader(from_file(folder, at.name, lambda at: Drafts(at, "j").begun), kept)
    yield from _steps(folder / "kept")


def _steps(folder: Path) -> Iterator[tuple[str, Reader]]:
    """Kept steps of a comparison, with a checksum beside them that fits, and the note of what made them."""
    from innerjudge.experiments.compare.steps import MADE_WITH, StepStore, made_with
    from innerjudge.experiments.data.jsonl import checksum_line, checksum_of
    from innerjudge.experiments.data.verdict_files import said_row
    from innerjudge.models.foreign import digest_of_parts
    from innerjudge.probes import Verdict

    store = StepStore(folder, "depends")
    said = [
        said_row({"data": "d", "question": "q", "candidate": k, "truth": True}, "j", Verdict(k, score=0.5))
        for k in "01"
    ]
    ways: dict[str, Callable[[], object]] = {
        "rows": lambda: store.rows("rows", "depends", lambda: said),
        "records": lambda: store.records("records", "depends", lambda: [{"judge": "j", "seconds": 0.5}]),
    }
    for name, kept in ways.items():
        kept()
        (path,) = (folder / "steps").glob(f"{name}-*.jsonl")

        def step(raw: bytes, kept: Callable[[], object] = kept, path: Path = path) -> object:
            path.write_bytes(raw)
            checksum_of(path).write_bytes(checksum_line(path.name, digest_of_parts([raw])))
            return kept()

        yield f"kept step: {name}", Reader(step, path.read_bytes(), "lines")
    note = folder.with_name("noted")

    def made(raw: bytes) -> object:
        (note / MADE_WITH).write_bytes(raw)
        return StepStore(note, "depends")

    note.mkdir()
    yield "kept steps: made with", Reader(made, json.dumps(made_with()).encode(), "json")

    def summed(raw: bytes) -> object:
        path = note / "out.jsonl"
        checksum_of(path).write_bytes(raw)
        from innerjudge.experiments.data.jsonl import require_undamaged

        return require_undamaged(path)

    (note / "out.jsonl").write_bytes(b"{}\n")
    yield "checksum", Reader(summed, checksum_line("out.jsonl", digest_of_parts([b"{}\n"])))
