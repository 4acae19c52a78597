"""Queries and keys of one text held to what they must satisfy, whichever way they were read."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ....extraction import QueryKey
from ....extraction.batching import Batch
from ....extraction.taps.attention import AttentionTap
from ....extraction.taps.residual import Reading
from ....models.heads import Heads
from ....models.loading import LanguageModel
from ....models.observation import states_taken
from ....models.positions import Encoding

#: Largest difference, relative to the size of what is compared.
TOLERANCE = 2e-4
#: Weights below this say nothing about the products behind them in single precision.
_VISIBLE = 1e-5


@torch.no_grad()
def products(
    lm: LanguageModel, item: Encoding, kinds: Iterable[str] = ("qk/before", "qk/after"), *, stretch: int = 1
) -> dict[str, npt.NDArray[np.float32]]:
    """Products of the last token with all, ``[L, H, T]`` each, at positions ``stretch`` apart."""
    length = len(item.ids)
    ids = torch.tensor([item.ids])
    more = {}
    if lm.anatomy.position_offset is not None and (lm.anatomy.position_offset or stretch > 1):
        more["position_ids"] = torch.arange(length)[None] * stretch + lm.anatomy.position_offset
    mask, readouts = torch.ones_like(ids), [one for one in (QueryKey("before"), QueryKey("after")) if one.name in kinds]
    alone = Reading(lm, [item], Batch(ids, mask, torch.zeros(1, dtype=torch.long)), {}, lm.anatomy.n_blocks)
    with AttentionTap(alone, readouts, 0, None) as tap:
        lm.model(input_ids=ids, attention_mask=mask, use_cache=False, **more)
    return {name: value[0, 0].numpy() for name, value in tap.results().items()}


def stretched(lm: LanguageModel, item: Encoding) -> str:
    """The first block knows positions by its rotary embedding only: products before it see none, those after it do."""
    first = next((b for b, heads in enumerate(lm.anatomy.heads) if heads), -1)
    if first != 0 or lm.anatomy.position_offset != 0 or not lm.anatomy.heads[0][0].rotary:
        return "pass"
    given: list[Tensor | None] = []
    handle = lm.anatomy.blocks[0].register_forward_pre_hook(
        lambda m, args, kwargs: given.append(states_taken(m, args, kwargs)), with_kwargs=True
    )
    near, far = products(lm, item), products(lm, item, stretch=3)
    handle.remove()
    if given[0] is None or given[-1] is None or not torch.equal(given[0], given[-1]):
        return "pass"  # what comes before the first block knows positions already
    n = lm.anatomy.heads[0][0].n_heads  # a second attention in the block sees the positions through the first
    near, far = ({name: values[:, :n] for name, values in one.items()} for one in (near, far))
    size = np.abs(near["qk/before"][0]).max()
    # One factor for the one query is let pass: a temperature by position is in both products.
    a, b = near["qk/before"][0], far["qk/before"][0]
    if np.abs(a - b * float((a * b).sum() / np.square(b).sum())).max() > TOLERANCE * size:
        return "WRONG: products before the rotary embedding depend on the positions"
    apart = np.abs(near["qk/after"] - far["qk/after"]).reshape(len(near["qk/after"]), -1).max(axis=1)
    if apart[0] < TOLERANCE * size and apart.any():  # a model in which nothing changes counts positions itself
        return "WRONG: products after the rotary embedding do not depend on the positions"
    return "pass"


def explain_weights(weights: npt.NDArray[np.float32], after: npt.NDArray[np.float32], heads: Heads) -> float | None:
    """How far the model's own attention rows ``[H, T]`` are from a softmax of the products, up to one scale a block.

    Where a key is seen, the logarithm of its weight must be a line in the product: its slope is the scale of the block,
    its height the softmax's own. With a soft-cap it need only rise with the product.

    Returns:
        Largest misfit, relative to the spread; ``None`` if no head has enough seen keys.
    """
    lines = []
    for head, row in enumerate(weights):
        seen = row > _VISIBLE
        if seen.sum() >= 3 and np.ptp(after[head][seen]) > 0:
            lines.append((after[head][seen].astype(np.float64), np.log(row[seen].astype(np.float64))))
    if not lines:
        return None
    if heads.softcap is not None:
        falls = [np.diff(logs[np.argsort(x)]).min() for x, logs in lines]
        return float(max(0.0, -min(falls)))
    centred = [(x - x.mean(), y - y.mean()) for x, y in lines]
    slope = sum(float(x @ y) for x, y in centred) / sum(float(x @ x) for x, _ in centred)
    if slope <= 0:
        return float("inf")
    return max(float(np.abs(y - slope * x).max() / max(np.ptp(y), 1.0)) for x, y in centred)
