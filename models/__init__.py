"""Floor 1: loading a model, its anatomy, prompts and token positions, the small built-in model.

``loading.py`` is the door; ``checkpoint.py`` reads folders and the hub, ``formats`` GGUF files and LoRA adapters,
``precision.py`` chooses a type for the CPU. ``anatomy.py`` finds the parts by watching a pass. ``prompts.py`` and
``chat.py`` make texts of items, ``positions.py`` token ids and places of them. ``reference`` is the built-in model.
"""

from .errors import InnerjudgeError
from .items import Choice, Item, Pair, Rating, Trace

__all__ = ["Choice", "InnerjudgeError", "Item", "Pair", "Rating", "Trace"]
