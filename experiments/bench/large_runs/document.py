"""The lines as JSON, as a document with its plot, and as the section of the how-to page."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from ....models.errors import InnerjudgeError
from ...drawing import STYLE
from .line import Line, line_of

BEGIN, END = "<!-- large-runs:begin -->", "<!-- large-runs:end -->"


def load_sections(path: Path) -> dict[str, dict[str, Any]]:
    """Sections that were measured before, by name; none if there is no such file."""
    if not path.is_file():
        return {}
    try:
        found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        for one in found.values():
            one["lines"] = [line_of(line) for line in one["lines"]]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InnerjudgeError(f"given {path}, expected what this benchmark wrote ({error}): delete it") from error
    return found


def write_all(folder: Path, sections: dict[str, dict[str, Any]]) -> str:
    """Write ``large_runs.json``, ``.md`` and the plot of memory into ``folder``; the table."""
    plain = {name: one | {"lines": [asdict(line) for line in one["lines"]]} for name, one in sections.items()}
    (folder / "large_runs.json").write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    table = section(sections)
    picture = "\n![Peak memory by number of items](memory.svg)\n" if _plot(sections, folder / "memory.svg") else ""
    (folder / "large_runs.md").write_text(f"# Large runs, measured\n\n{table}\n{picture}", encoding="utf-8")
    return table


def section(sections: dict[str, dict[str, Any]]) -> str:
    """A table of all lines, and under it how they were measured."""
    rows = ["| what | measured | asked |", "| --- | --- | --- |"]
    for one in sections.values():
        rows += [f"| {' | '.join(line.cells())} |" for line in one["lines"]]
    commands: dict[str, str] = {}
    for one in sections.values():
        commands.setdefault(one["command"], one["versions"])
    said = "; ".join(f"`{command}` ({versions})" for command, versions in commands.items())
    return "\n".join(rows) + f"\n\nRatios are medians of figures measured in turn (least to most). Written by {said}."


def _plot(sections: dict[str, dict[str, Any]], path: Path) -> bool:
    lines: list[Line] = [line for one in sections.values() for line in one["lines"] if line.points]
    if not lines:
        return False
    with plt.rc_context({**STYLE, "svg.hashsalt": "innerjudge"}):
        figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
        for line, mark in zip(lines, "osD^v", strict=False):
            items, peaks = zip(*line.points, strict=True)
            label = line.what.removeprefix("peak memory of ").replace("`", "")
            axes.plot(items, peaks, marker=mark, label=label)
        ticks = sorted({items for line in lines for items, _ in line.points})
        axes.set(xscale="log", xlabel="items", ylabel="peak memory (MB)")
        axes.set_xticks(ticks, [f"{items:,}" for items in ticks])
        axes.set_xticks([], minor=True)
        axes.set_ylim(0, 1.1 * max(peak for line in lines for _, peak in line.points))
        axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
    return True
