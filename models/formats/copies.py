"""Converted copies of GGUF files, kept so that a second start takes seconds; each is written whole or not at all."""

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import transformers
from filelock import FileLock, Timeout
from tqdm import tqdm

from ..errors import InnerjudgeError
from ..foreign import HEADER_LIMIT, parse_json, read_file
from .gguf import GgufFile

log = logging.getLogger("innerjudge")
#: Environment variable that names another folder for converted models than ``~/.cache/innerjudge``.
CACHE = "INNERJUDGE_CACHE"
#: Seconds between two lines of progress where standard error is no terminal.
EVERY = 30.0
#: What a copy was made with, and the sizes of its files; written last.
_FACTS = "innerjudge.json"
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


def copy_of(file: GgufFile, dtype: str) -> Path:
    """The Hugging Face folder of ``file`` in ``dtype``, converted once; ``InnerjudgeError`` if that fails."""
    kept = Path(os.environ.get(CACHE) or Path.home() / ".cache" / "innerjudge")
    folder = kept / "gguf" / f"{file.sha256[:32]}-{dtype}"
    if _is_whole(folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InnerjudgeError.of("models.cache-folder", str(folder.parent), error.strerror, CACHE) from None
    lock = FileLock(f"{folder}.lock")
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        log.warning(f"Waiting for another process that converts {file.path.name}")
        held = lock.acquire()
    with held:
        if not _is_whole(folder):
            _make(file, dtype, folder)
    return folder


def _is_whole(folder: Path) -> bool:
    """Whether a copy is complete and of this version of transformers, whose readers differ."""
    try:
        facts = parse_json(read_file(folder / _FACTS, HEADER_LIMIT))
        sizes = {name: (folder / name).stat().st_size for name in facts["files"]}
        version = facts["transformers"]
    except (InnerjudgeError, OSError, ValueError, KeyError, TypeError):
        return False
    return bool(version == transformers.__version__ and sizes == facts["files"])


def _make(file: GgufFile, dtype: str, folder: Path) -> None:
    half = folder.with_name(f"{folder.name}.partial")  # the lock is held: what is there was left by a killed run
    shutil.rmtree(half, ignore_errors=True)
    need, free = file.values * _BYTES[dtype], shutil.disk_usage(folder.parent).free
    if need > free:
        raise InnerjudgeError.of(
            "models.no-room", str(file.path), dtype, need / 1e9, str(folder.parent), free / 1e9, CACHE
        )
    log.warning(
        f"Converting {file.path.name} ({file.quantisation}) to {dtype}, once: {need / 1e9:.1f} GB, kept in {folder}"
    )
    half.mkdir()
    try:
        _run(file, half, dtype)
        sizes = {one.name: one.stat().st_size for one in sorted(half.iterdir())}
        facts = {"source": file.origin, "transformers": transformers.__version__, "files": sizes}
        (half / _FACTS).write_text(json.dumps(facts, indent=1), encoding="utf-8")
        for one in half.iterdir():  # on the disk before its name is
            with one.open("rb") as written:
                os.fsync(written.fileno())
        shutil.rmtree(folder, ignore_errors=True)
        half.rename(folder)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _run(file: GgufFile, out: Path, dtype: str) -> None:
    """Convert in a process of its own, which ends with this one."""
    command = [sys.executable, "-m", f"{__package__}.convert", str(file.path.resolve()), str(out), dtype]
    path = os.pathsep.join(one or os.getcwd() for one in sys.path)
    with subprocess.Popen(
        command, env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            reason = _follow(process.stdout, file.path.name)
            code = process.wait()
        finally:
            process.kill()
    if code:
        reason = reason or f"the conversion ended with {code}, perhaps for want of memory"
        raise InnerjudgeError.of("models.unconvertible", str(file.path), transformers.__version__, reason)


def _follow(lines: Iterable[str], name: str) -> str:
    """Show the steps of a conversion, as a bar on a terminal and as lines elsewhere; why it failed, or nothing."""
    reason = ""
    begun = said = time.monotonic()
    with tqdm(desc=f"converting {name}", unit="weights", unit_scale=True, disable=None) as bar:
        for line in lines:
            if line.startswith("error: "):
                reason = line.removeprefix("error: ").strip()
                continue
            done, total = map(int, line.split())
            if not done:
                begun = time.monotonic()  # the libraries are imported and the header is read
            bar.total = total
            bar.update(done - bar.n)
            now = time.monotonic()
            if bar.disable and now - said >= EVERY and done:
                said = now
                left = (total - done) / done * (now - begun)
                log.warning(f"Converting {name}: {done / total:.0%} done, about {left:.0f} s left")
    return reason
