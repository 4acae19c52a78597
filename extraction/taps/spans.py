"""One tap on the attention of every block: what heads give spans of keys, and each token itself.

Indicators of the spans are values: what the kernel makes of them is the mass on each. It takes them beside its own
values, or, where that would change the last digits of these, in a call of its own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
#: The part of the keys that ``copied`` takes, as in ReDeEP.
_SHARE = 0.1


class SpanStates(RangeStates):
    """One readout of a batch whose pass follows ``lent`` columns of keys: its spans, and its rows.

    These hold ``before`` tokens of each item, as many as there are columns if they are of a shared prompt.
    """

    def __init__(self, of: Reading, readout: AttentionSpans, lent: int, before: Sequence[int] = ()) -> None:
        super().__init__(of, readout, range(1, of.last + 1))
        self.what, self._spread, n = readout.what, of.lm.anatomy.spread, len(readout.keys)
        self.columns, self.heads = (
            n if readout.what == "mass" else readout.own or 1,
            of.lm.anatomy.n_heads // self._spread,
        )
        batch, prefix = of.batch, of.lm.anatomy.stream.layout.prefix
        inside = torch.zeros(len(batch.ids), lent + prefix + batch.ids.shape[1], n)
        counts = torch.ones(*batch.ids.shape, n)
        #: Block, first head, and the keys that tokens take; the keys before the states at the end of the pass.
        self._noted, self._before = list[tuple[int, int, Tensor]](), lent + prefix
        #: Of ``copied``: which item a token is of, and how many keys its query takes, ``[B, T, 2]``.
        self._owner = torch.zeros(*batch.ids.shape, 2, dtype=torch.long)
        skips = before or [lent] * len(of.items)
        for k, (item, offset, skip) in enumerate(zip(of.items, batch.offsets.tolist(), skips, strict=True)):
            own, row = torch.zeros(len(item.ids), n), batch.row(k)
            for column, role in enumerate(readout.keys):
                for start, end in item.places(role):
                    own[start:end] = torch.eye(n)[column]
            first = offset + lent + prefix  # of its token 0 among the keys
            inside[row, first : first + len(own)] = own * (k + 1 if readout.what == "copied" else 1)
            taken = (_SHARE * own[:, :1].sum(1).double().cumsum(0)[skip:]).long().clamp(min=1)
            self._owner[row, offset + skip : offset + len(own)] = torch.stack((torch.full_like(taken, k + 1), taken), 1)
            counts[row, offset + skip : offset + len(own)] = own.cumsum(0)[skip:].clamp(min=1)
        #: Whether each key is of each span, ``[B, S, n]``, and how many of them a query sees, ``[B, T, n]`` (or 1).
        self.inside, self.counts = inside.to(batch.ids.device), counts.to(batch.ids.device)

    def reach(self) -> tuple[int, int]:
        """The first token of a row that is of any range, and the one behind the last."""
        places = [bucket.places for bucket in self._buckets]
        return min((int(p.min()) for p in places), default=0), max((int(p.max()) + 1 for p in places), default=0)

    def note(self, block: int, head: int, weights: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Keep which keys the tokens of some rows of weights take, of heads from ``head`` on."""
        keys, chosen = self.inside[:, None, None, :, 0], []
        for at, some in weights:
            own = self._owner[:, at.cpu(), 0].to(some.device)[:, None, :, None]
            mine = some[..., : keys.shape[3]].masked_fill(keys.to(some.device) != own, -1.0)
            chosen.append(mine.sort(descending=True, stable=True).indices[..., : int(self._owner[..., 1].max())].int())
        if chosen:
            self._noted.append((block, head, torch.cat(chosen, dim=2)))

    def finish(self, end: Tensor) -> None:
        """Cosines of the mean state at the noted keys with that of the query, once the final norm's input is there."""
        first, last = self.reach()
        at, taken = torch.arange(last - first, device=end.device), self._owner[:, first:last, 1].to(end.device)
        normed = [self._anatomy.normed(states).float() for states in (end if self._noted else ())]
        grams = [states @ states.T for states in normed]
        for block, head, keys in self._noted:
            found = end.new_zeros(*end.shape[:2], keys.shape[1], dtype=torch.float32)
            for line, (gram, some) in enumerate(zip(grams, keys.to(end.device).long(), strict=True)):  # [H, Q, k]
                real = (torch.arange(some.shape[2], device=end.device) < taken[line, :, None]).float()
                places = (some - self._before).clamp(min=0)
                chosen = gram.new_zeros(*some.shape[:2], len(gram)).scatter_add_(2, places, real.expand(some.shape))
                summed = chosen @ gram  # products of the sum of the states at the keys with every state
                sizes = ((summed * chosen).sum(2) * gram.diagonal()[first:last]).sqrt()
                found[line, first:last] = (summed[:, at, first + at] / sizes).T
            self.keep(block, found, part=(head, self.heads))

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
        self._of_rows = frozenset(name for name, one in spans.items() if one.what not in ("mass", "ratio"))
        self._rows: dict[tuple[int, int], AttentionRow] = {}
        inside = [one.inside for one in self._spans if one.what in ("mass", "ratio")]
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
            if one.what == "copied":
                one.note(self._block + 1, first, self._weights(call, one))
                continue
            if one.what in ("mass", "ratio"):
                found = self._masses(call, one) if call.beside is None else next(masses)
            else:
                found = self._near(call, one)
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

    def _weights(self, call: AttentionCall, one: SpanStates) -> Iterator[tuple[Tensor, Tensor]]:
        """Tokens of the text from the first that is read to the last, a few at a time, and their weights."""
        rows, heads, tokens = call.query.shape[:3]
        step = max(1, _WEIGHTS // (rows * heads * (self._lent + tokens)))
        first, last = one.reach()
        for start in range(first, last, step):
            at = torch.arange(start, min(start + step, last), device=call.query.device)
            row = self._rows.setdefault((start, start + len(at)), AttentionRow(self._family, self._of_rows))
            yield at, row.of(call, (at + self._prefix).expand(rows, -1)).float()

    def _masses(self, call: AttentionCall, one: SpanStates) -> Tensor:
        """The mass on each span, ``[B, T, H, n]``, where the kernel did not sum it."""
        found = call.query.new_zeros((*call.query.shape[:3], one.inside.shape[2]), dtype=torch.float32)
        for at, weights in self._weights(call, one):
            found[:, :, at + self._prefix] = weights @ one.inside[:, None].to(weights)
        return found.transpose(1, 2)

    def _near(self, call: AttentionCall, one: SpanStates) -> Tensor:
        """Weights of tokens on themselves (of a diagonal their logarithm) and those before, ``[B, T, H, k]``."""
        rows, heads, tokens = call.query.shape[:3]
        found = call.query.new_zeros((rows, heads, tokens, one.columns), dtype=torch.float32)
        for at, weights in self._weights(call, one):
            keys = (at + self._prefix + self._lent)[:, None] - torch.arange(one.columns, device=at.device)
            there = weights.gather(3, keys.clamp(min=0).expand(rows, heads, -1, -1)) * (keys >= self._prefix)
            found[:, :, at + self._prefix] = there.clamp(min=_LEAST).log() if one.what == "diagonal" else there
        return found.transpose(1, 2)
