"""A model's final norm as plain numbers, for states that are given without the model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save_file

from .foreign import refusing
from .loading import LanguageModel
from .tensor_file import TensorFile

Floats = npt.NDArray[np.float64]
#: How far the mean square of a normed state, its weights divided out, may be from 1 (bfloat16 rounds).
_TOLERANCE = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class FinalNorm:
    """``weight * (x - mean) / sqrt(variance + eps) + bias``, or without the mean (RMS norm) if not ``centred``."""

    weight: Floats
    bias: Floats
    eps: float
    centred: bool

    def __call__(self, states: npt.NDArray[Any]) -> Floats:
        """Normed states, ``[..., D]``."""
        x = np.asarray(states, dtype=np.float64)
        x = x - x.mean(axis=-1, keepdims=True) if self.centred else x
        return np.asarray(self.weight * x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + self.eps) + self.bias)

    def is_normed(self, states: npt.NDArray[Any]) -> bool:
        """Whether all finite states ``[n, D]`` look like its output: mean square 1 once its weights are divided out."""
        finite = np.isfinite(states).all(axis=-1)
        if not finite.any():
            return False
        heavy = np.abs(self.weight) > 1e-3 * np.abs(self.weight).max()  # the others tell nothing
        x = (np.asarray(states, dtype=np.float64)[finite][:, heavy] - self.bias[heavy]) / self.weight[heavy]
        return bool(np.abs((x**2).mean(axis=-1) - 1).max() < _TOLERANCE)

    def save(self, path: Path) -> None:
        """Write it as safetensors."""
        how = {"eps": repr(self.eps), "centred": repr(self.centred)}
        save_file({"weight": self.weight, "bias": self.bias}, path, metadata=how)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Inverse of :meth:`save`; ``InnerjudgeError`` if the file is damaged."""
        with refusing(path, "what Judge.save wrote: save the judge again"):
            file = TensorFile(path)
            weight, bias, eps = file["weight"], file["bias"], float(file.about["eps"])
            if weight.ndim != 1 or weight.shape != bias.shape or {weight.dtype.kind, bias.dtype.kind} != {"f"}:
                raise ValueError("a weight and a bias that are no two vectors of one length")
            return cls(weight, bias, eps, file.about["centred"] == "True")


@torch.inference_mode()
def find_final_norm(lm: LanguageModel) -> FinalNorm | None:
    """The final norm of a model as numbers, found by probing it; ``None`` where it is of another form."""
    a = lm.anatomy
    rng = np.random.default_rng(0)

    def run(states: Floats) -> Floats:
        given = torch.from_numpy(states).to(lm.device, lm.model.dtype)
        return np.asarray(a.normed(given[:, None]).squeeze(1).float().cpu().numpy(), dtype=np.float64)

    width = a.width
    bias = run(np.zeros((1, width)))[0]
    if bias.shape != (width,) or not np.isfinite(bias).all():
        return None
    probes = rng.normal(size=(8, width)) * np.array([1e3] * 4 + [1.0] * 2 + [1e-2] * 2)[:, None]
    probes = torch.from_numpy(probes).to(lm.model.dtype).double().numpy()  # as the model will read them
    answers = run(probes)
    shift = run(np.repeat(np.array([[1e3]]), width, axis=1))[0]  # a constant is what a mean takes out
    centred = bool(np.abs(shift - bias).max() < 0.1 * np.abs(answers - bias).max())
    plain = FinalNorm(np.ones(width), np.zeros(width), 0.0, centred)
    big, small = slice(0, 4), slice(6, 8)
    unit = plain(probes[big])
    weight = np.asarray(((answers[big] - bias) * unit).sum(axis=0) / (unit**2).sum(axis=0))  # least squares
    x = probes[small] - (probes[small].mean(axis=-1, keepdims=True) if centred else 0.0)
    share = ((answers[small] - bias) * weight * x).sum(axis=-1) / np.maximum(((weight * x) ** 2).sum(axis=-1), 1e-300)
    eps = float(np.mean(1 / np.maximum(share, 1e-300) ** 2 - (x**2).mean(axis=-1)))
    found = FinalNorm(weight, bias, max(eps, 0.0), centred)
    close = 2e-2 if lm.model.dtype in (torch.float16, torch.bfloat16) else 1e-3
    apart = np.abs(found(probes) - answers).max(axis=-1)
    return found if (apart <= close * np.abs(answers).max(axis=-1)).all() else None
