"""One readout at one layer as a sequence of vectors: what scikit-learn, numpy and PyTorch read a store as."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...models.errors import InnerjudgeError
from ..arrays import Array
from .reading import StoreReading


class StoreRows(Sequence[Array]):
    """Rows ``[n, ...]`` of a readout, read when they are asked for.

    ``np.asarray(rows)`` reads all of them, ``rows[a:b]`` a slice, ``rows[[3, 1]]`` those items; a
    ``torch.utils.data.DataLoader`` takes it as a map-style data set and asks for a whole batch at once, and
    :meth:`batches` feeds ``partial_fit``.

    Args:
        store: An open store.
        name: The readout, such as ``"hidden/reasoning_end"``.
        layer: Row of the states, from the end where negative; ``None`` for all of them.
        places: Items, in the order that is wanted; ``None`` for all.

    Example:
        >>> import tempfile
        >>> from innerjudge.extraction import Features, Provenance
        >>> from innerjudge.extraction.store import FeatureStore
        >>> from innerjudge.extraction.store.header import StoreHeader
        >>> origin = Provenance("m", None, "f", "float32", "sdpa", "none")
        >>> some = Features(ids=("a", "b"), groups=("q", "q"), provenance=origin,
        ...                 arrays={"hidden/score": np.arange(12, dtype=np.float32).reshape(2, 3, 2)})
        >>> store = FeatureStore.create(tempfile.mkdtemp(), StoreHeader(origin, items=2))
        >>> store.write(0, some)
        >>> rows = StoreRows(store, "hidden/score", layer=-1)
        >>> rows.shape, rows[1], [batch.shape for batch in rows.batches(1)]
        ((2, 2), array([10., 11.], dtype=float32), [(1, 2), (1, 2)])
    """

    dtype = np.dtype(np.float32)

    def __init__(
        self, store: StoreReading, name: str, layer: int | None = None, places: npt.ArrayLike | None = None
    ) -> None:
        self.store, self.name, self.layer = store, name, layer
        self.places = np.arange(len(store)) if places is None else np.asarray(places, dtype=np.intp)
        self.shape = (len(self.places), *store.layer(name, layer, self.places[:1]).shape[1:])

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: Any) -> Array:  # type: ignore[override]
        """One row for a number, ``[k, ...]`` for a slice, a mask or a list of numbers."""
        try:
            chosen = self.places[index]
        except IndexError:
            raise IndexError(f"given {index!r}, expected items of 0..{len(self) - 1}") from None
        if np.ndim(chosen) == 0:
            return np.asarray(self.store.layer(self.name, self.layer, [int(chosen)])[0])
        return self.store.layer(self.name, self.layer, chosen)

    def __getitems__(self, index: list[int]) -> list[Array]:
        """What a ``DataLoader`` asks for: a whole batch at once."""
        return list(self[index])

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("given copy=False, expected a copy: the rows lie on the disk")
        return self[:].astype(dtype or self.dtype, copy=False)

    def batches(self, size: int) -> Iterator[Array]:
        """The rows in order, ``size`` at a time."""
        if size < 1:
            raise InnerjudgeError(f"given batches of {size} rows, expected at least 1")
        for start in range(0, len(self), size):
            yield self[start : start + size]
