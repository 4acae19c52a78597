"""How a judge describes itself, so that no code depends on its class."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from ..models.errors import InnerjudgeError

Kind = Literal["trace", "rating", "choice", "pair"]
Family = Literal["hidden", "logits", "text", "baseline"]
KINDS: tuple[Kind, ...] = ("trace", "rating", "choice", "pair")
#: Judges of this package on panels and in sweeps, by class.
PRESETS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("presets.toml").read_text("utf-8"))
_NO_PARAMETERS = ("name", "kinds", "sweep")


@dataclass(frozen=True, slots=True)
class Task:
    """What a panel of judges is made for; ``InnerjudgeError`` if there is no such kind.

    Args:
        kind: Kind of item: ``"trace"``, ``"rating"``, ``"choice"`` or ``"pair"``.
        between: The positions that CLUE and the probes read.
        scale: Lowest and highest score of ratings.
        labels: The verdict labels that prompts ask for; empty for the usual ones.
        cue: The text before the verdict; empty for the usual one.
        embedder: Sentence embedder for the text-only opponent; empty for none.

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
    def target(self) -> Literal["correct", "rating", "choice"]:
        """What is predicted of an item: whether it is correct, its rating, or which option is right."""
        return "correct" if self.kind in ("trace", "pair") else "rating" if self.kind == "rating" else "choice"

    @property
    def values(self) -> tuple[int, ...]:
        """All values on the scale of ratings."""
        return tuple(range(self.scale[0], self.scale[1] + 1))


class _Derived:
    def __init__(self, find: Callable[[Any], Any]) -> None:
        self._find = find

    def __get__(self, judge: Any, _owner: object = None) -> Any:
        return self if judge is None else self._find(judge)


def derived(find: Callable[[Any], Any]) -> Any:
    """An attribute that a judge's parameters give; a subclass may replace it by a value or a property of its own."""
    return _Derived(find)


def _listed(judge: type, where: Literal["kinds", "sweep"], task: Task) -> dict[str, Any]:
    """Judges of a class for the kind of a task, from :data:`PRESETS`, with what the task says in the place of ``$``."""
    reasoning = task.between[0].startswith("reasoning")
    said: dict[str, Any] = {"$start": task.between[0], "$end": task.between[1], "$between": task.between}
    said |= {"$part": "reasoning" if reasoning else "response", "$target": task.target, "$values": task.values}
    said |= {"$labels": task.labels or ("no", "yes"), "$cue": task.cue or "Verdict:"}
    place, found = "reasoning/" if reasoning else "", {}
    for entry in PRESETS.get(judge.__name__, ()):
        if task.kind in entry.get(where, "").split():
            given = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items() if k not in _NO_PARAMETERS}
            given |= {k: v.replace("$in/", place) for k, v in given.items() if isinstance(v, str)}
            given |= {k: tuple(v.replace("$in/", place) for v in given[k]) for k in ("readouts",) if k in given}
            found[entry["name"]] = judge(**{k: said[str(v)] if str(v).startswith("$") else v for k, v in given.items()})
    return found


