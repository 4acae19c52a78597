"""One pick a question, from file to file."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...models.errors import InnerjudgeError
from ..data.jsonl import write_jsonl
from ..data.outputs import require_room, writing
from ..data.splits import rows_by_group
from .columns import Columns
from .pick import Pick, pick
from .representatives import Vectors, representatives
from .rules import Rule
from .temperature import choose_temperature


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """How candidates are selected.

    Args:
        rule: The rule; its temperature is chosen where ``held_out`` is more than 0.
        k: How many answers Best-of-Majority picks.
        clusters: VecCISC: only so many candidates an answer take part, at most; ``None`` for all.
        method: ``"kmeans"`` or ``"agglomerative"``.
        held_out: Share of the questions on which the temperature is chosen.
        seed: Of that draw, of k-means, and of random picks.
    """

    rule: Rule
    k: int = 1
    clusters: int | None = None
    method: str = "kmeans"
    held_out: float = 0.0
    seed: int = 0

    def label(self, rule: Rule) -> str:
        """Name of the rule in the rows."""
        if self.clusters is not None:
            return f"vec-cisc (at most {self.clusters} an answer)"
        return str(rule)


def select(columns: Columns, how: Selection, vectors: Vectors | None = None) -> tuple[list[dict[str, Any]], Rule]:
    """One row a question, in order, and the rule with the temperature that was chosen.

    Raises:
        InnerjudgeError: If VecCISC has no vectors, or a temperature is to be chosen where nothing is known.
    """
    if how.clusters is not None and vectors is None:
        raise InnerjudgeError("given VecCISC without states of the candidates, expected --features of an extraction")
    groups = [rows.tolist() for rows in rows_by_group(columns.questions)]
    held = held_out(columns, how.held_out, seed=how.seed) if how.held_out else frozenset()
    rule = how.rule
    if held:
        rule = replace(rule, temperature=temperature_of(columns, held))
    rng = np.random.default_rng(how.seed)
    return [_row(columns, rows, rule, how, vectors, held, rng) for rows in groups], rule


def held_out(columns: Columns, share: float, *, seed: int) -> frozenset[str]:
    """Questions on which a temperature is chosen: a share of those of which something is known, at least one."""
    pairs = zip(columns.questions, columns.correct, strict=True)
    known = list(dict.fromkeys(question for question, right in pairs if right is not None))
    if not known:
        raise InnerjudgeError(
            "given candidates of which none is known to be right or wrong, expected some with 'correct': set a "
            "temperature by hand"
        )
    drawn = np.random.default_rng(seed).permutation(len(known))[: max(1, round(share * len(known)))]
    return frozenset(known[k] for k in drawn)


def temperature_of(columns: Columns, held: frozenset[str]) -> float:
    """Temperature of the weighted vote that does best on these questions: :func:`~.temperature.choose_temperature`."""
    part = columns.take([k for k, question in enumerate(columns.questions) if question in held])
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


def _row(
    columns: Columns,
    rows: list[int],
    rule: Rule,
    how: Selection,
    vectors: Vectors | None,
    held: frozenset[str],
    rng: np.random.Generator,
) -> dict[str, Any]:
    answers, scores = [columns.answers[k] for k in rows], [columns.scores[k] for k in rows]
    spent: dict[str, Any] = {}
    if how.clusters is not None and vectors is not None:
        kept = representatives(answers, vectors[rows], clusters=how.clusters, method=how.method, seed=how.seed)
        scores = [score if k in kept else None for k, score in enumerate(scores)]
        spent = {"scored": [columns.candidates[rows[k]] for k in kept], "saved": len(rows) - len(kept)}
    found = pick(rule, answers, scores, correct=[columns.correct[k] for k in rows], k=how.k, rng=rng)
    taken = rows[found.index]
    row = {
        "question_id": columns.questions[taken],
        "picked": columns.candidates[taken],
        "answer": columns.answers[taken],
        "score": columns.scores[taken],
        "correct": columns.correct[taken],
        "rule": how.label(rule),
        "why": found.why,
        "fallback": found.fallback,
        "candidates": len(rows),
        "unscored": sum(columns.scores[k] is None for k in rows),
        "unparsable": sum(answer is None for answer in answers),
    }
    return row | _more(columns, rows, found, how) | spent | ({"held_out": row["question_id"] in held} if held else {})


def _more(columns: Columns, rows: list[int], found: Pick, how: Selection) -> dict[str, Any]:
    return {"picks": [columns.candidates[rows[k]] for k in found.picks]} if how.k > 1 else {}
