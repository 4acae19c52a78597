"""What a judge has learned, checked against the declarations of its class: type, shape and range of attributes.

A judge of a folder is checked when it is loaded; once its model or the features that it reads are known, its shapes are
 held to theirs. An array of another shape would be broadcast to fit, and give scores without an error.
"""

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..extraction.features import Features
from ..models.errors import InnerjudgeError

if TYPE_CHECKING:
    from .judge import BaseJudge

#: Lengths by name, such as ``{"width": 128, "blocks": 4}``.
Sizes = dict[str, int]


@dataclass(frozen=True, slots=True)
class Array:
    """An array of finite numbers of at least ``low``, at most the length ``high`` if known, which sum up to ``total``.

    ``axes`` are lengths, or names that mean the same length in all attributes of a judge; ``needed``: whether a fitted
    judge always has it, or the name of an attribute that comes with it; ``none``: whether it may be ``None``.
    """

    axes: tuple[int | str, ...]
    dtype: str = "float64"
    low: float = -math.inf
    high: str = ""
    total: float | None = None
    needed: bool | str = True
    none: bool = False

    def fault(self, value: Any, sizes: Sizes) -> str | None:
        """What is wrong with a value, or ``None``; lengths that were unknown are put into ``sizes``."""
        if value is None and self.none:
            return None
        if not isinstance(value, np.ndarray):
            return f"a {type(value).__name__}, expected an array"
        if value.dtype != self.dtype:
            return f"an array of {value.dtype}, expected {self.dtype}"
        expected = tuple(axis if isinstance(axis, int) else sizes.get(axis) for axis in self.axes)
        fits = len(expected) == value.ndim and all(e in (None, n) for e, n in zip(expected, value.shape, strict=True))
        if not fits:
            said = ", ".join("any" if e is None else str(e) for e in expected)
            return f"an array of shape {value.shape}, expected ({said}{',' if len(expected) == 1 else ''})"
        if value.size and not (np.isfinite(value).all() and value.min() >= self.low):
            return f"an array with NaN, infinity or numbers below {self.low}, expected none"
        if value.size and value.max() > sizes.get(self.high, math.inf):
            return f"an array with {value.max()}, expected at most {sizes[self.high]}"
        if self.total is not None and abs(float(value.sum()) - self.total) > 1e-6:
            return f"an array that sums up to {float(value.sum()):g}, expected {self.total:g}"
        sizes.update({axis: n for axis, n in zip(self.axes, value.shape, strict=True) if isinstance(axis, str)})
        return None


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number from ``low`` to ``high``, or one of ``among``; an ``int`` if ``whole``.

    ``needed`` and ``none`` as in :class:`Array`.
    """

    low: float = -math.inf
    high: float = math.inf
    whole: bool = False
    among: tuple[float, ...] | None = None
    needed: bool | str = True
    none: bool = False

    def fault(self, value: Any, sizes: Sizes) -> str | None:
        """What is wrong with a value."""
        if value is None and self.none:
            return None
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return f"a {type(value).__name__}, expected {'a whole number' if self.whole else 'a number'}"
        if not math.isfinite(value):
            return f"{value}, expected a finite number"
        if self.among is not None and value not in self.among:
            return f"{value}, expected one of {self.among}"
        if not self.low <= value <= self.high:
            return f"{value}, expected {self.low:g} {'or more' if self.high == math.inf else f'to {self.high:g}'}"
        return None


@dataclass(frozen=True, slots=True)
class Tuple:
    """A tuple of ``"numbers"``, ``"names"`` or ``"heads"`` (pairs ``(block, head)``), of this ``length`` if given."""

    of: str
    length: int | None = None
    needed: bool | str = True

    def fault(self, value: Any, sizes: Sizes) -> str | None:
        """What is wrong with a value."""
        if not isinstance(value, tuple) or (self.length is not None and len(value) != self.length):
            return (
                f"a {type(value).__name__}, expected a tuple" if self.length is None else f"not {self.length} {self.of}"
            )
        if self.of == "names":
            return None if all(isinstance(one, str) for one in value) else "a tuple, expected one of strings"
        if self.of == "numbers":
            return next((said for said in (Number().fault(one, sizes) for one in value) if said), None)
        for one in value:
            if not (isinstance(one, tuple) and len(one) == 2 and all(type(k) is int for k in one)):
                return f"{one!r:.40}, expected a pair of whole numbers"
            blocks, heads = sizes.get("blocks"), sizes.get("heads")
            if one[0] < 1 or one[1] < 0 or (blocks and one[0] > blocks) or (heads and one[1] >= heads):
                last = heads - 1 if heads else "H-1"
                return f"{one}, expected a block of 1 to {blocks or 'L'} and a head of 0 to {last}"
        return None if value else "an empty tuple, expected at least one"


Form = Array | Number | Tuple
#: Attribute -> what it must be.
Forms = Mapping[str, Form]
_LEARNED: dict[str, Any] = tomllib.loads(Path(__file__).with_name("fitted.toml").read_text("utf-8"))


def forms_of(judge: type) -> Forms:
    """What ``fitted.toml`` says of a class; nothing of those of other packages, which have ``forms`` of their own."""

    def form(about: dict[str, Any]) -> Form:
        more: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in about.items()}
        if "array" in about:
            return Array(more.pop("array"), **more)
        return Tuple(more.pop("tuple"), **more) if "tuple" in about else Number(**more)

    said = _LEARNED.get(judge.__name__, {}) if judge.__module__.startswith(f"{__package__}.") else {}
    return {name: form(about) for name, about in said.items()}


def check_fitted(judge: "BaseJudge", sizes: Mapping[str, int] | None = None) -> None:
    """Check what a judge has learned against the forms of its class; the error names the attribute.

    ``sizes`` is what is known of its model: ``blocks``, ``width`` of the states, ``heads`` of a block.
    """
    known = judge.sizes({k: v for k, v in (sizes or {}).items() if v is not None})
    held = {name: vars(judge)[name] for name in judge.fitted if name in vars(judge)}
    if judge.provenance_ is None and judge.learns and held:
        raise _refusal(judge, f"the attributes {', '.join(held)} without a provenance, expected one")
    fitted = judge.provenance_ is not None if judge.learns else any(value is not None for value in held.values())
    for name in judge.fitted:
        form = judge.forms.get(name)
        if form is None:
            continue  # a class of another package that does not declare it
        needed = form.needed in held if isinstance(form.needed, str) else form.needed and fitted
        fault = form.fault(held[name], known) if name in held else None
        if name not in held and needed:
            fault = "nothing, expected what the fit has set"
        if fault:
            raise _refusal(judge, f"{name}: {fault}")


def sizes_of(features: Features, names: Iterable[str]) -> Sizes:
    """The lengths that features tell about their model, from the readouts ``names``."""
    found: Sizes = {"numbers": sum(math.prod(features[name].shape[1:]) for name in names if name in features.arrays)}
    whole = features.provenance.last_block is None
    for name, shape in ((name, features.ragged[name].shape) for name in names if name in features.ragged):
        if name.startswith("hidden/") and len(shape) == 3:
            found |= {"width": shape[2]}
    for name, array in ((name, features.arrays[name]) for name in names if name in features.arrays):
        if name.startswith("hidden/") and array.ndim == 3:
            found |= {"width": array.shape[2]}
            found |= {"blocks": array.shape[1] - 2} if whole and "]" not in name[-9:] else {}  # ]: some rows only
        elif name.startswith(("qk/", "attention")) and array.ndim >= 3:
            found |= {"heads": array.shape[2]} | ({"blocks": array.shape[1]} if whole else {})
        elif name == "logits/score" and array.ndim == 4 and whole:
            found |= {"blocks": array.shape[2] - 1}
    return found


def _refusal(judge: "BaseJudge", said: str) -> InnerjudgeError:
    return InnerjudgeError.of("probes.damaged-fit", type(judge).__name__, said)
