"""Attention of texts as they are written: queries and keys are kept, and read as in a pass once texts are complete."""

import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, NamedTuple, Self, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ...models.attention_calls import AttentionCall
from ...models.errors import UnreadableError
from ...models.heads import Heads
from ...models.loading import LanguageModel
from ...models.observation import states_taken
from ...models.positions import Encoding
from ..batching import Batch
from ..one_pass import Values, as_arrays, row_shape
from ..readouts import AttentionSpans, Paired, QueryKey
from ..taps.attention import ROW_KERNELS, AttentionTap, VisibleRuns, by_roles
from ..taps.block_attention import BlockAttention, KeptStates, UnrotatedStates
from ..taps.residual import Reading, ResidualTap
from ..taps.spans import SpanStates, SpanTap
from .decoding import distinct

#: An attention: its block (from 0), and its number in it.
Place = tuple[int, int]


def carries_attention(lm: LanguageModel) -> bool:
    """Whether a record gives the attention of a model: of registered kernels, one key a token."""
    heads = [one for block in lm.anatomy.heads for one in block]
    plain = all(one.registered and one.token_keys for one in heads) and not lm.anatomy.stream.layout.prefix
    return plain and lm.attention in ROW_KERNELS


class Step(NamedTuple):
    """What a step read of ``n`` texts: newest queries ``[n, F]``, keys of its tokens ``[n, T, F']``, all side by side.

    ``seen`` are the first columns of keys that the newest token sees by each mask, ``[n]``; ``masks`` says which of
    them an attention was given.
    """

    queries: Tensor
    keys: Tensor
    seen: list[Tensor]
    masks: dict[Place, int]


