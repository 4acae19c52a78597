"""A comparison from its data to its figures: judge, evaluate, report; steps are kept, so a killed run can resume."""

import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...extraction.provenance import provenance, versions
from ...models.description import describe
from ...models.errors import InnerjudgeError
from ...models.loading import LanguageModel
from ..data.splits import rows_by_group
from ..data.verdict_table import Row, Table
from ..drawing.style import counted
from ..judges.panel import EVERY
from ..reading.passes import Passes
from ..reading.progress import Steps, silent
from .evaluation import Evaluation, every_seat, left_out
from .figures import Section, worded
from .findings import DataReport, Report, unscored_reasons
from .lens import Lens
from .report.browse import shown_items, with_surprise
from .sections.blocks import by_block
from .sections.candidates import candidates, cascade
from .sections.confounds import confounds
from .sections.first_error import first_errors
from .sections.headline import headline, scores
from .sections.opponents import opponents
from .settings import Settings, Source
from .steps import StepStore
from .trace_blind import AGREEMENT

#: Below so many questions the report warns that everything rests on few.
FEW_QUESTIONS = 30
#: Likewise for questions with both a right and a wrong answer.
FEW_MIXED = 20
#: What notes begin with that a reader must know before the figures.
WARNING = "Warning: "


def ignored(_sentence: str) -> None:
    """Drop a message: the default where no callback is given."""


@dataclass(kw_only=True)
class ComparisonRun:
    """One run of a comparison, or of the comparison in a study; ``say`` is told which kept steps are lost.

    Steps are kept in ``folder``, if any. ``rows`` are the verdicts so far, ``seconds`` those of each stage.
    """

    lm: LanguageModel
    settings: Settings
    folder: Path | None = None
    steps: Steps = silent
    say: Callable[[str], None] = ignored
    rows: list[Row] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        depends = [provenance(self.lm).to_json()] + ([] if self.lm.memory is None else [self.lm.memory])
        self.store = StepStore(self.folder, depends, part=self.passes.writing_batch)
        if self.store.lost:
            self.say(self.store.lost)

    @property
    def passes(self) -> Passes:
        """How the model is run."""
        return self.settings.passes(self.steps)

    def evaluations(self, sources: Sequence[Source]) -> list[Evaluation]:
        """One for each data set, once all is checked that can be checked before a pass of the model."""
        check_data(sources, self.settings)
        passes, alone = self.passes, len(sources) == 1
        every = [
            Evaluation(lm=self.lm, settings=self.settings, source=source, passes=passes, store=self.store, alone=alone)
            for source in sources
        ]
        if passes.prompt is not None:
            passes.prompt.check(self.lm.tokenizer)
        for one in every:
            one.check()
        if out := {name: why for one in every for name, why in left_out(one).items()}:
            self.say(f"Named, but left out: {'; '.join(f'{name} ({why})' for name, why in sorted(out.items()))}.")
        return every

    def lens(self, one: Evaluation) -> Lens:
        """Judge a data set, and see its rows."""
        with self.timed("judging"):
            rows = one.rows()
        self.rows += rows
        return lens_of(one, rows)

    def report(self, sources: Sequence[Source], *, command: str) -> Report:
        """Run every step that is not kept, and make the figures."""
        parts = []
        for one in self.evaluations(sources):
            lens = self.lens(one)
            with self.timed("figures"):
                parts.append(part_of(one, lens, sections_of(one, lens)))
        return self.finished(parts, name="Judges compared", command=command, spec=asdict(self.settings))

    def finished(
        self, parts: Sequence[DataReport], name: str, command: str, spec: Any, across: tuple[Section, ...] = ()
    ) -> Report:
        """The report; what only a resumed run would need is deleted."""
        if self.store.folder is not None:  # features are large; the rows made from them stay
            shutil.rmtree(self.store.folder / "features", ignore_errors=True)
        return Report(
            name=name, command=command, spec=spec, versions=dict(versions()), model=describe(self.lm),
            parts=tuple(parts), across=across, seconds=self.seconds,
        )  # fmt: skip

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Count the seconds of a stage."""
        started = time.perf_counter()
        yield
        self.seconds[what] = self.seconds.get(what, 0.0) + time.perf_counter() - started


def lens_of(one: Evaluation, rows: Sequence[Row]) -> Lens:
    """What the sections of a report look through: families of judges, and what is of their own model's family."""
    table = Table(rows)
    families = {name: seat.family for name, seat in one.seats.items()} | dict.fromkeys(one.cost_elsewhere, "text")
    for name in table.judges:
        others = "baseline" if name == AGREEMENT else "people" if name.startswith("human") else "imported"
        families.setdefault(name, others)
    kin = dict.fromkeys(one.seats, frozenset(one.settings.own))
    for row in rows:
        if row.judge not in one.seats and "family" in row.tags:
            kin[row.judge] = kin.get(row.judge, frozenset()) | {row.tags["family"]}
    return Lens(
        data=one.name, kind=one.kind, table=table.where(split="test"), calibration=table.where(split="calibrate"),
        families=families, settings=one.settings, kin=kin,
    )  # fmt: skip


