"""The files of a run: verdicts, figures, report and plots, all made before the first of them takes its place."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from ....models.errors import InnerjudgeError
from ...data.jsonl import write_jsonl
from ...data.outputs import require_room, writing
from ..results import Run
from .page import html, images_of, markdown

#: The file that tells a folder of ours; it is moved last, so it stands for a whole run.
RESULTS = "results.json"


def check_folder(folder: str | Path) -> None:
    """Refuse a folder that a run must not or cannot be written to; call it before the long work.

    Raises:
        InnerjudgeError: If ``folder`` is a file, holds files but no ``results.json``, or takes no new files.
    """
    path = Path(folder)
    require_room(path)
    if path.exists() and not path.is_dir():
        raise InnerjudgeError(f"given the output {str(folder)!r}, which is a file, expected a folder: name another")
    if path.is_dir() and any(path.iterdir()) and not (path / RESULTS).is_file():
        raise InnerjudgeError(
            f"given the output {str(folder)!r}, which holds files but no {RESULTS}, expected a new or empty folder or "
            "one of an earlier run: name another, or empty it"
        )


def write_run(run: Run, folder: str | Path) -> None:
    """Write ``verdicts.jsonl``, ``results.json``, ``report.md``, ``report.html`` and ``plots/*.png``.

    Everything is made in a temporary folder beside ``folder`` and then moved in file by file, ``results.json`` last: a
    failure before the moves leaves ``folder`` as it was, and no file is ever half-written. Files of an earlier run are
    replaced, its other plots removed.

    Args:
        run: What was found.
        folder: Where to write; made if it is not there.

    Raises:
        InnerjudgeError: If the folder holds something else, a figure is not finite, or the disk refuses.

    Example:
        >>> import tempfile
        >>> run = Run(command="innerjudge compare", seed=0, versions={}, model={}, comparisons=())
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_run(run, folder)
        ...     sorted(path.name for path in Path(folder).iterdir())
        ['plots', 'report.html', 'report.md', 'results.json', 'verdicts.jsonl']
    """
    check_folder(folder)
    target = Path(folder).resolve()
    with writing(folder):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary(target)
        try:
            _make(run, temporary)
            _move(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _temporary(target: Path) -> Path:
    """A new folder beside ``target``, or inside it where ``target`` is a disk of its own (renames stay on one disk)."""
    mounted = target.is_dir() and target.stat().st_dev != target.parent.stat().st_dev
    temporary = (target if mounted else target.parent) / f".{target.name}.{os.getpid()}.partial"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    return temporary


def _make(run: Run, folder: Path) -> None:
    results = _dump(run.results_json())
    write_jsonl(folder / "verdicts.jsonl", (row for c in run.comparisons for row in c.verdicts))
    images = images_of(run)
    (folder / "plots").mkdir()
    for name, image in images.items():
        (folder / "plots" / f"{name}.png").write_bytes(image)
    for name, text in (("report.md", markdown(run)), ("report.html", html(run, images)), (RESULTS, results)):
        (folder / name).write_bytes(text.encode("utf-8", "replace"))


def _move(made: Path, target: Path) -> None:
    plots = target / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    new = {path.name for path in (made / "plots").iterdir()}
    for path in sorted((made / "plots").iterdir()):
        os.replace(path, plots / path.name)
    for name in ("verdicts.jsonl", "report.md", "report.html", RESULTS):
        os.replace(made / name, target / name)
    for old in plots.glob("*.png"):
        if old.name not in new:
            old.unlink()


def _dump(value: Any) -> str:
    try:
        return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise InnerjudgeError(
            f"{RESULTS}: given a value that JSON cannot hold ({error}), expected finite plain data: None with a reason "
            "where a figure is not defined"
        ) from None