class AttentionRecord(BlockAttention):
    """Keeps the query of each token that a batch of texts writes, and every token's key, in the CPU's memory.

    That is linear in the length. ``whole`` is false if something was not heard, or a mask hides keys among others: all
    up to the newest token are to be seen from some first one on, as after padding and in windows.
    """

    def __init__(
        self, lm: LanguageModel, prompts: Sequence[Encoding], readouts: Sequence[AttentionSpans | Paired]
    ) -> None:
        super().__init__(lm, len(prompts), kinds=frozenset(r.name for r in readouts), last=lm.anatomy.n_blocks, lent=0)
        self._before = frozenset(r.name for r in readouts if isinstance(r, QueryKey) and r.rotary == "before")
        self.lm, self.readouts, self.lengths = lm, readouts, [len(one.ids) for one in prompts]
        self._handed, self.copied = distinct(prompts)[1], any(getattr(r, "what", "") == "copied" for r in readouts)
        #: The final norm's input at every token, where it is read.
        self._end = ResidualTap(lm.anatomy, torch.zeros(0, 0), last=-1, keep_last=True) if self.copied else None
        self.whole, self._columns = True, 0
        #: Of the latest pass: query, key and perhaps both before the rotary embedding; masks; of which each was given.
        self._now, self._masks = dict[Place, list[Tensor]](), dict[Place, int]()
        self._seen = list[tuple[Any, int, Tensor | None]]()
        self.heard, self.steps = dict[Place, tuple[AttentionCall, list[torch.Size]]](), list[Step]()
        self._shared: Tensor | None = None

    def __enter__(self) -> Self:
        self._open.callback(self._blocks[0].register_forward_pre_hook(self._begin, with_kwargs=True).remove)
        self._open.enter_context(self._end or nullcontext())
        return super().__enter__()

    def _begin(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if threading.get_ident() != self._thread or 0 <= self._block < len(self._blocks) - 1:
            return  # a block that runs several times in a pass
        self._complete()  # of the pass before
        if self._now:  # no step followed: the prompts but for their last tokens, each once
            self._shared = self._keys()
        states, layout = states_taken(module, args, kwargs), self.lm.anatomy.stream.layout
        if states is not None:
            self._items, self._columns = states.shape[layout.items], self._columns + states.shape[layout.tokens]
        self._block, self._unrotated = -1, UnrotatedStates(self._items)
        for held in (self._now, self._seen, self._masks):
            held.clear()
        if self._end is not None:
            self._end.restart()

    def _complete(self) -> None:
        try:
            super()._complete()
        except UnreadableError:
            self.whole = False

    def _read(self, call: AttentionCall, heads: Heads, number: int) -> None:
        at, (items, _, tokens, _) = (self._block, number), call.query.shape
        self.whole = self.whole and call.key is not None and call.key.shape[2] <= self._columns
        if not self.whole or call.key is None:
            return
        lent = call.key.shape[2] - tokens
        states = [call.query[:, :, -1:].clone(), call.key[:, :, max(lent, 0) :]]
        if self._before and heads.rotary and not heads.unreadable:
            every = torch.arange(tokens, device=call.query.device).expand(items, -1)
            query = self._unrotated.queries(heads, call.query, every[:, -1:])
            key = self._unrotated.keys(heads, call.key, every, lent)
            if query is None or key is None:
                self.whole = False
                return
            states += [query, key]
        self._now[at] = states
        shapes = [torch.Size((one.shape[1], one.shape[3])) for one in states]
        if at not in self.heard:
            self.heard[at] = _without_states(call), shapes
        self._masks[at] = _number(self._seen, call, call.key.shape[2], self._columns)

    def _keys(self) -> Tensor:
        every = [one.transpose(1, 2).flatten(2) for states in self._now.values() for one in states[1::2]]
        if self._end is not None and self._end.end is not None:
            every.append(self._end.end)
        return torch.cat([one.to(every[0].device) for one in every], dim=2).cpu()

    def keep(self, present: Sequence[int]) -> None:
        """Keep what the latest step read of the texts in the batch."""
        self.whole = self.whole and all(first is not None for *_, first in self._seen)
        if not self.whole:
            self.steps.clear()
        if not (self.whole and self._now):
            return self._now.clear()
        queries = [one.flatten(1) for states in self._now.values() for one in states[::2]]
        together, keys = torch.cat([one.to(queries[0].device) for one in queries], dim=1).cpu(), self._keys()
        if self._shared is not None:
            keys, self._shared = torch.cat((self._shared[self._handed], keys), dim=1), None
        n = len(self.lengths)
        seen = [_of_all(n, present, first) for *_, first in self._seen if first is not None]
        self.steps.append(Step(_of_all(n, present, together), _of_all(n, present, keys), seen, dict(self._masks)))
        self._now.clear()


def _number(seen: list[tuple[Any, int, Tensor | None]], call: AttentionCall, keys: int, columns: int) -> int:
    """The place of a mask of the last ``keys`` of all ``columns`` among those ``seen``; it is added if it is new."""
    for place, (mask, size, _) in enumerate(seen):
        if mask is call.mask and size == keys:
            return place
    first = _first_seen(call, keys)
    seen.append((call.mask, keys, None if first is None else first + columns - keys))
    return len(seen) - 1


def _first_seen(call: AttentionCall, keys: int) -> Tensor | None:
    """The first of the keys that the newest token sees, ``[B]``; ``None`` if a later one is hidden or has a bias."""
    odd = [n for n, v in call.extra.items() if n not in ("value", "s_aux") and isinstance(v, Tensor) and v.ndim > 2]
    if odd or not (call.mask is None or (isinstance(call.mask, Tensor) and call.mask.ndim == 4)):
        return None
    if call.mask is None:
        return torch.zeros(len(call.query), dtype=torch.long)
    line = call.mask[:, :, -1, :keys].expand(len(call.query), -1, -1)
    sees = line if line.dtype == torch.bool else line == 0
    first = sees[:, 0].int().argmax(-1)
    run = torch.arange(keys, device=line.device) >= first[:, None]
    hides = line.dtype == torch.bool or bool((line[~sees] <= torch.finfo(line.dtype).min / 2).all())
    return first.cpu() if hides and bool((sees == run[:, None]).all()) else None


def _without_states(call: AttentionCall) -> AttentionCall:
    extra = {n: v for n, v in call.extra.items() if not isinstance(v, Tensor) or n == "s_aux"}
    none: Any = {"key": None, "mask": None, "weights": None, "beside": None}
    return replace(call, query=call.query.new_empty(0), extra=extra, **none)


def _of_all(n: int, present: Sequence[int], found: Tensor) -> Tensor:
    every = found.new_zeros(n, *found.shape[1:])
    every[list(present)] = found
    return every


def attention_values(
    record: AttentionRecord, items: Sequence[Encoding], places: Sequence[int], missing: Mapping[str, Collection[str]]
) -> Values | None:
    """Values of the readouts, computed as in a pass, of the texts at ``places``; ``None`` if not all was heard."""
    lm, last, n = record.lm, record.lm.anatomy.n_blocks, len(items)
    lengths, width = [record.lengths[place] for place in places], max(record.lengths)
    steps = 1 + max(len(item.ids) - own for item, own in zip(items, lengths, strict=True))
    if not record.whole or steps > len(record.steps):
        return None
    # As a pass over what follows the prompts' last but one column, or over all if every state is read.
    lent = 0 if record.copied else width - 1
    before = [0 if record.copied else own - 1 for own in lengths]
    ids = torch.zeros(n, width - 1 + steps - lent, dtype=torch.long, device=lm.device)
    offsets = torch.tensor([width - lent - own for own in lengths], device=lm.device)
    of, kept = Reading(lm, items, Batch(ids, torch.ones_like(ids), offsets), missing, last), KeptStates(n)
    paired = [r for r in record.readouts if not isinstance(r, AttentionSpans)]
    of_pairs = [AttentionTap(of, pair, lent, kept) for pair in by_roles(paired)]
    spans = {r.name: SpanStates(of, r, lent, before) for r in record.readouts if isinstance(r, AttentionSpans)}
    taps = [*of_pairs, *([SpanTap(of, spans, lent)] if spans else [])]
    end = _give(record, taps, kept, list(places), steps, lent)
    for one in spans.values():
        one.finish(end)
    found = {name: value for tap in of_pairs for name, value in tap.results().items()}
    shapes = {r.name: row_shape(lm, items, r, last) for r in record.readouts}
    return as_arrays(items, paired, missing, found) | {k: one.values(shapes[k]) for k, one in spans.items()}


def _give(
    record: AttentionRecord, taps: Sequence[BlockAttention], kept: KeptStates, rows: list[int], steps: int, lent: int
) -> Tensor:
    """Hand every attention of some texts to the taps; returns what the final norm was given, if that was kept."""
    every = record.steps[:steps]
    queries = torch.stack([step.queries[rows] for step in every], dim=1)
    queries = pad(queries, (0, 0, max(record.lengths) - 1 - lent, 0))
    keys = torch.cat([step.keys[rows] for step in every], dim=1)
    parts = [[heads * size for heads, size in shapes] for _, shapes in record.heard.values()]
    q_parts = iter(queries.split([n for own in parts for n in own[::2]], dim=2))
    sizes = [n for own in parts for n in own[1::2]]
    *k_parts, end = keys.split([*sizes, keys.shape[2] - sum(sizes)], dim=2)
    of_keys, masks = iter(k_parts), dict[tuple[Any, ...], VisibleRuns]()
    for at, (call, shapes) in record.heard.items():
        device, states = call.query.device, list[Tensor]()
        for place, shape in enumerate(shapes):
            flat = next(of_keys if place % 2 else q_parts)
            states.append(flat.unflatten(2, cast(Any, shape)).transpose(1, 2).to(device))
        used = device, *(step.masks[at] for step in every)
        if used not in masks:
            first = torch.stack([step.seen[step.masks[at]][rows] for step in every], dim=1).to(device)
            masks[used] = VisibleRuns(pad(first, (queries.shape[1] - steps, 0)))
        query, key, *before = states
        kept.query, kept.key = before or (query, key)
        extra = call.extra | {"value": key[..., :1]}
        again = replace(call, query=query, key=key, mask=masks[used], extra=extra)
        for tap in taps:
            tap.hear(*at, again)
    last: Tensor = end.to(record.lm.device)
    return last
