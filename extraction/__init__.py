"""Floor 2: one forward pass in, features out."""

from .extract import extract, stream
from .features import Features
from .provenance import Provenance, provenance
from .readouts import AttentionWeights, HiddenStates, LabelLogits, QueryKey, Readout, ResponseLogProb

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
