"""What a benchmark found, as JSON and as Markdown; a GPU's ratios are of the clock, a processor's of its own time."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ....models.errors import readable
from .run import Benchmark, Line, Table
from .timing import Spread

#: Files of a run in its folder.
RESULTS, DOCUMENT = "benchmark.json", "benchmark.md"


def to_json(found: Benchmark) -> dict[str, Any]:
    """Plain data."""
    return asdict(found)


def markdown(found: Benchmark) -> str:
    """The document: how it was measured, and one table a section."""
    o = found.options
    versions = ", ".join(f"{name} {version}" for name, version in sorted(found.versions.items()))
    machine = ", ".join(f"{name} {value}" for name, value in found.machine.items())
    on_gpu = o.device.startswith("cuda")
    head = [
        "# What a judge's pass costs",
        f"Written by `{readable(found.command)}`: do not edit. A Llama of random weights in the shape {o.shape}, "
        f"{o.dtype}, on {o.device} with {o.threads} thread{'s' if o.threads > 1 else ''} ({machine}; {versions}).",
        f"Every variant runs the same texts; in each of {o.rounds} rounds each runs once, in another order. A ratio is "
        f"of {'seconds of the clock' if on_gpu else 'processor time'}, round by round: median (least to most). Memory "
        "is the peak of one run: live tensors as PyTorch counts them, without the weights. *asked*: what the ratio "
        "should be at most.",
    ]
    if o.quick:
        head.append("**A quick run on few short texts: it shows that everything runs, and says nothing about cost.**")
    return "\n\n".join([*head, *(_section(table, on_gpu) for table in found.tables)]) + "\n"


def write(found: Benchmark, folder: Path) -> None:
    """Write ``benchmark.json`` and ``benchmark.md`` into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(to_json(found), indent=1, ensure_ascii=False, allow_nan=False)
    (folder / RESULTS).write_text(text + "\n", encoding="utf-8")
    (folder / DOCUMENT).write_text(markdown(found), encoding="utf-8")


def line_cells(line: Line, on_gpu: bool, *, memory: bool) -> list[str]:
    """The cells of one row: name, ratio of time, asked, seconds, and memory where it was measured."""
    if line.cpu is None or line.wall is None:
        cells = [line.name, f"not run: {line.reason}", "", ""]
        return [*cells, "", ""] if memory else cells
    ratio = line.wall if on_gpu else line.cpu
    cells = [line.name, _spread(ratio), _asked(line.expected, ratio.median), f"{line.seconds:.2f}"]
    if not memory:
        return cells
    if line.peak is None or line.memory is None:
        return [*cells, "not measured", ""]
    megabytes = f"{line.memory:.2f} ({line.peak / 1e6:.0f} MB)"
    return [*cells, megabytes, _asked(line.expected_memory, line.memory)]


def _section(table: Table, on_gpu: bool) -> str:
    memory = any(line.peak is not None for line in table.lines)
    titles = ["variant", "time / reference", "asked", "processor seconds"]
    titles += ["peak memory / reference", "asked"] if memory else []
    titles.append("keeps")
    rows = [[*line_cells(line, on_gpu, memory=memory), line.keeps] for line in table.lines]
    lines = [f"| {' | '.join(titles)} |", "| --- " * len(titles) + "|", *(f"| {' | '.join(row)} |" for row in rows)]
    return f"## {table.title}\n\n{table.about}\n\n" + "\n".join(lines)


def _spread(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.low:.2f} to {spread.high:.2f})"


def _asked(expected: float | None, found: float) -> str:
    if expected is None:
        return ""
    return f"{expected:.2f}, {'met' if found <= expected else 'NOT met'}"
