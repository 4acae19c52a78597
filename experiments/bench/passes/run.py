"""The benchmark itself: sections in turn, each with its variants, and what came of it, as JSON and as Markdown."""

import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ....extraction.provenance import versions
from ....models.errors import InnerjudgeError, readable
from ...reading.progress import Steps
from .section import Run, Section, Spread, Times, Variant, Work, peak_of, random_model, timed
from .variants import PASSES

#: The tables; a checkout has more, in ``documents/sections.py``.
SECTIONS: tuple[Section, ...] = (PASSES,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the benchmark is run, as the help of ``innerjudge bench`` says it; no ``only`` means all sections."""

    shape: str = "135m"
    device: str = "cpu"
    dtype: str = "float32"
    rounds: int = 7
    threads: int = 1
    quick: bool = False
    only: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What was found of one variant: ratios of time and memory to the variant ``against``, and what they may be.

    ``seconds`` are the median processor seconds of a run, ``peak`` bytes of live tensors without the weights; ``None``
    where it was not run (``reason`` says why) or not measured.
    """

    name: str
    keeps: str
    against: str
    cpu: Spread | None = None
    wall: Spread | None = None
    seconds: float | None = None
    peak: float | None = None
    memory: float | None = None
    expected: float | None = None
    expected_memory: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What was found in one section."""

    key: str
    title: str
    about: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A whole run: what was typed, the machine, the versions of libraries, and a table a section."""

    command: str
    options: Options
    machine: dict[str, str]
    versions: dict[str, str]
    tables: tuple[Table, ...]


def run_benchmark(
    options: Options,
    steps: Steps,
    command: str,
    keep: Callable[[Benchmark], None],
    sections: Sequence[Section] = SECTIONS,
) -> Benchmark:
    """Run the sections that were asked for; an unknown section, shape, dtype or device is refused.

    ``keep`` is told of what was found so far after every section, so that a run that is stopped leaves whole tables.
    """
    unknown = set(options.only) - {section.key for section in sections}
    if unknown:
        known = ", ".join(section.key for section in sections)
        raise InnerjudgeError(f"given --only {', '.join(sorted(unknown))}, expected some of {known}")
    threads = torch.get_num_threads()
    torch.set_num_threads(options.threads)
    found = Benchmark(command=command, options=options, machine=_machine(options), versions=dict(versions()), tables=())
    try:
        for section in sections:
            if not options.only or section.key in options.only:
                found = replace(found, tables=(*found.tables, run_section(section, options, steps)))
                keep(found)
    finally:
        torch.set_num_threads(threads)
    return found


def run_section(section: Section, options: Options, steps: Steps) -> Table:
    """Time the variants of one section in turn, then measure the memory of each."""
    lm = random_model(options.shape, device=options.device, dtype=options.dtype, seed=options.seed)
    work = Work(lm, section.make_items(lm, options.quick), options.shape, options.dtype)
    variants = section.make_variants(work)
    if options.quick:  # what a pass costs beside its overhead shows on long texts only
        variants = tuple(replace(one, expected=None, expected_memory=None) for one in variants)
    runs, reasons = _prepared(variants, work, steps(f"{section.key}: getting ready", len(variants)))
    ready = [k for k in range(len(variants)) if k in runs]
    times: dict[int, Times] = {}
    if ready:
        advance = steps(f"{section.key}: timing", len(ready) * options.rounds)
        found = timed([runs[k] for k in ready], options.rounds, device=lm.device, on_run=advance)
        times = dict(zip(ready, found, strict=True))
    peaks: dict[int, float] = {}
    if section.memory:
        advance = steps(f"{section.key}: memory", len(ready))
        for k in ready:
            peaks[k] = peak_of(runs[k], lm.device)
            advance(1)
    lines = tuple(_lines(variants, times, peaks, reasons))
    return Table(key=section.key, title=section.title, about=section.about, lines=lines)


def _prepared(
    variants: Sequence[Variant], work: Work, advance: Callable[[int], None]
) -> tuple[dict[int, Run], dict[int, str]]:
    """Variants that ran once, by number, and why others did not."""
    runs: dict[int, Run] = {}
    reasons: dict[int, str] = {}
    for k, variant in enumerate(variants):
        if not variant.installed:
            reasons[k] = f"{variant.package} is not installed"
        else:
            try:
                runs[k] = variant.prepare(work)
                runs[k]()
            except Exception as error:  # whatever a peer, a compiler or a full memory says: the others can be timed
                runs.pop(k, None)
                reasons[k] = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
        advance(1)
    return runs, reasons


def _lines(
    variants: Sequence[Variant], times: dict[int, Times], peaks: dict[int, float], reasons: dict[int, str]
) -> list[Line]:
    numbers, lines = {variant.name: k for k, variant in enumerate(variants)}, []
    for k, variant in enumerate(variants):
        against = variant.against or variants[0].name
        reference = numbers[against]
        line = Line(name=variant.name, keeps=variant.keeps, against=against)
        if k not in times or reference not in times:
            lines.append(replace(line, reason=reasons.get(k, f"{against} was not run")))
            continue
        cpu, wall = times[k].against(times[reference])
        peak, base = peaks.get(k), peaks.get(reference)
        memory = None if peak is None or not base else peak / base
        line = replace(line, cpu=cpu, wall=wall, seconds=Spread.of(times[k].cpu).median, peak=peak, memory=memory)
        lines.append(replace(line, expected=variant.expected, expected_memory=variant.expected_memory))
    return lines


def _machine(options: Options) -> dict[str, str]:
    found = {
        "architecture": platform.machine(),
        "cores": str(os.cpu_count()),
        "vector instructions": torch.backends.cpu.get_cpu_capability(),
    }
    if options.device.startswith("cuda") and torch.cuda.is_available():
        found["GPU"] = torch.cuda.get_device_name(options.device)
    return found


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
        f"# What a judge costs: {found.tables[0].title[0].lower()}{found.tables[0].title[1:]}",
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
    return [*cells, f"{line.memory:.2f} ({line.peak / 1e6:.0f} MB)", _asked(line.expected_memory, line.memory)]


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
    return "" if expected is None else f"{expected:.2f}, {'met' if found <= expected else 'NOT met'}"
