"""The text judge: what the model says, parsed from its new tokens only."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from string import ascii_uppercase
from typing import Any, Literal, Self

import numpy as np

from ..extraction.features import Features
from ..models.errors import InnerjudgeError
from .choices import mask_options
from .description import Task, derived
from .estimator import parameters
from .judge import Scores
from .value_judge import Answer, ScaleJudge, checked_values
from .verdict_text import find_verdict


@parameters
class TextJudge(ScaleJudge):
    """Reads a verdict from generated text: a score, yes or no, an option letter, or A or B.

    In ``"direct"`` generations the prompt ends with the cue and the text starts with the verdict. In ``"reasoned"``
    ones the verdict follows the last cue after the reasoning. The grammar is strict, see
    :func:`~innerjudge.probes.verdict_text.find_verdict`: a text without exactly one clear verdict is unscored, with its
    first 40 characters in the reason; nothing is guessed.

    Args:
        generation: ``"direct"`` or ``"reasoned"``: the key in ``Features.texts``.
        cue: Text before the verdict, such as ``"Score:"``; looked for in reasoned generations.
        labels: The verdict strings in order.
        values: What each is worth as a score. ``None`` for choices: scores are then one-hot ``[n, K]`` with ``K`` the
            largest number of options, ``-inf`` beyond an item's own, and the verdict's label is the 0-based index. The
            features' ``"labels"`` must then say how many options each item has: no further letter is a verdict.
        answers: The verdict's label for each value; by default the values, or ``False, True`` for ``(0, 1)``.

    Example:
        >>> from innerjudge.extraction import Features, Provenance
        >>> f = Features(ids=("a", "b"), groups=("a", "b"), provenance=Provenance("m", None, "f", "", "", ""),
        ...              texts={"direct": (" 4", " I cannot say")})
        >>> for verdict in TextJudge().verdicts(f):
        ...     print(verdict.score, verdict.unscored)
        4.0 None
        None no verdict in the text ' I cannot say'
    """

    generation: Literal["direct", "reasoned"] = "direct"
    cue: str = "Score:"
    labels: Sequence[str] = ("1", "2", "3", "4", "5")
    values: Sequence[float] | None = (1, 2, 3, 4, 5)
    answers: Sequence[Answer] | None = None

    family = "text"
    estimator_type = derived(lambda s: "regressor" if s.values is not None and len(s.values) > 2 else "classifier")
    # The prompt must ask for them; those of choices are any number of letters.
    verdict_labels = derived(lambda self: None if self.values is None else tuple(self.labels))

    def __post_init__(self) -> None:
        labels, values = self.labels, self.values
        if self.generation == "reasoned" and not self.cue.strip():
            raise InnerjudgeError(f"given generation='reasoned' and cue={self.cue!r}, expected a cue, or 'direct'")
        folded = {label.strip().casefold() for label in labels}
        if len(folded) < 2 or len(folded) != len(labels) or "" in folded:
            raise InnerjudgeError.of("probes.labels-alike", tuple(labels))
        if values is not None and len(checked_values(values, self.answers)[0]) != len(labels):
            raise InnerjudgeError(f"given {len(labels)} labels and {len(values)} values, expected one each")
        self.needs = (self.generation,) if values is not None else (self.generation, "labels")

    @classmethod
    def presets(cls, task: Task) -> Mapping[str, Self]:
        """Presets for every task: answering at once, or after reasoning; for pairs also one response at a time."""
        rated = partial(cls.rating, scale=task.scale)
        usual = {"trace": cls.verdict, "choice": cls.choice, "pair": cls.pair}
        made: Callable[..., Self] = rated if task.kind == "rating" else usual[task.kind]
        if task.labels:
            made = partial(cls, cue=task.cue, labels=task.labels, values=made().values, answers=made().answers)
        alone = {"text-pointwise": rated()} if task.kind == "pair" else {}
        return {"text": made(), "text-reasoned": made(generation="reasoned"), **alone}

    @classmethod
    def rating(cls, *, generation: Literal["direct", "reasoned"] = "direct", scale: tuple[int, int] = (1, 5)) -> Self:
        """A judge for the scores that ``rating_prompt`` asks for."""
        values = tuple(range(scale[0], scale[1] + 1))
        return cls(generation=generation, cue="Score:", labels=tuple(str(v) for v in values), values=values)

    @classmethod
    def verdict(cls, *, generation: Literal["direct", "reasoned"] = "direct") -> Self:
        """A judge for the yes or no that ``verdict_prompt`` asks for: score 1 or 0, label true or false."""
        return cls(generation=generation, cue="Verdict:", labels=("no", "yes"), values=(0, 1))

    @classmethod
    def choice(cls, *, generation: Literal["direct", "reasoned"] = "direct", n_options: int = 26) -> Self:
        """A judge for the letters that ``choice_prompt`` asks for."""
        return cls(generation=generation, cue="Answer:", labels=tuple(ascii_uppercase[:n_options]), values=None)

    @classmethod
    def pair(cls, *, generation: Literal["direct", "reasoned"] = "direct") -> Self:
        """A judge for the A or B that ``pair_prompt`` asks for: score 1 for A, 0 for B, label ``"a"`` or ``"b"``."""
        return cls(generation=generation, cue="Better:", labels=("A", "B"), values=(1, 0), answers=("a", "b"))

    def _parsed(self, features: Features) -> list[int | str]:
        """Index of each text's label, or why there is none."""
        counts = self._counts(features)
        cue = self.cue if self.generation == "reasoned" else None
        return [
            find_verdict(text, self.labels[: counts[k]], cue=cue) if counts[k] else "no options to choose from"
            for k, text in enumerate(features.texts[self.generation])
        ]

    def _counts(self, features: Features) -> list[int]:
        if self.values is None:
            return [int(n) for n in features["labels"]]
        return [len(self.labels)] * len(features)

    def _unreadable(self, features: Features) -> dict[str, str]:
        return {i: p for i, p in zip(features.ids, self._parsed(features), strict=True) if isinstance(p, str)}

    def _scores(self, features: Features) -> Scores:
        found = np.array(self._parsed(features), dtype=np.intp)
        if self.values is not None:
            return np.array(self.values, dtype=np.float64)[found]
        counts = np.array(self._counts(features), dtype=np.intp)
        return mask_options((np.arange(counts.max(initial=0)) == found[:, None]).astype(np.float64), counts)

    def _labels(self, scores: Scores, features: Features) -> list[Any]:
        if self.values is None:
            return [int(k) for k in scores.argmax(axis=-1)]
        answers = dict(zip(*self._scale, strict=True))
        return [answers[s] for s in scores]
