"""The arrays of features as plain, immutable data: what :class:`.features.Features` is made of."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from ..models.arguments import require_type
from ..models.errors import InnerjudgeError, html_table
from .provenance import Provenance
from .ragged import Ragged, widen

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
_TYPES: dict[str, type] = {"ids": tuple, "groups": tuple, "provenance": Provenance}

_Value = TypeVar("_Value")


class Fixed(dict[str, _Value]):
    """A dictionary that cannot be changed after it is made; ``|`` gives a new, ordinary one."""

    def _refuse(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise TypeError("features are not written into: make others, such as dataclasses.replace(features, arrays=...)")

    __setitem__ = __delitem__ = update = setdefault = pop = popitem = clear = __ior__ = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return Fixed, (dict(self),)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class FeatureArrays:
    """Ids, groups, arrays and texts of ``n`` items, checked once and never changed; see :class:`.Features`."""

    ids: tuple[str, ...]
    groups: tuple[str, ...]
    provenance: Provenance
    arrays: Mapping[str, Array] = field(default_factory=dict)
    ragged: Mapping[str, Ragged] = field(default_factory=dict)
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    missing: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for one in dataclasses.fields(self):
            require_type(getattr(self, one.name), _TYPES.get(one.name, Mapping), f"Features({one.name}=...)")
        n = len(self.ids)
        sizes = {"groups": len(self.groups)}
        for held in (self.arrays, self.ragged, self.texts):
            sizes |= {name: len(value) for name, value in held.items()}
        if wrong := {k: size for k, size in sizes.items() if size != n}:
            raise InnerjudgeError(f"given {n} ids but {wrong} rows, expected {n} each: build them from one item list")
        require_unique(self.ids)
        arrays = {name: array.view() for name, array in self.arrays.items()}
        for array in arrays.values():
            array.flags.writeable = False
        missing = {name: Fixed(reasons) for name, reasons in self.missing.items()}
        plain = {name: getattr(self, name) for name in ("ragged", "texts", "seconds")}
        for name, value in (plain | {"arrays": arrays, "missing": missing}).items():
            object.__setattr__(self, name, Fixed(value))

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickling, as the processes of ``n_jobs`` need it: an array that was pickled can be written into again."""
        return partial(type(self), **{one.name: getattr(self, one.name) for one in dataclasses.fields(self)}), ()

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, npt.ArrayLike | Ragged],
        *,
        provenance: Provenance | str,
        groups: Sequence[str] | None = None,
        ids: Sequence[str] | None = None,
        last_block: int | None = None,
        texts: Mapping[str, Sequence[str]] | None = None,
    ) -> Self:
        """Features from arrays that you have, such as hidden states that another program stored.

        ``InnerjudgeError`` if an array is not of numbers, or the lengths differ.

        Args:
            arrays: Name of a readout -> array ``[n, ...]``; kept as float32. Judges look for ``"hidden/POSITION"`` of
                shape ``[n, L + 2, D]``: rows ``h[0..L]`` raw, then the final-normed one. A :class:`.Ragged` has any
                number of rows per item.
            provenance: That of the model, or just a name for it: a judge that was fitted on these features refuses
                features with another name.
            groups: Question of each item; ``None`` where every item is a question of its own.
            ids: Item ids; ``None`` numbers them.
            last_block: The last block in the states, if they end there without a final-normed row.
            texts: Name of a text, such as ``"prompt"`` or ``"response"`` -> one string per item.

        Example:
            >>> states = np.zeros((3, 4, 8))  # three items, h[0..2] and the final-normed row, width 8
            >>> from innerjudge import Features
            >>> f = Features.from_arrays({"hidden/response_end": states}, provenance="my-model", groups=["p", "p", "q"])
            >>> f.ids, f["hidden/response_end"].dtype
            (('0', '1', '2'), dtype('float32'))
        """
        require_type(arrays, Mapping, "Features.from_arrays")
        ragged = {name: value for name, value in arrays.items() if isinstance(value, Ragged)}
        made = {name: _numbers(name, value) for name, value in arrays.items() if not isinstance(value, Ragged)}
        said = {name: tuple(map(str, some)) for name, some in (texts or {}).items()}
        columns: tuple[Sized, ...] = (*made.values(), *ragged.values(), *said.values(), ids or ())
        names = tuple(map(str, range(len(columns[0])))) if ids is None else tuple(map(str, ids))
        if isinstance(provenance, str):
            provenance = Provenance(provenance, None, f"named {provenance}", "", "", "", last_block=last_block)
        known = names if groups is None else tuple(map(str, groups))
        return cls(ids=names, groups=known, provenance=provenance, arrays=made, ragged=ragged, texts=said)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of items and of readouts."""
        return len(self.ids), len(self.arrays) + len(self.ragged) + len(self.texts)

    def array(self, name: str) -> Array:
        """The array of a readout, shape ``[n, ...]``; ``f[name]`` for short."""
        if name in self.ragged:
            raise InnerjudgeError(f"given {name!r}, of which items have several rows: take it from features.ragged")
        if name not in self.arrays:
            given = sorted((*self.arrays, *self.ragged))
            raise InnerjudgeError.of("extraction.no-array", given, name)
        return self.arrays[name]

    def __contains__(self, name: object) -> bool:
        """Whether there is a readout or a generation of this name."""
        return name in self.arrays or name in self.ragged or name in self.texts

    def present(self, *names: str) -> Mask:
        """Which items have all the named readouts, shape ``[n]``."""
        reasons = self.reasons(*names)
        return np.array([i not in reasons for i in self.ids], dtype=bool)

    def reasons(self, *names: str) -> dict[str, str]:
        """Item id -> why it lacks one of the named readouts (first reason found)."""
        merged: dict[str, str] = {}
        for name in names:
            require_type(name, str, "Features: the name of a readout")
            if name not in self:
                self.array(name)
            merged = {**self.missing.get(name, {}), **merged}
        return merged


def _numbers(name: str, value: npt.ArrayLike) -> Array:
    try:
        array = np.array(value, dtype=np.float32)  # a copy: who gave it may go on writing into theirs
    except (TypeError, ValueError):
        array = np.zeros((), np.float32)
    if not array.ndim:
        raise InnerjudgeError.of("extraction.no-numbers", type(value).__name__, name)
    return array


def require_unique(ids: Sequence[str]) -> None:
    """Raise if an id occurs twice; the message names it."""
    twice = next((one for one, times in Counter(ids).items() if times > 1), None)
    if twice is not None:
        raise InnerjudgeError(f"given the id {twice!r} twice, expected unique ids: rename one of the items")


def feature_frame(features: FeatureArrays, names: tuple[str, ...]) -> "pd.DataFrame":
    """See :meth:`.Features.frame`."""
    import pandas as pd

    reasons = features.reasons(*(names or (*features.arrays, *features.ragged, *features.texts)))
    small = [*features.texts, *(name for name, array in features.arrays.items() if array.ndim <= 2)]
    columns: dict[str, Any] = {"group": features.groups}
    for name in names or small:
        if name in features.texts:
            columns[name] = features.texts[name]
        elif name in features.ragged:
            columns[name] = list(features.ragged[name])
        else:
            array = features.array(name)
            for place in np.ndindex(array.shape[1:]):
                columns[f"{name}[{','.join(map(str, place))}]" if place else name] = array[:, *place]
    columns["missing"] = [reasons.get(i, "") for i in features.ids]
    return pd.DataFrame(columns, index=pd.Index(features.ids, name="id"))


def summary(features: FeatureArrays) -> str:
    """One line: the number of items, the model, and the shape of each readout."""
    parts = [f"{name} [{', '.join(map(str, array.shape))}]" for name, array in features.arrays.items()]
    parts += [f"{name} {one!r}" for name, one in features.ragged.items()]
    items, questions = len(features), len(set(features.groups))
    sizes = f"{items} item{'s' * (items != 1)}, {questions} question{'s' * (questions != 1)}"
    model = features.provenance.model
    return f"Features({sizes}, model {model!r}: {', '.join((*parts, *features.texts)) or 'nothing'})"


def html_summary(features: FeatureArrays) -> str:
    """A table with one row per readout: its shape, how many items have it, and the first reason why others do not."""
    rows = []
    for name in (*features.arrays, *features.ragged, *features.texts):
        reasons = features.missing.get(name, {})
        shape = repr(features.ragged[name]) if name in features.ragged else "text"
        shape = " x ".join(map(str, features.arrays[name].shape)) if name in features.arrays else shape
        rows.append((name, shape, len(features) - len(reasons), next(iter(reasons.values()), "")))
    title = f"Features of {len(features)} items, {len(set(features.groups))} questions, {features.provenance.model}"
    return html_table(title, ("readout", "shape", "items", "first reason of those without"), rows)


def put(arrays: dict[str, Array], name: str, values: Array, rows: Sequence[int], n: int) -> None:
    """Write a batch's rows into ``arrays[name]`` (of ``n`` items), which is made or widened as needed."""
    held = arrays.setdefault(name, np.zeros((n, *values.shape[1:]), dtype=np.float32))
    held = arrays[name] = widen(held, values.shape[-1])
    held[list(rows), ..., : values.shape[-1]] = values


def as_tensor(array: Array) -> torch.Tensor:
    """A tensor that shares the memory of an array, even a read-only one (torch would warn): do not write to it."""
    view = np.ascontiguousarray(array, np.float32).view()
    try:
        view.flags.writeable = True
    except ValueError:  # what it is a view of is read-only itself
        view = view.copy()
    return torch.from_numpy(view)
