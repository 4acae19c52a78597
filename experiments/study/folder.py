"""The folder of a study: its file, verdicts, results, plots and report."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ...models.errors import InnerjudgeError
from ..data.verdict_table import Row
from ..data.verdict_files import write_table
from .figures import StudyReport
from .report import html, images_of
from .spec import Study

#: The file that tells a folder of a study; it is written first, and ``results.json`` last.
STUDY, RESULTS = "study.json", "results.json"


def claim(folder: Path, study: Study) -> None:
    """Begin the folder of a study, or go on with it.

    Another study under the same name may go on too (an audit added, say): steps that it shares are taken over.

    Raises:
        InnerjudgeError: If the folder holds something else.
    """
    if folder.exists() and not folder.is_dir():
        raise InnerjudgeError(f"given --out {folder}, which is a file, expected a folder: name another")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / STUDY).is_file():
        raise InnerjudgeError(f"given --out {folder}, which holds other files, expected a new folder: name another")
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / STUDY, json.dumps(study.model_dump(mode="json"), indent=1) + "\n")


def write(folder: Path, report: StudyReport, rows: Sequence[Row]) -> None:
    """Write ``verdicts.jsonl``, ``plots/``, ``report.html``, ``study.yaml`` and, last, ``results.json``."""
    (folder / RESULTS).unlink(missing_ok=True)
    write_table(folder / "verdicts.jsonl", rows)
    images = images_of(report)
    (folder / "plots").mkdir(exist_ok=True)
    for old in (folder / "plots").glob("*.png"):
        old.unlink()
    for name, image in images.items():
        (folder / "plots" / f"{name}.png").write_bytes(image)
    _write(folder / "study.yaml", yaml.safe_dump(report.spec, sort_keys=False, allow_unicode=True))
    _write(folder / "report.html", html(report, images))
    _write(folder / RESULTS, json.dumps(report.results_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_results(folder: str | Path) -> dict[str, Any]:
    """``results.json`` of a finished study.

    Raises:
        InnerjudgeError: If there is none, or it is damaged.
    """
    path = Path(folder) / RESULTS if Path(folder).is_dir() else Path(folder)
    if not path.is_file():
        raise InnerjudgeError(f"given {str(folder)!r}, expected the folder of a finished study with {RESULTS}: run it")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        whole = all(isinstance(found[name], dict) for name in ("spec", "versions")) and _are_figures(found["figures"])
    except (ValueError, TypeError, KeyError):
        whole = False
    if not whole:
        raise InnerjudgeError(
            f"given {path}, which holds no results of a study, expected {RESULTS} as `innerjudge study` writes it: "
            "name the folder of a finished study"
        )
    return dict(found)


def _are_figures(given: Any) -> bool:
    """Whether these are figures: what they are of in words, and finite numbers or none."""
    words, numbers = ("data", "part", "judge", "metric"), ("value", "low", "high")
    return all(
        all(isinstance(one[name], str) for name in words)
        and all(one[n] is None or (isinstance(one[n], int | float) and math.isfinite(one[n])) for n in numbers)
        for one in given
    )


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(text.encode("utf-8", "replace"))
    os.replace(temporary, path)
