"""The benchmark itself: sections in turn, each with its variants, and what came of it, as JSON and as Markdown."""

import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from ....extraction.provenance import versions
from ....models.errors import InnerjudgeError, readable
from ...drawing.style import filled
from ...reading.progress import Steps
from .section import Run, Section, Spread, Times, Variant, Work, peak_of, random_model, timed
from .variants import PASSES

#: The tables if no others are given; ``documents/sections.py`` has more.
SECTIONS: tuple[Section, ...] = (PASSES,)


@dataclass(frozen=True, slots=True)
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
    machine = {"architecture": platform.machine(), "cores": str(os.cpu_count())}
    machine["vector instructions"] = torch.backends.cpu.get_cpu_capability()
    if options.device.startswith("cuda") and torch.cuda.is_available():
        machine["GPU"] = torch.cuda.get_device_name(options.device)
    found = Benchmark(command=command, options=options, machine=machine, versions=dict(versions()), tables=())
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
    times: dict[str, Times] = {}
    if runs:
        advance = steps(f"{section.key}: timing", len(runs) * options.rounds)
        found = timed(list(runs.values()), options.rounds, device=lm.device, on_run=advance)
        times = dict(zip(runs, found, strict=True))
    peaks: dict[str, float] = {}
    if section.memory:
        advance = steps(f"{section.key}: memory", len(runs))
        for name, run in runs.items():
            peaks[name] = peak_of(run, lm.device)
            advance(1)
    lines = tuple(_lines(variants, times, peaks, reasons))
    return Table(key=section.key, title=section.title, about=section.about, lines=lines)


def _prepared(
    variants: Sequence[Variant], work: Work, advance: Callable[[int], None]
) -> tuple[dict[str, Run], dict[str, str]]:
    """Variants that ran once, by name, and why others did not."""
    runs: dict[str, Run] = {}
    reasons: dict[str, str] = {}
    for variant in variants:
        if not variant.installed:
            reasons[variant.name] = f"{variant.package} is not installed"
        else:
            try:
                run = variant.prepare(work)
                run()
                runs[variant.name] = run
            except Exception as error:  # whatever a peer, a compiler or a full memory says: the others can be timed
                reasons[variant.name] = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
        advance(1)
    return runs, reasons


def _lines(
    variants: Sequence[Variant], times: dict[str, Times], peaks: dict[str, float], reasons: dict[str, str]
) -> list[Line]:
    lines = []
    for variant in variants:
        name, against = variant.name, variant.against or variants[0].name
        line = Line(name=name, keeps=variant.keeps, against=against)
        if name not in times or against not in times:
            lines.append(replace(line, reason=reasons.get(name, f"{against} was not run")))
            continue
        cpu, wall = times[name].against(times[against])
        peak, base = peaks.get(name), peaks.get(against)
        memory = None if peak is None or not base else peak / base
        line = replace(line, cpu=cpu, wall=wall, seconds=Spread.of(times[name].cpu).median, peak=peak, memory=memory)
        lines.append(replace(line, expected=variant.expected, expected_memory=variant.expected_memory))
    return lines


#: Files of a run in its folder.
RESULTS, DOCUMENT = "benchmark.json", "benchmark.md"
_TEMPLATE = Path(__file__).parent / "templates" / DOCUMENT


def markdown(found: Benchmark) -> str:
    """The document: how it was measured, and one table a section."""
    known = {"found": found, "o": found.options, "command": readable(found.command)}
    return filled(_TEMPLATE.read_text("utf-8"), known | {"on_gpu": found.options.device.startswith("cuda")})


def write(found: Benchmark, folder: Path) -> None:
    """Write ``benchmark.json`` and ``benchmark.md`` into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(found), indent=1, ensure_ascii=False, allow_nan=False)
    (folder / RESULTS).write_text(text + "\n", encoding="utf-8")
    (folder / DOCUMENT).write_text(markdown(found), encoding="utf-8")
