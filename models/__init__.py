"""Floor 1: loading a model, its anatomy, prompts and token positions, the small built-in model."""

from .errors import InnerjudgeError
from .items import Choice, Item, Pair, Rating, Trace

__all__ = ["Choice", "InnerjudgeError", "Item", "Pair", "Rating", "Trace"]
