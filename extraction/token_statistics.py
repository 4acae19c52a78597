"""Statistics of next-token distributions, a few rows of logits at a time."""

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..models.loading import LanguageModel
from ..models.positions import Encoding
from .batching import Batch
from .ragged import Array, Ragged
from .readouts import ResponseLogProb, TokenStats

#: Logits held at once: 32 MB in float32, and one copy.
_LOGITS = 2**23
#: The statistic of :class:`.ResponseLogProb`.
_OF_RESPONSE = TokenStats("response", "log_probability")


def token_values(
    lm: LanguageModel,
    end: Tensor,
    items: Sequence[Encoding],
    batch: Batch,
    readouts: Sequence[TokenStats | ResponseLogProb],
    missing: Mapping[str, Collection[str]],
) -> dict[str, Array | Ragged]:
    """Values of the readouts in a batch; each token's distribution is computed once for all of them.

    ``end`` is the final norm's input, ``[B, T, W]``; ``missing`` has the ids of items that lack a readout.
    """
    asked: dict[str, list[list[int]]] = {}
    for readout in readouts:
        role = "response" if isinstance(readout, ResponseLogProb) else readout.role
        asked[readout.name] = [[] if i.id in missing[readout.name] else _written(i, role) for i in items]
    tokens = [sorted({t for every in asked.values() for t in every[k]}) for k in range(len(items))]
    place = {one: n for n, one in enumerate((k, token) for k, own in enumerate(tokens) for token in own)}
    whats = dict.fromkeys((r if isinstance(r, TokenStats) else _OF_RESPONSE).statistic for r in readouts)
    found = _statistics(lm, end, tokens, batch, tuple(whats))
    values: dict[str, Array | Ragged] = {}
    for readout in readouts:
        rows = [[place[k, t] for t in own] for k, own in enumerate(asked[readout.name])]
        if isinstance(readout, ResponseLogProb):
            # Summed in a table, not added up by index: that has no fixed order on a GPU.
            held = found[_OF_RESPONSE.what]
            table = pad_sequence([held[torch.tensor(own, dtype=torch.long)] for own in rows], batch_first=True)
            counts = torch.tensor([len(own) for own in rows], dtype=table.dtype, device=table.device)
            values[readout.name] = torch.stack((table.sum(1), counts), dim=1).cpu().numpy()
            continue
        numbers = found[readout.statistic].cpu().numpy()
        if readout.statistic == readout.what:
            values[readout.name] = Ragged.of([numbers[own] for own in rows], numbers.shape[1:])
            continue
        spans = (i.places(readout.role) if rows[k] else () for k, i in enumerate(items))  # one row a range
        firsts = ([(place[k, max(a, 1)], b - max(a, 1)) for a, b in own] for k, own in enumerate(spans))
        values[readout.name] = Ragged.of([[numbers[a : a + n].mean() for a, n in own] for own in firsts])
    return values


def _written(item: Encoding, role: str) -> list[int]:
    """Tokens of a role that have a token before them, each once."""
    return sorted({t for start, end in item.places(role) for t in range(max(start, 1), end)})


def _statistics(
    lm: LanguageModel, end: Tensor, tokens: Sequence[Sequence[int]], batch: Batch, whats: Sequence[str]
) -> dict[str, Tensor]:
    """Each statistic of all tokens, ``[N]`` or ``[N, k]`` fp32, the items one after another."""
    lines = torch.tensor([batch.row(k) for k, own in enumerate(tokens) for _ in own], dtype=torch.long)
    offset = batch.offsets.tolist()
    places = torch.tensor([t + offset[k] for k, own in enumerate(tokens) for t in own], dtype=torch.long)
    lines, places = lines.to(end.device), places.to(end.device)
    step = _at_once(lm)
    found: dict[str, list[Tensor]] = {what: [] for what in whats}
    for k in range(0, len(lines), step):
        line, at = lines[k : k + step], places[k : k + step]
        logits = lm.anatomy.logits(lm.anatomy.normed(end[line, at - 1]))
        device = logits.device
        drawn = batch.ids.to(device)[line.to(device), at.to(device)]
        for what, value in statistics(logits, drawn, whats).items():
            found[what].append(value.to(end.device))
    shapes = {what: (0, top) if (top := TokenStats(what=what).top) else (0,) for what in whats}
    return {what: torch.cat(parts) if parts else torch.zeros(shapes[what]) for what, parts in found.items()}


def _at_once(lm: LanguageModel) -> int:
    """How many rows of logits are held at once."""
    vocabulary = getattr(lm.model.config.get_text_config(decoder=True), "vocab_size", None) or len(lm.tokenizer)
    return max(1, _LOGITS // vocabulary)


def entropies(lm: LanguageModel, states: Tensor) -> Tensor:
    """Entropies of what norm and unembedding make of states before the norm: ``[..., W]`` to ``[..., 1]``, fp32."""
    rows, none = states.flatten(0, -2).split(_at_once(lm)), torch.zeros(0, dtype=torch.long)
    found = [statistics(lm.anatomy.logits(lm.anatomy.normed(some)), none, ("entropy",))["entropy"] for some in rows]
    return torch.cat(found).view(*states.shape[:-1], 1)


def statistics(logits: Tensor, drawn: Tensor, whats: Sequence[str]) -> dict[str, Tensor]:
    """Statistics of logits ``[N, V]``, which are overwritten; ``drawn`` ``[N]`` are the tokens that followed."""
    found: dict[str, Tensor] = {}
    highest = logits.amax(-1, keepdim=True)
    shifted = logits.sub_(highest)
    weights = shifted.exp()
    total = weights.sum(-1)
    of_sum = total.log()  # of the sum of exponents, less the highest logit
    if "mean_logit" in whats or "certainty" in whats:
        mean, count = shifted.mean(-1), torch.full_like(of_sum, shifted.shape[-1])
        if not bool(mean.isfinite().all()):  # columns that the model rules out
            real = shifted.isfinite()
            count = real.sum(-1).to(mean.dtype)
            mean = torch.where(real, shifted, 0.0).sum(-1) / count
    for what in whats:
        if what == "log_probability":
            found[what] = shifted.gather(1, drawn[:, None])[:, 0] - of_sum
        elif what == "entropy":
            inner = torch.linalg.vecdot(weights, shifted)
            if not bool(inner.isfinite().all()):
                inner = torch.linalg.vecdot(weights, torch.where(weights > 0, shifted, 0.0))
            found[what] = of_sum - inner / total
        elif what == "logsumexp":
            found[what] = of_sum + highest[:, 0]
        elif what == "mean_logit":
            found[what] = mean + highest[:, 0]
        elif what == "certainty":
            found[what] = of_sum - mean - count.log()
        else:
            k = min(TokenStats(what=what).top, shifted.shape[-1])
            found[what] = shifted.topk(k, dim=-1).values - of_sum[:, None]
    return found
