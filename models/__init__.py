"""Floor 1: a language model and what is fed to it. Nothing here knows of readouts or judges.

``loading.py`` is the door; ``checkpoint.py`` reads folders and the hub, ``formats`` GGUF files and LoRA adapters.
``anatomy.py`` finds the parts by watching a pass. ``prompts.py`` and ``chat.py`` make texts of items, ``positions.py``
token ids and places of them. ``mixing.py`` says what a batch may mix, ``probing.py`` tries a model, ``paths.py`` tells
people of both. ``reference`` is the built-in model.
"""

from .errors import InnerjudgeError
from .items import Choice, Item, Pair, Rating, Trace

__all__ = ["Choice", "InnerjudgeError", "Item", "Pair", "Rating", "Trace"]
