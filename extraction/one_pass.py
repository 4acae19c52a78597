"""The forward pass of one batch, with the taps that its readouts need; a beginning that texts share runs once."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..models.blocks import StopAfter
from ..models.caching import PromptCache, restarting
from ..models.inputs import position_inputs, positions
from ..models.loading import LanguageModel
from ..models.positions import Encoding
from .batching import Batch, Placing, collate, pack, padded
from .features import Array
from .ragged import Ragged
from .readout_names import reads_end
from .readouts import (
    AttentionSpans,
    HiddenStates,
    LabelLogits,
    Lens,
    Paired,
    Ranged,
    Readout,
    ResponseLogProb,
    States,
    TokenStats,
)
from .taps.attention import AttentionTap, by_roles
from .taps.block_attention import PromptKeys, nearest
from .taps.lens import LensStates, reading_parts
from .taps.residual import RangeStates, Reading, ResidualTap, normed
from .taps.spans import SpanStates, SpanTap
from .token_statistics import found_in_pass, token_values

#: Values of one batch, by the name of the readout.
Values = dict[str, Array | Ragged]


class Prompt(NamedTuple):
    """What was kept of a prompt of ``length`` tokens that several items share: its keys and values are ``cache``.

    ``tokens`` (``[P]``, in order) are those whose states were kept, ``states`` their ``h[0..last]``, ``[1, last + 1, P,
    W]``, and ``keys`` their keys before the rotary embedding; both are ``None`` where no item reads any.
    """

    cache: PromptCache
    length: int
    tokens: Tensor
    states: Tensor | None
    keys: PromptKeys | None


@torch.inference_mode()
def read_prompt(
    lm: LanguageModel, items: Sequence[Encoding], readouts: Sequence[Readout], length: int, last: int
) -> Prompt:
    """Run the first ``length`` tokens, which the items share; keep their cache and what the readouts read there."""
    device = lm.device
    ids = torch.tensor([items[0].ids[:length]], device=device)
    batch = Batch(ids, torch.ones_like(ids), torch.zeros(1, dtype=torch.long, device=device))
    tokens = _within(items, single_roles(readouts), length, device)
    keys = _within(items, [r.keys for r in readouts if isinstance(r, Paired)], length, device)
    residual = ResidualTap(lm.anatomy, tokens[None], last=last, keep_last=False)
    tap = PromptKeys(lm, keys, readouts, last) if len(keys) else None
    cache = PromptCache()
    with residual, tap or nullcontext(), lm.uncompiled(), StopAfter(lm.anatomy.stream, last):
        forward(lm, batch, cache)
    return Prompt(cache, length, tokens, residual.states if len(tokens) else None, tap)


def forward(lm: LanguageModel, batch: Batch, prompt: PromptCache | Prompt | None = None) -> None:
    """Run a batch: whole texts, a prompt that fills its cache, or what follows a prompt that was run before."""
    lm.mixing.restart(lm.model)
    if batch.lengths is not None:  # without a mask: positions that restart tell the texts apart, in every kernel
        where = restarting(batch.lengths, lm.anatomy.position_offset or 0).to(batch.ids.device)
        lm.model(input_ids=batch.ids, position_ids=where, use_cache=False)
        return
    kwargs: dict[str, Any] = {"input_ids": batch.ids, "use_cache": prompt is not None}
    mask = batch.mask
    if isinstance(prompt, Prompt):
        mask = torch.cat((mask.new_ones(len(mask), prompt.length), mask), dim=1)
        kwargs["past_key_values"] = prompt.cache.lent()
    elif prompt is not None:
        kwargs["past_key_values"] = prompt
    if not isinstance(prompt, Prompt):
        kwargs |= position_inputs(mask, lm.anatomy.position_offset)
    elif lm.anatomy.position_offset is not None:
        kwargs["position_ids"] = positions(mask, lm.anatomy.position_offset)[:, prompt.length :]
    lm.model(attention_mask=mask, **kwargs)


def single_roles(readouts: Sequence[Readout]) -> list[str]:
    """Roles whose hidden states are read."""
    return list(dict.fromkeys(r.position for r in readouts if isinstance(r, HiddenStates | LabelLogits)))


def _within(items: Sequence[Encoding], roles: Sequence[str], length: int, device: torch.device) -> Tensor:
    """Tokens of ``roles`` in the first ``length``, in order; an item without a role has its first token there."""
    tokens = {token for item in items for role in roles for token in item.tokens(role) or (0,)}
    return torch.tensor(sorted(token for token in tokens if token < length), dtype=torch.long, device=device)


@torch.inference_mode()
def run_batch(
    lm: LanguageModel, items: Sequence[Encoding], readouts: Sequence[Readout], missing: Mapping[str, Mapping[str, str]],
    side: Placing, last: int, prompt: Prompt | None = None, write: Callable[[Callable[[], None]], None] | None = None
) -> Values:  # fmt: skip
    """Name of a readout -> values of the batch; rows in ``missing`` and padding beyond an item's labels are zero.

    Blocks after ``last``, the final norm over all tokens and the head are not run, nor is a ``prompt`` run again.
    With ``write`` they are: it runs the batch, writes on from there, and calls its argument after the first pass. With
    ``side="packed"`` the items lie end to end in one row.
    """
    skip = 0 if prompt is None else prompt.length
    if side == "packed":
        batch = pack(items, device=lm.device)
    else:
        batch = collate(items, pad_id=lm.pad_id, side=side, device=lm.device, skip=skip)
    single = single_roles(readouts)
    of_tokens = [r for r in readouts if isinstance(r, ResponseLogProb | TokenStats)]
    total = last + (2 if last == lm.anatomy.n_blocks else 1)
    reading = Reading(lm, items, batch, missing, last)
    ranges = {r.name: RangeStates(reading, r, r.chosen(total)) for r in readouts if isinstance(r, States)}
    at = torch.cat([batch.tokens(items, role) for role in single], dim=1) if single else batch.ids[:, :0]
    places = at.clamp(min=0) if batch.lengths is None else at.view(1, -1)
    keep_last = any(map(reads_end, readouts)) or any(lm.anatomy.n_blocks + 1 in one.rows for one in ranges.values())
    lenses = {r.name: LensStates(reading, r) for r in readouts if isinstance(r, Lens)}
    streams = [*ranges.values(), *(one for one in lenses.values() if not one.parts)]
    residual = ResidualTap(lm.anatomy, places, last=last, keep_last=keep_last, ranges=streams)
    own_keys = None if prompt is None else prompt.keys
    attention = [AttentionTap(reading, pair, skip, own_keys) for pair in by_roles(readouts)]
    spans = {r.name: SpanStates(reading, r, skip) for r in readouts if isinstance(r, AttentionSpans)}
    with ExitStack() as taps:
        taps.enter_context(residual)
        taps.enter_context(reading_parts(lm.anatomy.stream, list(lenses.values())))
        for tap in attention:
            taps.enter_context(tap)
        if spans:
            taps.enter_context(SpanTap(reading, spans, skip))
        taps.enter_context(lm.uncompiled())
        if write is None:
            taps.enter_context(StopAfter(lm.anatomy.stream, last))
            forward(lm, batch, prompt)
        else:
            write(taps.close)
    found = {name: value for tap in attention for name, value in tap.results().items()}
    if single:
        states = residual.states
        if batch.lengths is not None:  # [1, last + 1, B * P, W], the items one after another
            states = states[0].unflatten(1, at.shape).movedim(1, 0)
        if prompt is not None and prompt.states is not None:
            place = nearest(prompt.tokens, at + skip).to(states.device)
            lent = prompt.states[0][:, place].movedim(1, 0)
            states = torch.where((at < 0).to(states.device)[:, None, :, None], lent, states)
        found |= _point_values(lm, items, readouts, states, last)
    values = as_arrays(items, [r for r in readouts if r.name in found], missing, found)
    of_ranges: dict[str, RangeStates] = {**ranges, **spans, **lenses}
    if residual.end is not None:
        for one in of_ranges.values():
            one.finish(residual.end)
    of_rows = [r for r in readouts if isinstance(r, Ranged) and r.name in of_ranges]
    values |= {r.name: of_ranges[r.name].values(row_shape(lm, items, r, last)) for r in of_rows}
    if of_tokens:
        assert residual.end is not None
        values |= token_values(items, of_tokens, missing, partial(found_in_pass, lm, residual.end, batch))
    return values


def as_arrays(
    items: Sequence[Encoding],
    readouts: Sequence[Readout],
    missing: Mapping[str, Collection[str]],
    found: Mapping[str, Tensor],
) -> Values:
    """What was found of readouts, ``[B, ...]`` (of pairs ``[B, N, ...]``), without what an item lacks."""
    values: Values = {}
    for readout in readouts:
        _silence(found[readout.name], readout, items, missing[readout.name])
        every = found[readout.name].float().cpu().numpy()
        if isinstance(readout, Paired) and not any(item.tokens(readout.keys) for item in items):
            every = every[..., :0]
        if readout.ragged:
            own = [() if i.id in missing[readout.name] else i.places(readout.roles[0]) for i in items]
            values[readout.name] = Ragged.of([e[: len(o)] for e, o in zip(every, own, strict=True)], every.shape[2:])
        else:
            values[readout.name] = every[:, 0] if isinstance(readout, Paired) else every
    return values


def row_shape(lm: LanguageModel, items: Sequence[Encoding], readout: Readout, last: int) -> tuple[int, ...]:
    """Shape of what an item has of a readout, or of one row of it, in a pass up to block ``last``."""
    a, total = lm.anatomy, last + (2 if last == lm.anatomy.n_blocks else 1)
    match readout:
        case HiddenStates():
            return total, a.width
        case LabelLogits():
            return 2, last + 1, max(len(item.label_ids) for item in items)
        case ResponseLogProb():
            return (2,)
        case States():
            return len(readout.chosen(total)), *(() if readout.reduce == "logdet" else (readout.project or a.width,))
        case TokenStats():
            return (readout.top,) if readout.top else ()
        case Lens(what="labels"):
            return last, max(len(item.label_ids) for item in items)
        case Lens():
            return (last,)
        case AttentionSpans():
            several = len(readout.keys) if readout.what == "mass" else readout.own * (readout.what != "diagonal")
            return (last, a.n_heads, several) if several else (last, a.n_heads)
    return last, a.n_heads, max(len(item.tokens(readout.keys)) for item in items)


def _point_values(
    lm: LanguageModel, items: Sequence[Encoding], readouts: Sequence[Readout], states: Tensor, last: int
) -> dict[str, Tensor]:
    """Values of the readouts of single positions, from ``h[0..last]`` there: ``[B, last + 1, P, W]``."""
    found: dict[str, Tensor] = {}
    single = single_roles(readouts)
    for readout in readouts:
        if isinstance(readout, HiddenStates):
            rows = states[:, :, single.index(readout.position)]
            found[readout.name] = with_normed(lm, rows) if last == lm.anatomy.n_blocks else rows
        elif isinstance(readout, LabelLogits):
            rows = states[:, :, single.index(readout.position)]
            top = lm.anatomy.normed(lm.anatomy.leaving(rows))
            raw = rows if rows.shape == top.shape else top  # parallel streams: none of that width before the norm
            ids = padded([item.label_ids for item in items], rows.device)
            found[readout.name] = lm.anatomy.label_logits(torch.stack((raw, top), dim=1), ids)
    return found


def with_normed(lm: LanguageModel, rows: Tensor) -> Tensor:
    """Append the final-normed state to ``h[0..L]``, filled with zeros where the stream is wider (parallel streams)."""
    return torch.cat((rows, normed(lm.anatomy, lm.anatomy.leaving(rows)[:, -1:])), dim=1)


def _silence(values: Tensor, readout: Readout, items: Sequence[Encoding], missing: Collection[str]) -> None:
    """Zero the rows of items that lack a readout, and the padding beyond an item's labels or options."""
    for row, item in enumerate(items):
        if item.id in missing:
            values[row] = 0
        elif isinstance(readout, LabelLogits):
            values[row, ..., len(item.label_ids) :] = 0
        elif isinstance(readout, Paired):
            values[row, ..., len(item.tokens(readout.keys)) :] = 0
