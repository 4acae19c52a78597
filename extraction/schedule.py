"""One run over many items: which are read together, in how much memory, what they share, and what if it runs out."""

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple, Self

from ..models.caching import CANNOT_SHARE, free_memory
from ..models.description import refused
from ..models.errors import UnreadableError
from ..models.loading import LanguageModel
from ..models.positions import Encoding
from ..models.tokens import shared_start
from .batching import Room, by_cost, by_length, is_memory
from .one_pass import Prompt, Values, read_prompt
from .reader import BatchReader
from .readout_names import reads_end
from .readouts import Paired, Ranged, ResponseLogProb, TokenStats

#: Tokens whose keys and values are held at once, in batches of reading. With more texts a step is hardly any faster.
_HELD = 3
#: Copies of a row of logits that a step makes: the head's, one in float32, its processed form.
_LOGITS = 3


class Budget:
    """Bytes that a batch may take besides the weights (:attr:`.LanguageModel.memory`), and how many a text takes.

    By default a batch may take half of what is free now, and a text by itself all of it.
    """

    def __init__(self, lm: LanguageModel) -> None:
        free = free_memory(lm.device)
        self._device = lm.device
        self.bytes = free // 2 if lm.memory is None else int(lm.memory * 1e9)
        self._alone = free if lm.memory is None else self.bytes
        a, size = lm.anatomy, lm.model.dtype.itemsize
        matrices = [p.shape for p in a.blocks[-1].parameters() if p.ndim == 2]
        widest = max((max(shape) for shape in matrices), default=a.width)
        #: Bytes of the keys and values of a token, of its states inside a block, and of a row of logits.
        self.held = 2 * a.n_blocks * max(a.n_kv_heads * a.head_dim, 1) * size
        self.read = 4 * (a.width + widest) * size
        self.logits = _LOGITS * 4 * int(getattr(lm.model.config.get_text_config(decoder=True), "vocab_size", 0))
        #: Bytes for every two tokens: their weights in every head, or a mask.
        self.paired = {"eager": 3 * a.n_heads * 4, "sdpa": 1 + size}.get(lm.attention, 0)
        self._alone_paired = 0 if lm.attention == "sdpa" else self.paired  # without padding there is no mask

    def of(self, length: int, new: int = 0, *, alone: bool = False) -> int:
        """Bytes for a text of ``length`` tokens while it is read, or while ``new`` tokens are written after it."""
        written = (length + new) * self.held + self.logits if new else 0
        return length * self.read + length * length * (self._alone_paired if alone else self.paired) + written

    def texts(self, length: int, new: int = 0) -> int:
        """How many texts fit at once if the longest has ``length`` tokens; at least 1."""
        return max(1, self.bytes // self.of(length, new))

    def row(self) -> int:
        """Most tokens in a packed row, whose mask grows with the square of its length."""
        if not self.paired:
            return self.bytes // self.read
        return int((math.sqrt(self.read**2 + 4 * self.paired * self.bytes) - self.read) / (2 * self.paired))

    def rows(self, length: int, new: int, batch_size: int) -> int:
        """How many texts to write at once if the longest prompt has ``length`` tokens; at least 1."""
        room = Room(self._device, None).tokens
        at_once = min(room // max(length, 1), _HELD * room // (length + new))
        return max(1, min(batch_size, at_once, self.texts(length, new)))

    def refused(self, length: int, new: int = 0) -> str | None:
        """Why a text of ``length`` tokens cannot be read, or continued, even alone; ``None`` if it can."""
        needed = self.of(length, new, alone=True)
        told = f"{length} tokens take about {needed / 1e9:.2g} GB, more than the {self._alone / 1e9:.2g} GB"
        return f"{told} that are free or given as memory" if needed > self._alone else None


#: Share of a family's tokens that a common beginning must save; below, two passes in place of one do not pay.
WORTH = 0.1
#: Indices of items and the values of each readout there.
Found = tuple[list[int], Values]


class Family(NamedTuple):
    """Texts at ``rows``, in order, whose first ``shared`` tokens (0: none) are the same and computed once."""

    rows: tuple[int, ...]
    shared: int


def families(texts: Sequence[tuple[int, ...]], most: Sequence[int], *, least: int = 1) -> list[Family]:
    """Group texts so that many tokens are computed once; the last family, with ``shared=0``, has all other texts.

    Sorted texts that begin alike are neighbours and form a tree: the longer the common beginning, the deeper. At each
    branch, from the deepest up, all texts become one family if that saves more than the families already found in it
    and one of its other texts. A family of ``n`` texts saves ``(n - 1) * shared`` tokens: at least ``least``, and the
    share :data:`WORTH` of its tokens. ``most`` is how many tokens of each text may be shared.
    """
    heads = [text[:limit] for text, limit in zip(texts, most, strict=True)]
    order = sorted(range(len(texts)), key=heads.__getitem__)
    lengths = [len(text) for text in texts]
    open_branches = [_Branch(0)]
    for row, following in pairwise([*order, None]):
        assert row is not None
        branch = _Branch(len(heads[row]) + 1, alone=[row])
        shared = 0 if following is None else shared_start(heads[row], heads[following])
        while open_branches[-1].shared > shared:
            open_branches[-1].take(branch)
            branch = open_branches.pop().closed(lengths, least)
        if open_branches[-1].shared < shared:
            open_branches.append(_Branch(shared))
        open_branches[-1].take(branch)
    root = open_branches[0]
    alone = [Family(tuple(sorted(root.alone)), 0)] if root.alone else []
    return [*root.families, *alone]


@dataclass(slots=True)
class _Branch:
    """Texts that share this many tokens: families found among them, and those that have none."""

    shared: int
    families: list[Family] = field(default_factory=list)
    alone: list[int] = field(default_factory=list)
    saved: int = 0

    def take(self, other: Self) -> None:
        self.families += other.families
        self.alone += other.alone
        self.saved += other.saved

    def closed(self, lengths: Sequence[int], least: int) -> Self:
        """The branch when all its texts are there: with them as one family, or with one of the rest, if that pays."""
        rows = [*self.alone, *(row for family in self.families for row in family.rows)]
        whole, rest = ((len(some) - 1) * self.shared for some in (rows, self.alone))
        if whole > self.saved + max(rest, 0) and _pays(whole, rows, lengths, least):
            return type(self)(self.shared, [Family(tuple(sorted(rows)), self.shared)], [], whole)
        if rest > 0 and _pays(rest, self.alone, lengths, least):
            family = Family(tuple(sorted(self.alone)), self.shared)
            return type(self)(self.shared, [*self.families, family], [], self.saved + rest)
        return self


def _pays(saved: int, rows: Sequence[int], lengths: Sequence[int], least: int) -> bool:
    return saved >= max(WORTH * sum(lengths[row] for row in rows), least)


@dataclass(frozen=True, slots=True)
class Sweep:
    """Passes over the items of a reader, each at most once."""

    reader: BatchReader
    batch_size: int
    room: Room
    budget: Budget

    def run(self, rows: Sequence[int], *, share: bool) -> Iterator[Found]:
        """Yield values of the items at ``rows``, batch by batch; no values for an item that did not fit in memory.

        With ``share``, beginnings that several of them have in common are computed once.
        """
        whole = [Family(tuple(rows), 0)]
        for family in beginnings(self.reader, rows, 2 * self.room.fixed) if share else whole:
            if family.shared and share and self.budget.refused(family.shared) is None:
                left = set(family.rows)
                try:
                    first = [self.reader.items[k] for k in family.rows]
                    prompt = read_prompt(self.reader.lm, first, self.reader.readouts, family.shared, self.reader.last)
                    for found in self._batches(family.rows, prompt):
                        left.difference_update(found[0])
                        yield found
                    continue
                except (*CANNOT_SHARE, MemoryError, UnreadableError) as error:
                    reason = None if is_memory(error) else f"{type(error).__name__}: {error}"
                given = len(self.reader.readouts)
                yield from self._batches(sorted(left), None)
                # What fails without sharing as well says nothing about sharing.
                if reason is not None and len(self.reader.readouts) == given:
                    share = False
                    _say(self.reader.lm, reason)
            else:
                yield from self._batches(family.rows, None)

    def _batches(self, rows: Sequence[int], prompt: Prompt | None) -> Iterator[Found]:
        """Batches of the items at ``rows``, cut anew from what is left whenever one did not fit in memory."""
        left = list(rows)
        while left:
            for chosen in self._cut(left, prompt):
                packed = self.reader.packs
                longest = len(self.reader.items[chosen[0]].ids)
                refused = self.budget.refused(longest)
                values = None if refused else self.reader.read(chosen, prompt)
                if packed and not self.reader.packs:
                    break
                if values is None:
                    if refused is None:
                        self.room.ran_out(len(chosen), longest)
                    if len(chosen) > 1:
                        break
                    if prompt is not None:
                        yield from self._batches(chosen, None)
                    else:
                        device = self.reader.lm.device
                        reason = refused or f"{longest} tokens, for which the memory of {device} is too small"
                        for reasons in self.reader.missing.values():
                            reasons.setdefault(self.reader.items[chosen[0]].id, reason)
                        yield chosen, {}
                else:
                    yield chosen, values
                done = set(chosen)
                left = [row for row in left if row not in done]

    def _cut(self, rows: Sequence[int], prompt: Prompt | None) -> list[list[int]]:
        """The batches of the items at ``rows``: none mixes what the model would read otherwise than alone."""
        skip = 0 if prompt is None else prompt.length
        size = 1 if self.reader.one_each else self.batch_size
        length = [len(self.reader.items[row].ids) for row in rows]
        mixing, context = self.reader.lm.mixing, self.reader.lm.anatomy.context
        # A packed row has no more tokens than one text may have, for which masks and angles of a model are made.
        longest_row = min(n for n in (self.room.tokens, context, mixing.until, max(1, self.budget.row())) if n)
        most, texts = self.room.items, self.budget.texts
        batches = []
        for group in mixing.groups(length):
            own = [length[place] - skip for place in group]
            if self.reader.packs and prompt is None:
                cut = by_length(own, lambda n: min(self.room.learned(n, size), texts(n)), longest_row)
            else:
                cut = by_cost(own, lambda n: min(size, most(n + skip, skip), texts(n + skip)), self.room.fixed)
            batches += [[rows[group[place]] for place in places] for places in cut]
        return batches


def beginnings(reader: BatchReader, rows: Sequence[int], least: int) -> list[Family]:
    """Which of the items at ``rows`` begin alike, so that sharing the beginning saves ``least`` tokens or more."""
    items = [reader.items[k] for k in rows]
    found = families([item.ids for item in items], [_most_shared(reader, item) for item in items], least=least)
    if any(family.shared for family in found) and (why := refused(reader.lm, "sharing")) is not None:
        _say(reader.lm, why)
        return [Family(tuple(rows), 0)]
    return [Family(tuple(rows[k] for k in family.rows), family.shared) for family in found]


def _most_shared(reader: BatchReader, item: Encoding) -> int:
    """Tokens of an item that may be computed elsewhere: not its last, its query, or what predicts its response."""
    if not reader.lm.mixing.fixed(len(item.ids)):
        return 0
    most = [len(item.ids) - 1]
    for readout in reader.readouts:
        if item.id in reader.missing[readout.name]:
            continue
        if isinstance(readout, Paired):
            most.append(min(item.tokens(readout.query)))
        elif isinstance(readout, ResponseLogProb):
            most.append(item.positions["prompt_end"][0])
        elif isinstance(readout, Ranged):  # a range is read where it is computed, whole
            first = min(start for start, _ in item.places(readout.role))
            most.append(max(first - isinstance(readout, TokenStats), 0))
            if reads_end(readout):  # of the keys too
                most += [min(start for start, _ in item.places(role)) for role in readout.keys]
    return min(most)


def _say(lm: LanguageModel, reason: str) -> None:
    warnings.warn(
        f"prompts are computed once for each text: {type(lm.model).__name__} cannot share them ({reason})", stacklevel=3
    )
