"""Drawing functions that notebooks and reports share: each draws onto axes that it is given, or returns HTML.

Lines and classes differ by dash, mark or filling as well as by colour, so that a print in grey says the same.
"""

from .calibration import reliability
from .heads import head_map
from .lines import accuracy_against_n, curves
from .options import attention_over_text
from .palette import CYCLE, FAMILY_COLOURS, STYLE, short
from .scores import score_distributions, scores_by_grade
from .trajectories import trajectory

__all__ = [
    "CYCLE",
    "FAMILY_COLOURS",
    "STYLE",
    "accuracy_against_n",
    "attention_over_text",
    "curves",
    "head_map",
    "reliability",
    "score_distributions",
    "scores_by_grade",
    "short",
    "trajectory",
]
