"""The built-in reference model: its three jobs in text, its training, and its weights."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..extra import lazy_names

if TYPE_CHECKING:
    from .choose import choices as choices, synthetic as synthetic
    from .rate import ratings as ratings
    from .solve import final_answer as final_answer, problems as problems
    from .words import HELD_OUT_SEED as HELD_OUT_SEED

#: Folder of the committed weights, in ordinary Hugging Face form.
WEIGHTS = Path(__file__).parent / "weights"
__all__, __getattr__ = lazy_names(__name__)
