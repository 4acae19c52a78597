"""All audits that a study asks for, on one data set: their rows, and the sections that they fill."""

from collections.abc import Callable, Mapping, Sequence

from ....models.loading import LanguageModel
from ...compare.figures import Section
from ...compare.lens import Lens
from ...data.verdict_table import Row
from ..asking.checklist import pass_rates
from ..parts.asked import asked, distracted, with_references
from ..parts.steadiness import steadiness
from . import ways
from .ways import Auditing


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
