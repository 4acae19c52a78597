"""The text side of a comparison, asked as well as this model can be: the best way of asking on the fitting half.

A hidden-state judge that beats a text judge whose wording the model does not follow has beaten the wording. So several
ways are tried on questions that no figure is reported on, per model and data set, and the text judge of the report is
the best of them.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from ...extraction.features import Features
from ...models.items import Choice, Item, Pair
from ...probes.judge import Verdict
from ...probes.verdict_text import FORMS
from ..data.labels import label_of
from ..drawing.style import filled
from ..reading.passes import Passes
from ..reading.ways import PUBLISHED, Said, Turn, Way, questions_of, values_of, ways_of

Index = npt.NDArray[np.intp]
_NOTES = Path(__file__).parent / "templates" / "opponent.md"
_TURNS: dict[Turn, str] = {"cue": "cue", "open": "no cue"}
#: Most questions that the ways are tried on, and most of them as a share of all items.
TRIED, SHARE = 200, 0.25
MEASURE = {"choice": "accuracy", "pair": "accuracy", "trace": "AUROC", "rating": "Spearman with the human score"}
#: Asks some items in one turn, with a text or without, with response b of pairs first or not; may keep what it reads.
Ask = Callable[[str, Sequence[Item], Turn, bool, bool], Features]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskingTrial:
    """How one way of asking did on ``n`` items of the fitting half, ``unscored`` of them without an answer.

    ``value`` is accuracy (choices and pairs; a missing answer is wrong), AUROC or Spearman (it gets the mean score).
    """

    way: Way
    value: float
    n: int
    unscored: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Opponent:
    """The text side of one data set: the ``way`` it is asked, and all ways that were ``tried``, best first.

    ``notes`` say what was chosen among what, and warn, as sentences for the report.
    """

    way: Way
    tried: tuple[AskingTrial, ...]
    notes: tuple[str, ...]


def choose_opponent(
    kind: str, items: Sequence[Item], features: Features, rows: Index, passes: Passes, asking: Ask, *, seed: int,
    swapped: Features | None = None
) -> Opponent:  # fmt: skip
    """Try every way of asking on some items of the fitting half ``rows``, and take the best.

    The share :data:`SHARE` of all items is tried, at most :data:`TRIED` of them, drawn by ``seed``; ``features`` is
    what the passes with the cue read of all items, ``swapped`` the same for pairs with response b first. Every second
    pair is tried in that order, so that always naming the first response is no better than chance. If no item of the
    half has a label, the published way is taken, with a note.
    """
    drawn = tried_rows(items, rows, seed)
    if not len(drawn):
        note = "text: no item to fit on has a label, so it is asked in the published way, for better or worse."
        return Opponent(way=PUBLISHED, tried=(), notes=(note,))
    orders = (
        [(False, drawn, features)] if swapped is None else [(False, drawn[::2], features), (True, drawn[1::2], swapped)]
    )
    some = [items[k] for _, rows, _ in orders for k in rows]
    heard = [
        _heard([items[k] for k in rows], cued.take(rows), passes, asking, swapped=order)
        for order, rows, cued in orders
        if len(rows)
    ]
    values, tried = values_of(kind, passes.scale), []
    for way in ways_of(kind):
        verdicts = [
            verdict
            for (order, *_), turns in zip(orders, heard, strict=False)
            for verdict in as_given(turns[way.turn].verdicts(way, values), swapped=order)
        ]
        unscored = sum(verdict.unscored is not None for verdict in verdicts)
        tried.append(AskingTrial(way=way, value=quality(kind, some, verdicts), n=len(some), unscored=unscored))
    tried.sort(key=lambda one: -one.value)  # stable: the published way stays before others that are as good
    return Opponent(way=tried[0].way, tried=tuple(tried), notes=tuple(_notes(kind, some, tried, heard)))


def _heard(items: Sequence[Item], cued: Features, passes: Passes, asking: Ask, *, swapped: bool) -> dict[Turn, Said]:
    more = "-swapped" if swapped else ""
    read: dict[Turn, Features] = {
        "cue": cued,
        "open": asking(f"tried-open{more}", items, "open", True, swapped),
        "plain": asking(f"tried-plain{more}", items, "plain", False, swapped),
    }
    return {t: Said(questions=questions_of(items, t, passes, swapped=swapped), features=f) for t, f in read.items()}


def tried_rows(items: Sequence[Item], rows: Index, seed: int) -> Index:
    """Rows of the fitting half on which ways of asking are tried: labelled, drawn, in order."""
    labelled = [int(k) for k in rows if _truth(items[k]) is not None]
    most = max(1, min(TRIED, round(SHARE * len(items))))
    return np.sort(np.random.default_rng(seed).permutation(labelled)[:most]).astype(np.intp)


def opponent_says(
    way: Way, kind: str, items: Sequence[Item], passes: Passes, asking: Ask, *, cued: Features | None = None,
    swapped: bool = False
) -> list[Verdict]:  # fmt: skip
    """What the model says of items, asked in one way; ``cued`` is what the passes with the cue read of them.

    ``swapped`` shows response b of a pair first; labels still name the pair's responses; scores are of the first shown.
    """
    if cued is None or way.turn != "cue":
        cued = asking(f"text{'-swapped' if swapped else ''}", items, way.turn, way.read == "text", swapped)
    said = Said(questions=questions_of(items, way.turn, passes, swapped=swapped), features=cued)
    return as_given(said.verdicts(way, values_of(kind, passes.scale)), swapped=swapped)


def as_given(verdicts: Sequence[Verdict], *, swapped: bool) -> list[Verdict]:
    """Verdicts on pairs with labels of the pair as given, where response b was shown first."""
    turned = {"a": "b", "b": "a"}
    return [replace(v, label=turned.get(str(v.label), v.label)) if swapped else v for v in verdicts]


def quality(kind: str, items: Sequence[Item], verdicts: Sequence[Verdict]) -> float:
    """How good verdicts are on labelled items of a kind; see :class:`AskingTrial`."""
    truth = [_truth(item) for item in items]
    if kind in ("choice", "pair"):
        return float(np.mean([v.unscored is None and v.label == t for v, t in zip(verdicts, truth, strict=True)]))
    known = [float(v.score) for v in verdicts if isinstance(v.score, float | int)]
    middle = float(np.mean(known)) if known else 0.0
    scores = [float(v.score) if isinstance(v.score, float | int) else middle for v in verdicts]
    if kind == "trace":
        return float(roc_auc_score(truth, scores)) if len(set(truth)) == 2 else 0.5
    flat = len(set(scores)) < 2 or len(set(truth)) < 2
    return 0.0 if flat else float(spearmanr(np.array(truth, dtype=np.float64), scores)[0])


def _truth(item: Item) -> bool | int | float | str | None:
    if isinstance(item, Pair):
        return item.preference if item.preference in ("a", "b") else None
    found: bool | int | float | None = label_of(item)
    return found


def _notes(
    kind: str, items: Sequence[Item], tried: Sequence[AskingTrial], heard: Sequence[Mapping[Turn, Said]]
) -> list[str]:
    published = next((one for one in tried if one.way == PUBLISHED), None)
    forms = {
        said: Counter(form if form in FORMS else "no answer" for turns in heard for form in turns[turn].forms)
        for turn, said in _TURNS.items()
    }
    chance, error = chance_of(kind, items)
    known = {"tried": tried, "n": len(items), "measure": MEASURE[kind], "forms": forms, "published": published}
    return filled(_NOTES.read_text("utf-8"), known | {"chance": chance, "error": error}).strip().split("\n")


def chance_of(kind: str, items: Sequence[Item]) -> tuple[float, float]:
    """The figure of a judge that guesses on labelled items, and its standard error."""
    n = len(items)
    if kind == "trace":
        right = sum(bool(_truth(item)) for item in items)
        wrong = n - right
        return 0.5, float(np.sqrt((n + 1) / (12 * right * wrong))) if right and wrong else 0.5
    if kind == "rating":
        return 0.0, 1 / float(np.sqrt(max(n - 1, 1)))
    each = [1 / len(item.options) if isinstance(item, Choice) else 0.5 for item in items]
    return float(np.mean(each)), float(np.sqrt(np.mean([p * (1 - p) for p in each]) / n))
