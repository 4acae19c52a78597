"""Statistics of next-token distributions, a few rows and columns of logits at a time."""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ..models.loading import LanguageModel
from ..models.positions import Encoding
from .batching import Batch
from .ragged import Array, Ragged
from .readouts import ResponseLogProb, TokenStats

#: Logits held at once: 32 MB in float32, and one copy; an eighth on a CPU, whose cache holds that. Rows of a block.
_LOGITS, _ROWS = 2**23, 512
#: The statistic of :class:`.ResponseLogProb`.
_OF_RESPONSE = TokenStats("response", "log_probability")
#: Given tokens of each item, and statistics -> each of all these tokens, ``[N]`` or ``[N, k]`` fp32, item after item.
Find = Callable[[Sequence[Sequence[int]], Sequence[str]], Mapping[str, Tensor]]


def token_values(
    items: Sequence[Encoding],
    readouts: Sequence[TokenStats | ResponseLogProb],
    missing: Mapping[str, Collection[str]],
    find: Find,
) -> dict[str, Array | Ragged]:
    """Values of the readouts in a batch; ``find`` is asked once for all of them.

    ``missing`` has the ids of items that lack a readout.
    """
    asked: dict[str, list[list[int]]] = {}
    for readout in readouts:
        role = "response" if isinstance(readout, ResponseLogProb) else readout.role
        asked[readout.name] = [[] if i.id in missing[readout.name] else written(i, role) for i in items]
    tokens = [sorted({t for every in asked.values() for t in every[k]}) for k in range(len(items))]
    place = {one: n for n, one in enumerate((k, token) for k, own in enumerate(tokens) for token in own)}
    whats = dict.fromkeys((r if isinstance(r, TokenStats) else _OF_RESPONSE).statistic for r in readouts)
    found = find(tokens, tuple(whats))
    values: dict[str, Array | Ragged] = {}
    for readout in readouts:
        rows = [[place[k, t] for t in own] for k, own in enumerate(asked[readout.name])]
        of = readout if isinstance(readout, TokenStats) else _OF_RESPONSE
        numbers = found[of.statistic].cpu().numpy()
        if of is not readout:
            values[readout.name] = np.array([(numbers[own].sum(), len(own)) for own in rows], np.float32)
        elif of.statistic == of.what:
            values[of.name] = Ragged.of([numbers[own] for own in rows], numbers.shape[1:])
        else:  # one row a range
            spans = (i.places(of.role) if rows[k] else () for k, i in enumerate(items))
            firsts = ([(place[k, max(a, 1)], b - max(a, 1)) for a, b in own] for k, own in enumerate(spans))
            means = [[numbers[a : a + n].mean(0) for a, n in own] for own in firsts]
            values[of.name] = Ragged.of(means, numbers.shape[1:])
    return values


def written(item: Encoding, role: str) -> list[int]:
    """Tokens of a role that have a token before them, each once, in order."""
    return sorted({t for start, end in item.places(role) for t in range(max(start, 1), end)})


def found_in_pass(
    lm: LanguageModel, end: Tensor, batch: Batch, tokens: Sequence[Sequence[int]], whats: Sequence[str]
) -> dict[str, Tensor]:
    """:data:`Find` from the final norm's input, ``end [B, T, W]``; of some token if asked for none."""
    lines = torch.tensor([batch.row(k) for k, own in enumerate(tokens) for _ in own] or [0])
    offset = batch.offsets.tolist()
    places = torch.tensor([t + offset[k] for k, own in enumerate(tokens) for t in own] or [0])
    lines, places = lines.to(end.device), places.to(end.device)
    found, ids = [], batch.ids.to(end.device)
    whole = "rank" in whats
    rows = _at_once(lm, whole=whole)
    for line, at in zip(lines.split(rows), places.split(rows), strict=True):
        found.append(statistics(_blocks(lm, end[line, at - 1], whole=whole), ids[line, at], whats))
    return {what: torch.cat([one[what] for one in found]).to(end.device) for what in whats}


