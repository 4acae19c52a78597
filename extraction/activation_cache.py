"""Features under the names that TransformerLens gives to activations."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from ..models.errors import InnerjudgeError
from .feature_arrays import as_tensor
from .features import Features

#: Shorthand of TransformerLens -> full name with the number of the block.
_SHORT = {
    "resid_pre": "blocks.{}.hook_resid_pre",
    "resid_post": "blocks.{}.hook_resid_post",
    "pattern": "blocks.{}.attn.hook_pattern",
}


class ActivationMapping(Mapping[str, Tensor]):
    """Hidden states and attention rows as ``cache["blocks.3.hook_resid_post"]`` or ``cache["resid_post", 3]``.

    The names and axes are those of TransformerLens' ``ActivationCache`` (blocks counted from 0), except that only the
    positions that were read are there: ``hook_resid_pre``, ``hook_resid_post`` ``[n, P, D]`` and ``ln_final.hook_out``
    ``[n, P, D]`` with one row a position in the order given (all, sorted, if left out), ``attn.hook_pattern``
    ``[n, H, 1, K]`` with the one query and the ``K`` keys of the readout. Features with neither are refused.

    Example:
        >>> import numpy as np
        >>> from innerjudge.extraction import Features, Provenance
        >>> rows = np.arange(8, dtype=np.float32).reshape(1, 4, 2)  # h[0], h[1], h[2], final-normed
        >>> features = Features(ids=("a",), groups=("a",), arrays={"hidden/score": rows},
        ...                     provenance=Provenance("m", None, "f", "float32", "sdpa", "none"))
        >>> cache = ActivationMapping(features)
        >>> cache["resid_post", 1].tolist(), cache["blocks.0.hook_resid_pre"].tolist()
        ([[[4.0, 5.0]]], [[[0.0, 1.0]]])
        >>> list(cache)[-1]
        'ln_final.hook_out'
    """

    def __init__(self, features: Features, positions: tuple[str, ...] | None = None) -> None:
        held = sorted(name.removeprefix("hidden/") for name in features.arrays if name.startswith("hidden/"))
        roles = tuple(held) if positions is None else positions
        self._rows = [as_tensor(features[f"hidden/{role}"]) for role in roles]
        attention = features.arrays.get("attention")
        self._attention = None if attention is None else as_tensor(attention)
        if not self._rows and self._attention is None:
            given = sorted(features.arrays)
            raise InnerjudgeError(
                f"given features with {given}, expected hidden states or attention rows: extract with HiddenStates or "
                "AttentionWeights"
            )
        self._whole = features.provenance.last_block is None
        self._names = dict(self._places())

    def __getitem__(self, key: str | tuple[str, int]) -> Tensor:
        if not isinstance(key, str):
            short, block = key
            key = _SHORT.get(short, short).format(block + self.n_blocks if block < 0 else block)
        kind, row = self._names[key]
        if kind == "attention":
            assert self._attention is not None
            return self._attention[:, row, :, None]
        return torch.stack([rows[:, row] for rows in self._rows], dim=1)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    @property
    def n_blocks(self) -> int:
        """Blocks that were read."""
        if self._rows:
            return int(self._rows[0].shape[1]) - (2 if self._whole else 1)
        assert self._attention is not None
        return int(self._attention.shape[1])

    def _places(self) -> Iterator[tuple[str, tuple[str, int]]]:
        for block in range(self.n_blocks):
            if self._rows:
                yield _SHORT["resid_pre"].format(block), ("hidden", block)
                yield _SHORT["resid_post"].format(block), ("hidden", block + 1)
            if self._attention is not None:
                yield _SHORT["pattern"].format(block), ("attention", block)
        if self._rows and self._whole:
            yield "ln_final.hook_out", ("hidden", self.n_blocks + 1)
