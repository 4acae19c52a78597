"""Text written by the model, for judges that read text: new tokens only, in batches that fit, reproducible."""

import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Required, TypedDict, Unpack

import torch

from ...models.arguments import Count, NotNegative, checked_fields
from ...models.description import refused
from ...models.loading import LanguageModel
from ...models.positions import Encoding
from ..batching import by_length, is_memory
from ..extract import unreadable_text
from ..features import Features
from ..provenance import provenance
from ..schedule import Budget
from .answers import Completion, Settled, write_batch
from .confidence import LeastConfidence


@checked_fields
@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How texts are written: ``temperature`` 0 is greedy; ``batch_size`` is the most texts in a batch.

    ``on_batch`` is called with the number of items after each batch. ``InnerjudgeError`` if ``max_new_tokens`` is below
    1 or ``temperature`` below 0.
    """

    max_new_tokens: Count
    temperature: NotNegative = 0.0
    seed: int = 0
    batch_size: int = 8
    on_batch: Callable[[int], None] | None = None

    def keys(self, items: Sequence[Encoding]) -> list[int]:
        """The number that each text draws by, from the seed, its id, and how many before it have the same id.

        Example:
            >>> items = [Encoding(id=name, group="", ids=(1,), positions={}) for name in ("a", "b", "a")]
            >>> both, alone = Limits(max_new_tokens=1).keys(items), Limits(max_new_tokens=1).keys(items[1:])
            >>> both[1] == alone[0], len({*both}), Limits(max_new_tokens=1, seed=1).keys(items)[1] == both[1]
            (True, 3, False)
        """
        seen, found = Counter[str](), []
        for item in items:
            told = repr((int(self.seed), item.id, seen[item.id])).encode()
            found.append(int.from_bytes(blake2b(told, digest_size=7).digest()))
            seen[item.id] += 1
        return found


class Written(TypedDict, total=False):
    """The fields of :class:`Limits`, for the functions that are given them by name."""

    max_new_tokens: Required[int]
    temperature: float
    seed: int
    batch_size: int
    on_batch: Callable[[int], None] | None


def complete(
    lm: LanguageModel, items: Sequence[Encoding], *, settled: Settled | None = None,
    least: LeastConfidence | None = None, **how: Unpack[Written]
) -> list[Completion | str]:  # fmt: skip
    """Let the model go on after each item: one completion per item, in order, or a string that says why there is none.

    Ids need not be unique: samples of one prompt in a batch read it once where the model's cache can be shared. ``how``
    are fields of :class:`Limits`: ``temperature`` 0 is greedy, above that plain sampling; the model's own generation
    config is ignored. The same seed, id and prompt give the same text, up to float error, whatever else is written and
    in which batches; the caller's random state does not change. A batch has at most ``batch_size`` prompts, fewer if
    they are long (:class:`.Budget`). A text ends as soon as ``settled`` says that no more of it is needed, or its
    confidence is below that of ``least``: it is then ``rejected``.
    """
    found: dict[int, Completion] = {}
    limits = Limits(**how)
    keys = limits.keys(items)

    def write(rows: list[int]) -> None:
        given: Any = {"temperature": limits.temperature, "keys": keys, "settled": settled, "least": least}
        texts = write_batch(lm, items, rows, limits.max_new_tokens, **given)
        found.update(zip(rows, texts, strict=True))

    reasons = in_batches(lm, items, write, limits)
    return [reasons[k] if k in reasons else found[k] for k in range(len(items))]


def in_batches(
    lm: LanguageModel, items: Sequence[Encoding], write: Callable[[list[int]], None], limits: Limits
) -> dict[int, str]:
    """Call ``write`` with the items of every batch, and return why others have no room for a text.

    Texts of a batch are of similar length, within the budget, and not padded where this model would read padding; a
    batch that does not fit in memory is halved.
    """
    reasons = {k: why for k, item in enumerate(items) if (why := _no_room(lm, item, limits.max_new_tokens))}
    open_rows = [k for k in range(len(items)) if k not in reasons]
    done = limits.on_batch or (lambda _n: None)
    if reasons:
        done(len(reasons))
    ragged = len({len(items[k].ids) for k in open_rows}) > 1
    if ragged and limits.batch_size > 1 and (why := refused(lm, "writing")) is not None:
        limits = replace(limits, batch_size=1)
        warnings.warn(f"texts are written one at a time: {type(lm.model).__name__}: {why}", stacklevel=3)
    budget, new = Budget(lm), limits.max_new_tokens
    groups = lm.mixing.groups([len(items[k].ids) for k in open_rows], limits.max_new_tokens)
    for group in ([open_rows[k] for k in places] for places in groups):
        lengths = [len(items[k].ids) for k in group]
        for rows in by_length(lengths, lambda n: budget.rows(n, new, limits.batch_size)):
            waiting = [[group[k] for k in rows]]
            while waiting:
                batch = waiting.pop()
                length = len(items[batch[0]].ids)
                why = budget.refused(length, new)
                if why is None and _fits(write, batch):
                    continue
                if len(batch) == 1:
                    small = f"{length} tokens and a text, for which the memory of {lm.device} is too small"
                    reasons[batch[0]] = why or small
                else:
                    waiting += [batch[len(batch) // 2 :], batch[: len(batch) // 2]]
            done(len(rows))
    return reasons


def generate(
    lm: LanguageModel, items: Sequence[Encoding], *, name: str, settled: Settled | None = None, **how: Unpack[Written]
) -> Features:
    """:func:`complete` as features: ``texts[name]``, with reasons in ``missing``, for a text judge to read."""
    started = time.perf_counter()
    return as_features(lm, items, complete(lm, items, settled=settled, **how), name, started)


def as_features(
    lm: LanguageModel, items: Sequence[Encoding], found: Sequence[Completion | str], name: str, started: float
) -> Features:
    """What :func:`complete` gives as features, ``started`` being the time when it began."""
    reasons = {item.id: why for item, why in zip(items, found, strict=True) if isinstance(why, str)}
    texts = {name: tuple("" if isinstance(one, str) else one.text for one in found)}
    seconds = {name: time.perf_counter() - started}
    return Features.of_items(items, provenance(lm), {}, texts=texts, missing={name: reasons}, seconds=seconds)


def _fits(write: Callable[[list[int]], None], rows: list[int]) -> bool:
    """Write a batch; false where memory ran out."""
    try:
        write(rows)
    except (RuntimeError, MemoryError) as error:
        if not is_memory(error):
            raise
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return False
    return True


def _no_room(lm: LanguageModel, item: Encoding, max_new_tokens: int) -> str | None:
    context = lm.anatomy.context
    if "*" in item.missing:
        return item.missing["*"]
    if (why := unreadable_text(lm, item)) is not None:
        return why
    if context is None or len(item.ids) + max_new_tokens <= context:
        return None
    return (
        f"{len(item.ids)} prompt tokens leave no room for {max_new_tokens} new ones in the model's context of {context}"
    )