def _at_once(lm: LanguageModel, *, whole: bool = False) -> int:
    """How many rows of logits are computed at once, ``whole`` ones if so."""
    return _ROWS if lm.anatomy.by_columns and not whole else max(1, _LOGITS // lm.anatomy.post.size)


def _blocks(lm: LanguageModel, states: Tensor, *, whole: bool = False) -> Iterator[Tensor]:
    """Logits of states before the norm ``[N, W]``, some columns ``[N, C]`` after others, or the ``whole``."""
    normed, size = lm.anatomy.normed(states), lm.anatomy.post.size
    held = _LOGITS if normed.is_cuda else _LOGITS // 8
    step = max(1, held // len(normed)) if lm.anatomy.by_columns and not whole else size
    for start in range(0, size, step):
        yield lm.anatomy.logits(normed, slice(start, min(start + step, size)))


def entropies(lm: LanguageModel, states: Tensor) -> Tensor:
    """Entropies of what norm and unembedding make of states before the norm: ``[..., W]`` to ``[..., 1]``, fp32."""
    rows, none = states.flatten(0, -2).split(_at_once(lm)), torch.zeros(0, dtype=torch.long)
    found = [statistics(_blocks(lm, some), none, ("entropy",))["entropy"] for some in rows]
    return torch.cat(found).view(*states.shape[:-1], 1)


def divergences(lm: LanguageModel, pairs: Tensor) -> Tensor:
    """Jensen-Shannon divergences of what norm and unembedding make of pairs of states ``[..., 2 W]``: ``[..., 1]``."""
    a, found = lm.anatomy, []
    for some in pairs.flatten(0, -2).split(max(1, _LOGITS // (2 * a.post.size))):
        logs = a.logits(a.normed(some.unflatten(-1, (2, -1)))).log_softmax(-1)
        apart = logs - (logs.logsumexp(1, keepdim=True) - math.log(2))
        found.append(torch.where(logs.isfinite(), logs.exp() * apart, 0.0).sum((1, 2)) / 2)
    return torch.cat(found).view(*pairs.shape[:-1], 1)


def statistics(blocks: Iterable[Tensor], drawn: Tensor, whats: Sequence[str]) -> dict[str, Tensor]:
    """Statistics of logits ``[N, V]``, which come as blocks of columns ``[N, C]`` and are overwritten.

    ``drawn`` ``[N]`` are the tokens that followed. Their ``rank`` needs all columns in one block.
    """
    most, first = max(TokenStats(what=what).top for what in whats), 0
    picked, tops, sums, ranks = [], [], [], torch.zeros(0)
    for block in blocks:
        width = block.shape[1]
        if not {"rank", "log_probability"}.isdisjoint(whats):
            at = drawn.to(block.device)[:, None] - first
            own = block.gather(1, at.clamp(0, width - 1))
            if "rank" in whats:
                ranks = (block > own).sum(-1).float().masked_fill(own[:, 0].isnan(), torch.nan) + 1
            picked.append(torch.where((at >= 0) & (at < width), own, 0.0)[:, 0])
        if most:
            tops.append(_highest(block, most))
        sums.append(_sums(block, entropy="entropy" in whats))
        first += width
    high, total, inner, plain, count = torch.stack(sums, dim=1)  # [blocks, N] each
    highest = high.amax(0)
    shift = high - highest
    inner, total = (shift.exp() * (inner + shift * total)).sum(0), (shift.exp() * total).sum(0)
    of_sum, mean = total.log(), plain.sum(0) / count.sum(0)
    found = {
        "log_probability": sum(picked) - highest - of_sum,
        "entropy": of_sum - inner / total,
        "logsumexp": of_sum + highest,
        "mean_logit": mean,
        "rank": ranks,
        "certainty": of_sum + (highest - mean) - count.sum(0).log(),
    }
    if most:
        best = torch.cat(tops, dim=-1).topk(min(most, first), dim=-1).values - (highest + of_sum)[:, None]
        kept = {what: best[:, :k] for what in whats if (k := TokenStats(what=what).top)}
        found |= {what: logs if what.startswith("top") else logs.exp() for what, logs in kept.items()}
    return {what: found[what] for what in whats}


def _highest(block: Tensor, k: int) -> Tensor:
    """The ``k`` highest of each row ``[N, C]``, in any order, or all if there are fewer.

    They are in the ``k`` groups of the highest maxima: 2/3 of the time of ``topk`` of 2,048 columns on a CPU.
    """
    width = block.shape[1] // 8
    if k >= width:
        return block.topk(min(k, block.shape[1]), dim=-1, sorted=False).values
    groups = block[:, : 8 * width].unflatten(1, (8, width))
    of = groups.amax(1).topk(k, dim=-1, sorted=False).indices
    few = groups.gather(2, of[:, None].expand(-1, 8, -1)).flatten(1)
    return torch.cat((few, block[:, 8 * width :]), dim=-1).topk(k, dim=-1, sorted=False).values


def _sums(block: Tensor, *, entropy: bool) -> Tensor:
    """Of logits ``[N, C]``, which are overwritten, ``[5, N]``; ``z`` are those less the highest.

    The highest, the sums of ``e^z`` and (for the ``entropy``) ``z e^z``, the sum of the finite ones, and their number.
    """
    plain, count = block.sum(-1), torch.full(block.shape[:1], float(block.shape[1]), device=block.device)
    if not bool(plain.isfinite().all()):  # columns that the model rules out
        real = block.isfinite()
        plain, count = torch.where(real, block, 0.0).sum(-1), real.sum(-1).to(plain.dtype)
    highest = block.amax(-1).clamp(min=torch.finfo(torch.float32).min)
    shifted = block.sub_(highest[:, None])
    weights = shifted.exp()
    inner = shifted.mul_(weights).sum(-1) if entropy else plain
    if not bool(inner.isfinite().all()):
        inner = torch.where(weights > 0, shifted, 0.0).sum(-1)
    return torch.stack((highest, weights.sum(-1), inner, plain, count))
