"""How judges are compared: the settings that a comparison and a study share, and the data that they are given."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field

from ...models.errors import InnerjudgeError
from ...models.markers import THINK
from ...models.prompts import require_scale
from ..data.datasets import Dataset, hash_data
from ..data.kinds import hash_of
from ..judges.between import Between
from ..reading.judge_prompt import JudgePrompt

if TYPE_CHECKING:  # a study's file is checked before torch is loaded
    from ..reading.passes import Passes
    from ..reading.progress import Steps

#: The ``k`` of top-maj@k, a vote of the k best, as in the CLUE paper.
TOP_MAJ = (4, 8, 16)
#: A seed, as the file of a study may have it: pydantic checks it there.
_Seed = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds:
    """Seeds of the draws: which items, which questions on which side, sampled text."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    data: _Seed = 0
    split: _Seed = 0
    sampling: _Seed = 0

    @classmethod
    def all(cls, seed: int) -> "Seeds":
        """One seed for every draw."""
        return cls(data=seed, split=seed, sampling=seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How judges are compared; what is not listed is as in :class:`.Passes`.

    Args:
        judges: Names of the judges, or ``"all"``; without any, at most twelve that fit the data, one for each idea. The
            baselines always stand beside them.
        against: The judge that the others are compared with.
        fit: Share of the questions that judges are fitted and heads chosen on.
        calibrate: Share that scores are calibrated on; a comparison needs none. All other questions are reported on.
        seeds: Of the draws.
        candidates: Answers sampled for each question of ``builtin:solve``.
        between: Where CLUE and the probes read.
        top_maj: The ``k`` of top-maj@k.
        embedder: Model of sentence-transformers, for an opponent that reads texts by their meaning.
        text_judges: Text judges behind servers, asked about the same test items: ``"openai:URL#MODEL"``.
        rows: Verdict files of other judges and of people on the same items.
        groups: Fields of the items whose values are compared with one another.
        system: Field that says who wrote a response.
        own: Values of ``system`` that are of the judging model's own family.
        target_accuracy: Accuracy that abstention aims at.
        selection: Whether states and heads that no judge needs are read too, to measure the luck of picking the best.
    """

    judges: tuple[str, ...] = ()
    against: str = "text"
    fit: float = 0.5
    calibrate: float = 0.0
    seeds: Seeds = field(default_factory=Seeds)
    candidates: int = 8
    between: Between = Between.reasoning
    scale: tuple[int, int] = (1, 5)
    reasoning_tokens: int = 128
    abstain: bool = True
    batch_size: int = 16
    top_maj: tuple[int, ...] = TOP_MAJ
    prompt: JudgePrompt | None = None
    merge_system: bool = False
    markers: tuple[str, str] = THINK
    embedder: str | None = None
    text_judges: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    system: str | None = None
    own: tuple[str, ...] = ()
    target_accuracy: float = 0.9
    selection: bool = False

    def __post_init__(self) -> None:
        if self.prompt is not None and self.prompt.kind == "rating":
            object.__setattr__(self, "scale", self.prompt.scale)
        require_scale(self.scale)
        if not (self.fit > 0 and self.calibrate >= 0 and self.fit + self.calibrate < 1 - 1e-9):
            raise InnerjudgeError.of("compare.shares", self.fit, self.calibrate)

    def passes(self, steps: "Steps") -> "Passes":
        """How the model is run."""
        from ..reading.passes import Passes

        names = ("batch_size", "reasoning_tokens", "scale", "abstain", "prompt", "merge_system", "markers")
        return Passes(steps=steps, **{name: getattr(self, name) for name in names})

    def shaping(self) -> dict[str, Any]:
        """The settings that verdicts depend on; the others only say what is made of the verdicts."""
        names = ("judges", "fit", "calibrate", "between", "scale", "reasoning_tokens", "abstain", "selection")
        named = {name: getattr(self, name) for name in names}
        tags = [*self.groups, self.system]
        named |= {} if self.prompt is None else {"prompt": self.prompt.told}
        named |= {name: value for name in ("merge_system", "embedder") if (value := getattr(self, name))}
        named |= {"markers": self.markers} if self.markers != THINK else {}
        return named | {"seeds": [self.seeds.data, self.seeds.split, self.seeds.sampling], "tags": tags}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A data set, and how many answers are sampled for each problem where it is of problems."""

    data: Dataset
    candidates: int = 8

    @property
    def content(self) -> str:
        """Hash of the items, or of the problems that items are sampled for: changed data have another."""
        many = self.candidates if self.data.problems else 0
        return hash_of([self.data.name, self.data.kind, str(many), hash_data(self.data)])
