"""The tables of benchmarks in a page: ``python -m innerjudge.experiments.bench.documents.speed PAGE JSON...``."""

import json
from pathlib import Path
from typing import Any

import typer

from ....models.errors import InnerjudgeError
from .readme import put_section

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def speed_section(found: dict[str, Any]) -> str:
    """One table: the variants of the first section, and of the others those of which something is asked.

    Of the passes that stop early the one in the middle stands for all.

    Args:
        found: A benchmark as the file ``benchmark.json`` has it.

    Example:
        >>> spread = {"median": 1.01, "low": 1.0, "high": 1.03}
        >>> line = {"name": "ours", "cpu": spread, "wall": spread, "memory": None, "expected": 1.05, "reason": ""}
        >>> options = {"shape": "135m", "dtype": "float32", "device": "cpu", "threads": 1, "rounds": 7, "quick": False}
        >>> print(speed_section({"command": "innerjudge bench", "options": options, "versions": {"torch": "2"},
        ...                      "tables": [{"key": "passes", "lines": [line]}]}))
        | variant | time / reference | asked | peak memory / reference |
        | --- | --- | --- | --- |
        | ours | 1.01 (1.00 to 1.03) | 1.05 | - |
        <BLANKLINE>
        Written by a script from `innerjudge bench` (135m, float32, cpu, 1 thread, 7 rounds; torch 2).
    """
    options = found["options"]
    if options["quick"]:
        raise InnerjudgeError("given a quick benchmark, expected one of real size: run `make bench`")
    on_gpu = options["device"].startswith("cuda")
    rows = ["| variant | time / reference | asked | peak memory / reference |", "| --- | --- | --- | --- |"]
    for table in found["tables"]:
        lines = table["lines"]
        if table["key"] != "passes":
            lines = [line for line in lines if line["expected"] is not None]
        if table["key"] == "early-stop":
            lines = lines[(len(lines) - 1) // 2 :][:1]
        if table["key"] not in ("tokens", "items"):
            rows += [f"| {' | '.join(_cells(line, on_gpu))} |" for line in lines]
    threads = f"{options['threads']} thread{'s' if options['threads'] > 1 else ''}"
    how = f"{options['shape']}, {options['dtype']}, {options['device']}, {threads}, {options['rounds']} rounds"
    versions = ", ".join(f"{name} {version}" for name, version in sorted(found["versions"].items()))
    return "\n".join(rows) + f"\n\nWritten by a script from `{found['command']}` ({how}; {versions})."


def _cells(line: dict[str, Any], on_gpu: bool) -> list[str]:
    ratio = line["wall" if on_gpu else "cpu"]
    if ratio is None:
        return [line["name"], f"not run: {line['reason']}", "", ""]
    asked = "" if line["expected"] is None else f"{line['expected']:.2f}"
    memory = "-" if line["memory"] is None else f"{line['memory']:.2f}"
    return [line["name"], f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})", asked, memory]


def update(page: Path, results: list[Path]) -> None:
    """Replace what stands between the marks of ``page`` by a table for each of the results.

    Raises:
        InnerjudgeError: If a file is missing, the page has no marks, or the benchmark was a quick one.
    """
    if absent := [str(one) for one in (page, *results) if not one.is_file()]:
        raise InnerjudgeError(f"given {', '.join(absent)}, expected files: run `make bench` first")
    each = (speed_section(json.loads(one.read_text(encoding="utf-8"))) for one in results)
    put_section(page, "\n\n".join(each), BEGIN, END)


if __name__ == "__main__":
    typer.run(update)
