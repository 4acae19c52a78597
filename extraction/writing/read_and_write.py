"""Readouts of prompts and the texts that the model goes on with, from one reading of the prompts."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from ...models.errors import UnreadableError
from ...models.loading import LanguageModel
from ...models.positions import Encoding
from ..batching import Room, by_length
from ..extract import extract, fill_empty, flat, lacking
from ..feature_arrays import Array, put
from ..features import Features, require_unique
from ..one_pass import n_labels, run_batch
from ..provenance import provenance
from ..ragged import Ragged
from ..readouts import Readout, reads_labels
from ..schedule import families
from .answers import Completion, Settled, write_batch
from .generate import Budget, Limits, generate, in_batches


def read_and_write(
    lm: LanguageModel,
    items: Sequence[Encoding],
    readouts: Sequence[Readout],
    *,
    name: str,
    max_new_tokens: int,
    batch_size: int = 8,
    memory: int | None = None,
    settled: Settled | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> Features:
    """:func:`~.extract.extract` and a greedy :func:`~.generate.generate` joined, at the price of the second alone.

    The readouts are taken from the pass over the prompts with which a generation begins. Items that leave no room for a
    text are extracted alone. There are two passes for ragged readouts, where the model gives not all readouts, or would
    read prompts padded on the left differently, and where prompts begin so much alike that two readings which compute
    that once are cheaper than one which does not. Ids of items must be unique; the texts are ``texts[name]``; the rest
    is as in :func:`~.generate.complete`.
    """
    limits = Limits(max_new_tokens=max_new_tokens, batch_size=batch_size, memory=memory, on_batch=on_batch)
    ragged = len({len(item.ids) for item in items}) > 1
    if not flat(readouts) and not _shares_most(lm, items, limits) and (not ragged or "left" in lm.padding_sides):
        try:
            return _at_once(lm, items, readouts, name, limits, settled)
        except UnreadableError:
            pass  # which of the readouts the model gives, extract finds out
    features = extract(lm, items, readouts, batch_size=batch_size)
    written = generate(
        lm,
        items,
        name=name,
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        memory=memory,
        settled=settled,
        on_batch=on_batch,
    )
    return features.join(written)


def _shares_most(lm: LanguageModel, items: Sequence[Encoding], limits: Limits) -> bool:
    """Whether two readings that share what prompts begin with (all, then a batch) read fewer tokens than one."""
    least = 2 * Room(lm.device, None).fixed

    def saved(some: Sequence[Encoding]) -> int:
        most = [max(len(item.ids) - 1, 0) for item in some]
        found = families([item.ids for item in some], most, least=least)
        return sum((len(family.rows) - 1) * family.shared for family in found)

    within = sum(saved([items[k] for k in rows]) for rows in by_length(items, Budget(lm, limits).rows))
    return within + saved(items) > sum(len(item.ids) for item in items) and lm.shares_prompts


def _at_once(
    lm: LanguageModel,
    items: Sequence[Encoding],
    readouts: Sequence[Readout],
    name: str,
    limits: Limits,
    settled: Settled | None,
) -> Features:
    require_unique([item.id for item in items])
    started = time.perf_counter()
    missing = {r.name: lacking(r, items, lm) for r in readouts}
    arrays: dict[str, Array] = {}
    if any(map(reads_labels, readouts)):
        arrays["labels"] = np.array([n_labels(item) for item in items], dtype=np.float32)
    texts = [""] * len(items)

    def write(rows: list[int]) -> None:
        written: list[Completion] = []

        def go_on(read: Callable[[], None] | None = None) -> None:
            written.extend(write_batch(lm, items, rows, limits.max_new_tokens, settled=settled, after_prompts=read))

        batch = [items[k] for k in rows]
        there = [r for r in readouts if any(item.id not in missing[r.name] for item in batch)]
        if there:
            values = run_batch(lm, batch, there, missing, "left", lm.anatomy.n_blocks, write=go_on)
            for key, value in values.items():
                assert not isinstance(value, Ragged)
                put(arrays, key, value, rows, len(items))
        else:
            go_on()
        for k, one in zip(rows, written, strict=True):
            texts[k] = one.text

    reasons = in_batches(lm, items, write, limits)
    silent = [k for k in reasons if any(items[k].id not in missing[r.name] for r in readouts)]
    if silent:
        alone = extract(lm, [items[k] for k in silent], readouts, batch_size=limits.batch_size)
        for r in readouts:
            put(arrays, r.name, alone[r.name], silent, len(items))
    fill_empty(arrays, readouts, items, lm, lm.anatomy.n_blocks)
    no_text = {items[k].id: why for k, why in reasons.items()}
    seconds = time.perf_counter() - started
    return Features(
        ids=tuple(item.id for item in items),
        groups=tuple(item.group for item in items),
        provenance=provenance(lm),
        arrays=arrays,
        texts={name: tuple(texts)},
        missing={key: why for key, why in (missing | {name: no_text}).items() if why},
        seconds={r.name: seconds for r in readouts} | {name: seconds},
    )
