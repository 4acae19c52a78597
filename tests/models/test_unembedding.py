"""What becomes of the logits is read off known ones, and refused where it is nothing known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.unembedding import Postprocessing, find_postprocessing, known_logits
from torch import Tensor, nn
from transformers import LlamaConfig

IDS = torch.arange(21).view(3, 7)


class Head(nn.Module):
    """A model that is nothing but an unembedding and what is done to its logits."""

    def __init__(self, change: Any, dtype: torch.dtype = torch.float32, **config: Any) -> None:
        super().__init__()
        self.config = LlamaConfig(**config)
        self.unembedding = nn.Linear(4, 11, dtype=dtype)
        self.change = change

    def forward(self, input_ids: Tensor, **_options: Any) -> Any:
        states = torch.zeros(*input_ids.shape, 4, dtype=self.unembedding.weight.dtype)
        return SimpleNamespace(logits=self.change(self.unembedding(states)))


def found(model: Head) -> Postprocessing:
    with torch.no_grad():
        plain = model(IDS).logits.float()
        with known_logits(model.unembedding):
            logits = model(IDS).logits
    # Of the other texts nothing changes but the precision.
    assert torch.allclose(logits[:-1].float(), plain[:-1], atol=1e-2, rtol=1e-2)
    return find_postprocessing(model, logits[-1])


@pytest.mark.parametrize(
    ("change", "scale", "cap"),
    [
        (lambda z: z, 1.0, None),
        (lambda z: z * 0.0625, 0.0625, None),
        (lambda z: z / 7.0, 1 / 7, None),
        (lambda z: 30.0 * torch.tanh(z / 30.0), 1.0, 30.0),
        (lambda z: 5.0 * torch.tanh(z * 0.25 / 5.0), 0.25, 5.0),
        (lambda z: z[..., :9], 1.0, None),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_found(change: Any, scale: float, cap: float | None, dtype: torch.dtype) -> None:
    model = Head(change, dtype)
    post = found(model)
    assert post.scale == pytest.approx(scale, rel=1e-6)
    assert post.softcap == (None if cap is None else pytest.approx(cap, rel=1e-6))
    assert post.bias is None
    z = torch.linspace(-9, 9, 11)
    assert post.size == change(z).shape[-1]
    assert torch.allclose(post(z[: post.size]), change(z), atol=1e-5)


def test_a_bias_after_the_factor() -> None:
    bias = torch.linspace(-1, 1, 11)
    model = Head(lambda z: z * 2 + bias)
    post = found(model)
    z, ids = torch.randn(3, 4), torch.tensor([1, 9, 0, 3])
    assert torch.allclose(post(z, ids), z * 2 + bias[ids], atol=1e-5)


def test_a_rounded_factor_is_the_one_of_the_config() -> None:
    model = Head(lambda z: (z / 7.0).to(torch.bfloat16), torch.bfloat16, logits_scaling=7.0)
    assert found(model).scale == 1 / 7


@pytest.mark.parametrize("change", [lambda z: z**2, lambda z: z.relu(), lambda z: z + torch.arange(7.0)[None, :, None]])
def test_refused(change: Any) -> None:
    model = Head(change)
    with pytest.raises(InnerjudgeError, match="given Head, expected the unembedded states times a factor"):
        found(model)
