"""The verdict on a method by its scores alone: what it knows, what explains it, what it is worth for choosing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from ....extraction.provenance import versions
from ....models.errors import InnerjudgeError
from ...data.verdict_table import Row, Table
from ...selection.reranking import selection_accuracy
from ...selection.rules import Rule
from ...stats.intervals import cluster_interval, difference, holm
from ...stats.metrics.accuracy import auroc, decomposition, within_question_auroc
from ..figures import Cell, Section, grid, section, split_of_auroc, worded
from ..findings import DataReport, Reason, Report
from ..lens import Lens
from ..report.folder import SPECS, claim, write
from ..report.page import HOW_TO_READ_SCORES, cell
from ..sections.opponents import opponents as against
from ..settings import Settings
from ..trace_blind import PASS_RATE, pass_rate
from .checks import checks, opponents
from .explanations import LEVEL, Explained, explain
from .scores import Scores, read_scores


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What was found about a table of scores: the report (``found``), and the tests behind it (``explained``).

    ``named`` is what explains the scores: ``"question"``, ``"length"``, ``"source"``, ``"leak"``, or ``"signal"`` where
    they say more than all of these; none where they do not go with the labels, or nothing can be told.
    """

    named: tuple[str, ...]
    explained: Explained
    found: Report

    def __repr__(self) -> str:
        return "\n".join(self.found.parts[0].summary)

    def table(self) -> pd.DataFrame:
        """Every figure, one a row."""
        return pd.DataFrame([asdict(figure) for figure in self.found.figures])

    def report(self, folder: str | Path) -> None:
        """Write ``report.html``, ``report.md``, ``results.json`` and, first, ``doctor.json``: what was asked.

        Not into a file, nor beside other files; a folder that a killed run began is continued.
        """
        claim(folder, self.found.spec, name=SPECS[2])
        write(folder, self.found, None)


def doctor(source: str | Path | pd.DataFrame, *, tried: int = 1, command: str = "innerjudge.doctor") -> Diagnosis:
    """Examine scores of answers from any source; no model is needed.

    It finds leaks, the split of the AUROC into pairs within and between questions, opponents, what explains the scores,
    the choice among candidates, the luck of a pick, the ceiling of noisy labels. All tests and intervals keep the
    candidates of a question together.

    Args:
        source: A JSONL or Parquet file, or a pandas frame, with ``question``, ``score`` (higher is better) and
            ``label`` (right or not); ``candidate``, ``text``, ``prompt``, ``answer``, ``source``, ``split`` and
            ``label_again`` if present. See :func:`.scores.read_scores`.
        tried: How many heads, layers, probes or prompts the method was picked from on these rows.
        command: What the report says it was made by.

    Raises:
        InnerjudgeError: If the table cannot be read, or ``tried`` is below 1.

    Example:
        >>> import numpy as np, pandas as pd
        >>> draw = np.random.default_rng(0)
        >>> hard = draw.random(80)  # scores that know how hard a question is, and nothing else
        >>> rows = [{"question": str(k // 5), "label": bool(draw.random() < hard[k // 5]), "score": hard[k // 5]}
        ...         for k in range(400)]
        >>> doctor(pd.DataFrame(rows)).named
        ('question',)
    """
    if tried < 1:
        raise InnerjudgeError(f"given tried={tried}, expected at least 1: how many methods this one was picked from")
    every = read_scores(source)
    given = every.scored()
    if len(set(given.questions)) < 2 or len(set(given.labels)) < 2:
        raise InnerjudgeError.of("compare.few-scored", every.name, len(given))
    lost, explained = len(every) - len(given), explain(given)
    lens = _seen(given)
    made = (_verdict(given, lens, explained), against(lens), _choosing(given, lens, tried), checks(every))
    sections = [section for section in made if section is not None]
    said = [sentence for section in sections for sentence in section.found]
    part = DataReport(
        name=every.name,
        kind="scores",
        counts={"rows": len(every), "scored": len(given), "questions": len(set(every.questions))},
        families={},
        summary=tuple(one for one in said if not any(one != other and one in other for other in said)),
        sections=tuple(sections),
        unscored=(Reason("no score", 0, lost, ("score",)),) if lost else (),
    )
    report = Report(
        name=f"Examination of {every.name}",
        command=command,
        spec={"tried": tried},
        versions=dict(versions()),
        model={},
        parts=(part,),
        how_to_read=tuple(one.format(level=LEVEL) for one in HOW_TO_READ_SCORES),
    )
    return Diagnosis(named=explained.named, explained=explained, found=report)


