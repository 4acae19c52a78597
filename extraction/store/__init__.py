"""Floor 2, on disk: a feature store that may be larger than memory, and is written shard by shard."""

from .export import export, merge
from .precision import DTYPES, Rounding
from .reading import StoreRows
from .store import FeatureStore

__all__ = ["DTYPES", "FeatureStore", "Rounding", "StoreRows", "export", "merge"]
