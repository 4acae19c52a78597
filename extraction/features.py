"""What one pass returned: arrays by name, with the items' ids and the provenance."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from ..models.arguments import checked
from ..models.errors import InnerjudgeError
from .feature_arrays import Array, FeatureArrays, Mask, feature_frame, html_summary, require_unique, summary
from .provenance import Provenance
from .ragged import Ragged, stack

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Array", "Features", "Mask", "require_unique"]

#: What names some of the items.
Rows: TypeAlias = int | slice | Sequence[int] | npt.NDArray[np.intp] | Mask


class Features(FeatureArrays):
    """Arrays (and generated texts) of ``n`` items; ``missing`` says which items lack a readout, and why.

    Features cannot be changed after they are made: the arrays are read-only views, the mappings are fixed. They are
    indexed like an array, ``f[:10]``, ``f[[0, 3]]``, ``f[mask]``, so that scikit-learn's splitters and searches work on
    them; ``f["hidden/score"]`` is the array of a readout. ``InnerjudgeError`` if an argument is of another type, the
    lengths differ, or an id occurs twice.

    Args:
        ids: Item ids, length ``n``.
        groups: Question of each item, length ``n``: the unit of splits and of intervals.
        arrays: Name of a readout -> float32 array whose first axis is ``n``. Rows of missing items are zero: ask
            :meth:`present` which rows count.
        ragged: Name of a readout -> its rows, several per item (one per token, say); see :class:`.Ragged`.
        texts: Name of a text -> ``n`` strings: a generation (new tokens only), or the item's own ``"prompt"``,
            ``"response"`` or ``"options"`` (a JSON list).
        missing: Name of a readout or generation -> item id -> why the item lacks it.
        provenance: Identity of the model and of the conventions.
        seconds: Name -> wall seconds of the pass that made it.

    Example:
        >>> from innerjudge import Provenance
        >>> p = Provenance("m", None, "f", "float32", "sdpa", "none")
        >>> f = Features(ids=("a", "b"), groups=("q", "q"), arrays={"x": np.ones((2, 3), np.float32)},
        ...              missing={"x": {"b": "no marker"}}, provenance=p)
        >>> f.present("x")
        array([ True, False])
        >>> f[:1].ids, f[f.present("x")].ids, len(f), f.shape
        (('a',), ('a',), 2, (2, 1))
        >>> f
        Features(2 items, 1 question, model 'm': x [2, 3])
    """

    __slots__ = ()

    @classmethod
    def of_items(cls, items: Sequence[Any], provenance: Provenance, values: Mapping[str, Any], **held: Any) -> Self:
        """Features of items or encodings; ``held`` are other fields, in which ``missing`` may name readouts of none."""
        held["missing"] = {name: reasons for name, reasons in held.get("missing", {}).items() if reasons}
        held |= {"ids": tuple(item.id for item in items), "groups": tuple(item.group for item in items)}
        ragged = {name: one for name, one in values.items() if isinstance(one, Ragged)}
        arrays = {name: one for name, one in values.items() if name not in ragged}
        return cls(provenance=provenance, arrays=arrays, ragged=ragged, **held)

    def __iter__(self) -> Iterator[Self]:
        return (self.take([k]) for k in range(len(self)))

    @overload
    def __getitem__(self, key: str) -> Array: ...
    @overload
    def __getitem__(self, key: Rows) -> Self: ...
    def __getitem__(self, key: str | Rows) -> Array | Self:
        """The array ``[n, ...]`` of a readout by its name; else the items at a place, slice, list or mask."""
        if not isinstance(key, str):
            return self.take(_places(key, len(self)))
        return self.array(key)

    def take(self, index: Sequence[int] | npt.NDArray[np.intp] | Mask) -> Self:
        """The items at ``index`` (integers or a boolean mask of length ``n``), in that order."""
        rows = _places(index, len(self))
        ids = tuple(self.ids[i] for i in rows)
        keep = set(ids)
        return replace(
            self,
            ids=ids,
            groups=tuple(self.groups[i] for i in rows),
            arrays={k: v[rows] for k, v in self.arrays.items()},
            ragged={k: v.take(rows) for k, v in self.ragged.items()},
            texts={k: tuple(v[i] for i in rows) for k, v in self.texts.items()},
            missing={k: {i: r for i, r in v.items() if i in keep} for k, v in self.missing.items()},
            seconds={k: s * len(rows) / max(len(self), 1) for k, s in self.seconds.items()},
        )

    def frame(self, *names: str) -> "pd.DataFrame":
        """A pandas table with one row per item, indexed by id, and its question in ``group``.

        Readouts and generations ``names`` are shown in full: one column per number, such as ``hidden/score[8,0]`` (row
        8, place 0); a readout with several rows per item is one column of arrays. Without names: all texts, and the
        arrays that have at most one axis beside the items'; others appear only in the column ``missing``, which has the
        first reason why an item lacks something, or an empty string.

        Example:
            >>> f = Features.from_arrays({"x": [1.0, 2.0], "h": np.ones((2, 1, 2))}, provenance="m", ids=["a", "b"])
            >>> f.frame().columns.tolist(), f.frame("h").columns.tolist()
            (['group', 'x', 'missing'], ['group', 'h[0,0]', 'h[0,1]', 'missing'])
        """
        return feature_frame(self, names)

    to_pandas = frame

    def save(self, folder: str | Path) -> None:
        """Write everything into a folder; ``FeatureStore.open(folder).features()`` reads it again."""
        import_module(".store", __package__).FeatureStore.save(self, folder)  # which imports this module

    __repr__, _repr_html_ = summary, html_summary

    @checked
    def join(self, other: "Features") -> Self:
        """Put together the readouts of two sets of features of the same items.

        ``InnerjudgeError`` if ids or provenance differ, or both have a name that is not the same array in each.
        """
        self.provenance.require(other.provenance, "joining features")
        if self.ids != other.ids:
            first = next((i for i in other.ids if i not in set(self.ids)), "the order")
            raise InnerjudgeError(f"given features of other items (first difference: {first}), expected the same ids")
        both = [k for k in (*other.arrays, *other.ragged, *other.texts) if k in self]
        odd = [k for k in both if not np.array_equal(self.arrays.get(k, 0.0), other.arrays.get(k, 1.0), equal_nan=True)]
        if odd:
            raise InnerjudgeError(f"given {sorted(odd)} on both sides, expected distinct names: rename a readout")
        of_names = ("arrays", "ragged", "texts", "missing", "seconds")
        joined: dict[str, Any] = {name: {**getattr(self, name), **getattr(other, name)} for name in of_names}
        return replace(self, **joined)

    @classmethod
    @checked
    def concat(cls, parts: "Sequence[Features]") -> Self:
        """Put the items of several parts one after another; all parts must have the same readouts."""
        if not parts:
            raise InnerjudgeError("given no features to put together, expected at least one part")
        first = parts[0]
        for part in parts[1:]:
            first.provenance.require(part.provenance, "putting features together")
            names = ({*one.arrays, *one.ragged, *one.texts} for one in (part, first))
            if odd := next(names) ^ next(names):
                raise InnerjudgeError(f"given {sorted(odd)} in some parts only, expected the same readouts in all")
        lacking = sorted(set(first.missing).union(*(p.missing for p in parts)))
        return cls(
            ids=tuple(i for p in parts for i in p.ids),
            groups=tuple(g for p in parts for g in p.groups),
            provenance=first.provenance,
            arrays={k: stack([p[k] for p in parts]) for k in first.arrays},
            ragged={k: Ragged.stack([p.ragged[k] for p in parts], k) for k in first.ragged},
            texts={k: tuple(t for p in parts for t in p.texts[k]) for k in first.texts},
            missing={k: {i: r for p in parts for i, r in p.missing.get(k, {}).items()} for k in lacking},
            seconds={k: sum(p.seconds.get(k, 0.0) for p in parts) for k in first.seconds},
        )


def _places(key: Any, n: int) -> npt.NDArray[np.intp]:
    """Rows of ``n`` that a key names: an integer, a slice, integers, a mask; scikit-learn writes ``f[rows, ...]``."""
    if isinstance(key, tuple) and len(key) == 2 and key[1] is Ellipsis:
        key = key[0]
    try:
        if isinstance(key, bool | np.bool_):
            raise IndexError("one boolean is no mask")
        index = key if isinstance(key, slice) else np.asarray(key)
        empty = isinstance(index, np.ndarray) and index.size == 0 and index.dtype != bool
        return np.atleast_1d(np.arange(n)[np.zeros(0, np.intp) if empty else index])
    except (IndexError, TypeError, ValueError):
        raise InnerjudgeError.of("extraction.places", n, repr(key)[:80]) from None
