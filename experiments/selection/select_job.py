"""One pick a question, from file to file, with a temperature chosen on questions that are set aside for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...models.errors import InnerjudgeError
from ..data.jsonl import require_room, write_jsonl, writing
from ..data.splits import rows_by_group
from ..stats.statistic import Floats, Groups, Labels, finite, require_same_length
from .columns import Columns
from .gates import Gated
from .representatives import Vectors, representatives
from .reranking import selection_accuracy
from .rules import Rule, pick
from .votes import Answers, Scores, best_of_n

#: How many temperatures are tried, as in the paper.
TRIED = 80
_NONE = "no candidate passes the gates: the least bad was taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """How candidates are selected: by a ``rule`` whose temperature is chosen on the share ``held_out`` of questions.

    ``k`` is how many answers Best-of-Majority picks. With ``clusters``, at most that many candidates of an answer take
    part (VecCISC), by ``method`` ``"kmeans"`` or ``"agglomerative"``. Candidates that fail
    one of ``gates`` take no part; where all fail, the least bad is taken.
    """

    rule: Rule
    k: int = 1
    clusters: int | None = None
    method: str = "kmeans"
    held_out: float = 0.0
    seed: int = 0
    gates: Gated | None = None


def select(columns: Columns, how: Selection, vectors: Vectors | None = None) -> tuple[list[dict[str, Any]], Rule]:
    """One row a question, in order, and the rule with the temperature that was chosen.

    VecCISC without vectors, or a temperature to be chosen where nothing is known, is an error.
    """
    if how.clusters is not None and vectors is None:
        raise InnerjudgeError("given VecCISC without states of the candidates, expected --features of an extraction")
    held, rule = held_out(columns, how.held_out, seed=how.seed) if how.held_out else frozenset(), how.rule
    if held:
        rule = replace(rule, temperature=temperature_of(columns, held, how.gates))
    rng, gates, found = np.random.default_rng(how.seed), how.gates, list[dict[str, Any]]()
    for every in rows_by_group(columns.questions):
        rows = every.tolist()
        passing = [k for k in rows if gates is None or not gates.failed[k]]
        if gates is not None:
            rows = passing or [rows[best_of_n([gates.scores[k] for k in rows])]]
        answers, scores = [columns.answers[k] for k in rows], [columns.scores[k] for k in rows]
        spent: dict[str, Any] = {}
        if how.clusters is not None and vectors is not None:
            kept = representatives(answers, vectors[rows], clusters=how.clusters, method=how.method, seed=how.seed)
            scores = [score if k in kept else None for k, score in enumerate(scores)]
            spent = {"scored": [columns.candidates[rows[k]] for k in kept], "saved": len(rows) - len(kept)}
        made = pick(rule, answers, scores, correct=[columns.correct[k] for k in rows], k=how.k, rng=rng)
        taken = rows[made.index]
        row: dict[str, Any] = {
            "question_id": columns.questions[taken],
            "picked": columns.candidates[taken],
            "answer": columns.answers[taken],
            "score": columns.scores[taken],
            "correct": columns.correct[taken],
            "rule": str(rule) if how.clusters is None else f"vec-cisc (at most {how.clusters} an answer)",
            "why": made.why,
            "fallback": made.fallback,
            "candidates": len(every),
            "unscored": sum(columns.scores[k] is None for k in every),
            "unparsable": sum(columns.answers[k] is None for k in every),
        }
        if gates is not None:
            row |= {"failed": list(gates.failed[taken])} | ({} if passing else {"why": _NONE, "fallback": _NONE})
        if how.k > 1:
            row["picks"] = [columns.candidates[rows[k]] for k in made.picks]
        found.append(row | spent | ({"held_out": row["question_id"] in held} if held else {}))
    return found, rule


def held_out(columns: Columns, share: float, *, seed: int) -> frozenset[str]:
    """Questions on which a temperature is chosen: a share of those of which something is known, at least one."""
    pairs = zip(columns.questions, columns.correct, strict=True)
    known = list(dict.fromkeys(question for question, right in pairs if right is not None))
    if not known:
        raise InnerjudgeError.of("selection.none-known")
    drawn = np.random.default_rng(seed).permutation(len(known))[: max(1, round(share * len(known)))]
    return frozenset(known[k] for k in drawn)


def temperature_of(columns: Columns, held: frozenset[str], gates: Gated | None = None) -> float:
    """Temperature of the weighted vote that does best on these questions: :func:`~.temperature.choose_temperature`."""
    rows = [k for k, question in enumerate(columns.questions) if question in held and not (gates and gates.failed[k])]
    part = columns.take(rows)
    return choose_temperature(part.answers, part.scores, part.correct, part.questions)


def select_job(columns: Columns, how: Selection, out: Path, vectors: Vectors | None = None) -> str:
    """:func:`select` into the JSONL file ``out``; returns what was done, in words."""
    require_room(out)
    rows, rule = select(columns, how, vectors)
    with writing(out):
        write_jsonl(out, rows)
    said = [f"{len(rows)} picks are in {out}."]
    counted = [row for row in rows if row["correct"] is not None and not row.get("held_out")]
    if counted:
        share = sum(row["correct"] for row in counted) / len(counted)
        said.append(f"Right: {share:.3f} of {len(counted)} questions where that is known.")
    if how.held_out:
        said.append(f"Temperature {rule.temperature:.4g}, chosen on {sum(bool(r['held_out']) for r in rows)} others.")
    fallbacks = sum(row["fallback"] is not None for row in rows)
    if fallbacks:
        said.append(f"{fallbacks} by a fallback, see 'fallback'.")
    if how.clusters is not None:
        saved, total = sum(row["saved"] for row in rows), len(columns)
        said.append(f"Calls of the judge saved: {saved} of {total} ({100 * saved / total:.1f} %).")
    return " ".join(said)


def choose_temperature(
    answers: Answers, scores: Scores, correct: Labels, groups: Groups, *, candidates: Sequence[float] | None = None
) -> float:
    """The temperature at which the weighted vote is right most often, on candidates of questions that are set aside.

    ``candidates`` are those to try; ``None`` for :data:`TRIED` of them, evenly on a log scale from 1/100 to 100 times
    the standard deviation of the scores within questions, so that the unit of the score does not matter. Of equally
    good ones it is the middle one (of two, the lower); 1 where no question tells (nothing known or nothing scored).

    Source:
        CISC: grid search on a hold-out of 10 %.

    Example:
        >>> answers, scores = ["7", "8", "8"], [2.0, 0.0, 0.0]
        >>> choose_temperature(answers, scores, [True, False, False], ["q"] * 3, candidates=[0.5, 1.0, 2.0, 9.0])
        1.0
    """
    require_same_length(answers=answers, scores=scores, correct=correct, groups=groups)
    tried = default_temperatures(scores, groups) if candidates is None else np.array(candidates, dtype=np.float64)
    if not len(tried) or not (tried >= 0).all():
        raise InnerjudgeError(f"given the temperatures {tried.tolist()}, expected at least one, all 0 or more")
    ordered = np.sort(tried).tolist()
    rules = [Rule("weighted", temperature=temperature) for temperature in ordered]
    found = [selection_accuracy(answers, scores, correct, groups, rule=rule).value for rule in rules]
    if found[0] is None:
        return 1.0
    best = [t for t, value in zip(ordered, found, strict=True) if value == max(v for v in found if v is not None)]
    return float(best[(len(best) - 1) // 2])


def default_temperatures(scores: Scores, groups: Groups) -> Floats:
    """The temperatures that are tried, ``[80]``, in the unit of the scores."""
    read = finite(scores)
    gaps = [read[rows] - np.nanmean(read[rows]) for rows in rows_by_group(groups) if np.isfinite(read[rows]).any()]
    spread = float(np.sqrt(np.nanmean(np.concatenate(gaps) ** 2))) if gaps else 0.0
    return np.geomspace(1e-2, 1e2, TRIED) * (spread if gaps and spread > 1e-12 * np.nanmax(np.abs(read)) else 1.0)
