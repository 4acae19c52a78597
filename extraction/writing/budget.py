"""Which texts are written together: no more than a budget of tokens and of bytes holds, whatever their lengths."""

import os
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ...models.errors import InnerjudgeError
from ...models.loading import LanguageModel
from ..room import Room

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

    Example:
        >>> from innerjudge.models.loading import load
        >>> budget = Budget(load("reference"), Limits(max_new_tokens=28, batch_size=64))
        >>> budget.rows(100)  # CPU: 2048 tokens of prompts are read at once, and 3 * 2048 are held
        20
        >>> budget.rows(4)  # as many as were asked for
        64
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
