"""A start for one head: for a while, attention from the answer's cue to the right option's line is rewarded.

Left alone, a model of this size names options by their words and never looks at the ends of their lines (the model card
says what was tried). So at the beginning of training one head is told where to look (attention supervision, as in Liu
et al. 2016, arXiv 1609.04186). After that only its usefulness to the model keeps it there.
"""

import torch
from transformers import LlamaForCausalLM
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

#: The head that is given a start: block (1..L) and query head (0..H-1).
BLOCK, HEAD = 4, 0
#: Weight of the reward against the loss on the text.
POINTING_WEIGHT = 0.3


class Pointer:
    """Watches one head's inputs in the forward pass and says how much it looks at the right option.

    Example:
        >>> from innerjudge.models.reference.training.measure import load
        >>> model, _ = load()
        >>> pointer = Pointer(model)
        >>> _ = model(input_ids=torch.tensor([[5, 6, 7, 8]]))
        >>> weight = pointer.loss(torch.tensor([[3, 1]])).neg().exp()  # of token 3 on token 1
        >>> 0 < weight.item() < 1
        True
    """

    def __init__(self, model: LlamaForCausalLM) -> None:
        self.attention = model.model.layers[BLOCK - 1].self_attn
        self.group: int = self.attention.num_key_value_groups
        self._states = torch.empty(0)
        self._rotary: tuple[torch.Tensor, torch.Tensor] = (self._states, self._states)
        self.attention.register_forward_pre_hook(self._keep, with_kwargs=True)

    def _keep(self, module: object, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        states, rotary = kwargs["hidden_states"], kwargs["position_embeddings"]
        assert isinstance(states, torch.Tensor) and isinstance(rotary, tuple)  # noqa: PT018
        self._states, self._rotary = states, rotary

    def loss(self, pointers: torch.Tensor) -> torch.Tensor:
        """Mean of ``-log`` attention weight from the cue to the right option's end, over the rows that have one.

        Args:
            pointers: ``[B, 2]``, the tokens of cue and option's end in each row of the last pass; -1 for none.

        Returns:
            A scalar with a gradient; 0 where no row has a pointer.
        """
        rows = (pointers[:, 0] >= 0).nonzero()[:, 0]
        if not len(rows):
            return torch.zeros(())
        cue, end = pointers[rows].unbind(1)
        states, size = self._states[rows], self.attention.head_dim
        first, key = HEAD * size, HEAD // self.group * size
        query_weight = self.attention.q_proj.weight[first : first + size]
        key_weight = self.attention.k_proj.weight[key : key + size]
        queries, keys = apply_rotary_pos_emb(
            (states @ query_weight.T)[:, None], (states @ key_weight.T)[:, None], *self._rotary
        )
        asked = queries[torch.arange(len(rows)), 0, cue]
        products = torch.einsum("bd,btd->bt", asked, keys[:, 0]) * self.attention.scaling
        later = torch.arange(products.shape[1]) > cue[:, None]
        each = products.masked_fill(later, -torch.inf).log_softmax(-1).gather(1, end[:, None])
        mean: torch.Tensor = -each.mean()
        return mean
