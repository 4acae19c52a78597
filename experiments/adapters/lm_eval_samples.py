"""Scores back into samples that lm-evaluation-harness logged; nothing here needs it."""

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
