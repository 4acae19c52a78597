"""How a judge describes itself, so that no code depends on its class."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from ..models.errors import InnerjudgeError

Kind = Literal["trace", "rating", "choice", "pair"]
Family = Literal["hidden", "logits", "text", "baseline"]
KINDS: tuple[Kind, ...] = ("trace", "rating", "choice", "pair")
_WRITTEN = frozenset({"direct", "reasoned"})


@dataclass(frozen=True, slots=True)
class Task:
    """What a panel of judges is made for.

    Args:
        kind: Kind of item: ``"trace"``, ``"rating"``, ``"choice"`` or ``"pair"``.
        between: Positions that CLUE and the probes read.
        scale: Lowest and highest score of ratings.
        labels: Verdict labels that such items are asked for; empty for the usual ones.
        cue: What stands before the verdict; empty likewise.
        embedder: Sentence embedder of the text-only opponent; empty for none.

    Raises:
        InnerjudgeError: If there is no such kind.

    Example:
        >>> Task("rating", scale=(0, 3)).values
        (0, 1, 2, 3)
    """

    kind: str
    between: tuple[str, str] = ("reasoning_start", "reasoning_end")
    scale: tuple[int, int] = (1, 5)
    labels: tuple[str, ...] = ()
    cue: str = ""
    embedder: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InnerjudgeError(f"given the kind {self.kind!r}, expected trace, rating, choice or pair")

    @property
    def values(self) -> tuple[int, ...]:
        """All scores of the scale."""
        return tuple(range(self.scale[0], self.scale[1] + 1))


class JudgeDescription:
    """Attributes that distinguish judges; a judge overrides those that differ for it."""

    #: ``"hidden"`` (reads states, heads or the logits of all blocks), ``"logits"`` (the verdict's own logits),
    #: ``"text"`` (reads what the model wrote) or ``"baseline"``.
    family: ClassVar[Family] = "hidden"
    #: Training items that the fit left out because they lacked a needed readout.
    n_excluded_: int
    needs: tuple[str, ...]
    learns: ClassVar[bool]

    @classmethod
    def presets(cls, task: Task) -> Mapping[str, Any]:
        """Judges, not fitted, that sit on the panel of a task, by the names that reports and commands use.

        A class that does not define this itself sits on no panel: it is fitted and saved from Python only.
        """
        return {}

    @classmethod
    def sweep_presets(cls, kind: str) -> Mapping[str, Any]:
        """Judges, not fitted, that a sweep fits on one state an item, by the names of its table.

        The state is the only row of the position ``"state"``; at ``"origin"`` there is a state of zeros.
        """
        return {}

    @property
    def standardises(self) -> bool:
        """Whether it standardises the states by itself, so that a sweep need not."""
        return False

    @property
    def penalty(self) -> float | None:
        """The penalty that the fit chose; ``None`` where there is none."""
        return None

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of item that the judge reads, the one that it is made for first."""
        return ("trace", "rating", "pair")

    @property
    def pointwise(self) -> bool:
        """Whether it judges one response on its own; else it sees both responses of a pair, or all options, at once."""
        return True

    @property
    def value_range(self) -> tuple[int, int] | None:
        """Lowest and highest value of its verdict labels; ``None`` where it has none."""
        return None

    @property
    def n_values(self) -> int | None:
        """How many verdict labels it reads the logits of; ``None`` where any number will do."""
        return None

    @property
    def verdict_labels(self) -> tuple[str, ...] | None:
        """The labels that it looks for in a text; ``None`` where it reads none."""
        return None

    @property
    def reads_text(self) -> bool:
        """Whether the model must write a verdict for it."""
        return not _WRITTEN.isdisjoint(self.needs)

    @property
    def reads_reasoning(self) -> bool:
        """Whether that verdict is written after reasoning."""
        return "reasoned" in self.needs

    @property
    def needs_abstain_lines(self) -> bool:
        """Whether questions must be asked with "None of the above" and "I don't know" as their last two options."""
        return False

    @property
    def needs_threshold(self) -> bool:
        """Whether it scores without a fit but has no border between right and wrong, which ``fit`` can set."""
        return False

    @property
    def on_request(self) -> bool:
        """Whether it sits on the panel of a comparison only where it is named, or every judge is asked for."""
        return False

    @property
    def needs_labels(self) -> bool:
        """Whether its fit reads labels."""
        return True

    @property
    def reads_unlabelled(self) -> bool:
        """Whether its fit reads traces without a label as well, with a weight of 0."""
        return False

    @property
    def label_fields(self) -> tuple[str, str]:
        """Fields of an item that its fit reads before the label itself, and as the weight."""
        return ("p_correct", "sample_weight")

    @property
    def needs_permuted(self) -> bool:
        """Whether its fit reads the same questions with their options permuted too: ``fit(..., permuted=...)``."""
        return False

    @property
    def learns_in_parts(self) -> bool:
        """Whether ``fit_parts`` learns from items part by part, of which memory holds one."""
        return False

    @property
    def keeps_questions_whole(self) -> bool:
        """Whether all items of a question must lie within one part."""
        return False

    @property
    def n_left_out(self) -> int | None:
        """``n_excluded_``; ``None`` without a fit."""
        return self.__dict__.get("n_excluded_")

    @property
    def chosen_heads(self) -> tuple[tuple[int, int], ...]:
        """Attention heads that the fit chose, as ``(block 1..L, head 0..H-1)``."""
        return ()

    def fit_note(self, n: int) -> str | None:
        """What the fit on ``n`` items chose, as the end of a sentence for reports; ``None`` where it chose nothing."""
        return None
