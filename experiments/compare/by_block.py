"""At which depth of the model the information is: one figure a block, and what is lost without single heads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from ...extraction.activation_cache import ablated
from ...extraction.features import Features
from ...models.arguments import checked
from ...models.errors import InnerjudgeError
from ...models.items import Choice, Item
from ...models.loading import LanguageModel
from ...probes import CLUE, BaseJudge, EScore, LetterLogits
from ...probes.choices import head_accuracies, head_credits
from ...probes.row_judge import each_entry, each_row
from ..data.labels import label_of
from ..data.splits import Index
from ..reading.passes import Passes
from ..reading.read import choice_features
from ..stats.intervals import cluster_interval
from ..stats.metrics.accuracy import accuracy, within_question_auroc
from ..stats.metrics.correlation import spearman
from ..stats.statistic import SHARE, Statistic, mean
from .results import Curve, HeadMap


def trace_curves(
    features: Features, items: Sequence[Item], fit: Index, test: Index, *, start: str, end: str
) -> tuple[Curve, ...]:
    """Within-question AUROC of a nearest centroid on one block alone (CLUE's margin restricted to that block)."""
    first, last = f"hidden/{start}", f"hidden/{end}"
    learnt, right, _ = labelled(features, items, fit, first, last)
    asked, truth, groups = labelled(features, items, test, first, last)
    if not len(asked) or len({*right}) < 2:
        return ()
    points = []
    for own, alone in zip(each_row(learnt, first, last), each_row(asked, first, last), strict=True):
        clue = CLUE(start=start, end=end, rank_by="margin").fit(own, np.array(right))
        points.append((within_question_auroc(truth, _scores(clue, alone), groups), groups))
    # The last point is the final-normed state, which is what CLUE reads of the last block.
    found = [*points[:-2], points[-1]]
    return (_curve("nearest centroid of one block", found),)


def rating_curves(
    features: Features, items: Sequence[Item], test: Index, *, scale: tuple[int, int]
) -> tuple[Curve, ...]:
    """Spearman of the expected score under one block's verdict logits, raw and through the final norm."""
    part, human, groups = labelled(features, items, test, "logits/score")
    if not len(part):
        return ()
    judge = EScore(values=range(scale[0], scale[1] + 1))
    curves = []
    for normed, name in ((False, "raw states"), (True, "through the final norm")):
        scores = [_scores(judge, alone) for alone in each_entry(part, normed=normed)]
        curves.append(_curve(name, [(spearman(human, one), groups) for one in scores]))
    return tuple(curves)


def choice_curves(
    features: Features, items: Sequence[Item], fit: Index, test: Index
) -> tuple[tuple[Curve, ...], tuple[HeadMap, ...]]:
    """Accuracy of each block's best head (chosen on the fit split) and of its letter logits; the maps of all heads."""
    curves, maps = [], []
    for name, label in (("qk/before", "QK-score"), ("attention", "Attention-score")):
        chosen_on, right, _ = labelled(features, items, fit, name)
        shown_on, truth, groups = labelled(features, items, test, name)
        if not len(chosen_on) or not len(shown_on):
            continue
        options = shown_on["labels"].astype(np.intp)
        best = head_accuracies(chosen_on[name], chosen_on["labels"].astype(np.intp), np.array(right)).argmax(1)
        credit = head_credits(shown_on[name], options, np.array(truth))  # a head that sees no difference guesses
        points = [(mean(credit[:, block, head], reason="", limits=SHARE), groups) for block, head in enumerate(best)]
        curves.append(_curve(f"{label}, best head of the block", points, first=1))
        values = tuple(tuple(row) for row in credit.mean(axis=0).tolist())
        maps.append(HeadMap(label=label, metric="accuracy on the questions not fitted on", values=values, chosen=()))
    part, truth, groups = labelled(features, items, test, "logits/score")
    if len(part):
        letters = LetterLogits()
        said = [[verdict.label for verdict in letters.verdicts(alone)] for alone in each_entry(part, normed=True)]
        points = [(accuracy(truth, labels), groups) for labels in said]
        curves.append(_curve("letter logits of one block (through the final norm)", points))
    return tuple(curves), tuple(maps)


def labelled(
    features: Features, items: Sequence[Item], rows: Index, *names: str
) -> tuple[Features, list[Any], list[str]]:
    """Rows that have readouts and a label, the labels and the questions; none where no judge needed the readouts."""
    if not {*names} <= features.arrays.keys():
        return features.take([]), [], []
    present = features.present(*names)
    kept = [int(k) for k in rows if present[k] and label_of(items[k]) is not None]
    return features.take(kept), [label_of(items[k]) for k in kept], [items[k].group for k in kept]


def _curve(label: str, points: Sequence[tuple[Statistic, list[str]]], first: int = 0) -> Curve:
    intervals = [cluster_interval(s, groups) for s, groups in points]
    return Curve(
        label=label,
        x=tuple(range(first, first + len(points))),
        y=tuple(i.value for i in intervals),
        low=tuple(i.low for i in intervals),
        high=tuple(i.high for i in intervals),
    )


def _scores(judge: BaseJudge, features: Features) -> list[float | None]:
    return [cast("float | None", verdict.score) for verdict in judge.verdicts(features)]


@dataclass(frozen=True, slots=True)
class CausalTest:
    """Accuracy of the model's own letters on ``n`` questions: as it is (``whole``), and with heads zeroed.

    These are the chosen ``heads``, ``(block, head)``, or as many random ones of the same blocks, one figure a draw.
    """

    heads: tuple[tuple[int, int], ...]
    whole: float
    without_chosen: float
    without_random: tuple[float, ...]
    n: int

    @property
    def fall(self) -> float:
        """How much more accuracy the chosen heads cost than random ones do on average; positive if they matter."""
        return float(np.mean(self.without_random)) - self.without_chosen


@checked
def causal_test(
    lm: LanguageModel, choices: Sequence[Choice], heads: Sequence[tuple[int, int]], *, draws: int = 5, seed: int = 0,
    abstain: bool = True, batch_size: int = 16
) -> CausalTest:  # fmt: skip
    """Zero-ablate ``heads``, and random heads of the same blocks, and let the model answer each time.

    Any model that can be read can be tested, one that a TransformerLens ``TransformerBridge`` drives as well. Choose
    the heads on other questions than those given here.

    ``choices`` are questions with known answers, ``heads`` are ``(block, head)``, such as ``heads_`` of a fitted judge.
    Each of the ``draws`` (by ``seed``) takes in every block as many other heads as were chosen there, or all others if
    those are fewer. ``abstain``: whether the last two option lines take part. A pass reads ``batch_size`` questions.
    ``InnerjudgeError`` if there are no questions with answers, no heads, or a head that the model does not have.

    Example:
        >>> from innerjudge.models.loading import load
        >>> choice = Choice(question_id="c", question="Which is a fruit?", options=("iron", "pear"), answer=1)
        >>> result = causal_test(load("reference"), [choice], [(3, 0)], draws=2)
        >>> result.n, len(result.without_random)
        (1, 2)
    """
    known = [choice for choice in choices if choice.answer is not None]
    if not known or not heads or draws < 1:
        raise InnerjudgeError.of("compare.causal", len(known), len(heads), draws)
    random = np.random.default_rng(seed)
    passes = Passes(batch_size=batch_size, needs=frozenset({"logits/score", "labels"}))
    judge = LetterLogits(abstain=abstain)
    right = np.array([choice.answer for choice in known])

    def accuracy(out: Sequence[tuple[int, int]]) -> float:
        with ablated(lm, out):
            features = choice_features(lm, known, passes)
        return float(np.mean([one == answer for one, answer in zip(judge.predict(features), right, strict=True)]))

    return CausalTest(
        heads=tuple((int(b), int(h)) for b, h in heads),
        whole=accuracy([]),
        without_chosen=accuracy(heads),
        without_random=tuple(accuracy(_others(lm, heads, random)) for _ in range(draws)),
        n=len(known),
    )


def _others(lm: LanguageModel, heads: Sequence[tuple[int, int]], random: np.random.Generator) -> list[tuple[int, int]]:
    """As many other heads of the same blocks, drawn without replacement."""
    drawn = []
    for block in sorted({block for block, _ in heads}):
        chosen = {head for b, head in heads if b == block}
        others = [h for h in range(sum(one.n_heads for one in lm.anatomy.heads[block - 1])) if h not in chosen]
        drawn += [(block, others[k]) for k in random.permutation(len(others))[: len(chosen)]]
    return drawn
