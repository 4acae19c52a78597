"""How the model is run over items, and what is read of them."""

from dataclasses import dataclass

from ...extraction.provenance import WITHOUT_ABSTAIN
from ...models.arguments import checked_fields
from ...models.errors import InnerjudgeError
from ...models.markers import THINK
from .progress import Steps, silent

#: Everything but generated text.
HIDDEN_NEEDS = frozenset(
    f"hidden/{p}" for p in ("prompt_end", "response_end", "reasoning_start", "reasoning_end", "score")
) | {"labels", "logits/score", "qk/before", "qk/after", "attention", "logprob"}

#: New tokens for a verdict that follows its cue, and for one after reasoning.
DIRECT_TOKENS = 8


@checked_fields
@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """How the model is run.

    Args:
        batch_size: Items a batch, at most; four times as many while text is written.
        memory: Bytes that a batch of texts that are written may take beside the weights; ``None`` for half of what is
            free.
        needs: Names of readouts and generations that are wanted; passes that give none of them are left out.
            ``None`` wants all.
        reasoning_tokens: Most new tokens of an answer after reasoning; 0 leaves reasoned text judging out.
        scale: Lowest and highest score of ratings.
        abstain: Whether choices are asked with "None of the above" and "I don't know" as their last two options, as in
            the QK-score paper.
        markers: Opening and closing reasoning marker.
        steps: Where progress is shown.
        last_block: The block that passes stop after; ``None`` for whole passes, which alone have log-probabilities.
    """

    batch_size: int = 16
    memory: int | None = None
    needs: frozenset[str] | None = None
    reasoning_tokens: int = 128
    scale: tuple[int, int] = (1, 5)
    abstain: bool = True
    markers: tuple[str, str] = THINK
    steps: Steps = silent
    last_block: int | None = None

    def wants(self, *names: str) -> bool:
        """Whether any of ``names`` is wanted."""
        return self.needs is None or bool(self.needs.intersection(names))

    def __post_init__(self) -> None:
        if self.needs is not None and "reasoned" in self.needs and not self.reasoning_tokens:
            raise InnerjudgeError(
                "given reasoning_tokens=0 with a judge of text written after reasoning, expected at least 1: raise it"
            )

    @property
    def writing_batch(self) -> int:
        """Items a batch while text is written: one token each a step, so that many fit where few are read at once."""
        return 4 * self.batch_size

    @property
    def prompt(self) -> str:
        """:attr:`Provenance.prompt` of choices asked this way."""
        return "" if self.abstain else WITHOUT_ABSTAIN
