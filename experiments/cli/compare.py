"""The commands ``compare``, of judges on the same items, ``judges``, which lists them, ``agree`` and ``doctor``."""

import math
import textwrap
from dataclasses import replace
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from ...models.errors import InnerjudgeError
from ..judges.between import Between
from ..reading.progress import PlainConsole
from ..runs.loading import Model
from ..runs.log import LogStyle, log, logged
from . import options as o, say


def compare(
    data: list[str], out: Path, on: Model, map_: list[str] | None = None, judges: str | None = None,
    limit: int | None = None, seed: int = 0, batch_size: int = 16, candidates: int = 8, fit_share: float = 0.5,
    between: Between = Between.reasoning, scale: str = "1-5", reasoning_tokens: int = 128, abstain: bool = True,
    prompt: str | None = None, merge_system: bool = False, markers: tuple[str, str] = o.THINK,
    embedder: str | None = None, text_judge: list[str] | None = None, memory: float | None = None,
    top_maj: list[int] | None = None, log_style: LogStyle = "auto"
) -> None:  # fmt: skip
    """Run every judge that fits the data, and write verdicts, results and a report."""
    columns = o.mapped(map_, *data)
    from ..compare.compare import compare_data
    from ..compare.report.folder import KEPT, check_folder
    from ..compare.report.page import print_report
    from ..compare.run import check_data
    from ..compare.settings import TOP_MAJ, Seeds, Settings, Source
    from ..data.datasets import load_data
    from ..reading.judge_prompt import JudgePrompt

    settings = Settings(
        judges=tuple(name.strip() for name in judges.split(",") if name.strip()) if judges else (),
        fit=o.share(fit_share),
        seeds=Seeds.all(seed),
        candidates=candidates,
        between=between,
        scale=o.bounds(scale),
        reasoning_tokens=reasoning_tokens,
        abstain=abstain,
        prompt=None if prompt is None else JudgePrompt.of(prompt),
        merge_system=merge_system,
        markers=markers,
        embedder=embedder,
        text_judges=tuple(text_judge or ()),
        against=text_judge[0].partition("#")[2] if text_judge else "text",
        batch_size=batch_size,
        top_maj=tuple(dict.fromkeys(top_maj or TOP_MAJ)),
    )
    check_folder(out)
    sources = [
        Source(data=load_data(spec, limit=limit, seed=seed, columns=columns), candidates=candidates) for spec in data
    ]
    check_data(sources, settings)
    with logged(log_style, kept=str(out / KEPT)) as steps:
        lm = replace(on, memory=memory).load()
        found = compare_data(lm, sources, settings, out=out, command=o.typed(), steps=steps, say=log.info)
    print_report(found.found, PlainConsole(), path=out / "report.html")


def judges(kind: str | None = None) -> None:
    """List the judges by name: what each reads, what it costs, and whether it must be fitted."""
    from ...probes.description import KINDS, Task
    from ..judges.panel import chosen, cost_in_words, panel

    console = PlainConsole()
    if not console.is_terminal:  # one line a judge, for grep
        console.width = 200
    for one in (kind,) if kind else KINDS:
        Task(one)  # refuses another kind
        seats = panel(one, between=("reasoning_start", "reasoning_end"), scale=(1, 5))
        usual = chosen(seats, ())
        table = Table(title=f"{one}s", title_justify="left", box=None)
        for name in ("judge", "family", "costs", "fit", "reads"):
            table.add_column(name, overflow="fold")
        for name, seat in seats.items():
            fit = "needed" if seat.judge.learns else "sets a threshold" if seat.judge.needs_threshold else "-"
            row = name + ("" if name in usual else " *"), seat.family, cost_in_words(seat.judge), fit
            table.add_row(*row, escape(", ".join(seat.judge.needs)))
        console.print(table)


def doctor(scores: Path, out: Path | None = None, tried: int = 1) -> None:
    """Say what a method's scores know: the question, length, source, a leak, or more; no model is needed."""
    from ..compare.doctor.diagnosis import doctor as examine
    from ..compare.report.folder import check_folder

    if out is not None:
        check_folder(out)
    found = examine(scores, tried=tried, command=o.typed())
    for sentence in found.found.parts[0].summary:
        say(textwrap.fill(sentence, 100, subsequent_indent="  "))
    if out is not None:
        found.report(out)
        say(f"Report: {out / 'report.html'}")


def agree(
    labels: list[Path], judge: str, people: list[str], probe: str | None = None, by: list[str] | None = None,
    cost: list[str] | None = None
) -> None:  # fmt: skip
    """Hold a judge's labels against people's, by length and data set, and what a probe that learned from them keeps."""
    from ..data.verdict_files import read_table
    from ..data.verdict_table import Table
    from ..stats.agreement.checked import check_labels

    try:
        costs = {name: float(text) for name, _, text in (one.rpartition("=") for one in cost or ())}
    except ValueError:
        costs = {"": 0.0}
    if not all(0 < value < math.inf for value in costs.values()) or {*costs} - {judge, probe}:
        raise InnerjudgeError.of("cli.cost", " --cost ".join(cost or ()))
    files = [read_table(file) for file in labels]
    named = [{row.data for row in rows} for rows in files]
    if any(names != named[0] for names in named):  # those of `label` and `ask` know no data set
        files = [Table(replace(row, data="") for row in rows) for rows in files]
    table = Table(row for rows in files for row in rows)
    if odd := [name for name in by or () if not any(table.tag(name))]:
        raise InnerjudgeError(f"given --by {odd[0]}, expected a field of the rows")
    say(str(check_labels(table, judge, people, probe=probe, slices=("length", "data", *(by or ())), costs=costs)))
