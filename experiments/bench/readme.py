"""Write the table of a comparison into a README: ``python -m innerjudge.experiments.bench.readme RESULTS README``.

The table stands between two marks, so that no figure is typed by hand and a second run replaces the first: those of the
demo, or with ``--mark real`` those of the real model.
"""

import json
from pathlib import Path
from typing import Any

import typer

from ...models.errors import InnerjudgeError

#: Metrics shown of each data set, in order; those that a data set lacks are left out.
SHOWN = (
    "AUROC within questions",
    "AUROC",
    "top@1",
    "Spearman",
    "Spearman, noiseless",
    "accuracy",
    "accuracy, options also permuted",
    "accuracy in both orders",
)


def marks(name: str) -> tuple[str, str]:
    """The marks between which a table stands.

    Example:
        >>> marks("demo")
        ('<!-- demo:begin -->', '<!-- demo:end -->')
    """
    return f"<!-- {name}:begin -->", f"<!-- {name}:end -->"


def demo_section(results: dict[str, Any]) -> str:
    """One Markdown table a data set, and the command, seed and versions behind it.

    Example:
        >>> figure = {"data": "d", "part": "accuracy", "judge": "clue", "metric": "AUROC", "value": 0.5, "low": 0.4,
        ...           "high": 0.6, "n": 9, "unscored": 0, "against": None}
        >>> spec = {"seeds": {"data": 0}}
        >>> print(demo_section({"command": "c", "spec": spec, "versions": {"torch": "2"}, "figures": [figure]}))
        **d**
        <BLANKLINE>
        | judge | AUROC | unscored |
        | --- | --- | --- |
        | clue | 0.50 [0.40, 0.60] | 0 |
        <BLANKLINE>
        Written by a script from `c` (seed 0; torch 2). Brackets: 95 % intervals over questions.
    """
    parts = []
    figures = [one for one in results["figures"] if one["part"] == "accuracy" and one["against"] is None]
    for data in dict.fromkeys(row["data"] for row in figures):
        rows = [row for row in figures if row["data"] == data]
        metrics = [m for m in SHOWN if any(row["metric"] == m for row in rows)]
        table = [f"| judge | {' | '.join(metrics)} | unscored |", "| --- " * (len(metrics) + 2) + "|"]
        for judge in dict.fromkeys(row["judge"] for row in rows):
            found = {row["metric"]: row for row in rows if row["judge"] == judge}
            if any(metric in found for metric in metrics):
                # Of the first metric: those of others may leave items out, such as questions that are asked once only.
                unscored = next(found[metric]["unscored"] for metric in metrics if metric in found)
                cells = " | ".join(_cell(found.get(metric)) for metric in metrics)
                table.append(f"| {judge} | {cells} | {unscored} |")
        parts.append(f"**{data}**\n\n" + "\n".join(table))
    versions = ", ".join(f"{name} {version}" for name, version in sorted(results["versions"].items()))
    source = f"Written by a script from `{results['command']}` (seed {results['spec']['seeds']['data']}; {versions})."
    return "\n\n".join([*parts, f"{source} Brackets: 95 % intervals over questions."])


def _cell(row: dict[str, Any] | None) -> str:
    if row is None or row["value"] is None:
        return "-"
    interval = "" if row["low"] is None else f" [{row['low']:.2f}, {row['high']:.2f}]"
    return f"{row['value']:.2f}{interval}"


def update(results: Path, readme: Path, mark: str = "demo") -> None:
    """Replace what stands between the marks ``mark:begin`` and ``mark:end`` of ``readme``.

    Raises:
        InnerjudgeError: If a file is missing or the README has no marks.
    """
    if not results.is_file() or not readme.is_file():
        raise InnerjudgeError(f"given {results} and {readme}, expected two files: run `make demo` first")
    put_section(readme, demo_section(json.loads(results.read_text(encoding="utf-8"))), *marks(mark))


def put_section(readme: Path, section: str, begin: str, end: str) -> None:
    """Replace what stands between two marks of ``readme``.

    Raises:
        InnerjudgeError: If it has no such marks.
    """
    head, first, rest = readme.read_text(encoding="utf-8").partition(begin)
    _, last, tail = rest.partition(end)
    if not first or not last:
        raise InnerjudgeError(
            f"given {readme} without {begin} and {end}, expected both marks: put them where the table goes"
        )
    readme.write_text(f"{head}{begin}\n{section}\n{end}{tail}", encoding="utf-8")


if __name__ == "__main__":
    typer.run(update)
