"""Floor 2, on disk: a feature store that holds more than memory, is written shard by shard and loses nothing."""

from .export import export, merge
from .precision import DTYPES, Rounding
from .reading import StoreRows
from .store import FeatureStore

__all__ = ["DTYPES", "FeatureStore", "Rounding", "StoreRows", "export", "merge"]