def label_ceiling(labels: Sequence[bool], again: Sequence[bool | None]) -> float | None:
    """The AUROC that a judge of the truth itself would show on labels that are wrong as often as two people differ.

    Both people are taken to err alike and at random, so that they differ on ``2 e (1 - e)`` of the rows. ``None`` where
    fewer than 20 rows have a second label, or half of them differ.
    """
    both = [(a, b) for a, b in zip(labels, again, strict=True) if b is not None]
    differ = sum(a != b for a, b in both) / max(len(both), 1)
    if len(both) < 20 or differ >= 0.5:
        return None
    error = (1 - np.sqrt(1 - 2 * differ)) / 2
    right = min(max((np.mean(labels) - error) / (1 - 2 * error), 0.0), 1.0)  # share that is right in truth
    said = right * (1 - error) + (1 - right) * error
    if not 0 < said < 1:
        return None
    true, false = right * (1 - error) / said, right * error / (1 - said)  # right in truth, of those called right, wrong
    return float(true * (1 - false) + 0.5 * (true * false + (1 - true) * (1 - false)))


def _verdict(given: Scores, lens: Lens, explained: Explained) -> Section:
    """The page's first lines: what the method knows."""
    alone = explained.alone
    shown: list[list[Cell]] = []
    blind = pass_rate(given.labels, given.questions).tolist()
    for name, values in {"score": given.scores, PASS_RATE: blind}.items():
        whole = lens.figure("verdict", name, "AUROC", auroc(given.labels, values), null=0.5)
        inside = within_question_auroc(given.labels, values, given.questions)
        shown.append([name, whole, lens.figure("verdict", name, "AUROC within questions", inside, null=0.5)])
    known = {"alone": alone, "named": explained.named, "left": explained.left, "level": LEVEL}
    said = worded("verdict", **known, within=cell(shown[0][2]))
    parts = decomposition(given.labels, given.scores, given.questions)
    split = "" if parts is None else split_of_auroc(*parts)
    held = [("nothing", None, alone), *((one.cause, one.p, one.beside) for one in explained.causes)]
    held += [] if explained.left is None else [("all of them", None, explained.left)]
    rows: list[list[Cell]] = [[n, None if p is None else _p(p), round(a.value, 3), _p(a.p)] for n, p, a in held]
    grids = [grid("verdict pooled", shown), grid("verdict causes", rows)]
    return section("verdict", "What the scores know", [*said, split], grids)


def _seen(given: Scores) -> Lens:
    """The scores beside cheap scores of the same rows, each fitted on other questions, as `compare` has its judges."""
    columns: dict[str, Sequence[float | None]] = {"score": given.scores}
    columns |= {name: values.tolist() for name, values in opponents(given).items() if name != PASS_RATE}
    known = list(enumerate(zip(given.questions, given.labels, strict=True)))
    table = Table(
        Row(question=question, candidate=str(k), judge=judge, score=values[k], truth=label)
        for judge, values in columns.items()
        for k, (question, label) in known
    )
    families = {judge: "imported" if judge == "score" else "baseline" for judge in columns}
    return Lens(
        data=given.name, kind="trace", table=table, calibration=Table([]), families=families, settings=Settings()
    )


def _choosing(given: Scores, lens: Lens, tried: int) -> Section:
    sizes, nothing = Counter(given.questions), [None] * len(given)
    of_several = [y if sizes[q] > 1 else None for y, q in zip(given.labels, given.questions, strict=True)]
    rules = {"the highest score": "best-of-n", "at random": "random", "the right one, where there is one": "oracle"}
    made = {
        name: selection_accuracy(nothing, given.scores, of_several, given.questions, rule=Rule(rule))
        for name, rule in rules.items()
    }
    rows: list[list[Cell]] = []
    if made["at random"].value is not None:
        rows = [[n, lens.figure("choosing", n, "right choice", m)] for n, m in made.items()]
        (gain,) = holm([difference(made["the highest score"], made["at random"], given.questions)])
        gained = lens.gap("choosing", "score", "right choice", gain, against="at random")
        rows.append(["gain over a random choice", gained])
    pooled = cluster_interval(auroc(given.labels, given.scores), given.questions)
    luck = None
    if tried > 1 and pooled.error is not None and pooled.value is not None:
        luck = pooled.error * float(norm.ppf((tried - 0.375) / (tried + 0.25)))  # Blom 1958
    ceiling = label_ceiling(given.labels, given.again)
    found = worded("choosing", luck=luck, tried=tried, pooled=pooled.value, ceiling=ceiling)
    return section("choosing", "Choosing among candidates", found, [grid("choosing", rows)])


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"
