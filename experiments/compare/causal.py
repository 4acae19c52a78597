"""The causal test of select-and-copy heads (arXiv 2410.02343): what the model still answers without them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...extraction.ablation import ablated
from ...models.errors import InnerjudgeError, checked
from ...models.items import Choice
from ...models.loading import LanguageModel
from ...probes.choices import LetterLogits
from ..reading.passes import Passes
from ..reading.read import choice_features


@dataclass(frozen=True, slots=True)
class CausalTest:
    """Accuracy of the model's own letters, with heads and without.

    Args:
        heads: The chosen heads, ``(block, head)``.
        whole: Accuracy of the model as it is.
        without_chosen: Accuracy with the chosen heads zeroed.
        without_random: Accuracy with as many random heads of the same blocks zeroed, one a draw.
        n: Questions.
    """

    heads: tuple[tuple[int, int], ...]
    whole: float
    without_chosen: float
    without_random: tuple[float, ...]
    n: int

    @property
    def fall(self) -> float:
        """How much more accuracy the chosen heads cost than random ones do on average; positive if they matter."""
        return float(np.mean(self.without_random)) - self.without_chosen


@checked
def causal_test(
    lm: LanguageModel,
    choices: Sequence[Choice],
    heads: Sequence[tuple[int, int]],
    *,
    draws: int = 5,
    seed: int = 0,
    abstain: bool = True,
    batch_size: int = 16,
) -> CausalTest:
    """Zero-ablate ``heads``, and random heads of the same blocks, and let the model answer each time.

    Any model that can be read can be tested, one that a TransformerLens ``TransformerBridge`` drives as well. Choose
    the heads on other questions than those given here.

    Args:
        lm: The model.
        choices: Questions with known answers.
        heads: ``(block, head)``, such as ``heads_`` of a fitted judge.
        draws: Random draws; each takes in every block as many other heads as were chosen there, or all others if those
            are fewer.
        seed: Seed of the draws.
        abstain: Whether the last two option lines take part.
        batch_size: Questions a pass.

    Raises:
        InnerjudgeError: If there are no questions with answers, no heads, or a head that the model does not have.

    Example:
        >>> from innerjudge.models.loading import load
        >>> choice = Choice(question_id="c", question="Which is a fruit?", options=("iron", "pear"), answer=1)
        >>> result = causal_test(load("reference"), [choice], [(3, 0)], draws=2)
        >>> result.n, len(result.without_random)
        (1, 2)
    """
    known = [choice for choice in choices if choice.answer is not None]
    if not known or not heads or draws < 1:
        raise InnerjudgeError(
            f"given {len(known)} questions with answers, {len(heads)} heads and {draws} draws, expected at least "
            "one each"
        )
    random = np.random.default_rng(seed)
    passes = Passes(batch_size=batch_size, needs=frozenset({"logits/score", "labels"}))
    judge = LetterLogits(abstain=abstain)
    right = np.array([choice.answer for choice in known])

    def accuracy(out: Sequence[tuple[int, int]]) -> float:
        with ablated(lm, out):
            features = choice_features(lm, known, passes)
        said = judge.predict(features)
        return float(np.mean([one == answer for one, answer in zip(said, right, strict=True)]))

    return CausalTest(
        heads=tuple((int(b), int(h)) for b, h in heads),
        whole=accuracy([]),
        without_chosen=accuracy(heads),
        without_random=tuple(accuracy(_others(lm, heads, random)) for _ in range(draws)),
        n=len(known),
    )


def _others(lm: LanguageModel, heads: Sequence[tuple[int, int]], random: np.random.Generator) -> list[tuple[int, int]]:
    """As many other heads of the same blocks, drawn without replacement."""
    drawn = []
    for block in sorted({block for block, _ in heads}):
        chosen = {head for b, head in heads if b == block}
        others = [h for h in range(sum(one.n_heads for one in lm.anatomy.heads[block - 1])) if h not in chosen]
        picked = random.permutation(len(others))[: len(chosen)]
        drawn += [(block, others[k]) for k in picked]
    return drawn
