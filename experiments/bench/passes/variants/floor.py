"""The floor: the bare base model, without a cache and without a head."""

import torch

from ..section import Run, Variant
from ..work import Work


def prepare(work: Work, size: int = 8) -> Run:
    """The bare pass over batches of ``size``."""
    model, batches = work.lm.model.base_model, work.batches(size)

    @torch.inference_mode()
    def run() -> None:
        for batch in batches:
            model(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False)

    return run


FLOOR = Variant(name="bare pass of the base model (the floor)", prepare=prepare, keeps="nothing")
