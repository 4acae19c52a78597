"""Where the weights, the tokenizer and the LoRA adapter of a model lie, whatever format its name stands for.

A GGUF file is converted once: the copy is kept, so that a second start takes seconds, and is whole or not there.
"""

import json
import logging
import os
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from os.path import exists, isfile, realpath
from pathlib import Path

import transformers
from filelock import FileLock, Timeout
from tqdm import tqdm
from transformers import PreTrainedModel

from ..checkpoint import hub_options
from ..errors import InnerjudgeError, one_line
from ..foreign import HEADER_LIMIT, parse_json, read_file, refusing
from ..precision import cpu_dtype
from ..unwrapping import unwrap
from .gguf import GgufFile, find_gguf, read_header

#: Name that stands for the small model that comes with the package.
REFERENCE = "reference"
_REFERENCE_FOLDER = Path(__file__).parents[1] / "reference" / "weights"
_CONFIG = "adapter_config.json"


@dataclass(frozen=True)
class Source:
    """What transformers is told to load: folders or hub names, and the LoRA ``adapter`` to put on the model, if any.

    ``origin`` is what the folder was made from, such as ``"GGUF Q4_K_M, SHA-256 ..."``; ``notes`` what is odd in it.
    """

    weights: str
    tokenizer: str
    revision: str | None = None
    adapter: str | None = None
    origin: str = ""
    notes: tuple[str, ...] = ()


def find_source(name: str, revision: str | None = None, dtype: str = "auto") -> Source:
    """Find the model ``name``; a GGUF file is converted first if it has not been before.

    A name is a hub name, a folder, ``"reference"``, a GGUF file, a folder that holds one, ``hub-name:file.gguf``, or
    the folder of a LoRA adapter. ``dtype`` is what a GGUF file is dequantised to; ``"auto"`` means float32 if the file
    is quantised. ``InnerjudgeError`` if there is no such file, or it cannot be converted.
    """
    if dtype not in ("auto", "float32", "bfloat16", "float16"):
        raise InnerjudgeError(f"given the dtype {dtype!r}, expected auto, float32, bfloat16 or float16")
    if name == REFERENCE:
        return Source(str(_REFERENCE_FOLDER), str(_REFERENCE_FOLDER))
    if is_adapter(name):
        base = find_source(base_of(name), revision, dtype)
        own = any(Path(name, file).is_file() for file in ("tokenizer.json", "tokenizer_config.json"))
        origin = "; ".join(filter(None, (f"LoRA adapter on {base_of(name)}", base.origin)))
        return replace(base, adapter=name, tokenizer=name if own else base.tokenizer, origin=origin)
    place = hub_options(name.rpartition(":")[0] or name) if name.lower().endswith(".gguf") else {}
    found = find_gguf(name, revision, **place)
    if found is None:
        return Source(name, name, revision)
    file = read_header(found)
    if dtype == "auto":
        dtype = cpu_dtype({"F16": "float16", "BF16": "bfloat16"}.get(file.quantisation, "float32"))
    folder = str(copy_of(file, dtype))
    return Source(folder, folder, origin=file.origin, notes=file.oddities)


def is_adapter(name: str) -> bool:
    """Whether a name is a folder with an adapter and no model of its own."""
    return isfile(Path(name, _CONFIG)) and not isfile(Path(name, "config.json"))


def base_of(name: str) -> str:
    """Name or path of the adapter's base model; relative to the working folder, as in PEFT, else to the adapter's."""
    path = Path(name, _CONFIG)
    with refusing(path, "JSON: copy it again from where the adapter came from"):
        base = parse_json(read_file(path, HEADER_LIMIT)).get("base_model_name_or_path")
    if not isinstance(base, str) or not base or not base.isprintable() or realpath(base) == realpath(name):
        raise InnerjudgeError.of("models.adapter-no-base", name, str(path))
    if find_spec("peft") is None:
        raise InnerjudgeError.of("models.peft-missing", name)
    beside = Path(name, base)
    return str(beside) if exists(beside) and not exists(base) else base


def adapted(model: PreTrainedModel, folder: str) -> PreTrainedModel:
    """The model with the adapter of ``folder`` inside its modules; refuses one that does not fit or lacks weights."""
    from peft import PeftModel

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            whole = PeftModel.from_pretrained(model, folder)
        except Exception as error:  # anybody's file: shapes, names and kinds that do not fit
            raise InnerjudgeError.of("models.adapter", folder, type(model).__name__, one_line(error), _CONFIG) from None
    lacking = [" ".join(str(one.message).split())[:200] for one in said if "missing adapter keys" in str(one.message)]
    if lacking:
        raise InnerjudgeError.of("models.adapter-lacks", folder, lacking[0], _CONFIG)
    return unwrap(whole)


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
        path, place = str(file.path), str(folder.parent)
        raise InnerjudgeError.of("models.no-room", path, dtype, need / 1e9, place, free / 1e9, CACHE)
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
