"""The folder of a comparison or a study: verdicts, results, plots, report; all made before the first is written."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ....models.errors import InnerjudgeError
from ....models.foreign import HALF, digest_of_parts, parse_json, read_file, replacing, sealed, unsealed
from ...data.jsonl import check_new, checksum_line, checksum_of, jsonl_lines, writing
from ...data.verdict_files import row_json
from ...data.verdict_table import Row
from ..findings import Report
from .page import html, images_of, markdown

#: What was asked for, written first, and what was found, written last.
SPECS, RESULTS = ("compare.json", "study.json", "doctor.json"), "results.json"
#: Folder of the kept steps.
KEPT = "kept"
_VERDICTS, _TIMINGS, _PLOTS = "verdicts.jsonl", "timings.json", "plots"


def check_folder(folder: str | Path) -> None:
    """Refuse a folder that is a file, holds other files or takes no new ones, before the long work; leaves no trace."""
    path = Path(folder)
    check_new(path, *SPECS, ours=RESULTS, begun={half.name for half in path.glob(f"*{HALF}")})


def claim(folder: str | Path, spec: Mapping[str, Any], *, name: str = SPECS[0]) -> Path:
    """Begin a folder, or go on with it; returns where steps are kept. What a killed run left half-written goes.

    Another run under the same name may go on too (with one more audit, say): steps that both share are kept. The file
    ``name`` says what is asked for (``spec``). Refuses what :func:`check_folder` does.
    """
    check_folder(folder)
    path = Path(folder)
    with writing(folder):
        path.mkdir(parents=True, exist_ok=True)
        for half in (*path.glob(f"*{HALF}"), *path.glob(f"{_PLOTS}/*{HALF}")):
            half.unlink()
        _put(path / name, (json.dumps(spec, indent=1) + "\n").encode())
    return path / KEPT


def withdraw(folder: str | Path) -> None:
    """Leave no trace of a run that was refused before its first step."""
    path = Path(folder)
    if not (path / KEPT).exists() and not (path / RESULTS).exists():
        (path / SPECS[0]).unlink(missing_ok=True)
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def write(
    folder: str | Path, report: Report, rows: Iterable[Row] | None, *, more: Mapping[str, str] | None = None
) -> None:
    """Write ``verdicts.jsonl``, ``plots/``, ``report.md``, ``report.html``, ``timings.json`` and ``results.json``.

    What later commands read has its checksum: verdicts beside them, results as their last field.

    Everything is made first, so a failure leaves an earlier run as it was; each file arrives whole, by a rename, and
    ``results.json`` is the last. They are the same for the same data, model and settings, but for ``timings.json`` and
    the day in ``report.html``.
    ``rows`` are all verdicts, ``None`` where no judge of ours said any, so that there is nothing to time either;
    ``more`` has further files by name. A figure that is not finite is an error, as is a disk that refuses.
    """
    path = Path(folder)
    with writing(folder):
        images = images_of(report)
        results = _dump(sealed(json.loads(_dump(report.results_json(), RESULTS))), RESULTS)
        made: dict[str, bytes] = {}
        if rows is not None:  # the checksum goes before the file that it is of
            verdicts = b"".join(jsonl_lines(map(row_json, rows), _VERDICTS))
            made[checksum_of(Path(_VERDICTS)).name] = checksum_line(_VERDICTS, digest_of_parts([verdicts]))
            timings = {"seconds": report.seconds, "seconds_per_item": {one.name: one.seconds for one in report.parts}}
            made |= {_VERDICTS: verdicts, _TIMINGS: _dump(timings, _TIMINGS)}
        made |= {f"{_PLOTS}/{plot}.png": image for plot, image in images.items()}
        made |= {name: text.encode("utf-8", "replace") for name, text in (more or {}).items()}
        made["report.md"] = markdown(report).encode("utf-8", "replace")
        made["report.html"] = html(report, images).encode("utf-8", "replace")
        (path / _PLOTS).mkdir(parents=True, exist_ok=True)
        (path / RESULTS).unlink(missing_ok=True)
        for name, content in made.items():
            _put(path / name, content)
        for old in (path / _PLOTS).glob("*.png"):
            if old.stem not in images:
                old.unlink()
        _put(path / RESULTS, results)


def read_results(folder: str | Path) -> dict[str, Any]:
    """``results.json`` of a finished comparison or study; an error where there is none, or it is damaged."""
    path = Path(folder) / RESULTS if Path(folder).is_dir() else Path(folder)
    if not path.is_file():
        raise InnerjudgeError(f"given {str(folder)!r}, expected the folder of a finished study with {RESULTS}: run it")
    try:
        found = parse_json(read_file(path))
        if isinstance(found, dict) and "rows" in found and "figures" not in found:
            raise InnerjudgeError.of("compare.old-results", path)
        found = unsealed(found)
        whole = all(isinstance(found[name], dict) for name in ("spec", "versions")) and _are_figures(found["figures"])
    except (ValueError, TypeError, KeyError):
        whole = False
    if not whole:
        raise InnerjudgeError.of("compare.results", path, RESULTS)
    return dict(found)


def _are_figures(given: Any) -> bool:
    """Whether these are figures: what they are of in words, and finite numbers or none."""
    words, numbers = ("data", "part", "judge", "metric"), ("value", "low", "high")
    return all(
        all(isinstance(one[name], str) for name in words)
        and all(one[n] is None or (isinstance(one[n], int | float) and math.isfinite(one[n])) for n in numbers)
        for one in given
    )


def _put(path: Path, content: bytes) -> None:
    with replacing(path) as half:
        half.write_bytes(content)


def _dump(found: Any, name: str) -> bytes:
    try:
        return (json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "replace")
    except (TypeError, ValueError) as error:
        raise InnerjudgeError.of("compare.not-finite", name, error) from None
