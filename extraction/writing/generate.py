"""Text written by the model, for the judges that read text: new tokens only, batched by a budget, reproducible."""

import os
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from ...models.description import writing_refused
from ...models.errors import InnerjudgeError
from ...models.loading import LanguageModel
from ...models.positions import Encoding
from ..batching import Room, by_length, is_memory
from ..extract import unreadable_text
from ..features import Features
from ..provenance import provenance
from .answers import Completion, Settled, write_batch

#: Tokens whose keys and values are held at once, in batches of reading. With more texts a step is hardly any faster.
_HELD = 3
#: Copies of a row of logits that a step makes: the head's, one in float32, its processed form.
_LOGITS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How texts are written, ``temperature`` 0 being greedy; ``batch_size`` is the most texts a batch.

    ``memory`` are the bytes that a batch may take beside the weights, ``None`` for half of what is free. ``on_batch``
    is called with the number of items after each batch. ``InnerjudgeError`` for less than one token or a negative
    temperature.
    """

    max_new_tokens: int
    temperature: float = 0.0
    seed: int = 0
    batch_size: int = 8
    memory: int | None = None
    on_batch: Callable[[int], None] | None = None

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1 or self.temperature < 0:
            raise InnerjudgeError(
                f"given max_new_tokens={self.max_new_tokens} and temperature={self.temperature}, expected at least 1 "
                "and at least 0"
            )


class Budget:
    """How many texts of a length may be written together.

    The tokens are fixed by the device, so that a seed gives the same texts wherever the bytes suffice.
    """

    def __init__(self, lm: LanguageModel, limits: Limits) -> None:
        self._room, self._limits = Room(lm.device, None), limits
        self._memory = free_memory(lm.device) // 2 if limits.memory is None else limits.memory
        a, size = lm.anatomy, lm.model.dtype.itemsize
        matrices = [p.shape for p in a.blocks[-1].parameters() if p.ndim == 2]
        widest = max((max(shape) for shape in matrices), default=a.width)
        #: Bytes of the keys and values of a token, of its states inside a block, and of a row of logits.
        self.held = 2 * a.n_blocks * max(a.n_kv_heads * a.head_dim, 1) * size
        self.read = 4 * (a.width + widest) * size
        self.logits = _LOGITS * 4 * int(getattr(lm.model.config.get_text_config(decoder=True), "vocab_size", 0))

    def rows(self, length: int) -> int:
        """Texts at once whose longest prompt has this many tokens; at least 1."""
        whole = length + self._limits.max_new_tokens
        tokens = min(self._room.tokens // max(length, 1), _HELD * self._room.tokens // whole)
        each = whole * self.held + length * self.read + self.logits
        return max(1, min(self._limits.batch_size, tokens, self._memory // each))


def free_memory(device: torch.device) -> int:
    """Bytes that are free where a model runs."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            found = {name: int(rest.split()[0]) for name, rest in (line.split(":", 1) for line in lines)}
        return found["MemAvailable"] * 1024
    except (OSError, KeyError):  # not Linux
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def complete(
    lm: LanguageModel,
    items: Sequence[Encoding],
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
    batch_size: int = 8,
    memory: int | None = None,
    settled: Settled | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> list[Completion | str]:
    """Let the model go on after each item: one completion an item, in order, or why there is none (a string).

    Ids need not be unique: samples of one prompt in a batch read it once where the model's cache can be shared.
    ``temperature`` 0 is greedy, else plain sampling: what the model's own generation config says does not count. Same
    seed, batch size and items: same text; the caller's random state is kept. A batch has at most ``batch_size``
    prompts, fewer of long ones (:class:`Budget`); greedy text does not depend on it beyond float error. ``memory`` and
    ``on_batch`` as in :class:`Limits`. A text ends where ``settled`` says that nothing more of it is wanted.
    """
    found: dict[int, Completion] = {}

    def write(rows: list[int]) -> None:
        texts = write_batch(lm, items, rows, max_new_tokens, temperature=temperature, settled=settled)
        found.update(zip(rows, texts, strict=True))

    limits = Limits(
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        seed=seed,
        batch_size=batch_size,
        memory=memory,
        on_batch=on_batch,
    )
    reasons = in_batches(lm, items, write, limits)
    return [reasons[k] if k in reasons else found[k] for k in range(len(items))]


def in_batches(
    lm: LanguageModel, items: Sequence[Encoding], write: Callable[[list[int]], None], limits: Limits
) -> dict[int, str]:
    """Have ``write`` called with the items of every batch, and return why others have no room for a text.

    Batches are of similar length, stay within the budget, and leave nothing to padding that this model would read; one
    that does not fit in memory is halved. ``seed`` is set, and the caller's random state kept.
    """
    reasons = {k: why for k, item in enumerate(items) if (why := _no_room(lm, item, limits.max_new_tokens))}
    open_rows = [k for k in range(len(items)) if k not in reasons]
    done = limits.on_batch or (lambda _n: None)
    if reasons:
        done(len(reasons))
    ragged = len({len(items[k].ids) for k in open_rows}) > 1
    if ragged and limits.batch_size > 1 and (why := writing_refused(lm)) is not None:
        limits = replace(limits, batch_size=1)
        warnings.warn(f"texts are written one at a time: {type(lm.model).__name__}: {why}", stacklevel=3)
    with torch.random.fork_rng(devices=[lm.device] if lm.device.type == "cuda" else []):
        torch.manual_seed(limits.seed)
        most = Budget(lm, limits).rows
        groups = lm.mixing.groups([len(items[k].ids) for k in open_rows], limits.max_new_tokens)
        for group in ([open_rows[k] for k in places] for places in groups):
            for rows in by_length([items[k] for k in group], most):
                waiting = [[group[k] for k in rows]]
                while waiting:
                    batch = waiting.pop()
                    if _fits(write, batch):
                        continue
                    if len(batch) == 1:
                        length = len(items[batch[0]].ids)
                        reasons[batch[0]] = (
                            f"{length} tokens and a text, for which the memory of {lm.device} is too small"
                        )
                    else:
                        waiting += [batch[len(batch) // 2 :], batch[: len(batch) // 2]]
                done(len(rows))
    return reasons


def generate(
    lm: LanguageModel,
    items: Sequence[Encoding],
    *,
    name: str,
    max_new_tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
    batch_size: int = 8,
    memory: int | None = None,
    settled: Settled | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> Features:
    """:func:`complete` as features: ``texts[name]``, with reasons in ``missing``, for a text judge to read."""
    started = time.perf_counter()
    found = complete(
        lm,
        items,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        seed=seed,
        batch_size=batch_size,
        memory=memory,
        settled=settled,
        on_batch=on_batch,
    )
    reasons = {item.id: why for item, why in zip(items, found, strict=True) if isinstance(why, str)}
    return Features(
        ids=tuple(item.id for item in items),
        groups=tuple(item.group for item in items),
        provenance=provenance(lm),
        texts={name: tuple("" if isinstance(one, str) else one.text for one in found)},
        missing={name: reasons} if reasons else {},
        seconds={name: time.perf_counter() - started},
    )


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
