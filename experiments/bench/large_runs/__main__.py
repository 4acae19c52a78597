"""Measure the feature store and the runs that write it, section by section, and write what was found beside this file.

What is compared is measured in turn. A section that is measured again replaces what the document said of it.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ....extraction.provenance import versions
from ..documents.readme import put_section
from .document import BEGIN, END, load_sections, write_all
from .extracting import extracting
from .line import Line
from .memory import memory
from .processes import processes
from .reading import reading

_NAMES = ("reading", "extracting", "memory", "processes")


def main(
    only: Annotated[list[str] | None, typer.Option(help=f"Sections: {', '.join(_NAMES)}.")] = None,
    gigabytes: Annotated[float, typer.Option(min=0.01, help="Size of the store that is read by layer.")] = 10.0,
    items: Annotated[int, typer.Option(min=1000, help="Items of that store, and most items of the memory.")] = 100_000,
    traces: Annotated[int, typer.Option(min=100, help="Items that one and two processes and Ray extract.")] = 6000,
    rounds: Annotated[int, typer.Option(min=1, help="How often what is compared is measured.")] = 7,
    scratch: Annotated[Path | None, typer.Option(help="Where stores are written; emptied afterwards.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the document.")] = Path(__file__).parent,
    page: Annotated[Path | None, typer.Option(help="Document whose section is replaced.")] = None,
) -> None:
    """Measure, and write the document."""
    wrong = set(only or ()) - set(_NAMES)
    if wrong:
        raise typer.BadParameter(f"given {min(wrong)!r}, expected one of {', '.join(_NAMES)}", param_hint="--only")
    room = Path(tempfile.mkdtemp(dir=scratch))
    measures: dict[str, Callable[[], Iterator[Line]]] = {
        "reading": lambda: reading(room, gigabytes, items, rounds),
        "extracting": lambda: extracting(room, rounds),
        "memory": lambda: memory(room, items),
        "processes": lambda: processes(room, traces, max(1, rounds // 2)),
    }
    command = "python -m innerjudge.experiments.bench.large_runs"
    command += f" --gigabytes {gigabytes:g} --items {items} --traces {traces} --rounds {rounds}"
    found = load_sections(out / "large_runs.json")
    try:
        for name in only or _NAMES:
            lines = []
            for line in measures[name]():
                lines.append(line)
                typer.echo(" | ".join(line.cells()))
            about: dict[str, Any] = {"command": command, "versions": ", ".join(f"{n} {v}" for n, v in versions())}
            found[name] = about | {"lines": lines}
            table = write_all(out, {key: found[key] for key in _NAMES if key in found})
            if page is not None:
                put_section(page, table, BEGIN, END)
    finally:
        shutil.rmtree(room, ignore_errors=True)


if __name__ == "__main__":
    typer.run(main)