class JudgeDescription:
    """Attributes in which judges differ; each judge overrides those that differ from the defaults."""

    #: ``"hidden"`` (reads states, heads or the logits of all blocks), ``"logits"`` (the verdict's own logits),
    #: ``"text"`` (reads what the model wrote) or ``"baseline"``.
    family: ClassVar[Family] = "hidden"
    #: Training items that the fit left out because they lacked a needed readout.
    n_excluded_: int
    needs: tuple[str, ...]
    learns: ClassVar[bool]
    #: Whether it standardises the states by itself, so that a sweep need not.
    standardises: bool = False
    #: The penalty that the fit chose; ``None`` where there is none.
    penalty: float | None = None
    #: Kinds of item that the judge reads, the one that it is made for first.
    kinds: tuple[str, ...] = ("trace", "rating", "pair")
    #: Whether it judges one response on its own; else it sees both responses of a pair, or all options, at once.
    pointwise: bool = True
    #: Lowest and highest value of its verdict labels; ``None`` where it has none.
    value_range: tuple[int, int] | None = None
    #: How many verdict labels it reads the logits of; ``None`` where any number will do.
    n_values: int | None = None
    #: Whether it reads the model's own logits of these labels and no others, and no constant that is added to all.
    reads_own_logits: bool = False
    #: The labels that it looks for in a text; ``None`` where it reads none.
    verdict_labels: tuple[str, ...] | None = None
    #: The judge prompt that it is asked by: a file, or the name of one; ``None`` where the passes say.
    prompt: str | None = None
    #: Whether questions must be asked with "None of the above" and "I don't know" as their last two options.
    needs_abstain_lines: bool = False
    #: Whether it scores without a fit but has no border between right and wrong, which ``fit`` can set.
    needs_threshold: bool = False
    #: Whether it sits on the panel of a comparison only where it is named, or every judge is asked for.
    on_request: bool = False
    #: Whether it is about steps that items bring along: it sits on the panel of a comparison of such items only.
    of_steps: bool = derived(lambda self: self.label_fields[0] == "step_labels")
    #: Whether its fit reads labels.
    needs_labels: bool = True
    #: Whether its fit reads traces without a label as well, with a weight of 0.
    reads_unlabelled: bool = False
    #: Fields of an item that its fit reads before the label itself, and as the weight.
    label_fields: tuple[str, str] = ("p_correct", "sample_weight")
    #: Whether its fit reads the same questions with their options permuted too: ``fit(..., permuted=...)``.
    needs_permuted: bool = False
    #: Whether ``fit_parts`` learns from items part by part, of which memory holds one.
    learns_in_parts: bool = False
    #: Whether all items of a question must lie within one part.
    keeps_questions_whole: bool = False
    #: Whether a score depends on the other items of its question that are scored with it.
    scores_together: bool = False
    #: Attention heads that the fit chose, as ``(block 1..L, head 0..H-1)``.
    chosen_heads: tuple[tuple[int, int], ...] = ()
    #: Whether it needs the model to write a verdict, and whether after reasoning.
    reads_text: bool = derived(lambda self: self.reads_reasoning or "direct" in self.needs)
    reads_reasoning: bool = derived(lambda self: any("own_text" in n or n == "reasoned" for n in self.needs))
    #: ``n_excluded_``; ``None`` before a fit.
    n_left_out: int | None = derived(lambda self: self.__dict__.get("n_excluded_"))

    @classmethod
    def presets(cls, task: Task) -> Mapping[str, Any]:
        """Unfitted judges on the panel of a task, by the names that reports and commands use.

        Those of this package stand in ``presets.toml``. A class of another package that does not define this itself is
        on no panel: it is fitted and saved from Python only.
        """
        return _listed(cls, "kinds", task)

    @classmethod
    def sweep_presets(cls, kind: str) -> Mapping[str, Any]:
        """Unfitted judges that a sweep fits on one state per item, by the names of its table.

        The state is the only row at position ``"state"``; position ``"origin"`` has a state of zeros.
        """
        return _listed(cls, "sweep", Task(kind))

    def step_scores(self, features: Any) -> Any:
        """Probability that each step of each item is right; ``None`` of a judge that does not look at each step."""
        return None

    def label_of(self, extra: Mapping[str, Any], label: Any) -> Any:
        """What the fit learns of an item from its own fields; ``None`` where that is the ``label`` itself.

        ``extra`` also has the ``step_labels`` of a trace, which go to the fit as ``{"steps": ..., "correct": label}``;
        ``span_labels`` likewise.
        """
        found: Any = extra.get(self.label_fields[0])
        parts, _, rest = self.label_fields[0].partition("_")
        return {f"{parts}s": tuple(found), "correct": label} if rest == "labels" and found is not None else found

    def fit_note(self, n: int) -> str | None:
        """What the fit on ``n`` items chose, as the end of a sentence for reports; ``None`` where it chose nothing."""
        return None
