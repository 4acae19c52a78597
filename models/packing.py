"""Several texts end to end in one row, without padding: told apart by their positions, which restart for each."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .blocks import Stream
from .inputs import alike, last_states, position_inputs


def packs_by_itself(device: torch.device, kernel: str) -> bool:
    """Whether packing pays: on a GPU, with a kernel that never computes what one text would see of another.

    Example:
        >>> packs_by_itself(torch.device("cuda"), "flash_attention_2"), packs_by_itself(torch.device("cuda"), "sdpa")
        (True, False)
    """
    return device.type == "cuda" and ("flash_attention" in kernel or kernel == "flex_attention")


def restarting(lengths: Sequence[int], offset: int) -> Tensor:
    """Positions of texts of ``lengths`` tokens laid end to end, ``[1, total]``.

    Example:
        >>> restarting([3, 2], 0).tolist()
        [[0, 1, 2, 0, 1]]
    """
    return torch.cat([torch.arange(length) for length in lengths])[None] + offset


@torch.no_grad()
def reads_packed(model: Any, stream: Stream, ids: Tensor, offset: int | None, noise: float = 0.0) -> bool:
    """Whether texts that lie end to end read as they do alone: tried on ``ids``, ``[B, T]``, cut to several lengths.

    Where a recurrence or a convolution runs on from one text into the next, where the model counts positions itself,
    or where its kernel or its mask does not part the texts, the states are others.
    """
    if offset is None or stream.layout.prefix:
        return False
    texts = [row[: len(row) - 2 * (k % 2)] for k, row in enumerate(ids)]
    row = torch.cat(texts)[None]
    where = restarting([len(text) for text in texts], offset).to(row.device)
    found = last_states(model, stream, row, torch.ones_like(row), attention_mask=None, position_ids=where)
    if found is None or found.shape[:2] != row.shape:
        return False
    for text, own in zip(texts, found[0].split([len(text) for text in texts]), strict=True):
        mask = torch.ones_like(text)[None]
        alone = last_states(model, stream, text[None], mask, **position_inputs(mask, offset))
        if alone is None or not alike(own, alone[0], noise):
            return False
    return True