def check_data(sources: Sequence[Source], settings: Settings) -> None:
    """Refuse data that are given twice, and judges that judge none of them; needs no model."""
    names = [source.data.name for source in sources]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise InnerjudgeError(f"given the data {', '.join(twice)} twice, expected each once: give files other names")
    own = settings.prompt
    kinds = {source.data.kind for source in sources}
    if own is not None and own.kind not in kinds:
        raise InnerjudgeError.of("compare.prompt", own.name, own.kind, ", ".join(sorted(kinds)))
    known = {name for kind in kinds for name in every_seat(kind, settings)}
    if odd := [name for name in settings.judges if name not in {EVERY, *known}]:
        raise InnerjudgeError.of("compare.no-such-judge", odd[0], ", ".join(sorted(known)))


def sections_of(one: Evaluation, lens: Lens) -> list[Section]:
    """The sections that every comparison has."""
    found = [make(lens) for make in (headline, opponents, scores, confounds, candidates)]
    found += [first_errors(lens, one.items, one.beside.borders), cascade(lens, one.beside.cost | one.cost_elsewhere)]
    found += [by_block(lens, one.beside.curves, one.beside.maps)]
    return [section for section in found if section is not None]


def part_of(one: Evaluation, lens: Lens, sections: Sequence[Section], more: Sequence[Row] = ()) -> DataReport:
    """What is reported of one data set; ``more`` are rows beside those of the lens."""
    counts = {"items": len(one.items), "to fit on": len(one.sides.fit)}
    counts |= {"to calibrate on": len(one.sides.calibrate)} if len(one.sides.calibrate) else {}
    counts |= {"reported": len(lens.truths), "reported questions": lens.n_groups}
    if lens.kind == "trace":
        counts["reported questions with a right and a wrong answer"] = n_mixed(lens)
    notes, seconds = tuple(one.notes()), dict(one.beside.seconds)
    cost = one.beside.cost | one.cost_elsewhere
    if AGREEMENT in lens.families:
        cost[AGREEMENT], seconds[AGREEMENT] = {"prompts": 0.0, "tokens": 0.0}, None
    return DataReport(
        name=one.name, kind=one.kind, counts=counts, families=dict(lens.families),
        summary=_summary(lens, sections, cost, notes), sections=tuple(sections), notes=notes,
        unscored=unscored_reasons((*lens.table, *more)), seconds=seconds, cost=cost,
        items=with_surprise(one, shown_items(one.items, lens)),
    )  # fmt: skip


def _summary(
    lens: Lens, sections: Sequence[Section], cost: Mapping[str, Mapping[str, float]], notes: Sequence[str]
) -> tuple[str, ...]:
    """The answer in words: the best judge and its opponents, its cost, what other sections add, what to distrust."""
    first, names = defaultdict[str, tuple[str, ...]](tuple, {s.key: s.found for s in sections}), list[str]()
    if "opponents" in first:
        (stands,) = (s.grids[0] for s in sections if s.key == "opponents")
        names = [str(stands.rows[0][0]), lens.settings.against]
    keys = ("steps", "prompts", "bias", "panels", "asked", "steadiness", "labels", "selection", "confounds")
    more = [one for key in keys for one in first[key][:1]]
    doubts = [note.removeprefix(WARNING) for note in notes if note.startswith(WARNING)]
    doubts += [one for one in first["confounds"][:1] if not one.startswith("No ")]
    mixed = (n_mixed(lens), lens.n_groups)
    made = worded(
        "summary",
        said=first["opponents"] or (*first["accuracy"], *first["candidates"][:1]),
        cost={judge: cost[judge] for judge in names if judge in cost},
        more=[one for one in more if one not in doubts],
        doubts=doubts,
        questions=counted(lens.n_groups, "question") if lens.n_groups < FEW_QUESTIONS else None,
        mixed=mixed if lens.kind == "trace" and mixed[0] < FEW_MIXED else None,
    )
    return tuple(made)


def n_mixed(lens: Lens) -> int:
    """Reported questions with both a right and a wrong answer: what figures within questions rest on."""
    return sum({True, False} <= {lens.truths[k] for k in rows} for rows in rows_by_group(lens.groups))
