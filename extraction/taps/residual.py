"""Forward hooks that keep a few rows of the residual stream in every block, and reduce ranges to one state each."""

import math
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ...models.anatomy import Anatomy
from ...models.loading import LanguageModel
from ...models.observation import states_given, states_taken
from ...models.positions import Encoding
from ..batching import Batch
from ..ragged import Array, Ragged
from ..readouts import AttentionSpans, Lens, Reduce, States


class ResidualTap(ExitStack):
    """Keeps ``h[0..last]`` at ``positions`` (``[B, P]``, ``P`` may be 0) of one pass.

    With ``keep_last`` it also keeps the final norm's input, ``[B, T, W]``. ``ranges`` receive the states of every
    block. Hooks act only in the thread that made them, so that two passes may share one model.
    """

    def __init__(
        self, anatomy: Anatomy, positions: Tensor, *, last: int, keep_last: bool, ranges: "Sequence[RangeStates]" = ()
    ) -> None:
        super().__init__()
        self._anatomy, self._stream = anatomy, anatomy.stream
        self._positions, self._ranges = positions, ranges
        self._last, self._keep_last = last, keep_last
        self._rows: Tensor | None = None
        self._flat: Tensor | None = None
        self._started = self._ended = 0
        self._thread = threading.get_ident()
        residuals = anatomy.residuals
        self._whole: dict[int, Tensor | None] = dict.fromkeys(residuals.numbers if residuals and keep_last else ())
        self.end: Tensor | None = None

    def restart(self) -> None:
        """Count blocks from the first again, before another pass."""
        self._started = self._ended = 0

    @property
    def states(self) -> Tensor:
        """``h[0..last]`` at the positions: ``[B, last + 1, P, W]``, in the dtype of the model, near its final norm."""
        assert self._rows is not None
        return self._anatomy.on_norm(self._rows.movedim(0, 1))

    def __enter__(self) -> Self:
        for block in dict.fromkeys(self._stream.blocks):
            if self._stream.by_input or block is self._stream.blocks[0]:  # else nothing is read before a block
                self.enter_context(block.register_forward_pre_hook(self._before_block, with_kwargs=True))
            self.enter_context(block.register_forward_hook(self._after_block))
        if self._stream.leaves not in self._stream.blocks:
            self.enter_context(self._stream.leaves.register_forward_hook(self._after_leaving))
        return self

    def _before_block(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> None:
        if threading.get_ident() == self._thread:
            if self._started == 0 or self._stream.by_input:
                self._keep(self._started, states_taken(module, args, kwargs or {}))
            self._started += 1

    def _after_block(self, module: nn.Module, _args: tuple[Any, ...], output: Any) -> None:
        if threading.get_ident() == self._thread:
            self._ended += 1
            at_end = self._ended == len(self._stream.blocks)
            if not self._stream.by_input or (at_end and module is self._stream.leaves):
                self._keep(self._ended, states_given(module, output))
            if at_end and module is self._stream.leaves:
                self._keep_end(module, output)

    def _after_leaving(self, module: nn.Module, _args: tuple[Any, ...], output: Any) -> None:
        if threading.get_ident() == self._thread:
            self._keep(len(self._stream.blocks), states_given(module, output))
            self._keep_end(module, output)

    def _keep_end(self, module: nn.Module, output: Any) -> None:
        states = states_given(module, output)
        if self._keep_last and states is not None:
            self.end = self._stream.layout.all_rows(states)
            if self._anatomy.residuals is not None:
                earlier = [rows.to(states.device) for rows in self._whole.values() if rows is not None]
                self.end = self._anatomy.residuals(earlier, self.end)

    def _rows_of(self, states: Tensor) -> Tensor:
        """States at the positions; in the usual layout with one look-up, whose places are the same in every block."""
        layout = self._stream.layout
        if (layout.items, layout.tokens, layout.prefix, states.ndim) != (0, 1, 0, 3) or not states.is_contiguous():
            return layout.rows(states, self._positions)
        if self._flat is None or self._flat.device != states.device:
            first = torch.arange(states.shape[0], device=self._positions.device)[:, None] * states.shape[1]
            self._flat = (self._positions + first).flatten().to(states.device)
        return states.flatten(0, 1).index_select(0, self._flat).view(*self._positions.shape, -1)

    def _keep(self, number: int, states: Tensor | None) -> None:
        if self._positions.shape[1] and states is not None and number <= self._last:
            rows = self._rows_of(states)
            if self._rows is None:  # one piece for all blocks: small ones, kept one by one, would split the memory
                self._rows = rows.new_zeros((self._last + 1, *rows.shape))
            elif self._rows.dtype != rows.dtype:  # an embedding in another type than the blocks
                self._rows = self._rows.to(torch.promote_types(self._rows.dtype, rows.dtype))
            self._rows[number] = rows
        if self._ranges and states is not None and number <= self._last:
            whole = self._stream.layout.all_rows(states)
            for one in self._ranges:
                one.keep(number, whole)
        if number in self._whole and states is not None:
            self._whole[number] = self._stream.layout.all_rows(states)


Reduced = States | AttentionSpans | Lens
#: Added to the eigenvalues of ``logdet``, as in LLM-Check.
_ALPHA = 1e-3


def log_det(tokens: Tensor, inside: Tensor | None = None) -> Tensor:
    """``logdet`` of :class:`.States` of the tokens ``[K, P, W]`` of each range, those ``inside`` (``[K, P]``): ``[K]``.

    Of the two Gram matrices, which have the same eigenvalues but for zeros, the smaller is taken.
    """
    inside = tokens.new_ones(tokens.shape[:2]) if inside is None else inside
    z = tokens.double()
    z = (z - z.mean(-1, keepdim=True)) * inside[..., None]
    gram = z @ z.mT if z.shape[1] <= z.shape[2] else z.mT @ z
    factor, _ = torch.linalg.cholesky_ex(gram + _ALPHA * torch.eye(gram.shape[-1], dtype=z.dtype, device=z.device))
    counts = inside.sum(1)
    total: Tensor = 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1) + (counts - gram.shape[-1]) * math.log(_ALPHA)
    return total / counts


