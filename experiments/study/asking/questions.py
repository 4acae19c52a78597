"""Questions about one response (is it correct, which grade) and about two (which is better, in both orders)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from ....models.prompts import pair_prompt, rating_prompt, verdict_prompt
from ...data.splits import rows_by_group
from ...data.verdict_table import Row
from .ask import Candidate, Question

#: Names of verdicts as seen from the other response.
OTHER = {"a": "b", "b": "a", "tie": "tie"}


def comparisons(candidates: Sequence[Candidate], *, most: int = 7) -> list[tuple[Candidate, Candidate]]:
    """All pairs of candidates of one question, each once; only of its first ``most`` if it has more."""
    groups = rows_by_group([(c.data, c.question, c.criterion) for c in candidates])
    return [(candidates[i], candidates[j]) for rows in groups for i, j in combinations(rows[:most].tolist(), 2)]


def pairwise(pairs: Iterable[tuple[Candidate, Candidate]], *, reasoned: bool = False) -> list[Question]:
    """Two questions a pair: the first response shown first (``order`` "given"), and second (``"swapped"``).

    The rows' candidate is ``"X|Y"``. Give the rows to :func:`named_as_in_the_item` before anything else.
    """
    found = []
    for x, y in pairs:
        columns: dict[str, Any] = {
            "data": x.data,
            "question": x.question,
            "candidate": f"{x.candidate}|{y.candidate}",
            "truth": preference(x.truth, y.truth),
            "length": float(len(x.response) - len(y.response)),
            "tags": {k: v for k, v in x.tags.items() if y.tags.get(k) == v},
        }
        for order, (first, second) in (("given", (x, y)), ("swapped", (y, x))):
            prompt = pair_prompt(x.prompt, first.response, second.response, reasoned=reasoned)
            found.append(Question(prompt=prompt, values=(1, 0), answers=("a", "b"), columns=columns | {"order": order}))
    return found


def named_as_in_the_item(rows: Iterable[Row]) -> list[Row]:
    """Scores and verdicts of the swapped order turned, so that ``"a"`` and high scores are X in both orders."""

    def turned(row: Row) -> Row:
        score = None if row.score is None else 1 - row.score
        return replace(row, score=score, label=None if row.label is None else OTHER[str(row.label)])

    return [row if row.order != "swapped" or row.unscored else turned(row) for row in rows]


def both_orders(rows: Sequence[Row], *, judge: str) -> list[Row]:
    """One row a comparison from its two orders: the mean score, and the preference of the mean (``"tie"`` at one half).

    ``rows`` are by :func:`named_as_in_the_item`.
    """
    pairs: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in rows:
        pairs.setdefault((*row.item, row.repeat, row.template), {})[row.order] = row
    found = []
    for held in pairs.values():
        given, swapped = held.get("given"), held.get("swapped")
        base = given or swapped
        assert base is not None
        lacking = next((r.unscored for r in (given, swapped) if r is not None and r.unscored), None)
        if given is None or swapped is None or lacking or given.score is None or swapped.score is None:
            why = lacking or "not asked in both orders"
            found.append(replace(base, judge=judge, order="given", score=None, label=None, unscored=why))
            continue
        mean = (given.score + swapped.score) / 2
        verdict = "tie" if abs(mean - 0.5) < 1e-9 else "a" if mean > 0.5 else "b"
        found.append(replace(given, judge=judge, score=mean, label=verdict))
    return found


def preference(x: Any, y: Any) -> str | None:
    """Which of two labels is better: right above wrong, a higher grade above a lower one."""
    if not isinstance(x, int | float) or not isinstance(y, int | float):
        return None
    return "tie" if x == y else "a" if x > y else "b"


def pointwise(
    candidates: Sequence[Candidate], *, references: Sequence[str | None] | None = None, reasoned: bool = False
) -> list[Question]:
    """One question a candidate: "is the response correct" without a scale, else a grade on its scale.

    Only given ``references`` are shown, whatever the candidates hold.
    """
    shown = references if references is not None else [None] * len(candidates)
    found = []
    for one, reference in zip(candidates, shown, strict=True):
        told: Any = {"reference": reference, "reasoned": reasoned}
        if one.scale is None:
            prompt = verdict_prompt(one.prompt, one.response, **told)
            found.append(Question(prompt=prompt, values=(0, 1), answers=(False, True), columns=one.columns))
        else:
            prompt = rating_prompt(one.prompt, one.response, criterion=one.criterion, scale=one.scale, **told)
            grades = tuple(range(one.scale[0], one.scale[1] + 1))
            found.append(Question(prompt=prompt, values=grades, answers=grades, columns=one.columns))
    return found
