"""How the scores of every judge are distributed for each true label."""

from ..figures import Section
from ..lens import Lens
from ..report.judge_plots import score_distributions

KEY = "scores"


def scores(lens: Lens) -> Section | None:
    """A small panel a judge: scores of right and of wrong items, or over the human grade."""
    plot = score_distributions(lens)
    if plot is None:
        return None
    return Section(
        key=KEY, title="Scores", question="How far apart are the scores of right and of wrong items?", plots=(plot,)
    )
