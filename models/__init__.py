"""Floor 1: a language model and its input. Nothing here knows about readouts or judges.

``loading.py`` makes a :class:`~.loading.LanguageModel` from ``checkpoint.py`` and ``formats/``; ``anatomy.py`` holds
its parts, found by watching one pass (``observation.py``, ``blocks.py``, ``heads.py``, ``unembedding.py``,
``rotary.py``). ``items.py`` and ``prompts.py`` say what is asked, ``chat.py`` puts it into the chat template,
``positions.py`` finds its tokens. ``inputs.py`` says what one batch may mix, ``caching.py`` tries it on a model,
``description.py`` describes a model. ``foreign.py`` reads untrusted files and writes files whole. ``reference/`` is the
small built-in model. Rooms above import these files by their path.
"""

from .errors import InnerjudgeError
from .items import Choice, Item, Pair, Rating, Trace

__all__ = ["Choice", "InnerjudgeError", "Item", "Pair", "Rating", "Trace"]
