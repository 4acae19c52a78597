"""Floor 1: loading a model, its anatomy, prompts and token positions, the small built-in model."""

from .errors import InnerjudgeError
from .items import Choice, Item, Pair, Rating, Trace
from .loading import LanguageModel, load, wrap

__all__ = ["Choice", "InnerjudgeError", "Item", "LanguageModel", "Pair", "Rating", "Trace", "load", "wrap"]
