"""All audits that a study asks for, on one data set: their rows, and the sections that they fill."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ....models.loading import LanguageModel
from ...compare.figures import Section
from ...compare.lens import Lens
from ...data.verdict_table import Row
from ..asking.checklist import pass_rates
from ..parts.asked import asked, distracted, with_references
from ..parts.steadiness import SteadinessRows, steadiness
from . import ways
from .ways import Auditing


@dataclass(frozen=True, slots=True)
class AuditRows:
    """Rows that the audits of one data set brought, by what they are about."""

    ways: list[Row] = field(default_factory=list)
    checks: list[Row] = field(default_factory=list)
    steady: SteadinessRows = field(default_factory=SteadinessRows)
    referenced: list[Row] = field(default_factory=list)
    trials: list[Row] = field(default_factory=list)
    flips: list[Row] = field(default_factory=list)
    dummies: list[Row] = field(default_factory=list)

    @property
    def rows(self) -> list[Row]:
        """All of them."""
        some = (self.ways, self.checks, self.steady.all, self.referenced, self.trials, self.flips, self.dummies)
        return [row for rows in some for row in rows]

    def sections(self, lens: Lens) -> list[Section]:
        """What the report says of them."""
        made = (
            asked(lens, self.ways, self.checks),
            with_references(lens, self.referenced),
            steadiness(lens, self.steady),
            distracted(lens, self.trials, self.flips, self.dummies),
        )
        return [section for section in made if section is not None]


def audited(audit: Auditing, other: Callable[[], LanguageModel]) -> AuditRows:
    """Ask everything that the study wants to know; of choices, which have no responses, nothing is asked.

    ``other`` loads the model in another precision, for the audit of perturbations.
    """
    if not audit.candidates:
        return AuditRows()
    wanted, single = audit.wanted, audit.evaluation.kind != "pair"
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
    return AuditRows(
        ways=by_way,
        checks=checks,
        steady=SteadinessRows(
            samples=ways.samples(audit) if wanted.samples > 1 else [],
            pairs=compared,
            sampled=ways.sampled_pairs(audit) if wanted.samples > 1 and wanted.pairs else [],
            perturbed=ways.perturbed(audit, other) if wanted.perturbation else [],
        ),
        referenced=ways.referenced(audit) if wanted.references and single else [],
        trials=ways.distractors(audit) if wanted.distractors else [],
        flips=ways.flips(audit) if wanted.distractors else [],
        dummies=ways.dummy_answers(audit) if wanted.dummies and single else [],
    )
