"""The dtypes in which hidden states are stored, and what each of them loses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...models.errors import InnerjudgeError
from ..feature_arrays import Array, as_tensor

#: What ``--store-dtype`` may be, and the type of the stored numbers.
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16, "int8": torch.int8}
#: Name of the scales that stand beside an ``int8`` tensor.
SCALE = ":scale"


@dataclass(frozen=True, slots=True)
class Rounding:
    """What rounding did to one readout: sums of squared errors and of squared numbers, which add up over shards.

    ``worst`` is the largest relative error of one row of the states: norm of the error over norm of the row.
    """

    error: float = 0.0
    total: float = 0.0
    worst: float = 0.0

    @property
    def relative(self) -> float:
        """Root mean square of the errors over that of the numbers; 0 for no numbers."""
        return float(np.sqrt(self.error / self.total)) if self.total else 0.0

    def __add__(self, other: "Rounding") -> "Rounding":
        return Rounding(self.error + other.error, self.total + other.total, max(self.worst, other.worst))


def stored_type(name: str, dtype: str) -> str:
    """The dtype in which readout ``name`` is stored: ``dtype`` for hidden states, fp32 for the rest, which is small."""
    return dtype if name.startswith("hidden/") else "float32"


def encode(name: str, array: Array, dtype: str) -> tuple[dict[str, Tensor], Rounding]:
    """Tensors of one readout, and what the rounding did.

    ``int8`` numbers have one scale per row of the last axis, ``max |x| / 127``, stored as ``name + ":scale"``.
    ``InnerjudgeError`` if ``float16`` cannot hold a number (over 65504) that the array holds.
    """
    exact = as_tensor(array)
    kind = stored_type(name, dtype)
    if kind == "float32":
        return {name: exact}, Rounding()
    if kind == "int8":
        scale = exact.abs().amax(dim=-1, keepdim=True) / 127
        steps = torch.where(scale > 0, exact / scale, 0.0).round()
        tensors = {name: steps.nan_to_num(0.0, 0.0, 0.0).to(torch.int8), name + SCALE: scale}
    else:
        tensors = {name: exact.to(DTYPES[kind])}
        if not bool((tensors[name].isfinite() == exact.isfinite()).all()):
            raise InnerjudgeError.of("extraction.range", name, float(exact.abs().nan_to_num(0).max()), kind)
    finite = exact.isfinite().all(dim=-1)
    rows, off = exact[finite], decode(name, tensors)[finite] - exact[finite]
    error, total = off.square().sum(-1, dtype=torch.float64), rows.square().sum(-1, dtype=torch.float64)
    relative = torch.where(total > 0, error / total.clamp_min(1e-300), 0.0).sqrt()
    worst = float(relative.max()) if len(relative) else 0.0
    return tensors, Rounding(float(error.sum()), float(total.sum()), worst)


def decode(name: str, tensors: Mapping[str, Tensor]) -> Tensor:
    """The numbers of a readout in fp32; a view of what is stored where that is fp32 already."""
    values = tensors[name].float()
    return values * tensors[name + SCALE] if name + SCALE in tensors else values


def decode_file(raw: npt.NDArray[Any], scale: npt.NDArray[Any] | None = None) -> Array:
    """:func:`decode` for numpy arrays, in which bfloat16 numbers are their 16 bits, as numpy has no such dtype."""
    if raw.dtype == np.float32:
        return raw
    own = raw if raw.flags.writeable else raw.copy()  # torch takes no memory that cannot be written to
    half = own.dtype == np.uint16
    tensor = torch.from_numpy(own.view(np.int16) if half else own)
    values = (tensor.view(torch.bfloat16) if half else tensor).float().numpy()
    return values if scale is None else np.multiply(values, scale, dtype=np.float32)
