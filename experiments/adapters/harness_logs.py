"""Scores back into samples that lm-evaluation-harness logged, and as records for Inspect; neither is needed here."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...models.errors import InnerjudgeError, shown
from ..data.loaders import files_of, find
from ..data.loaders.traces import lm_eval_samples, sample_name
from ..data.tables import read_table
from ..data.verdict_files import keep_rows, read_rows


def write_samples(spec: str | None, verdicts: Path, out: Path) -> str:
    """The samples of ``lm-eval-samples:PATH`` once more, each file in the folder ``out``, with the scores of a judge.

    A sample has ``innerjudge``, the score of its first response, which is one of its ``metrics`` then, and
    ``innerjudge_scores``, those of all its repeats; ``null`` is unscored. ``InnerjudgeError`` if the data are others,
    or ``out`` has such a file that says something else.
    """
    loader, path = (None, Path()) if spec is None else find(spec)
    if loader is not lm_eval_samples:
        raise InnerjudgeError(f"given --lm-eval with the data {shown(spec)}, expected --data lm-eval-samples:PATH")
    scores: dict[str, list[Any]] = {}
    for row in read_rows(verdicts):
        scores.setdefault(str(row["question"]), []).append(row["score"])
    for file in files_of(path):
        rows, target = [], out / f"{file.name.partition('.json')[0]}.jsonl"
        for record in read_table(file):
            said = scores.get(sample_name(file, record), [None])
            metrics = [*record.values.get("metrics", ()), "innerjudge"]
            rows.append({**record.values, "metrics": metrics, "innerjudge": said[0], "innerjudge_scores": said})
        other = f"given --lm-eval {shown(out)}, which has another {shown(target.name)}: name another"
        keep_rows(target, rows, other, "samples")
    return f"The samples with their scores are in {out}."


def inspect_records(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One record ``{"id", "epoch", "value", "metadata"}`` for each verdict that has a score.

    ``question`` is the sample's id. Several candidates of a question are its epochs, and their ``candidate`` is the
    epoch's number, from 1; of a question with one candidate, any ``candidate`` will do. An unscored verdict has no
    record, which Inspect takes for unscored. ``InnerjudgeError`` if candidates of one question are not numbered from 1,
    or the judge is one of choices.
    """
    names = [str(row["question"]) for row in rows]
    several = len(names) != len(set(names))
    records = []
    for name, row in zip(names, rows, strict=True):
        if row.get("scores") is not None:
            raise InnerjudgeError(f"given a judge of choices ({name}), expected one score a sample for Inspect")
        given = str(row.get("candidate", ""))
        if several and not (given.isascii() and given.isdigit() and int(given) > 0):
            raise InnerjudgeError.of("adapters.epoch", given, name)
        if row["score"] is not None:
            about = {"judge": row["judge"], "label": row["label"]}
            epoch = {"epoch": int(given)} if several else {}
            records.append({"id": name, "value": row["score"], **epoch, "metadata": about})
    return records


def write_records(verdicts: Path, out: Path) -> str:
    """The records of a verdict file into ``out``, and what to type next.

    ``InnerjudgeError`` as in :func:`inspect_records`; if ``out`` holds anything else.
    """
    rows = read_rows(verdicts)
    records = inspect_records(rows)
    other = f"given --inspect {out}, which holds something else, expected a new file or the same records: name another"
    keep_rows(out, records, other, "records for Inspect")
    missing = f" ({len(rows) - len(records)} unscored ones have none)" if len(records) < len(rows) else ""
    return (
        f"{len(records)} records{missing} are in {out}: inspect score LOG --scorer precomputed_scores -S scores={out}"
    )
