"""The texts that the variants of a section are given: random tokens, with every position that a judge reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ....extraction.batching import Batch, collate
from ....extraction.readouts import AttentionWeights, HiddenStates, LabelLogits, QueryKey, Readout
from ....models.loading import LanguageModel
from ....models.positions import Encoding

#: What CLUE, LAGER, QK-score and Attention-score read, in one pass.
CORE: tuple[Readout, ...] = (
    HiddenStates("reasoning_start"),
    HiddenStates("reasoning_end"),
    LabelLogits("score"),
    QueryKey("before"),
    AttentionWeights(),
)


@dataclass(frozen=True, slots=True)
class Work:
    """One model and the texts for it.

    Args:
        lm: The model.
        items: The texts.
        shape: Name of the model's shape.
        dtype: Type of its weights.
    """

    lm: LanguageModel
    items: tuple[Encoding, ...]
    shape: str
    dtype: str

    def batches(self, size: int) -> list[Batch]:
        """The texts padded in the given order, ``size`` at a time."""
        lm = self.lm
        groups = [self.items[k : k + size] for k in range(0, len(self.items), size)]
        return [collate(group, pad_id=lm.pad_id, side="right", device=lm.device) for group in groups]

    def positions(self, at: int, size: int) -> Tensor:
        """Tokens that :data:`CORE` reads of the batch that starts with item ``at``: ``[B, 3]``."""
        roles = ("reasoning_start", "reasoning_end", "score")
        rows = [[item.positions[role][0] for role in roles] for item in self.items[at : at + size]]
        return torch.tensor(rows, device=self.lm.device)


def texts(lm: LanguageModel, lengths: Sequence[int], *, prompt: int = 0, seed: int = 0) -> tuple[Encoding, ...]:
    """Random tokens of the given lengths.

    Args:
        lm: Whose vocabulary.
        lengths: Tokens of each text, at least 12.
        prompt: Tokens at the beginning that all share.
        seed: Of the tokens.
    """
    random = torch.Generator().manual_seed(seed)
    embedding: Any = lm.model.get_input_embeddings()
    size = int(embedding.weight.shape[0])
    shared = torch.randint(4, size, (prompt,), generator=random).tolist()
    made = []
    for k, length in enumerate(lengths):
        own = torch.randint(4, size, (length - prompt,), generator=random).tolist()
        ends = tuple(range(length - 9, length - 1, 2))
        made.append(
            Encoding(
                id=f"text-{k}",
                group="prompt" if prompt else f"text-{k}",
                ids=(*shared, *own),
                positions={
                    "prompt_end": (max(prompt - 1, 1),),
                    "reasoning_start": (max(prompt - 1, 2),),
                    "reasoning_end": (length - 10,),
                    "response_end": (length - 1,),
                    "score": (length - 1,),
                    "option_end": ends,
                },
                label_ids=(5, 6, 7, 8, 9),
            )
        )
    return tuple(made)
