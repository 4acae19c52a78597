"""The built-in reference model: its three jobs in text, its training, and its weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..extra import lazy_names

if TYPE_CHECKING:
    from .choose import choices, synthetic
    from .rate import ratings
    from .solve import final_answer, problems
    from .words import HELD_OUT_SEED

#: Folder of the committed weights, in ordinary Hugging Face form.
WEIGHTS = Path(__file__).parent / "weights"
_HOMES = {
    "HELD_OUT_SEED": ".words",
    "choices": ".choose",
    "final_answer": ".solve",
    "problems": ".solve",
    "ratings": ".rate",
    "synthetic": ".choose",
}

__all__ = ["HELD_OUT_SEED", "choices", "final_answer", "problems", "ratings", "synthetic"]

__getattr__ = lazy_names(__name__, _HOMES)
