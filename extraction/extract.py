"""One forward pass per batch, which keeps only what the readouts ask for."""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from ..models.arguments import checked
from ..models.caching import packs_by_itself
from ..models.description import refused
from ..models.errors import InnerjudgeError
from ..models.loading import LanguageModel
from ..models.positions import Encoding
from .batching import PaddingSide, Room
from .feature_arrays import Array, put
from .features import Features, require_unique
from .one_pass import row_shape
from .provenance import provenance
from .ragged import Ragged, widen
from .reader import BatchReader
from .readout_names import reads_end, reads_labels
from .readouts import HiddenStates, LabelLogits, Readout, TokenStats
from .schedule import Budget, Sweep


@checked
def extract(
    lm: LanguageModel,
    items: Sequence[Encoding],
    readouts: Sequence[Readout],
    *,
    batch_size: int = 8,
    max_tokens: int | None = None,
    padding_side: PaddingSide = "right",
    last_block: int | None = None,
    share_prompts: bool = True,
    packed: bool | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> Features:
    """Run the model over ``items`` and keep the readouts.

    ``InnerjudgeError`` if there are no items or no readouts, none of the readouts can be read in this model, or
    ``last_block`` is not one of its blocks or comes before what a readout needs.

    Args:
        lm: The model.
        items: Encoded items; ids must be unique.
        readouts: What to keep; all of them come from the same pass.
        batch_size: Most items in a batch. Changes nothing beyond float error (in half precision: the last digits).
        max_tokens: Most tokens in a batch, padding included; ``None`` for what suits the device. A batch that does not
            fit in memory is halved, and so are later ones with texts as long. Batches are smaller where they would take
            more than :attr:`.LanguageModel.memory`. Changes nothing beyond float error.
        padding_side: Side of the padding. Changes nothing beyond float error: a model that would read a padded text
            differently (positions that it counts itself, a recurrence without a mask) is padded on its other side, or
            not at all.
        last_block: Stop after this block, ``1..L``: later blocks are not run, and arrays hold only rows
            ``h[0..last_block]``, without the final-normed row, and heads of blocks ``1..last_block``. ``None`` for all.
        share_prompts: Compute a beginning that several texts share only once, where that pays: it runs in a pass of its
            own, and the rest of each text uses its keys and values. Changes nothing beyond float error. A model for
            which it would is read text by text, with a warning.
        packed: Lay the items of a batch end to end in one row, so that nothing is padding and ``max_tokens`` counts
            their own tokens. ``None`` where that pays: on a GPU, with a flash or flex attention kernel. Changes nothing
            beyond float error. A model for which it would (a recurrence that runs on into the next text, positions
            that it counts itself) is padded, with a warning where it was asked for. What follows a prompt that several
            texts share is padded in any case.
        on_batch: Called with the number of items after each batch.

    Returns:
        Features with one array per readout, in the order of ``items``. Readouts of labels or options come with the
        array ``labels``, their number in each item; readouts with several rows per item are in ``ragged``. An item that
        is too long for the model's context, or takes too much memory even alone, is missing in all of them: it is never
        cut. A readout that this model does not give is missing in all items, unless it is the only one.

    Example:
        >>> from innerjudge.models.loading import load
        >>> from innerjudge.models.positions import encode_prompt
        >>> from innerjudge.models.prompts import rating_prompt
        >>> lm = load("reference")
        >>> item = encode_prompt(lm.tokenizer, "r1", "r1", rating_prompt("Say hi.", "hi"))
        >>> extract(lm, [item], [LabelLogits()])["logits/score"].shape == (1, 2, lm.anatomy.n_blocks + 1, 5)
        True
    """
    if not items or not readouts:
        raise InnerjudgeError(f"given {len(items)} items and {len(readouts)} readouts, expected at least one of each")
    require_unique([item.id for item in items])
    last = _last(lm, readouts, last_block)
    gathered = Gathering(lm, items, readouts, last)
    missing = gathered.missing
    readable = [k for k, item in enumerate(items) if any(item.id not in missing[r.name] for r in readouts)]
    if on_batch is not None and len(readable) < len(items):
        on_batch(len(items) - len(readable))
    together = _packs(lm, packed)
    side = padding_side
    if not together:
        side, batch_size = _padding(lm, [items[k] for k in readable], padding_side, batch_size)

    given = list(readouts)
    reader = BatchReader(lm=lm, items=items, readouts=given, missing=missing, side=side, packs=together, last=last)
    sweep = Sweep(reader, batch_size, Room(lm.device, max_tokens), Budget(lm))
    with lm.uncompiled():
        for chosen, values in sweep.run(readable, share=share_prompts):
            gathered.put(values, chosen)
            if on_batch is not None:
                on_batch(len(chosen))
    return gathered.features()


def stream(
    lm: LanguageModel, items: Sequence[Encoding], readouts: Sequence[Readout], *, chunk: int = 64, batch_size: int = 8
) -> Iterator[Features]:
    """Yield features of ``chunk`` items at a time, in order: for ``partial_fit``, so that no state is stored."""
    for start in range(0, len(items), chunk):
        yield extract(lm, items[start : start + chunk], readouts, batch_size=batch_size)


def unreadable_text(lm: LanguageModel, item: Encoding) -> str | None:
    """Why the text of an item cannot be read: it is too long, or has tokens without states; ``None`` if it can."""
    context, length = lm.anatomy.context, len(item.ids)
    if context is not None and length > context:
        return f"{length} tokens, longer than the model's context of {context}; not cut"
    odd = next((token for token in (*item.ids, *item.label_ids) if not 0 <= token < lm.n_ids), None)
    if odd is None:
        return None
    spelled = lm.tokenizer.convert_ids_to_tokens(odd) if 0 <= odd < lm.n_known else None
    if spelled is None:
        return f"token {odd} is none of the model's {lm.n_ids}, nor of its tokenizer's: another model sampled it"
    return (
        f"token {odd} ({spelled!r}) is none of the model's {lm.n_ids}: its tokenizer has tokens that its embedding "
        "lacks; call model.resize_token_embeddings(len(tokenizer)) and train them"
    )


def _padding(lm: LanguageModel, items: Sequence[Encoding], side: PaddingSide, size: int) -> tuple[PaddingSide, int]:
    """The side to pad on and the size of a batch with which the model reads padded texts as it reads them alone."""
    if size == 1 or len({len(item.ids) for item in items}) <= 1 or side in lm.padding_sides:
        return side, size
    other: PaddingSide = "right" if side == "left" else "left"
    if other in lm.padding_sides:
        return other, size
    warnings.warn(f"texts are read one at a time: {type(lm.model).__name__}: {refused(lm, 'padding')}", stacklevel=3)
    return side, 1


def _packs(lm: LanguageModel, asked: bool | None) -> bool:
    """Whether items lie end to end: where that was asked for, or pays, and the model reads them as it does alone."""
    if asked is None:
        return packs_by_itself(lm.device, lm.attention) and lm.reads_packed
    if asked and (why := refused(lm, "packing")) is not None:
        warnings.warn(f"texts are padded: {type(lm.model).__name__}: {why}", stacklevel=3)
        return False
    return asked


def _last(lm: LanguageModel, readouts: Sequence[Readout], last_block: int | None) -> int:
    n = lm.anatomy.n_blocks
    if last_block is None:
        return n
    if not 1 <= last_block <= n:
        raise InnerjudgeError(f"given last_block={last_block}, expected one of the model's {n} blocks, 1..{n}")
    if last_block < n and any(map(reads_end, readouts)):
        raise InnerjudgeError.of("extraction.last-block", last_block, n)
    return last_block


def lacking(readout: Readout, items: Sequence[Encoding], lm: LanguageModel | None) -> dict[str, str]:
    """Item id -> why the item has no position for the readout, or the model cannot read it."""
    reasons: dict[str, str] = {}
    for item in items:
        long = None if lm is None or "*" in item.missing else unreadable_text(lm, item)
        roles = [r for r in readout.roles if not item.places(r)]
        if "*" in item.missing or long:
            reasons[item.id] = item.missing.get("*") or str(long)
        elif roles:
            reasons[item.id] = item.missing.get(roles[0], f"no position {roles[0]!r}")
        elif isinstance(readout, TokenStats):
            places = item.places(readout.role)
            if places[-1][1] <= 1 or (readout.what != readout.statistic and any(end <= 1 for _, end in places)):
                reasons[item.id] = "nothing stands before the first token, so that nothing predicts it"
        elif isinstance(readout, HiddenStates | LabelLogits) and len(item.tokens(readout.position)) > 1:
            raise InnerjudgeError(f"given {readout}, expected a position of one token, not several as in option_end")
        elif not readout.ragged and len(item.places(readout.roles[0])) > 1:
            raise InnerjudgeError(f"given {readout}, of which an item has several ranges, expected one")
        elif not item.label_ids and (isinstance(readout, LabelLogits) or getattr(readout, "what", "") == "labels"):
            reasons[item.id] = item.missing.get("labels", "no labels to read the logits of")
    return reasons


class Gathering:
    """Values of passes that stop after block ``last``, put in batch by batch until they are the features of all items.

    ``missing`` says which items lack a readout, and why; it may be added to meanwhile.
    """

    def __init__(
        self, lm: LanguageModel, items: Sequence[Encoding], readouts: Sequence[Readout], last: int | None = None
    ) -> None:
        self._lm, self._items, self._readouts = lm, items, readouts
        self._last = lm.anatomy.n_blocks if last is None else last
        self.started = time.perf_counter()
        self.missing = {r.name: lacking(r, items, lm) for r in readouts}
        self._arrays: dict[str, Array] = {}
        self._rows: dict[str, dict[int, Array]] = {}
        if any(map(reads_labels, readouts)):
            both = ((item.label_ids, item.positions.get("option_end", ())) for item in items)
            self._arrays["labels"] = np.array([max(map(len, some)) for some in both], dtype=np.float32)

    def put(self, values: Mapping[str, Array | Ragged], places: Sequence[int]) -> None:
        """Take the values of the items at ``places``."""
        for name, value in values.items():
            if isinstance(value, Ragged):
                self._rows.setdefault(name, {}).update(zip(places, value, strict=True))
            elif name != "labels":  # their number, which the items tell
                put(self._arrays, name, value, places, len(self._items))

    def features(self, texts: Mapping[str, tuple[str, ...]] | None = None) -> Features:
        """All of it, and ``texts``; zeros for readouts that no item has, so that every requested name exists."""
        n, whole = len(self._items), self._last == self._lm.anatomy.n_blocks
        values: dict[str, Array | Ragged] = {**self._arrays}
        for readout in self._readouts:
            shape = row_shape(self._lm, self._items, readout, self._last)
            if readout.ragged:
                rows, none = self._rows.get(readout.name, {}), np.zeros((0, *shape), np.float32)
                values[readout.name] = Ragged.of([widen(rows.get(k, none), none.shape[-1]) for k in range(n)], shape)
            else:
                values.setdefault(readout.name, np.zeros((n, *shape), np.float32))
        origin = provenance(self._lm, last_block=None if whole else self._last)
        seconds = dict.fromkeys(self.missing, time.perf_counter() - self.started)
        return Features.of_items(self._items, origin, values, texts=texts or {}, missing=self.missing, seconds=seconds)
