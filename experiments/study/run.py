"""A study from its file to its folder: judge, audit, figure, report; every step is kept, so a killed run goes on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ...extraction.provenance import provenance, versions
from ...models.description import describe
from ...models.errors import InnerjudgeError
from ...models.loading import LanguageModel, load
from ..data.datasets import load_data
from ..data.verdict_table import Row, Table
from ..judges.panel import panel
from ..reading.passes import Passes
from ..reading.progress import Steps, silent
from .auditing import Auditing
from .audits.every import audited
from .figures import DataReport, Section, StudyReport
from .judged import Judged
from .kept import Kept
from .lens import Lens
from .parts.across import selection, transfer, transfer_rows
from .parts.agreement import agreement
from .parts.bias import bias
from .parts.blocks import by_block
from .parts.calibration import calibration
from .parts.confounds import confounds
from .parts.headline import headline
from .parts.juries import panels
from .parts.label_errors import labels
from .spec import Study


def _unsaid(_sentence: str) -> None:
    """For who does not ask."""


@dataclass
class StudyRun:
    """One run of a study.

    Args:
        study: What is compared.
        lm: The model.
        folder: Where steps are kept.
        command: What was typed.
        steps: Where progress is shown.
        say: Called with a sentence when something kept cannot be used.
    """

    study: Study
    lm: LanguageModel
    folder: Path
    command: str
    steps: Steps = silent
    say: Callable[[str], None] = _unsaid
    rows: list[Row] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def report(self) -> StudyReport:
        """Run every step that is not kept, and make the figures.

        Raises:
            InnerjudgeError: If the data cannot be judged as the study says.
        """
        kept = Kept(self.folder, provenance(self.lm).to_json())
        if kept.lost:
            self.say(kept.lost)
        passes = Passes(
            batch_size=self.study.model.batch_size,
            reasoning_tokens=self.study.reasoning_tokens,
            scale=self.study.scale,
            steps=self.steps,
        )
        every: list[Judged] = []
        for spec in self.study.data:
            data = load_data(spec.source, limit=spec.limit, seed=self.study.seeds.data)
            every.append(Judged(self.lm, self.study, spec, data, passes, kept))
        _require_distinct([one.name for one in every])
        _require_known(self.study, {one.kind for one in every})
        for one in every:
            one.check()
        lenses, parts = [], []
        for one in every:
            lens, part = self._part(one, kept)
            lenses.append(lens)
            parts.append(part)
        across = self._across(every, lenses)
        kept.forget_features()
        return StudyReport(
            name=self.study.name,
            command=self.command,
            spec=self.study.model_dump(mode="json"),
            versions=dict(versions()),
            model=describe(self.lm),
            seconds=self.seconds,
            parts=tuple(parts),
            across=across,
        )

    def _part(self, one: Judged, kept: Kept) -> tuple[Lens, DataReport]:
        with self._timed("judging"):
            rows, notes = one.rows()
        self.rows += rows
        lens = self._lens(one, rows)
        if not lens.judges:
            raise InnerjudgeError(
                f"{one.name}: given {len(one.seats)} judges of which none scored a reported item, expected at least one"
            )
        with self._timed("figures"):
            sections: list[Section | None] = [headline(lens), agreement(lens), calibration(lens), confounds(lens)]
            sections += [bias(lens), panels(lens)]
            if self.study.audits.label_errors is not None:
                sections.append(labels(lens, threshold=self.study.audits.label_errors))
        with self._timed("audits"):
            asked = audited(Auditing(one, kept), self._in_bfloat16)
        self.rows += asked.rows
        with self._timed("figures"):
            sections += asked.sections(lens)
            sections.append(by_block(one))
            if self.study.audits.selection:
                sections.append(selection(one))
        found = tuple(s for s in sections if s is not None)
        if one.kind == "choice" and self.study.audits.ask:
            notes = [*notes, "Choices have no responses to ask about: only audits that ask nothing are shown."]
        counts = {"items": len(one.items), "to fit on": len(one.sides.fit), "to calibrate on": len(one.sides.calibrate)}
        counts |= {"reported": len(lens.labels), "reported questions": lens.n_groups}
        lost = Counter((row.judge, str(row.unscored)) for row in (*lens.table, *asked.rows) if row.unscored)
        return lens, DataReport(
            name=one.name,
            kind=one.kind,
            counts=counts,
            summary=_summary(lens, found),
            sections=found,
            notes=tuple(notes),
            unscored=tuple((judge, why, n) for (judge, why), n in lost.most_common()),
        )

    def _lens(self, one: Judged, rows: Sequence[Row]) -> Lens:
        table = Table(rows)
        families = {name: seat.family for name, seat in one.seats.items()}
        for name in table.judges:
            families.setdefault(name, "people" if name.startswith("human") else "imported")
        return Lens(
            data=one.name,
            kind=one.kind,
            table=table.where(split="test"),
            calibration=table.where(split="calibrate"),
            families=families,
            against=self.study.against,
            scale=self.study.scale,
            system=self.study.system,
            own=self.study.own,
            kin=self._kin(one, rows),
            group_tags=self.study.groups,
            target_accuracy=self.study.target_accuracy,
        )

    def _kin(self, one: Judged, rows: Sequence[Row]) -> dict[str, frozenset[str]]:
        """Writers of each judge's own family: ``own`` for the study's model, the tag ``family`` of imported rows."""
        kin = dict.fromkeys(one.seats, frozenset(self.study.own))
        for row in rows:
            if row.judge not in one.seats and "family" in row.tags:
                kin[row.judge] = kin.get(row.judge, frozenset()) | {row.tags["family"]}
        return kin

    def _in_bfloat16(self) -> LanguageModel:
        spec = self.study.model
        return load(
            spec.name,
            device=spec.device,
            dtype="bfloat16",
            revision=spec.revision,
            trust_remote_code=spec.trust_remote_code,
            **spec.modules,
        )

    def _across(self, every: Sequence[Judged], lenses: Sequence[Lens]) -> tuple[Section, ...]:
        if not self.study.audits.transfer or len(every) < 2:
            return ()
        with self._timed("judging"):
            rows = transfer_rows(every)
        self.rows += rows
        with self._timed("figures"):
            found = transfer(lenses, rows)
        return () if found is None else (found,)

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[what] = self.seconds.get(what, 0.0) + time.perf_counter() - started


def _summary(lens: Lens, sections: Sequence[Section]) -> tuple[str, ...]:
    """What a reader should take away: the headline in words, and the first finding of the sections that qualify it."""
    first = {s.key: s for s in sections}
    said = list(first["accuracy"].found)
    for key in ("confounds", "bias", "panels", "asked", "steadiness", "labels", "selection"):
        said += list(first[key].found[:1]) if key in first else []
    if lens.n_groups < 30:
        said.append(f"All of this rests on {lens.n_groups} questions only: read the intervals, not the values.")
    return tuple(said)


def _require_distinct(names: Sequence[str]) -> None:
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise InnerjudgeError(f"given the data {', '.join(twice)} twice, expected each once: give files other names")


def _require_known(study: Study, kinds: set[str]) -> None:
    known = {name for kind in kinds for name in panel(kind, between=("prompt_end", "response_end"), scale=study.scale)}
    odd = [name for name in study.judges if name not in known]
    if odd:
        raise InnerjudgeError(
            f"given the judge {odd[0]!r}, which judges none of these data, expected some of {', '.join(sorted(known))}"
        )
