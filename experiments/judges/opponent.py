"""The text side of a comparison, asked as well as this model can be: the best way of asking on the fitting half.

A hidden-state judge that beats a text judge whose wording the model does not follow has beaten the wording. So several
ways are tried on questions that no figure is reported on, per model and data set, and the text judge of the report is
the best of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from ...extraction.features import Features
from ...models.errors import UnreadableError
from ...models.items import Choice, Item, Pair
from ...models.loading import LanguageModel
from ...probes.free_text import FORMS
from ...probes.judge import Verdict
from ..data.labels import label_of
from ..reading.passes import Passes
from ..reading.ways import PUBLISHED, Said, Turn, Way, ask, question_of, values_of, ways_of

Index = npt.NDArray[np.intp]
#: Most questions that the ways are tried on, and most of them as a share of all items.
TRIED, SHARE = 200, 0.25
_MEASURE = {
    "choice": "accuracy",
    "pair": "accuracy",
    "trace": "AUROC",
    "rating": "Spearman with the human score",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """How one way of asking did on the fitting half.

    Args:
        way: The way.
        value: Accuracy (choices and pairs; without an answer is wrong), AUROC (traces) or Spearman correlation
            (ratings; in both, an item without an answer has the mean score).
        n: Items.
        unscored: Of them, those without an answer.
    """

    way: Way
    value: float
    n: int
    unscored: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Opponent:
    """The text side of one data set.

    Args:
        way: How it is asked.
        tried: All ways, best first.
        notes: What was chosen among what, and warnings, as sentences for the report.
        prompts: Prompts that the trial asked.
        tokens: Their tokens, and those of the texts.
    """

    way: Way
    tried: tuple[Tried, ...]
    notes: tuple[str, ...]
    prompts: int
    tokens: int


def heard(items: Sequence[Item], features: Features, passes: Passes, *, swapped: bool = False) -> Said:
    """What the passes with the cue have said already, as :func:`~innerjudge.experiments.reading.ways.ask` has it.

    Args:
        items: The items.
        features: Their features, with label logits, and with texts where the model wrote.
        passes: How they were asked.
        swapped: Whether response b of pairs was shown first.
    """
    questions = []
    for item in items:
        try:
            questions.append(question_of(item, "cue", passes, swapped=swapped))
        except UnreadableError:
            questions.append(None)
    width = max((len(q.prompt.labels) for q in questions if q is not None), default=0)
    logits = np.full((len(items), width), np.nan)
    if "logits/score" in features.arrays:
        present = features.present("logits/score")
        known = features["logits/score"][:, 1, -1, :width].astype(np.float64)
        logits[present, : known.shape[1]] = known[present]
    texts = features.texts.get("direct")
    missing = features.reasons("direct") if texts is not None else {}
    return Said(
        questions=questions,
        ids=features.ids,
        spaced=logits,
        bare=np.full_like(logits, np.nan),
        texts=texts,
        missing=missing,
        prompts=0,
        tokens=0,
    )


def choose_opponent(
    lm: LanguageModel, kind: str, items: Sequence[Item], features: Features, rows: Index, passes: Passes, *, seed: int
) -> Opponent:
    """Try every way of asking on some items of the fitting half, and take the best.

    Args:
        lm: The model.
        kind: Kind of the items.
        items: All items.
        features: What the passes with the cue read of all of them.
        rows: The fitting half.
        passes: How the model is run.
        seed: Of the draw of the items that are tried, at most :data:`TRIED`, and :data:`SHARE` of all.

    Returns:
        The published way, with a note, where no item of the fitting half has a label.
    """
    labelled = [int(k) for k in rows if _truth(items[k]) is not None]
    if not labelled:
        note = "text: no item to fit on has a label, so it is asked as published, well or badly."
        return Opponent(way=PUBLISHED, tried=(), notes=(note,), prompts=0, tokens=0)
    most = max(1, min(TRIED, round(SHARE * len(items))))
    drawn = np.sort(np.random.default_rng(seed).permutation(labelled)[:most])
    some = [items[k] for k in drawn]
    turns: dict[Turn, Said] = {"cue": heard(some, features.take(drawn), passes)}
    turns["open"] = ask(lm, some, "open", passes, text=True)
    turns["plain"] = ask(lm, some, "plain", passes, text=False)
    values = values_of(kind, passes.scale)
    tried = []
    for way in ways_of(kind):
        if way.read == "text" and turns[way.turn].texts is None:
            continue
        verdicts = turns[way.turn].verdicts(way, values)
        unscored = sum(verdict.unscored is not None for verdict in verdicts)
        tried.append(Tried(way=way, value=quality(kind, some, verdicts), n=len(some), unscored=unscored))
    tried.sort(key=lambda one: -one.value)  # stable: the published way stays before others that are as good
    return Opponent(
        way=tried[0].way,
        tried=tuple(tried),
        notes=tuple(_notes(kind, some, tried, turns)),
        prompts=sum(said.prompts for said in turns.values()),
        tokens=sum(said.tokens for said in turns.values()),
    )


def opponent_says(
    lm: LanguageModel,
    way: Way,
    kind: str,
    items: Sequence[Item],
    passes: Passes,
    known: Callable[[], Said] | None = None,
    *,
    swapped: bool = False,
) -> tuple[list[Verdict], Said]:
    """What the model says of items, asked in one way.

    Args:
        lm: The model.
        way: The way.
        kind: Kind of the items.
        items: The items.
        passes: How the model is run.
        known: Gives what was said with the cue, where that has been asked already.
        swapped: Show response b of a pair first; the labels are still those of the pair.
    """
    if way.turn == "cue" and known is not None:
        said = known()
    else:
        said = ask(lm, items, way.turn, passes, text=way.read == "text", swapped=swapped)
    found = said.verdicts(way, values_of(kind, passes.scale))
    return [_unswapped(verdict) for verdict in found] if swapped else found, said


def quality(kind: str, items: Sequence[Item], verdicts: Sequence[Verdict]) -> float:
    """How good verdicts are on labelled items of a kind; see :class:`Tried`.

    Example:
        >>> choice = Choice(question_id="c", question="?", options=("x", "y"), answer=1)
        >>> quality("choice", [choice], [Verdict("c", score=[0.0, 1.0], label=1)])
        1.0
    """
    truth = [_truth(item) for item in items]
    if kind in ("choice", "pair"):
        right = [v.unscored is None and v.label == t for v, t in zip(verdicts, truth, strict=True)]
        return float(np.mean(right))
    known = [float(v.score) for v in verdicts if isinstance(v.score, float | int)]
    middle = float(np.mean(known)) if known else 0.0
    scores = [float(v.score) if isinstance(v.score, float | int) else middle for v in verdicts]
    if kind == "trace":
        return float(roc_auc_score(truth, scores)) if len(set(truth)) == 2 else 0.5
    flat = len(set(scores)) < 2 or len(set(truth)) < 2
    return 0.0 if flat else float(spearmanr(truth, scores)[0])


def _truth(item: Item) -> bool | int | float | str | None:
    if isinstance(item, Pair):
        return item.preference if item.preference in ("a", "b") else None
    found: bool | int | float | None = label_of(item)
    return found


def _unswapped(verdict: Verdict) -> Verdict:
    if verdict.unscored is not None or not isinstance(verdict.score, float | int):
        return verdict
    return Verdict(verdict.id, score=1 - verdict.score, label={"a": "b", "b": "a"}.get(str(verdict.label)))


def _notes(kind: str, items: Sequence[Item], tried: Sequence[Tried], turns: Mapping[Turn, Said]) -> list[str]:
    best, worst, n = tried[0], tried[-1], len(items)
    published = next((one for one in tried if one.way == PUBLISHED), None)
    measure = _MEASURE[kind]
    found = [
        f"text is asked in the best of {len(tried)} ways on {n} items of the fitting half: {best.way.name} "
        f"({measure} {best.value:.2f}). The ways spread from {worst.value:.2f} to {best.value:.2f}: "
        + "; ".join(f"{one.way.name} {one.value:.2f}" + _without(one) for one in tried)
        + "."
    ]
    for turn, said in turns.items():
        if said.texts is not None:
            forms = Counter(form if form in FORMS else "no answer" for form in said.forms)
            listed = ", ".join(f"{form} {count}" for form, count in forms.most_common())
            found.append(f"Answers in text ({'cue' if turn == 'cue' else 'no cue'}): {listed}.")
    chance, error = _chance(kind, items)
    if best.value <= chance + 2 * error:
        found.append(
            f"Warning: asked in its best way the text judge is at chance ({measure} {best.value:.2f}; chance is "
            f"{chance:.2f} and two standard errors are {2 * error:.2f}). To beat it says little: take a stronger model."
        )
    if published is not None and published.value <= chance + 2 * error < best.value:
        found.append(
            f"Warning: asked as published (cue in the turn) this model is at chance ({published.value:.2f}), and "
            "hidden-state judges still read those prompts."
        )
    return found


def _without(one: Tried) -> str:
    return f" ({one.unscored} without an answer)" if one.unscored else ""


def _chance(kind: str, items: Sequence[Item]) -> tuple[float, float]:
    """The figure of a judge that guesses, and its standard error."""
    n = len(items)
    if kind == "trace":
        right = sum(bool(_truth(item)) for item in items)
        wrong = n - right
        return 0.5, float(np.sqrt((n + 1) / (12 * right * wrong))) if right and wrong else 0.5
    if kind == "rating":
        return 0.0, 1 / float(np.sqrt(max(n - 1, 1)))
    each = [1 / len(item.options) if isinstance(item, Choice) else 0.5 for item in items]
    return float(np.mean(each)), float(np.sqrt(np.mean([p * (1 - p) for p in each]) / n))
