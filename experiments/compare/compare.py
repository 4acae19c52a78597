"""Judges compared from Python: items in, a table of figures, verdicts and a report out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ...models.arguments import checked
from ...models.errors import InnerjudgeError, html_table
from ...models.loading import LanguageModel
from ..data.datasets import Dataset, load_data
from ..data.kinds import kind_of
from ..data.mapping import items_from
from ..data.verdict_table import Row, Table
from ..reading.judge_prompt import JudgePrompt
from ..reading.progress import Steps, silent
from .figures import Figure
from .findings import Report
from .report.folder import check_folder, claim, withdraw, write
from .report.page import cell
from .run import ComparisonRun, check_data, ignored
from .settings import Settings, Source


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Comparison:
    """What a comparison ``found`` (the report as plain data), and the ``verdicts`` of every judge on every item."""

    found: Report
    verdicts: Table

    @property
    def figures(self) -> list[Figure]:
        """All figures."""
        return self.found.figures

    def table(self) -> pd.DataFrame:
        """The figures, one a row: ``data``, ``part``, ``judge``, ``metric``, ``value``, ``low``, ``high``, ``n``, ...

        A row with ``against`` is a paired difference to that judge; ``verdict`` says whether it is better, worse or
        not told apart, corrected for the number of judges.
        """
        return pd.DataFrame([asdict(figure) for figure in self.figures])

    def __repr__(self) -> str:
        judges = ", ".join(self.verdicts.judges)
        return f"Comparison({len(self.figures)} figures, {len(self.verdicts)} verdicts of {judges})"

    def _repr_html_(self) -> str:
        """What was found of each data set, for notebooks; :meth:`table` has all figures."""
        tables = []
        for part in self.found.parts:
            title = " ".join((f"{part.name}:", *part.summary[:1]))
            for first in part.sections[0].grids[:1]:
                tables.append(html_table(title, first.columns, [list(map(cell, row)) for row in first.rows]))
        return "".join(tables)

    def report(self, folder: str | Path) -> Path:
        """Write the report and all that belongs to it into a folder, and return the path of ``report.html``.

        ``InnerjudgeError`` if the folder holds something else, or the disk refuses.
        """
        check_folder(folder)
        write(folder, self.found, self.verdicts)
        return Path(folder) / "report.html"


@checked
def compare(
    lm: LanguageModel,
    items: Any,
    *,
    columns: Mapping[str, str] | None = None,
    judges: Sequence[str] | None = None,
    out: str | Path | None = None,
    limit: int | None = None,
    settings: Settings | None = None,
    prompt: JudgePrompt | str | Path | None = None,
    steps: Steps = silent,
) -> Comparison:
    """Judge items with every judge that fits them, and compare the judges.

    Questions are split in two; what is learnt or chosen (centroids, weights, heads, signs) comes from the first part,
    and every figure from the second. Items without labels get verdicts and no figures.

    Args:
        lm: The model, as :func:`innerjudge.load` returns it.
        items: Items of one kind, what :func:`innerjudge.items_from` takes (a data frame, a list of dicts), or data as
            on the command line: a file, ``LOADER:PATH``, ``builtin:choose``.
        columns: Field -> column, where the names of columns differ.
        judges: Names of judges; ``None`` for at most twelve that fit, one for each idea, ``["all"]`` for all. The
            baselines, among them a classifier of the text alone, always stand beside them.
        out: Folder for verdicts, figures and report, where every step is kept: a run that was killed goes on when it
            is called again. ``None`` keeps nothing.
        limit: At most this many items of named data, whole questions kept together.
        settings: Shares, seeds and how the model is run; ``None`` for the defaults.
        prompt: The words in which items of its kind are asked: a :class:`~innerjudge.JudgePrompt`, the name of one that
            is shipped, or a YAML file; ``None`` for ours.
        steps: Where progress is shown.

    Raises:
        InnerjudgeError: If there are fewer than two questions, the labels to fit on are all of one class, a judge is
            unknown, or ``out`` holds something else.

    Example:
        >>> from innerjudge.models.loading import load
        >>> found = compare(load("reference"), "builtin:choose", judges=["letter-logits", "qk-score"], limit=12)
        >>> found.verdicts.judges, "accuracy" in set(found.table()["metric"])
        (('qk-score', 'letter-logits', 'text-only', 'similarity'), True)
    """
    how = settings or Settings()
    how = replace(how, judges=how.judges if judges is None else tuple(judges))
    how = how if prompt is None else replace(how, prompt=JudgePrompt.of(prompt))
    seed = how.seeds.data
    if isinstance(items, str):
        data = load_data(items, limit=limit, seed=seed, columns=columns)
    else:
        made = items_from(items, columns, seed=seed)
        data = Dataset(name="items", kind=kind_of(made[0]), items=tuple(made))
    return compare_data(lm, [Source(data=data, candidates=how.candidates)], how, out=out, steps=steps)


def compare_data(
    lm: LanguageModel,
    sources: Sequence[Source],
    settings: Settings,
    *,
    out: str | Path | None = None,
    command: str = "innerjudge.compare",
    steps: Steps = silent,
    say: Callable[[str], None] = ignored,
) -> Comparison:
    """:func:`compare` on several data sets; ``command`` is what was typed, ``say`` is told what kept steps are lost."""
    check_data(sources, settings)
    kept = None if out is None else claim(out, asdict(settings))
    run = ComparisonRun(lm=lm, settings=settings, folder=kept, steps=steps, say=say)
    try:
        report = run.report(sources, command=command)
    except InnerjudgeError:
        run.store.withdraw()
        if out is not None:
            withdraw(out)
        raise
    rows: list[Row] = run.rows
    if out is not None:
        write(out, report, rows)
    return Comparison(found=report, verdicts=Table(rows))
