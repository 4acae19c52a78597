"""What comparisons measured, in the README: ``python -m innerjudge.experiments.bench.documents.readme JSON README``.

The answers stand between two marks of the README, so that no figure is typed by hand and a second run replaces the
first: those of the demo, or with ``--mark real`` those of the real model. The tables stand in a page beside this file.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from ....models.errors import InnerjudgeError
from ...drawing.style import number

#: What each page of tables is called, and says first.
PAGES = {
    "demo": (
        "What the demo measured",
        "The model is the small built-in one, which has learnt three toy jobs. Its states tell its right traces from "
        "wrong ones, its score logits carry quality, and it knows options by their text but was hardly ever asked for "
        "letters: heads of one of its blocks point at the right line where the letter it writes is wrong. The tables "
        "say how the judges behave on this model, and nothing about large ones.",
    ),
    "real": (
        "What a real model showed",
        "The model is SmolLM2-135M-Instruct, quantised to four bits; the data are samples of public data that come "
        "with the package. It is a very small model, and each sample is small.",
    ),
}
#: Sentences of a data set's summary that the README shows.
FIRST = 3
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

#: What a metric is whose name does not say it.
MEANINGS = {
    "top@1": "how often the answer that the judge scores highest is right",
    "Spearman, noiseless": "with the quality that the task gave a response, before the noise of its raters",
    "accuracy, options also permuted": "right in the given order of the options and in another one",
    "accuracy in both orders": "right whichever response is shown first",
}


def marks(name: str) -> tuple[str, str]:
    """The marks between which a table stands.

    Example:
        >>> marks("demo")
        ('<!-- demo:begin -->', '<!-- demo:end -->')
    """
    return f"<!-- {name}:begin -->", f"<!-- {name}:end -->"


def answers_section(results: dict[str, Any]) -> str:
    """The first sentences of what was found on each data set, as a list.

    Example:
        >>> print(answers_section({"summary": {"d": ["One.", "Two."]}}))
        - **d**: One. Two.
    """
    return "\n".join(f"- **{data}**: {' '.join(said[:FIRST])}" for data, said in results["summary"].items())


def tables_section(results: dict[str, Any]) -> str:
    """One Markdown table a data set, and the command, seed and versions behind it.

    Example:
        >>> figure = {"data": "d", "part": "accuracy", "judge": "clue", "metric": "AUROC", "value": 0.5, "low": 0.4,
        ...           "high": 0.6, "n": 9, "unscored": 0, "against": None}
        >>> spec = {"seeds": {"data": 0}}
        >>> print(tables_section({"command": "c", "spec": spec, "versions": {"torch": "2"}, "figures": [figure]}))
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
                cells = " | ".join(cell(found.get(metric)) for metric in metrics)
                table.append(f"| {judge} | {cells} | {unscored} |")
        parts.append(f"**{data}**\n\n" + "\n".join(table))
    versions = ", ".join(f"{name} {version}" for name, version in sorted(results["versions"].items()))
    source = f"Written by a script from `{results['command']}` (seed {results['spec']['seeds']['data']}; {versions})."
    return "\n\n".join([*parts, *_meanings(figures), f"{source} Brackets: 95 % intervals over questions."])


def _meanings(figures: Sequence[Mapping[str, Any]]) -> list[str]:
    shown = {row["metric"] for row in figures}
    told = [f"*{metric}*: {meaning}" for metric, meaning in MEANINGS.items() if metric in shown]
    return ["; ".join(told) + "."] if told else []


def cell(row: Mapping[str, Any] | None) -> str:
    """A figure and its interval."""
    if row is None or row["value"] is None:
        return "-"
    interval = "" if row["low"] is None else f" [{number(row['low'])}, {number(row['high'])}]"
    return f"{number(row['value'])}{interval}"


def update(results: Path, readme: Path, mark: str = "demo") -> None:
    """Replace what stands between the marks ``mark:begin`` and ``mark:end`` of ``readme``, and write ``mark.md``.

    The page lies in ``experiments/bench/documents`` beside the README.

    Raises:
        InnerjudgeError: If a file is missing or the README has no marks.
    """
    if not results.is_file() or not readme.is_file():
        raise InnerjudgeError(f"given {results} and {readme}, expected two files: run `make demo` first")
    found = json.loads(results.read_text(encoding="utf-8"))
    put_section(readme, answers_section(found), *marks(mark))
    page = readme.parent / "experiments" / "bench" / "documents" / f"{mark}.md"
    title, about = PAGES[mark]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(f"# {title}\n\n{about}\n\n{tables_section(found)}\n", encoding="utf-8")


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
