"""What one pass is asked to keep.

A readout names positions by their role; the pass looks them up in each item. ``L`` is the number of blocks, ``D`` the
width of the residual stream, ``H`` the number of query heads, ``M`` the number of verdict labels, ``K`` the largest
number of options.
"""

from dataclasses import dataclass
from typing import Literal

from ..models.arguments import checked_fields


@checked_fields
@dataclass(frozen=True, slots=True)
class HiddenStates:
    """The residual stream at one position, in every block: array ``[n, L + 2, D]``.

    Row ``l`` in ``0..L`` is the raw ``h[l]`` (row 0 enters block 1, row ``L`` leaves the last block); row ``L + 1`` is
    ``final_norm(h[L])``, which Hugging Face returns as the last entry of ``hidden_states``. A model with several
    residual streams in parallel (hyper-connections) has them one after another in ``D``, and zeros behind its one
    final-normed state. A pass that stopped after block ``k`` gives ``[n, k + 1, D]``: no final-normed row.

    Example:
        >>> HiddenStates("reasoning_end").name
        'hidden/reasoning_end'
    """

    position: str

    @property
    def name(self) -> str:
        """Key in :attr:`Features.arrays`."""
        return f"hidden/{self.position}"


@checked_fields
@dataclass(frozen=True, slots=True)
class LabelLogits:
    """Logits of the verdict labels after every block: array ``[n, 2, L + 1, M]``.

    Axis 1 is (raw, normed): ``unembed(h[l])`` and ``unembed(final_norm(h[l]))`` for ``l = 0..L``, both with the model's
    own logit post-processing (bias, scale, soft-cap). ``[:, 1, L]`` are the model's logits, computed again in fp32 from
    its state and weights (in half precision the last digits differ from those that the model returns). ``unembed`` is
    the whole head, with the dense layer and norm of BERT's kind; of parallel residual streams both rows are the normed
    one, as they have no state of that width before the norm.

    Example:
        >>> LabelLogits("score").name
        'logits/score'
    """

    position: str = "score"

    @property
    def name(self) -> str:
        """Key in :attr:`Features.arrays`."""
        return f"logits/{self.position}"


@checked_fields
@dataclass(frozen=True, slots=True)
class QueryKey:
    """Query-key products between one position and several: array ``[n, L, H, K]``, zero beyond an item's options.

    ``rotary="before"`` takes queries and keys after any q/k norm and before the rotary embedding (QK-score paper, as
    its authors' later code settles it), ``"after"`` the rotated ones. No ``1/sqrt(head_dim)``, no softmax, no mask.
    Latent attention compares two parts, one of which is rotated: before rotary is the product of both, with that part
    before it turns. A factor a token behind the rotation (a norm without weights, a temperature) is in both products; a
    norm with weights behind it (HunYuan) is applied to what was not turned. What is changed behind it in another way
    has no product before it, and the readout is unscored. Heads of
    several attentions in one block stand one after another. Rows of blocks without softmax attention, of keys that are
    no tokens (compressed ones), and behind the heads of a block that has fewer than others, are zero.

    Example:
        >>> QueryKey().name
        'qk/before'
    """

    rotary: Literal["before", "after"] = "before"
    query: str = "score"
    keys: str = "option_end"

    @property
    def name(self) -> str:
        """Key in :attr:`Features.arrays`."""
        return f"qk/{self.rotary}"


@checked_fields
@dataclass(frozen=True, slots=True)
class AttentionWeights:
    """Post-softmax attention from one position to several: array ``[n, L, H, K]``, zero beyond an item's options.

    The weights that the model's own kernel uses, with its soft-cap, window, sinks and biases. Heads and empty blocks
    are laid out as in :class:`QueryKey`.

    Example:
        >>> AttentionWeights().name
        'attention'
    """

    query: str = "score"
    keys: str = "option_end"

    @property
    def name(self) -> str:
        """Key in :attr:`Features.arrays`."""
        return "attention"


@dataclass(frozen=True, slots=True)
class ResponseLogProb:
    """Sum of the response tokens' log-probabilities and their number: array ``[n, 2]``.

    The tokens after ``prompt_end`` up to and including ``response_end``, each given all before it.

    Example:
        >>> ResponseLogProb().name
        'logprob'
    """

    @property
    def name(self) -> str:
        """Key in :attr:`Features.arrays`."""
        return "logprob"


Readout = HiddenStates | LabelLogits | QueryKey | AttentionWeights | ResponseLogProb