def normed(anatomy: Anatomy, states: Tensor) -> Tensor:
    """Final-normed states, with zeros behind where the stream is wider (parallel streams)."""
    found = anatomy.normed(states)
    return pad(found, (0, states.shape[-1] - found.shape[-1]))


@lru_cache(maxsize=8)
def projection(width: int, columns: int) -> Tensor:
    """The matrix of :class:`.States` with ``project``, ``[width, columns]``, of one seed: the same on all machines."""
    # The stream of numbers of this class is promised not to change; those of the others are not.
    found = torch.from_numpy(np.random.RandomState(0).standard_normal((width, columns)))
    return (found / math.sqrt(columns)).float()


def reduce_tokens(tokens: Tensor, how: Reduce, weights: Tensor | None = None) -> Tensor:
    """One state a range, fp32: ``[K, P, W]`` to ``[K, W]``; ``weights`` (``[K, 1, P]``) are those of a mean."""
    if how == "logdet":
        return log_det(tokens, None if weights is None else weights[:, 0].to(tokens.device) > 0)[:, None].float()
    if tokens.shape[1] == 1:
        return tokens[:, 0].float()
    if how == "mean":
        return tokens.float().mean(1) if weights is None else torch.bmm(weights.to(tokens.device), tokens.float())[:, 0]
    return (tokens.amax(1) if how == "max" else tokens.amin(1)).float()


class Bucket(NamedTuple):
    """Ranges of about one length: which they are, where their tokens lie, and the weight of each token in a mean."""

    ranges: Tensor
    lines: Tensor
    places: Tensor
    weights: Tensor | None

    def of(self, states: Tensor) -> Tensor:
        """Of states ``[B, T, W]`` those of the tokens, ``[K, P, W]``."""
        lines, places = self.lines.to(states.device), self.places.to(states.device)
        flat = states.flatten(0, 1).index_select(0, (lines * states.shape[1] + places).flatten())
        return flat.view(*places.shape, -1)


