"""nnsight: a trace that saves the same rows of the states, and of the queries and keys before they are rotated."""

from typing import Any

import torch

from ..section import Run, Variant
from ..work import Work


def _prepare(work: Work, size: int = 8) -> Run:
    from nnsight import NNsight

    traced: Any = NNsight(work.lm.model.base_model)
    batches = work.batches(size)
    places = [work.positions(k * size, size) for k in range(len(batches))]

    @torch.inference_mode()
    def run() -> list[Any]:
        kept: list[Any] = []
        for batch, at in zip(batches, places, strict=True):
            rows = torch.arange(at.shape[0], device=at.device)[:, None]
            with traced.trace(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False):
                found: Any = []
                found = found.save()  # nnsight gives every object this method
                for layer in traced.layers:
                    query = layer.self_attn.q_proj.output[rows, at[:, -1:]]
                    key = layer.self_attn.k_proj.output[rows, at]
                    found.append((query, key, layer.output[rows, at]))
            kept.append(found)
        return kept

    return run


NNSIGHT = Variant(
    name="nnsight: trace, rows of states, queries and keys",
    prepare=_prepare,
    keeps="three positions of every block, their queries and keys",
    package="nnsight",
)
