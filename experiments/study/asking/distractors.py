"""Distractors before a judge, point-wise and pair-wise: how often a change that adds nothing changes the verdict."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ....models.loading import LanguageModel
from ...data.verdict_table import Row
from ...stats.statistic import SHARE, Statistic, finite, ratio
from .ask import Manner, ask
from .candidate import Candidate
from .questions import both_orders, named_as_in_the_item, pairwise, pointwise
from .rewrites import DISTRACTORS, with_faults

#: Scores of two texts, the plain one first; ``None`` where a text is unscored.
Scored = Sequence[tuple[float | None, float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What one judge said of a candidate and of its rewritten form.

    Args:
        distractor: Name of the rewriting.
        severity: Faults planted in the rewritten form: 0 is fixed quality.
        plain: Score of the candidate.
        rewritten: Score of its rewritten form; pair-wise, the two are chances to be called better and sum to 1.
        question: Question of the candidate.
    """

    distractor: str
    severity: int
    plain: float | None
    rewritten: float | None
    question: tuple[str, str]


def distractor_trials(
    lm: LanguageModel,
    candidates: Sequence[Candidate],
    *,
    manner: Manner,
    pairwise_too: bool = True,
    severities: Sequence[int] = (0, 1, 2, 3),
    seed: int = 0,
) -> dict[str, list[Trial]]:
    """Good responses against their rewritten forms, point-wise (and pair-wise in both orders): way -> trials.

    At severity 1 to 3 the rewritten form has that many planted faults beside the distractor, so that preferring it
    is wrong beyond doubt. Candidates without room for a severity have no trial of it.

    Source:
        "Pairwise or Pointwise?" (arXiv 2504.14716): fixed quality and variable quality.
    """
    forms: list[tuple[Candidate, Candidate, str, int]] = []
    for number, one in enumerate(candidates):
        for severity in severities:
            text = with_faults(one.response, severity=severity, seed=seed + number) if severity else one.response
            if text is not None:
                forms += [
                    (one, _renamed(one, rewrite(text), f"{name}-{severity}"), name, severity)
                    for name, rewrite in DISTRACTORS.items()
                ]
    alone = [*candidates, *(form for _, form, _, _ in forms)]
    rows = ask(lm, pointwise(alone, reasoned=manner.by == "reasoned"), judge="point-wise", manner=manner)
    score = {(row.data, row.question, row.candidate): row.score for row in rows}
    found = {"point-wise": [_trial(f, score.get(_item(f[0])), score.get(_item(f[1]))) for f in forms]}
    if pairwise_too:
        asked = pairwise([(f[0], f[1]) for f in forms], reasoned=manner.by == "reasoned")
        both = both_orders(named_as_in_the_item(ask(lm, asked, judge="pair-wise", manner=manner)), judge="pair-wise")
        found["pair-wise"] = [
            _trial(form, row.score, None if row.score is None else 1 - row.score)
            for form, row in zip(forms, both, strict=True)
        ]
    return found


def preferred_rate(trials: Sequence[Trial]) -> Statistic:
    """Share of trials in which the rewritten form is scored above the plain one.

    At fixed quality (severity 0) neither is better, and one half is not the mark of a good judge but of a coin: read it
    beside :func:`tie_rate`. With planted faults every such preference is a mistake.

    Example:
        >>> form = {"distractor": "prolix", "severity": 1, "question": ("", "q")}
        >>> made = [Trial(**form, plain=3.0, rewritten=4.0), Trial(**form, plain=3.0, rewritten=3.0)]
        >>> preferred_rate(made).value, tie_rate(made).value
        (0.5, 0.5)
    """
    return _rate(trials, lambda plain, rewritten: rewritten > plain + 1e-9)


def tie_rate(trials: Sequence[Trial]) -> Statistic:
    """Share of trials in which both forms have one score."""
    return _rate(trials, lambda plain, rewritten: np.abs(rewritten - plain) <= 1e-9)


def flip_rate(baseline: Sequence[str | None], after: Sequence[str | None]) -> Statistic:
    """Share of pairs whose dis-preferred response wins after a distractor was put on it.

    ``baseline`` is the preference before, ``after`` the one when the loser carries the distractor; ties are left
    out.

    Source:
        The natural-data setting of "Pairwise or Pointwise?" (arXiv 2504.14716).

    Example:
        >>> flip_rate(["a", "b", "tie"], ["b", "b", "a"]).value
        0.5
    """
    known = finite([float(b in ("a", "b") and a is not None) for b, a in zip(baseline, after, strict=True)])
    flips = finite([float(a in ("a", "b") and a != b) for b, a in zip(baseline, after, strict=True)])
    return ratio(flips * known, known, reason="no pair has a preference before and a verdict after", limits=SHARE)


def distracted_losers(
    pairs: Sequence[tuple[Candidate, Candidate]], baseline: Sequence[str | None], rewrite: Callable[[str], str]
) -> list[tuple[Candidate, Candidate]]:
    """The pairs with the response that lost rewritten; pairs without a loser stay as they are.

    Example:
        >>> x, y = (Candidate(prompt="", response=r, question="q", candidate=r) for r in "xy")
        >>> [(a.response, b.response) for a, b in distracted_losers([(x, y)], ["a"], str.upper)]
        [('x', 'Y')]
    """
    found = []
    for (x, y), won in zip(pairs, baseline, strict=True):
        lost_x = replace(x, response=rewrite(x.response)) if won == "b" else x
        lost_y = replace(y, response=rewrite(y.response)) if won == "a" else y
        found.append((lost_x, lost_y))
    return found


def _rate(trials: Sequence[Trial], of: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Statistic:
    plain, rewritten = finite([t.plain for t in trials]), finite([t.rewritten for t in trials])
    known = ~np.isnan(plain) & ~np.isnan(rewritten)
    hit = np.where(known, of(np.where(known, plain, 0.0), np.where(known, rewritten, 0.0)), 0.0)
    return ratio(hit.astype(np.float64), known.astype(np.float64), reason="no trial has both scores", limits=SHARE)


def _trial(form: tuple[Candidate, Candidate, str, int], plain: float | None, rewritten: float | None) -> Trial:
    one, _, name, severity = form
    return Trial(
        distractor=name, severity=severity, plain=plain, rewritten=rewritten, question=(one.data, one.question)
    )


def _renamed(one: Candidate, response: str, suffix: str) -> Candidate:
    return replace(one, response=response, candidate=f"{one.candidate}/{suffix}", truth=None)


def _item(one: Candidate) -> tuple[str, str, str]:
    return (one.data, one.question, one.candidate)


def rows_of(trials: Sequence[Trial], *, judge: str) -> list[Row]:
    """Trials as rows: candidate ``"plain|rewritten"``, template the distractor and its severity.

    Example:
        >>> one = Trial(distractor="prolix", severity=0, plain=3.0, rewritten=4.0, question=("", "q"))
        >>> rows_of([one], judge="text")[0].label
        'b'
    """
    found = []
    for number, t in enumerate(trials):
        base = {"data": t.question[0], "question": t.question[1], "candidate": "plain|rewritten", "judge": judge}
        form = {"template": f"{t.distractor}-{t.severity}", "repeat": number}
        if t.plain is None or t.rewritten is None:
            found.append(Row(**base, **form, unscored="one of the two forms is unscored"))  # type: ignore[arg-type]
        else:
            gap = t.plain - t.rewritten
            verdict = "tie" if abs(gap) <= 1e-9 else "a" if gap > 0 else "b"
            found.append(Row(**base, **form, score=gap, label=verdict))  # type: ignore[arg-type]
    return found
