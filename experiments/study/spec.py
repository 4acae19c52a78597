"""What a study is, as a file: a YAML that is checked field by field before anything is run."""

from dataclasses import replace
from os.path import exists
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ...models.errors import InnerjudgeError, quoted, shown
from ...models.foreign import of_text_file, parse_yaml
from ...models.markers import THINK
from ...models.prompts import require_scale
from ..compare.settings import Seeds, Settings
from ..judges.between import Between
from ..reading.judge_prompt import NAMES, JudgePrompt

#: In place of a prompt: the words of innerjudge.
OURS = "ours"
#: References that a response is judged with, in the order of the report.
Condition = Literal["none", "self", "given", "wrong"]


class _Part(BaseModel):
    """A part of a study: unknown names are refused, since a name misspelt would be an audit silently left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSpec(_Part):
    """The model that is judged with, as for ``innerjudge compare``."""

    name: str = "reference"
    revision: str | None = None
    trust_remote_code: bool = False
    device: str = "auto"
    dtype: str = "auto"
    modules: dict[Literal["blocks", "final_norm", "unembedding"], str] = {}
    batch_size: int = Field(default=16, ge=1)
    memory: float | None = Field(default=None, gt=0)


class DataSpec(_Part):
    """A data set: ``source`` as for ``--data`` (paths from the study file), columns as for ``--map``, its size."""

    source: str
    columns: dict[str, str] = {}
    limit: int | None = Field(default=None, ge=1)
    candidates: int = Field(default=8, ge=1)


class Splits(_Part):
    """Shares of the questions that judges are fitted on and calibrated on; the rest is reported on."""

    fit: float = Field(default=0.4, gt=0, lt=1)
    calibrate: float = Field(default=0.2, gt=0, lt=1)

    @model_validator(mode="after")
    def _some_left(self) -> "Splits":
        if self.fit + self.calibrate >= 1:
            raise ValueError("fit and calibrate leave nothing to report on: their sum must be below 1")
        return self


class Audits(_Part):
    """What is looked at beside the comparison of judges. An audit left out or ``false`` is not made.

    ``items`` is the most responses that an audit with passes of its own asks about; ``samples`` the sampled answers to
    each question, for self-consistency; ``checklist`` is ``true`` where the model writes it, or the questions;
    ``label_errors`` the confidence at which a label is suspected.
    """

    items: int = Field(default=60, ge=2)
    samples: int = Field(default=0, ge=0)
    temperature: float = Field(default=1.0, gt=0)
    pairs: bool = False
    ranking: bool = False
    checklist: bool | tuple[str, ...] = Field(default=False)
    references: tuple[Condition, ...] = ()
    distractors: bool = False
    dummies: bool = False
    perturbation: bool = False
    transfer: bool = False
    selection: bool = False
    label_errors: float | None = Field(default=None, ge=0.5, le=1)

    @property
    def ask(self) -> bool:
        """Whether any of them asks the model about responses."""
        switches = (self.pairs, self.ranking, self.distractors, self.dummies, self.perturbation)
        return any(switches) or bool(self.checklist or self.references) or self.samples > 1

    @classmethod
    def every(cls) -> "Audits":
        """All of them."""
        switches = ("pairs", "ranking", "checklist", "distractors", "dummies", "perturbation", "transfer", "selection")
        return cls(samples=4, references=get_args(Condition), label_errors=0.8, **dict.fromkeys(switches, True))


class Study(_Part):
    """A study.

    ``judges`` are names as in the reports of ``innerjudge compare``, or ``all``; without any, at most twelve that fit
    the data, one for each idea; the baselines always stand beside them. ``text_judges`` are those behind servers
    (``openai:URL#MODEL``). ``rows`` are JSONL files of the one table: people, reward models, other judges. ``against``
    is the judge that the others are compared with. ``groups`` are fields of the items (text) whose values are compared
    with one another, ``system`` is the field that says who wrote a response, and ``own`` the values of it that are the
    judge's family. ``prompt`` is a YAML file, or the name of a judge prompt that is shipped; with ``prompts``
    (``ours``: our own words), the judges that are asked are asked again in each, and compared with what they said
    before.
    """

    name: str = "study"
    model: ModelSpec = ModelSpec()
    data: tuple[DataSpec, ...] = Field(min_length=1)
    judges: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    text_judges: tuple[str, ...] = ()
    against: str = "text"
    splits: Splits = Splits()
    seeds: Seeds = Seeds()
    audits: Audits = Audits()
    groups: tuple[str, ...] = ()
    system: str | None = None
    own: tuple[str, ...] = ()
    between: Literal["reasoning", "response"] = "reasoning"
    scale: tuple[int, int] = (1, 5)
    prompt: str | None = None
    prompts: tuple[str, ...] = ()
    merge_system: bool = False
    markers: tuple[str, str] = THINK
    embedder: str | None = None
    reasoning_tokens: int = Field(default=128, ge=0)
    target_accuracy: float = Field(default=0.9, gt=0, le=1)

    @property
    def settings(self) -> Settings:
        """How judges are compared."""
        shared = {name: getattr(self, name) for name in Study.model_fields if name in Settings.__dataclass_fields__}
        own = {
            "fit": self.splits.fit,
            "calibrate": self.splits.calibrate,
            "between": Between(self.between),
            "prompt": None if self.prompt in (None, OURS) else JudgePrompt.of(str(self.prompt)),
            "batch_size": self.model.batch_size,
            "selection": self.audits.selection,
        }
        return Settings(**(shared | own))

    @property
    def prompted(self) -> dict[str, Settings]:
        """Name -> settings, for each prompt of the study, its own first; two of one name are an error."""
        given = [None if one in (None, OURS) else JudgePrompt.of(str(one)) for one in (self.prompt, *self.prompts)]
        names = [OURS if one is None else one.name for one in given]
        if len(set(names)) < len(names):
            raise InnerjudgeError.of("study.prompts-twice", ", ".join(names), OURS)
        how = replace(self.settings, prompt=None, scale=self.scale, rows=(), text_judges=(), selection=False)
        return {name: replace(how, prompt=one) for name, one in zip(names, given, strict=True)}

    @field_validator("scale")
    @classmethod
    def _rising_scale(cls, given: tuple[int, int]) -> tuple[int, int]:
        return require_scale(given)

    @model_validator(mode="before")
    @classmethod
    def _all_audits(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("audits") == "all":
            return given | {"audits": Audits.every()}
        return given


def read_study(path: str | Path) -> Study:
    """Read and check a study file; its paths are taken from its folder. Errors name file and field."""
    file = Path(path)
    study = of_text_file(file, parse, "a study file (YAML)")
    data = tuple(d.model_copy(update={"source": _from_folder(d.source, file.parent)}) for d in study.data)
    rows = tuple(_from_folder(r, file.parent) for r in study.rows)
    given = (study.prompt, *study.prompts)
    own, *more = (p if p in (None, OURS, *NAMES) else _from_folder(str(p), file.parent) for p in given)
    near = study.embedder and _from_folder(study.embedder, file.parent)
    found = {"data": data, "rows": rows, "prompt": own, "prompts": tuple(more), "embedder": near}
    return study.model_copy(update=found)


def parse(text: str) -> Study:
    """A study from YAML text; an error names the field, what was given and what was expected."""
    given = parse_yaml(text)
    if not isinstance(given, dict):
        raise InnerjudgeError("given no fields, expected a study: begin with `data: [{source: builtin:rate}]`")
    try:
        return Study.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the study"
        said = first["msg"].removeprefix("Value error, ")
        given = "nothing" if first["type"] == "missing" else quoted(first["input"], 80)
        raise InnerjudgeError.of("study.spec", given, shown(place), said[0].lower(), shown(said[1:], 500)) from None


def _from_folder(source: str, folder: Path) -> str:
    """A path of the study file as a path from here; names of built-in data stay."""
    prefix, colon, rest = source.partition(":")
    if colon and prefix == "builtin":
        return source
    if colon and not exists(source) and not exists(folder / source):
        return source if Path(rest).is_absolute() or not exists(folder / rest) else f"{prefix}:{folder / rest}"
    return source if Path(source).is_absolute() or not exists(folder / source) else str(folder / source)
