"""What kept steps were made with: versions of everything that makes numbers, and innerjudge's own code."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from ...extraction.provenance import versions

#: The file beside the steps that says so.
MADE_WITH = "made-with.json"
_PACKAGE = Path(__file__).resolve().parents[2]
_ROOMS = ("models", "extraction", "probes", "experiments")


@cache
def made_with() -> dict[str, str]:
    """Versions of Python, innerjudge and its libraries, and a hash of innerjudge's code.

    The hash is there because code that is worked on keeps its version.

    Example:
        >>> sorted(made_with())
        ['code', 'innerjudge', 'numpy', 'python', 'scikit-learn', 'torch', 'transformers']
    """
    digest = hashlib.sha256()
    for path in sorted(path for room in _ROOMS for path in (_PACKAGE / room).rglob("*.py")):
        digest.update(f"{path.relative_to(_PACKAGE).as_posix()}\n".encode())
        digest.update(path.read_bytes())
    return {**dict(versions()), "code": digest.hexdigest()[:12]}


def renew(folder: Path, now: Mapping[str, str]) -> str | None:
    """Throw kept steps away that were made with something else, and say so; ``None`` where there are none of that kind.

    Args:
        folder: Where steps are kept; made if it is not there.
        now: What they are made with from here on.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     first = renew(Path(folder), {"torch": "2.0"})
        ...     (Path(folder) / "steps").mkdir()
        ...     (Path(folder) / "steps" / "judged.jsonl").touch()
        ...     print(first, renew(Path(folder), {"torch": "2.1"}))
        None 1 kept step was thrown away: made with torch 2.0, now 2.1.
    """
    note = folder / MADE_WITH
    before = _read(note)
    lost = [*folder.glob("steps/*.jsonl"), *folder.glob("features/*")]
    if before == dict(now):
        return None
    for name in ("steps", "features"):
        shutil.rmtree(folder / name, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = note.with_name(note.name + ".tmp")
    temporary.write_text(json.dumps(dict(now), indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, note)
    if not lost:
        return None
    count = f"{len(lost)} kept steps were" if len(lost) > 1 else "1 kept step was"
    return f"{count} thrown away: {_why(before, now)}."


def _read(note: Path) -> dict[str, str]:
    """What the file says; nothing where it is not there or damaged."""
    try:
        return {str(name): str(value) for name, value in json.loads(note.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _why(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    if not before:
        return "the versions they were made with are not recorded"
    changed = [name for name in dict.fromkeys((*before, *now)) if before.get(name) != now.get(name)]
    if changed == ["code"]:
        return f"made with other code of innerjudge {now.get('innerjudge')}"
    named = [name for name in changed if name != "code"]
    return "made with " + ", ".join(f"{n} {before.get(n, 'missing')}, now {now.get(n, 'missing')}" for n in named)
