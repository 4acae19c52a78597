"""How many texts may be read or written together: by what they take of the memory, whatever the batch size."""

import math

import torch

from ..models.caching import free_memory
from ..models.loading import LanguageModel
from .batching import Room

#: Tokens whose keys and values are held at once, in batches of reading. With more texts a step is hardly any faster.
_HELD = 3
#: Copies of a row of logits that a step makes: the head's, one in float32, its processed form.
_LOGITS = 3


class Budget:
    """Bytes that a batch may take beside the weights, :attr:`.LanguageModel.memory`, and what texts take of them.

    By default it is half of what is free now, and a text alone may take all of that.
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
        """Bytes of a text of so many tokens while it is read, or while ``new`` ones are written after it."""
        written = (length + new) * self.held + self.logits if new else 0
        return length * self.read + length * length * (self._alone_paired if alone else self.paired) + written

    def texts(self, length: int, new: int = 0) -> int:
        """Texts at once of which the longest has so many tokens; at least 1."""
        return max(1, self.bytes // self.of(length, new))

    def row(self) -> int:
        """Tokens of the longest packed row: of all of them every two have a mask between them."""
        if not self.paired:
            return self.bytes // self.read
        return int((math.sqrt(self.read**2 + 4 * self.paired * self.bytes) - self.read) / (2 * self.paired))

    def rows(self, length: int, new: int, batch_size: int) -> int:
        """Texts to write at once whose longest prompt has ``length`` tokens; at least 1."""
        return min(batch_size, written_at_once(self._device, length, new), self.texts(length, new))

    def refused(self, length: int, new: int = 0) -> str | None:
        """Why a text of so many tokens cannot be read, or gone on from, even alone; ``None`` if it can."""
        needed = self.of(length, new, alone=True)
        told = f"{length} tokens take about {needed / 1e9:.2g} GB, more than the {self._alone / 1e9:.2g} GB"
        return f"{told} that are free or given as memory" if needed > self._alone else None


def written_at_once(device: torch.device, length: int, new: int) -> int:
    """Texts of ``length`` tokens after which ``new`` are written at once, where the bytes suffice; at least 1.

    It is fixed by the device, so that a seed gives the same texts.
    """
    room = Room(device, None).tokens
    return max(1, min(room // max(length, 1), _HELD * room // (length + new)))
