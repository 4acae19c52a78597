"""Responses rewritten with distractors or faults: how often a change that adds nothing changes the verdict."""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import cycle
from operator import attrgetter
from pathlib import Path
from random import Random
from typing import Any

from ....models.errors import InnerjudgeError
from ....models.loading import LanguageModel
from ...data.verdict_table import Row
from ...stats.statistic import SHARE, Statistic, finite, mean
from .ask import Candidate, Manner, ask
from .questions import both_orders, named_as_in_the_item, pairwise, pointwise


def distractor_trials(lm: LanguageModel, candidates: Sequence[Candidate], *, manner: Manner, seed: int) -> list[Row]:
    """Good responses against their rewritten forms, point-wise and pair-wise in both orders: see :func:`trial_rows`.

    At severity 1 to 3 the rewritten form has that many planted faults beside the distractor, so that preferring it
    is wrong beyond doubt. Candidates without room for a severity have no trial of it.

    Source: "Pairwise or Pointwise?" (arXiv 2504.14716): fixed quality and variable quality.
    """
    forms: list[tuple[Candidate, Candidate, str]] = []
    for number, one in enumerate(candidates):
        for severity in range(4):
            text = with_faults(one.response, severity=severity, seed=seed + number) if severity else one.response
            if text is None:
                continue
            for name, rewrite in DISTRACTORS.items():
                form = f"{name}-{severity}"
                changed = replace(one, response=rewrite(text), candidate=f"{one.candidate}/{form}", truth=None)
                forms.append((one, changed, form))
    reasoned = manner.by == "reasoned"
    alone = [*candidates, *(changed for _, changed, _ in forms)]
    rows = ask(lm, pointwise(alone, reasoned=reasoned), judge="point-wise", manner=manner)
    score = {row.item: row.score for row in rows}
    item = attrgetter("data", "question", "candidate")
    point_wise = [(score.get(item(one)), score.get(item(changed))) for one, changed, _ in forms]
    asked = pairwise([(one, changed) for one, changed, _ in forms], reasoned=reasoned)
    both = both_orders(named_as_in_the_item(ask(lm, asked, judge="pair-wise", manner=manner)), judge="pair-wise")
    pair_wise = [(row.score, None if row.score is None else 1 - row.score) for row in both]
    named = [(one, form) for one, _, form in forms]
    return [
        *trial_rows(named, point_wise, judge="distractors, point-wise"),
        *trial_rows(named, pair_wise, judge="distractors, pair-wise"),
    ]


def trial_rows(
    forms: Sequence[tuple[Candidate, str]], scores: Sequence[tuple[float | None, float | None]], *, judge: str
) -> list[Row]:
    """Trials as rows: candidate ``"plain|rewritten"``, template the distractor and its severity (``"prolix-1"``).

    ``scores`` are those of the candidate and of its rewritten form; pair-wise, the two are chances to be called better.
    """
    found = []
    for number, ((one, form), (plain, rewritten)) in enumerate(zip(forms, scores, strict=True)):
        row = Row(data=one.data, question=one.question, candidate="plain|rewritten", judge=judge, template=form,
                  repeat=number, unscored="one of the two forms is unscored")  # fmt: skip
        if plain is not None and rewritten is not None:
            gap = plain - rewritten
            verdict = "tie" if abs(gap) <= 1e-9 else "a" if gap > 0 else "b"
            row = replace(row, score=gap, label=verdict, unscored=None)
        found.append(row)
    return found


def verdict_rate(trials: Sequence[Row], verdict: str) -> Statistic:
    """Share of trials of one verdict: ``"b"``, the rewritten form is scored above the plain one, or ``"tie"``.

    At fixed quality (severity 0) neither is better, and one half is not the mark of a good judge but of a coin: read
    the preference beside the ties. With planted faults every preference for the rewritten form is a mistake.
    """
    hits = [None if t.label is None else t.label == verdict for t in trials]
    return mean(finite(hits), reason="no trial has both scores", limits=SHARE)


def flip_rate(baseline: Sequence[str | None], after: Sequence[str | None]) -> Statistic:
    """Share of pairs whose dis-preferred response wins after a distractor was put on it.

    ``baseline`` is the preference before, ``after`` the one when the loser carries the distractor; ties are left out.

    Source: The natural-data setting of "Pairwise or Pointwise?" (arXiv 2504.14716).
    """
    flips = [
        a in ("a", "b") and a != b if b in ("a", "b") and a is not None else None
        for b, a in zip(baseline, after, strict=True)
    ]
    return mean(finite(flips), reason="no pair has a preference before and a verdict after", limits=SHARE)


def distracted_losers(
    pairs: Sequence[tuple[Candidate, Candidate]], baseline: Sequence[str | None], rewrite: Callable[[str], str]
) -> list[tuple[Candidate, Candidate]]:
    """The pairs with the response that lost rewritten; pairs without a loser stay as they are."""
    found = []
    for (x, y), won in zip(pairs, baseline, strict=True):
        lost_x = replace(x, response=rewrite(x.response)) if won == "b" else x
        lost_y = replace(y, response=rewrite(y.response)) if won == "a" else y
        found.append((lost_x, lost_y))
    return found


_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.]*\d)")
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?\s*")


def _rewritten(words: Mapping[str, Any], response: str) -> str:
    text, more = f"{words['before']}{response}{words['after']}", cycle(words.get("more", ()))
    while "more" in words and len(text) < 1.5 * len(response):
        text += next(more)
    return text


_WORDS = tomllib.loads(Path(__file__).with_name("distractors.toml").read_text("utf-8"))
#: Distractors by name: each gives the same response in words that add nothing to it.
DISTRACTORS: dict[str, Callable[[str], str]] = {name: partial(_rewritten, words) for name, words in _WORDS.items()}


def with_faults(response: str, *, severity: int, seed: int) -> str | None:
    """The response with 1 to 3 planted faults, or ``None`` where it has no room for them.

    A fault changes one number (by 1 to 9); where there are not numbers enough, the others drop a sentence each, so
    long as one is left. A seed plants the faults of a lower severity among those of a higher one.

    Source: Severity levels as in "Pairwise or Pointwise?" (arXiv 2504.14716), where they are broken instructions.
    """
    if not 1 <= severity <= 3:
        raise InnerjudgeError(f"given the severity {severity}, expected 1, 2 or 3")
    rng = Random(seed)
    numbers = list(_NUMBER.finditer(response))
    chosen = rng.sample(numbers, len(numbers))[:severity]
    changes = {found.start(): (found, rng.randint(1, 9)) for found in chosen}
    parts, at = [], 0
    for found, by in (changes[start] for start in sorted(changes)):
        parts += [response[at : found.start()], str(int(found[0]) + by)]
        at = found.end()
    text = "".join(parts) + response[at:]
    missing = severity - len(chosen)
    sentences = _SENTENCE.findall(text)
    if missing and len(sentences) <= missing:
        return None
    dropped = set(rng.sample(range(len(sentences)), len(sentences))[:missing]) if missing else set()
    return "".join(s for k, s in enumerate(sentences) if k not in dropped).rstrip() if dropped else text
