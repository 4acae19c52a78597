"""Arrays over items, whose last axis may be options: as many as the item that has most, zero beyond."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


def stack(parts: Sequence[Array]) -> Array:
    """Concatenate along items, at the width of the widest part."""
    width = max(part.shape[-1] for part in parts)
    return np.concatenate([part if part.ndim == 1 else widen(part, width) for part in parts])


def put(arrays: dict[str, Array], name: str, values: Array, rows: Sequence[int], n: int) -> None:
    """Write the rows of one batch into ``arrays[name]``, of ``n`` items, which is made or widened as needed."""
    held = arrays.setdefault(name, np.zeros((n, *values.shape[1:]), dtype=np.float32))
    held = arrays[name] = widen(held, values.shape[-1])
    held[list(rows), ..., : values.shape[-1]] = values


def widen(array: Array, width: int) -> Array:
    """Pad the last axis with zeros up to ``width``."""
    lacking = width - array.shape[-1]
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, lacking)]) if lacking > 0 else array


def as_tensor(array: Array) -> torch.Tensor:
    """A tensor to read from that shares the memory of an array, also of a read-only one (torch would warn).

    Example:
        >>> fixed = np.ones(2, np.float32)
        >>> fixed.flags.writeable = False
        >>> as_tensor(fixed)
        tensor([1., 1.])
    """
    view = np.ascontiguousarray(array, np.float32).view()
    try:
        view.flags.writeable = True
    except ValueError:  # what it is a view of is read-only itself
        view = view.copy()
    return torch.from_numpy(view)
