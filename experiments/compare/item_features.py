"""The features of a data set's items: each is read once, or taken from where it is kept."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...extraction.features import Features
from ...extraction.ragged import Ragged
from ...models.items import Item
from ...models.loading import LanguageModel
from ..reading.passes import Passes
from ..reading.progress import Steps
from ..reading.read import read

Index = npt.NDArray[np.intp]
#: Reads some items of a data set.
Read = Callable[[Sequence[Any], Passes], Features]
#: Called with the name of a set of features, its items and what reads any part of them: where they may be kept.
Keep = Callable[[str, Sequence[Any], Callable[[Sequence[Any], Steps], Features]], Features]


def unkept(passes: Passes) -> Keep:
    """Features that are read at once and kept nowhere."""
    return lambda _name, items, read_part: read_part(items, passes.steps)


@dataclass(kw_only=True)
class ItemFeatures:
    """Reads the items of a data set once; ``keep`` may put features on disk, ``features`` holds them by name."""

    lm: LanguageModel
    items: Sequence[Item]
    passes: Passes
    keep: Keep
    features: dict[str, Features] = field(default_factory=dict, init=False)

    def kept(self, name: str, items: Sequence[Any], passes: Passes, how: Read) -> Features:
        """Features under a name: read now, or taken from where they are kept; the same ones when asked again."""
        if name not in self.features:
            self.features[name] = self.keep(name, items, lambda some, steps: how(some, replace(passes, steps=steps)))
        return self.features[name]

    def without_reasoning(self, name: str, items: Sequence[Item]) -> Features:
        """Features without reasoning before the verdict, which is written for the test items only."""
        needs = self.passes.needs
        passes = self.passes if needs is None else replace(self.passes, needs=needs - {"reasoned"})
        return self.kept(name, items, passes, lambda some, how: read(self.lm, some, how))

    def reasoned(self, needs: Iterable[str], rows: Index) -> Features:
        """What is written after reasoning about some items, the test items, which need no fit; read once."""
        if "reasoned" not in self.features:
            passes = replace(self.passes, needs=frozenset(needs) - {"labels"})
            self.kept("reasoned", [self.items[k] for k in rows], passes, lambda some, how: read(self.lm, some, how))
        return self.features["reasoned"]


def over_all(some: Features, whole: Features, reason: str) -> Features:
    """Features of some of the items as features of all of them: the others are missing for a reason.

    Example:
        >>> whole = Features.from_arrays({"x": [1.0, 2.0]}, provenance="m", ids=["a", "b"])
        >>> over_all(whole.take([1]), whole, "not asked").reasons("x")
        {'a': 'not asked'}
    """
    places = {one: k for k, one in enumerate(whole.ids)}
    rows = [places[one] for one in some.ids]
    left = dict.fromkeys((one for one in whole.ids if one not in set(some.ids)), reason)
    arrays = {name: np.zeros((len(whole), *value.shape[1:]), value.dtype) for name, value in some.arrays.items()}
    for name, value in some.arrays.items():
        arrays[name][rows] = value
    at = dict(zip(rows, range(len(rows)), strict=True))
    ragged = {
        name: Ragged.of([one[at[k]] if k in at else one.values[:0] for k in range(len(whole))], one.values.shape[1:])
        for name, one in some.ragged.items()
    }
    texts = {name: [""] * len(whole) for name in some.texts}
    for name, said in some.texts.items():
        for row, text in zip(rows, said, strict=True):
            texts[name][row] = text
    return Features(
        ids=whole.ids,
        groups=whole.groups,
        provenance=some.provenance,
        arrays=arrays,
        ragged=ragged,
        texts={name: tuple(said) for name, said in texts.items()},
        missing={name: {**left, **some.missing.get(name, {})} for name in (*arrays, *ragged, *texts)}
        if left
        else some.missing,
        seconds=some.seconds,
    )
