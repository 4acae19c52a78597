"""Floor 2: one forward pass in, features out. It knows no judge; ``models/`` is below it.

``extract.py`` is the door: ``schedule.py`` decides what is read together, within how much memory, ``reader.py`` and
``one_pass.py`` read a batch with the hooks of ``taps/``, and what several texts begin with once.
``readouts.py`` names what is kept, ``features.py`` holds it (``ragged.py`` what has several rows an item), ``store/``
keeps it on disk, ``writing/`` lets models write.
"""

from .extract import extract, stream
from .features import Features
from .provenance import Provenance, provenance
from .ragged import Ragged
from .readouts import (
    AttentionWeights,
    HiddenStates,
    LabelLogits,
    QueryKey,
    Readout,
    ResponseLogProb,
    States,
    TokenStats,
)

__all__ = [
    "AttentionWeights", "Features", "HiddenStates", "LabelLogits", "Provenance", "QueryKey", "Ragged", "Readout",
    "ResponseLogProb", "States", "TokenStats", "extract", "provenance", "stream"
]  # fmt: skip