class Reading(NamedTuple):
    """The batch of a pass up to block ``last``; ``missing`` has the ids of items that lack a readout, by its name."""

    lm: LanguageModel
    items: Sequence[Encoding]
    batch: Batch
    missing: Mapping[str, Collection[str]]
    last: int


class RangeStates:
    """One row per range of one readout in one batch, at ``rows`` out of ``0..L + 1``, except of items that lack it.

    Ranges of similar length are gathered together, padded with their own first token (without weight in a mean), so
    that the time is linear in the number of tokens.
    """

    def __init__(self, of: Reading, readout: Reduced, rows: Sequence[int]) -> None:
        items, batch, skipped = of.items, of.batch, of.missing[readout.name]
        self.rows, self._reduce, self._ragged = tuple(rows), readout.reduce, readout.ragged
        self._kept: Tensor | None = None
        self._anatomy = of.lm.anatomy
        columns = readout.project if isinstance(readout, States) else 0
        self._matrix = projection(self._anatomy.width, columns).to(batch.ids.device) if columns else None
        found = [[] if i.id in skipped else readout.pieces(i.places(readout.role)) for i in items]
        self._counts = [len(one) for one in found]
        places = [(batch.row(k), start, end) for k, one in enumerate(found) for start, end in one]
        offset = batch.offsets.tolist()
        #: The item of each range.
        self.owner = owner = [k for k, one in enumerate(found) for _ in one]
        of_length: dict[int, list[int]] = {}
        for k, (_, start, end) in enumerate(places):
            of_length.setdefault((end - start - 1).bit_length(), []).append(k)
        self._buckets = []
        for members in of_length.values():
            lengths = torch.tensor([places[k][2] - places[k][1] for k in members])
            steps = torch.arange(int(lengths.max()))
            inside = steps < lengths[:, None]
            starts = torch.tensor([places[k][1] + offset[owner[k]] for k in members])
            lines = torch.tensor([places[k][0] for k in members])[:, None].expand(inside.shape)
            weighted = self._reduce == "logdet" or (self._reduce == "mean" and len(steps) > 1)
            weights = inside / lengths[:, None] if weighted else None
            tokens = starts[:, None] + torch.where(inside, steps, 0)
            device = batch.ids.device
            own = torch.tensor(members, device=device)
            share = None if weights is None else weights[:, None].to(device)
            self._buckets.append(Bucket(own, lines.to(device), tokens.to(device), share))

    def keep(self, row: int, states: Tensor, part: tuple[int, int] | None = None) -> None:
        """Keep what is needed of a row of the stream, or the ``part`` of it from a place on, and how wide it is."""
        for bucket in self._buckets if row in self.rows else ():
            self._put(row, bucket, bucket.of(states), part)

    def finish(self, end: Tensor) -> None:
        """Keep what needs the final norm's input ``[B, T, W]``, which is there at the end of a pass: its own row."""
        row = self._anatomy.n_blocks + 1
        for bucket in self._buckets if row in self.rows else ():
            self._put(row, bucket, normed(self._anatomy, bucket.of(end)))

    def _put(self, row: int, bucket: Bucket, tokens: Tensor, part: tuple[int, int] | None = None) -> None:
        reduced = reduce_tokens(tokens, self._reduce, bucket.weights)
        reduced = reduced if self._matrix is None else reduced @ self._matrix.to(reduced.device)
        start, width = part or (0, reduced.shape[1])
        if self._kept is None:
            self._kept = reduced.new_zeros(sum(self._counts), len(self.rows), width)
        at = bucket.ranges.to(self._kept.device)
        self._kept[at, self.rows.index(row), start : start + reduced.shape[1]] = reduced.to(self._kept.device)

    def values(self, shape: tuple[int, ...]) -> Array | Ragged:
        """Rows of this shape, an array with zeros for items without any, or ragged."""
        kept = self._kept
        flat = np.zeros((sum(self._counts), *shape), np.float32) if kept is None else kept.cpu().numpy()
        flat = flat.reshape(len(flat), *shape)
        if self._ragged:
            return Ragged(flat, np.cumsum([0, *self._counts]))
        found = np.zeros((len(self._counts), *flat.shape[1:]), np.float32)
        found[np.array(self._counts) > 0] = flat
        return found
