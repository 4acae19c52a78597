"""How the scores of one judge spread over what is true of the items: one small panel of a plot."""

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from ...drawing.palette import UNKNOWN
from ...drawing.scores import score_distributions, scores_by_grade
from ..lens import Lens, as_floats

_X = {"choice": "best score minus second best", "pair": "score (higher favours a)"}
_WORDS = {"trace": ("right traces", "wrong traces")}


def draw_spread(panel: Axes, lens: Lens, judge: str, colour: str) -> dict[str, Patch]:
    """Draw the panel of ``judge``; returns the legend's entries by their words (none for ratings).

    The sides are the true label of a trace; for a choice or pair, whether the judge picked the right one.
    """
    scores = lens.table.scores(judge)
    if lens.kind == "rating":
        pairs = [
            (human, score)
            for human, score in zip(as_floats(lens.truths), scores, strict=True)
            if None not in (human, score)
        ]
        if pairs:
            human, said = zip(*pairs, strict=True)
            scores_by_grade(panel, human, said, colour=colour)
        else:
            panel.set(xlabel="human score", ylabel="score")
            panel.text(0.5, 0.5, "no human scores", ha="center", transform=panel.transAxes, color=UNKNOWN, fontsize=8)
        return {}
    sides = lens.truths if lens.kind == "trace" else lens.rights(judge)
    groups: dict[str, list[float]] = {
        words: [] for words in (*_WORDS.get(lens.kind, ("right picks", "wrong picks")), "no label")
    }
    right, wrong, unknown = groups
    for side, score in zip(sides, scores, strict=True):
        if score is not None:
            groups[unknown if side is None else right if side else wrong].append(score)
    return score_distributions(panel, groups, x=_X.get(lens.kind, "score"))
