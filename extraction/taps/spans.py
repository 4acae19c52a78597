"""One tap on the attention of every block: what heads give spans of keys, and each token itself.

Indicators of the spans are values: what the kernel makes of them is the mass on each. It takes them beside its own
values, or, where that would change the last digits of these, in a call of its own.
"""

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import pad

from ...models.attention_calls import AttentionCall, carrying
from ...models.heads import Heads, all_heads
from ..ragged import Array, Ragged
from ..readouts import AttentionSpans
from .attention import AttentionRow, require_heads
from .block_attention import BlockAttention
from .residual import RangeStates, Reading

#: Weights of rows that are held at once (32 MB in float32), and the least of a token on itself that is told from none.
_WEIGHTS, _LEAST = 2**23, 1e-12


class SpanStates(RangeStates):
    """One readout of a batch whose pass follows ``lent`` tokens of a shared prompt: its spans, and its rows."""

    def __init__(self, of: Reading, readout: AttentionSpans, lent: int) -> None:
        super().__init__(of, readout, range(1, of.last + 1))
        self.what, self._spread, n = readout.what, of.lm.anatomy.spread, len(readout.keys)
        self.columns, self.heads = n if readout.what == "mass" else 1, of.lm.anatomy.n_heads // self._spread
        batch, prefix = of.batch, of.lm.anatomy.stream.layout.prefix
        inside = torch.zeros(len(batch.ids), lent + prefix + batch.ids.shape[1], n)
        counts = torch.ones(*batch.ids.shape, n)
        for k, (item, offset) in enumerate(zip(of.items, batch.offsets.tolist(), strict=True)):
            own, row = torch.zeros(len(item.ids), n), batch.row(k)
            for column, role in enumerate(readout.keys):
                for start, end in item.places(role):
                    own[start:end] = torch.eye(n)[column]
            first = offset + lent + prefix  # of its token 0 among the keys
            inside[row, first : first + len(own)] = own
            counts[row, offset + lent : offset + len(own)] = own.cumsum(0)[lent:].clamp(min=1)
        #: Whether each key is of each span, ``[B, S, n]``, and how many of them a query sees, ``[B, T, n]`` (or 1).
        self.inside, self.counts = inside.to(batch.ids.device), counts.to(batch.ids.device)

    def reach(self) -> tuple[int, int]:
        """The first token of a row that is of any range, and the one behind the last."""
        places = [bucket.places for bucket in self._buckets]
        return min((int(p.min()) for p in places), default=0), max((int(p.max()) + 1 for p in places), default=0)

    def values(self, shape: tuple[int, ...]) -> Array | Ragged:
        """Those of all heads, in every process."""
        if self._kept is not None:
            self._kept = all_heads(self._kept.unflatten(2, (self.heads, self.columns)), self._spread)
        return super().values(shape)


class SpanTap(BlockAttention):
    """Keeps, in every block and head, what :class:`.AttentionSpans` read."""

    def __init__(self, of: Reading, spans: Mapping[str, SpanStates], lent: int) -> None:
        super().__init__(of.lm, len(of.batch.ids), kinds=frozenset(spans), last=of.last, lent=lent)
        self._spans, self._tokens = tuple(spans.values()), of.batch.ids.shape[1]
        ends = of.batch.offsets + torch.tensor([len(item.ids) - 1 for item in of.items], device=of.batch.ids.device)
        self._at = (ends if of.batch.lengths is None else ends[-1:]) + self._prefix  # a real token of each row
        self._diagonals = frozenset(name for name, one in spans.items() if one.what == "diagonal")
        self._rows: dict[tuple[int, int], AttentionRow] = {}
        inside = [one.inside for one in self._spans if one.what != "diagonal"]
        self._inside, self._parts = torch.cat(inside, dim=2) if inside else None, [one.shape[2] for one in inside]
        require_heads(of.lm, self._heads, self._kinds)

    def __enter__(self) -> Self:
        self._open.enter_context(carrying(self._columns))
        return super().__enter__()

    def _read(self, call: AttentionCall, heads: Heads, number: int) -> None:
        self._require_token_keys(call, self._at)
        first = sum(one.n_heads for one in self._heads[self._block][:number])
        masses = iter(() if call.beside is None else call.beside.float().split(self._parts, dim=3))
        for one in self._spans:
            found = self._diagonal(call, *one.reach()) if one.what == "diagonal" else next(masses)
            found = found[:, self._prefix : self._prefix + self._tokens]
            if one.what == "ratio":
                means = found / one.counts.to(found.device)[:, :, None]
                found = means[..., :1] / means.sum(-1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
            one.keep(self._block + 1, found.flatten(2), part=(first * one.columns, one.heads * one.columns))

    def _columns(self, values: Tensor) -> Tensor | None:
        """Indicators of all spans in the shape of a kernel's values ``[B, Hkv, S, n]``; ``None`` if not of the text."""
        if self._inside is None or values.shape[0] != len(self._inside) or values.shape[2] < self._inside.shape[1]:
            return None
        more = values.shape[2] - self._inside.shape[1]  # keys behind those of the tokens are of no span
        return pad(self._inside, (0, 0, 0, more)).to(values)[:, None].expand(-1, values.shape[1], -1, -1)

    def _diagonal(self, call: AttentionCall, first: int, end: int) -> Tensor:
        """Logarithm of the weights of some tokens on themselves in ``[B, T, H, 1]``, a few rows at a time."""
        rows, heads, tokens = call.query.shape[:3]
        step = max(1, _WEIGHTS // (rows * heads * (self._lent + tokens)))
        found = call.query.new_zeros((rows, heads, tokens, 1), dtype=torch.float32)
        for start in range(first + self._prefix, end + self._prefix, step):
            at = torch.arange(start, min(start + step, end + self._prefix), device=call.query.device)
            row = self._rows.setdefault((start, start + len(at)), AttentionRow(self._family, self._diagonals))
            own = (at + self._lent).view(1, 1, -1, 1).expand(rows, heads, -1, 1)
            weights = row.of(call, at.expand(rows, -1)).gather(3, own)
            found[:, :, at] = weights.float().clamp(min=_LEAST).log()
        return found.transpose(1, 2)
