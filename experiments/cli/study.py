"""The commands ``innerjudge study`` and ``innerjudge diff``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..reading.progress import PlainConsole
from ..runs.loading import Model
from ..runs.log import LogStyle, log, logged
from . import options as o

if TYPE_CHECKING:
    from ..study.diff import StudyDiff


def study(file: Path, out: Path | None = None, memory: float | None = None, log_style: LogStyle = "auto") -> None:
    """Run a study, or go on with one that was stopped, and write its folder."""
    from ..data.datasets import check_spec
    from ..study.spec import read_study

    spec = read_study(file)
    if memory is not None:
        spec = spec.model_copy(update={"model": spec.model.model_copy(update={"memory": memory})})
    for one in spec.data:
        check_spec(one.source, one.columns)
    import yaml

    from ..compare.report.folder import KEPT, SPECS, check_folder, claim, write
    from ..compare.report.page import print_report
    from ..compare.run import check_data
    from ..study.run import StudyRun, sources_of

    folder = out if out is not None else file.with_suffix("")
    check_folder(folder)
    sources = sources_of(spec)
    for how in spec.prompted.values():
        check_data(sources, how)
    on = spec.model
    plain = spec.model_dump(mode="json")
    with logged(log_style, kept=str(folder / KEPT)) as steps:
        lm = Model(on.name, on.device, on.dtype, on.revision, on.modules, on.trust_remote_code, on.memory).load()
        run = StudyRun(study=spec, lm=lm, folder=claim(folder, plain, name=SPECS[1]), steps=steps, say=log.info)
        report = run.report(sources, command=o.typed())
    write(folder, report, run.rows, more={"study.yaml": yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)})
    print_report(report, PlainConsole(), path=folder / "report.html")


def diff(first: Path, second: Path, everything: bool = False) -> None:
    """Compare two studies: what differs in their files and versions, and which figures moved."""
    from ..compare.report.folder import read_results
    from ..study.diff import compare_studies

    _print_diff(compare_studies(read_results(first), read_results(second)), PlainConsole(), everything=everything)


def _print_diff(found: "StudyDiff", console: Console, *, everything: bool) -> None:
    for title, rows in (("Study", found.spec), ("Versions", found.versions)):
        for place, before, after in rows:
            console.print(Text(f"{title}: {place}: {before} -> {after}"), highlight=False)
    if shown := [m for m in found.moved if everything or m.apart]:
        table = Table(box=None, padding=(0, 1, 0, 0))
        for name in ("data", "part", "judge", "metric", "first", "second", "change"):
            table.add_column(
                name, overflow="fold", justify="right" if name in ("first", "second", "change") else "left"
            )
        for one in shown:
            metric = one.key[3] + (f" minus {one.key[4]}" if one.key[4] else "")
            ends = "" if one.low is None or one.high is None else f" [{one.low:+.3f}, {one.high:+.3f}]"
            change = "-" if one.change is None else f"{one.change:+.3f}{ends}"
            table.add_row(*map(Text, (*one.key[:3], metric, _spelt(one.first), _spelt(one.second), change)))
        console.print(table)
    apart = sum(m.apart for m in found.moved)
    compared = sum(m.change is not None for m in found.moved)
    console.print(
        Text(f"{apart} of {compared} figures moved further than their intervals allow (corrected for their number)."),
        highlight=False,
    )
    for title, keys in (("first", found.only_first), ("second", found.only_second)):
        if keys:
            count = "1 figure is" if len(keys) == 1 else f"{len(keys)} figures are"
            console.print(Text(f"{count} in the {title} study only."), highlight=False)


def _spelt(value: Any) -> str:
    return "-" if value is None else f"{value:.3f}"
