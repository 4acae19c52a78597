"""Keys of a prompt, kept for the texts that go on after it: what those see of them is rotated already."""

import torch
from torch import Tensor

from ...models.attention_calls import AttentionCall
from ...models.heads import Heads
from ...models.loading import LanguageModel
from ...models.rotary import refusal
from .block_attention import BlockAttention


class PromptKeys(BlockAttention):
    """Keeps the keys of a few ``tokens`` (``[K]``, in order) of one prompt as they were before the rotary embedding."""

    def __init__(self, lm: LanguageModel, tokens: Tensor, *, kinds: frozenset[str], last: int) -> None:
        super().__init__(lm, 1, kinds=kinds, last=last, lent=0)
        self._tokens = tokens
        self._kept: dict[tuple[int, int], Tensor] = {}

    def at(self, block: int, number: int, tokens: Tensor) -> Tensor:
        """Keys of ``tokens`` (``[B, K]``; those that are not kept give any) in one attention: ``[B, Hkv, K, hd]``."""
        place = nearest(self._tokens, tokens)
        kept = self._kept[block, number][0]
        return kept[:, place.to(kept.device)].movedim(1, 0)

    def _read(self, call: AttentionCall, heads: Heads, number: int) -> None:
        if "qk/before" not in self._kinds or not heads.rotary or heads.unreadable or call.key is None:
            return
        at = self._tokens.to(call.key.device)[None]
        self._require_token_keys(call, None)
        plain = self._unrotated.keys(heads, call.key, at)
        if plain is None:
            raise refusal(self._family)
        self._kept[self._block, number] = plain


def nearest(kept: Tensor, wanted: Tensor) -> Tensor:
    """Places of ``wanted`` in ``kept`` (``[K]``, in order); any place for what is not there.

    Example:
        >>> nearest(torch.tensor([3, 8]), torch.tensor([[8, 3, 99]])).tolist()
        [[1, 0, 1]]
    """
    return torch.searchsorted(kept, wanted.to(kept.device).contiguous()).clamp(max=len(kept) - 1)
