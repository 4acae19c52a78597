"""Floor 2: one forward pass in, features out."""

from .features import Features
from .provenance import Provenance, provenance
from .readouts import AttentionWeights, HiddenStates, LabelLogits, QueryKey, Readout, ResponseLogProb
from .run import extract, stream

__all__ = [
    "AttentionWeights",
    "Features",
    "HiddenStates",
    "LabelLogits",
    "Provenance",
    "QueryKey",
    "Readout",
    "ResponseLogProb",
    "extract",
    "provenance",
    "stream",
]
