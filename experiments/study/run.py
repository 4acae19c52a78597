"""A study: a comparison on three sides, with audits, on several data sets at once; every step is kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...models.errors import InnerjudgeError
from ...models.loading import LanguageModel, load
from ..compare.evaluation import Evaluation
from ..compare.figures import Section
from ..compare.findings import DataReport, Report
from ..compare.lens import Lens
from ..compare.run import ComparisonRun, check_data, part_of, sections_of
from ..compare.settings import Settings, Source
from ..data.datasets import load_data
from ..data.verdict_table import Row
from . import audits as ways
from .asking.checklist import pass_rates
from .audits import Auditing
from .parts.across import selection, transfer, transfer_rows
from .parts.agreement import agreement
from .parts.asked import asked, distracted, with_references
from .parts.bias import bias
from .parts.calibration import calibration, labels
from .parts.juries import panels
from .parts.prompts import in_each_prompt, prompts
from .parts.steadiness import steadiness
from .spec import Study

#: Sections in the order of a report; those that are not here come last.
ORDER = (
    "accuracy", "agreement", "calibration", "scores", "confounds", "candidates", "prompts", "bias", "panels", "labels"
)  # fmt: skip


@dataclass(kw_only=True)
class StudyRun(ComparisonRun):
    """One run of a study: of its comparison, and what it adds."""

    study: Study
    settings: Settings = field(init=False)

    def __post_init__(self) -> None:
        self.settings = self.study.settings
        super().__post_init__()

    def report(self, sources: Sequence[Source], *, command: str) -> Report:
        """Run every step that is not kept, and make the figures."""
        for how in self.study.prompted.values():
            check_data(sources, how)
            if how.prompt is not None:
                how.prompt.check(self.lm.tokenizer)
        every = self.evaluations(sources)
        lenses, parts = [], []
        for one in every:
            lens = self.lens(one)
            lenses.append(lens)
            parts.append(self._part(one, lens))
        across: tuple[Section, ...] = ()
        if self.study.audits.transfer and len(every) > 1:
            with self.timed("judging"):
                rows = transfer_rows(every)
            self.rows.extend(rows)
            with self.timed("figures"):
                found = transfer(lenses, rows)
            across = () if found is None else (found,)
        spec = self.study.model_dump(mode="json")
        return self.finished(parts, name=self.study.name, command=command, spec=spec, across=across)

    def _part(self, one: Evaluation, lens: Lens) -> DataReport:
        if not lens.judges:
            raise InnerjudgeError.of("study.nothing-scored", one.name, len(one.seats))
        audits = self.study.audits
        with self.timed("audits"):
            asked = audited(Auditing(self.study, one), self._in_bfloat16)
            worded, notes = in_each_prompt(self.study, one, lens) if self.study.prompts else ({}, [])
        more = [row for rows in asked.values() for row in rows]
        reworded = (row for rows in list(worded.values())[1:] for row in rows)
        more += [replace(row, judge=f"{row.judge}, {row.template}") for row in reworded]
        self.rows.extend(more)
        with self.timed("figures"):
            sections: list[Section | None] = [*sections_of(one, lens), agreement(lens), calibration(lens)]
            sections += [prompts(lens, worded), bias(lens), panels(lens)]
            sections += [labels(lens, threshold=audits.label_errors)] if audits.label_errors is not None else []
            sections += audit_sections(lens, asked) if asked else []
            sections += [selection(one)] if audits.selection else []
        found = [section for section in sections if section is not None]
        found.sort(key=lambda section: ORDER.index(section.key) if section.key in ORDER else len(ORDER))
        if one.kind == "choice" and audits.ask:
            notes.append("Choices have no responses to ask about: only audits that ask nothing are shown.")
        part = part_of(one, lens, found, more)
        return replace(part, notes=(*part.notes, *notes))

    def _in_bfloat16(self) -> LanguageModel:
        on = self.study.model
        how: Any = {**on.model_dump(exclude={"name", "modules", "batch_size"}), **on.modules, "dtype": "bfloat16"}
        return load(on.name, **how)


def sources_of(study: Study) -> list[Source]:
    """The data sets of a study."""
    seed = study.seeds.data
    read = [load_data(one.source, limit=one.limit, seed=seed, columns=one.columns) for one in study.data]
    return [Source(data=data, candidates=one.candidates) for data, one in zip(read, study.data, strict=True)]


def audited(audit: Auditing, other: Callable[[], LanguageModel]) -> dict[str, list[Row]]:
    """Ask everything that the study wants to know; rows by what they are about.

    Of choices, which have no responses, nothing is asked. ``other`` loads the model in another precision, for the audit
    of perturbations.
    """
    if not audit.candidates:
        return {}
    wanted, single = audit.study.audits, audit.evaluation.kind != "pair"
    compared = ways.pairs(audit) if wanted.pairs else []
    checks = ways.checked(audit) if wanted.checklist and single else []
    by_way: list[Row] = []
    if single and (wanted.pairs or wanted.ranking or wanted.checklist):
        by_way += ways.alone(audit)
        for by in ("logits", "text"):
            mine = [row for row in compared if row.judge == f"pair-wise, {by}"]
            by_way += ways.wins(mine, audit.candidates, judge=f"pair-wise wins, {by}") if mine else []
        by_way += ways.ranking(audit) if wanted.ranking else []
        for judge in ("checklist, logits", "checklist, text") if wanted.checklist else ():
            mine = [row for row in checks if row.judge == judge]
            by_way += pass_rates(audit.candidates, mine, judge=judge)
    return {
        "ways": by_way,
        "checks": checks,
        "samples": ways.samples(audit) if wanted.samples > 1 else [],
        "pairs": compared,
        "sampled": ways.sampled_pairs(audit) if wanted.samples > 1 and wanted.pairs else [],
        "perturbed": ways.perturbed(audit, other) if wanted.perturbation else [],
        "referenced": ways.referenced(audit) if wanted.references and single else [],
        "trials": ways.distractors(audit) if wanted.distractors else [],
        "flips": ways.flips(audit) if wanted.distractors else [],
        "dummies": ways.dummy_answers(audit) if wanted.dummies and single else [],
    }


def audit_sections(lens: Lens, rows: Mapping[str, Sequence[Row]]) -> list[Section]:
    """What the report says of the rows of :func:`audited`."""
    made = (
        asked(lens, rows["ways"], rows["checks"]),
        with_references(lens, rows["referenced"]),
        steadiness(lens, rows),
        distracted(lens, rows["trials"], rows["flips"], rows["dummies"]),
    )
    return [section for section in made if section is not None]
