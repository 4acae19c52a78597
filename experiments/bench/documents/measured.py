"""What every judge by name measured: ``python -m innerjudge.experiments.bench.documents.measured write JSON JSON``.

The tables go into ``measured.md`` beside this file, and the first figure of each judge into the last column of those
tables of ``docs/pages/explanation/judges.md`` that list judges by name, so that no figure is typed by hand.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from ....models.errors import InnerjudgeError
from ...judges.panel import panel
from .readme import SHOWN, cell, tables_section

app = typer.Typer()

#: The metric of the column, and its head.
METRIC, HEAD = SHOWN[0], "measured here"
#: Cell of a judge without a figure.
NONE = "-"
#: What takes a second and more for each item of a real model on a processor, or reads steps that the data have not.
SLOW = ("redeep", "calibration-probe", "text-reasoned", "step-")
_ROOT = Path(__file__).resolve().parents[3]
_PAGE = _ROOT / "docs" / "pages" / "explanation" / "judges.md"
_ABOUT = """\
Every judge that can be asked for by name (`--judges all`), on traces of the small built-in model; on those of a very
small real one all but the few that take a second and more an item. Both sets are small and most intervals overlap: the
tables say how the judges behave on these models and questions, and nothing about large models. No judge was tuned for
them: rows, layers and settings are the defaults."""


def measured(results: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What each judge measured in each of the results, with its interval.

    Example:
        >>> figure = {"part": "accuracy", "judge": "clue", "metric": "AUROC within questions", "value": 0.5, "low": 0.4,
        ...           "high": 0.6, "against": None}
        >>> measured([{"figures": [figure]}, {"figures": []}])
        {'clue': ['0.50 [0.40, 0.60]', '-']}
    """
    found: dict[str, list[str]] = {}
    for k, result in enumerate(results):
        for row in result["figures"]:
            if row["part"] == "accuracy" and row["against"] is None and row["metric"] == METRIC:
                found.setdefault(row["judge"], [NONE] * len(results))[k] = cell(row)
    return found


def with_column(page: str, found: Mapping[str, Sequence[str]]) -> str:
    r"""A page in Markdown whose tables of names end in the column; one that has it already gets it anew.

    Example:
        >>> print(with_column("| name | reads |\n| --- | --- |\n| `a`, `b` | x |", {"a": ["1", "2"]}))
        | name | reads | measured here |
        | --- | --- | --- |
        | `a`, `b` | x | a: 1; 2<br>b: - |
    """
    lines, row, has = [], 0, False
    for line in page.splitlines():
        row = row + 1 if line.startswith("|") and (row or line.startswith("| name |")) else 0
        if row:
            cells = [one.strip() for one in line.strip().strip("|").split(" | ")]
            has = cells[-1] == HEAD if row == 1 else has
            names = re.findall(r"`([^`]+)`", cells[0])
            told = [f"{name}: " * (len(names) > 1) + "; ".join(found.get(name, [NONE])) for name in names]
            last = HEAD if row == 1 else "---" if row == 2 else "<br>".join(told)
            line = f"| {' | '.join([*(cells[:-1] if has else cells), last])} |"
        lines.append(line)
    return "\n".join(lines) + "\n" * page.endswith("\n")


@app.command()
def names() -> None:
    """Print the names of the judges of traces that are quick on a real model, as ``--judges`` takes them."""
    seats = panel("trace", between=("prompt_end", "response_end"), scale=(1, 5))
    typer.echo(",".join(name for name in seats if not name.startswith(SLOW) or name == "calibration-probe-given"))


@app.command()
def write(results: list[Path]) -> None:
    """Write page and column.

    Raises:
        InnerjudgeError: If a file is missing.
    """
    if absent := [str(one) for one in results if not one.is_file()]:
        raise InnerjudgeError(f"given {', '.join(absent)}, expected results of compare: run `make measured`")
    found = [json.loads(one.read_text(encoding="utf-8")) for one in results]
    tables = "\n\n".join(tables_section(one) for one in found)
    page = f"# What every judge measured\n\n{_ABOUT}\n\n{tables}\n"
    Path(__file__).with_name("measured.md").write_text(page, encoding="utf-8")
    _PAGE.write_text(with_column(_PAGE.read_text(encoding="utf-8"), measured(found)), encoding="utf-8")


if __name__ == "__main__":
    app()
