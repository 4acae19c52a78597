"""Accuracy against the number of candidates, and what it costs, for every rule and judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..stats.intervals import Interval, cluster_interval
from ..stats.metrics.accuracy import within_question_auroc, wqd
from ..stats.statistic import SIGNED, Floats
from .columns import Columns
from .representatives import Vectors, representatives
from .reranking import accuracy_against_n, interval, large_questions, orders
from .rules import READ_SCORES, Rule, pick

#: Least random orders of a question's candidates behind VecCISC, which clusters each subset of each order anew.
ORDERS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One rule with one judge (``""`` for rules that read no scores) on ``n`` candidates a question.

    ``accuracy`` is the expected share of questions whose pick is right, over random subsets; ``minus_majority`` that
    less the majority vote's; each with its 95 % interval over questions (paired). ``calls`` of the judge, ``tokens``
    and ``seconds`` (``None``: unknown) are per question.
    """

    judge: str
    rule: str
    n: int
    accuracy: float
    low: float
    high: float
    minus_majority: float
    minus_low: float
    minus_high: float
    calls: float
    tokens: float | None
    seconds: float | None
    questions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrimination:
    """Within-question discrimination of one judge, and how many candidates it left ``unscored``.

    ``pooled`` is the share of (right, wrong) pairs of one question that the right one wins, pairs pooled as in CISC;
    ``per_question`` the mean of that share over questions, each weighing the same.
    """

    judge: str
    pooled: Interval
    per_question: Interval
    unscored: int


def curve_rows(
    judges: Mapping[str, Columns], rules: Mapping[str, Sequence[Rule]], *, vectors: Vectors | None = None,
    clusters: int = 2, n_max: int | None = None, n_orders: int = 100, seed: int = 0
) -> list[Point]:  # fmt: skip
    """Points of every judge and rule, those without a judge first; over ``n_orders`` random orders of each question.

    ``judges`` have the same candidates, in the same order, with each one's scores; their ``rules`` may have
    temperatures of their own. ``vectors`` ``[n, D]`` add VecCISC (agglomerative, at most ``clusters`` of one answer) to
    every judge that has a ``"weighted"`` rule. ``n_max`` is the largest ``n``, by default the fewest candidates of a
    question; questions with fewer are left out. ``InnerjudgeError`` if none has ``n_max`` of known correctness.
    """
    first = next(iter(judges.values()))
    kept, largest = large_questions(first.correct, first.questions, n_max)

    def each(columns: Columns, rule: Rule) -> Floats:
        return accuracy_against_n(
            columns.answers, columns.scores, columns.correct, columns.questions,
            rule=rule, n_max=largest, n_orders=n_orders, seed=seed,
        )  # fmt: skip

    sizes = np.arange(1, largest + 1)
    costs = _mean_of(first.tokens, kept), _mean_of(first.seconds, kept)
    majority = each(first, Rule("majority"))
    points: list[Point] = []

    def add(judge: str, rule: str, credit: Floats, at: Sequence[int], calls: Floats) -> None:
        low, high = interval(credit)
        gap = credit - majority[:, np.array(at) - 1]
        gap_low, gap_high = interval(gap, SIGNED)
        for k, n in enumerate(at):
            points.append(
                Point(
                    judge=judge, rule=rule, n=int(n), accuracy=float(credit[:, k].mean()), low=float(low[k]),
                    high=float(high[k]), minus_majority=float(gap[:, k].mean()), minus_low=float(gap_low[k]),
                    minus_high=float(gap_high[k]), calls=float(calls[k]),
                    tokens=None if costs[0] is None else float(costs[0] * n),
                    seconds=None if costs[1] is None else float(costs[1] * n), questions=len(credit),
                )
            )  # fmt: skip

    for name in ("random", "majority", "oracle"):
        add("", name, each(first, Rule(name)), sizes.tolist(), np.zeros(largest))
    for judge, columns in judges.items():
        for rule in rules[judge]:
            calls = sizes.astype(np.float64) if rule.name in READ_SCORES else np.zeros(largest)
            add(judge, str(rule), each(columns, rule), sizes.tolist(), calls)
        weighted = next((rule for rule in rules[judge] if rule.name == "weighted"), None)
        if vectors is not None and weighted is not None:
            at = [n for n in sizes.tolist() if n & (n - 1) == 0 or n == largest]
            credit, calls = _vec_cisc(columns, vectors, kept, at, weighted.temperature, clusters, seed)
            add(judge, "vec-cisc", credit, at, calls)
    return points


def discrimination(judge: str, columns: Columns) -> Discrimination:
    """Within-question discrimination of a judge, pooled and per question, with intervals."""
    given = (list(columns.correct), list(columns.scores), columns.questions)
    found = [cluster_interval(metric(*given), columns.questions) for metric in (wqd, within_question_auroc)]
    unscored = sum(score is None for score in columns.scores)
    return Discrimination(judge=judge, pooled=found[0], per_question=found[1], unscored=unscored)


def _mean_of(values: Sequence[float | None], groups: Sequence[Sequence[int]]) -> float | None:
    """Mean over questions of their mean; ``None`` where one is unknown: half a sum would look cheap."""
    known = [[values[k] for k in rows] for rows in groups]
    if any(value is None for one in known for value in one):
        return None
    return float(np.mean([np.mean(np.array(one, dtype=np.float64)) for one in known]))


def _vec_cisc(
    columns: Columns, vectors: Vectors, groups: Sequence[Sequence[int]], at: Sequence[int], temperature: float,
    clusters: int, seed: int
) -> tuple[Floats, Floats]:  # fmt: skip
    """Credit ``[questions, points]`` and mean calls of the judge ``[points]``."""
    rng = np.random.default_rng(seed)
    credit, calls = np.zeros((len(groups), len(at))), np.zeros(len(at))
    for row, rows in enumerate(groups):
        drawn = np.array(rows)[orders(rng, len(rows), ORDERS)]
        for order in drawn:
            for k, n in enumerate(at):
                some = order[:n].tolist()
                answers = [columns.answers[i] for i in some]
                chosen = set(representatives(answers, vectors[some], clusters=clusters, method="agglomerative"))
                scores = [columns.scores[i] if j in chosen else None for j, i in enumerate(some)]
                picked = some[pick(Rule("weighted", temperature=temperature), answers, scores).index]
                credit[row, k] += bool(columns.correct[picked]) / len(drawn)
                calls[k] += len(chosen) / len(drawn) / len(groups)
    return credit, calls
