"""Floor 2: one forward pass in, features out. It knows no judges; ``models/`` is below it.

``extract.py`` is the entry: ``schedule.py`` decides what is read together and in how much memory; ``reader.py`` and
``one_pass.py`` read a batch with the hooks of ``taps/``, and a beginning that texts share only once. ``readouts.py``
says what to keep (``readout_names.py`` finds it by name), ``features.py`` holds it (``ragged.py``: several rows per
item), ``store/`` keeps it on disk, ``writing/`` lets models write.
"""

from .extract import extract, stream
from .features import Features
from .provenance import Provenance, provenance
from .ragged import Ragged
from .readouts import (
    AttentionSpans,
    AttentionWeights,
    HiddenStates,
    LabelLogits,
    Lens,
    QueryKey,
    Readout,
    ResponseLogProb,
    States,
    TokenStats,
)

__all__ = [
    "AttentionSpans", "AttentionWeights", "Features", "HiddenStates", "LabelLogits", "Lens", "Provenance", "QueryKey",
    "Ragged", "Readout", "ResponseLogProb", "States", "TokenStats", "extract", "provenance", "stream"
]  # fmt: skip
