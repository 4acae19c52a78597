"""How many items a batch may have: a budget of tokens, adjusted after running out of memory."""

from collections.abc import Iterable

import torch

#: Tokens a batch, padding included, where none are asked for: enough to keep the cores busy, and no more in memory.
#: Starting a pass costs about a hundredth of such a batch.
_ON_CPU, _ON_GPU = 2048, 16384
#: How libraries say that memory ran out where they raise no error of their own class.
_SAID = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")


class Room:
    """The room of a run; one object for its batches, in order.

    Texts are told apart by the power of two below their length: a batch of long texts that did not fit says nothing
    about short ones.

    Args:
        device: Where the model takes its inputs.
        max_tokens: Tokens a batch, padding included; ``None`` for what suits the device.

    Example:
        >>> room = Room(torch.device("cpu"), 1000)
        >>> room.items(100)
        10
        >>> room.ran_out(10, 100)  # a batch of 10 did not fit
        >>> room.items(100), room.items(120), room.items(50)
        (5, 5, 20)
    """

    def __init__(self, device: torch.device, max_tokens: int | None) -> None:
        usual = _ON_CPU if device.type == "cpu" else _ON_GPU
        #: Tokens a batch.
        self.tokens = max_tokens or usual
        #: What a pass costs beside its tokens, in tokens.
        self.fixed = usual // 128
        self._most: dict[int, int] = {}

    def items(self, length: int, skip: int = 0) -> int:
        """Items a batch whose longest has ``length`` tokens, ``skip`` of them computed already; at least 1."""
        budget = max(1, self.tokens // max(length - skip, 1))
        return min(budget, self.learned(length, budget))

    def learned(self, length: int, most: int) -> int:
        """``most``, or fewer where a batch of texts of about ``length`` tokens did not fit."""
        return self._most.get(length.bit_length(), most)

    def ran_out(self, n: int, length: int) -> None:
        """A batch of ``n`` items, the longest of ``length`` tokens, did not fit: half as many may."""
        self._most[length.bit_length()] = max(1, n // 2)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def is_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out.

    Example:
        >>> is_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")), is_memory(KeyError(1))
        (True, False)
    """
    said: Iterable[str] = _SAID if isinstance(error, RuntimeError) else ()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(s in str(error).lower() for s in said)
