"""A fitted judge as a folder, here or on the hub: it and how it was made, so that it is asked in the same way."""

import json
from abc import ABC, abstractmethod
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any

from huggingface_hub import HfApi, ModelCard, ModelCardData, snapshot_download
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from ...models import foreign
from ...models.arguments import checked
from ...models.errors import InnerjudgeError, one_line
from ...models.final_norm import FinalNorm
from ...models.foreign import Scratch
from ...models.markers import THINK
from ...models.prompts import STEPS
from ...probes import BaseJudge, storage
from ..reading.judge_prompt import JudgePrompt
from ..reading.passes import Passes

_MADE = "made.json"
#: Name of the card in a judge's folder, as the hub shows it.
CARD = "README.md"
_TEMPLATE = Path(__file__).parent / "templates" / "card.md"
#: The model's final norm, where the judge was saved together with its model.
NORM = "final_norm.safetensors"
#: The file that tells a whole judge; it is written last.
WHOLE = "judge.json"
#: What a run that was killed before it may have left.
BEGUN = frozenset({_MADE, f"{_MADE}{foreign.HALF}", CARD, NORM, "judge.safetensors", f"{WHOLE}{foreign.HALF}"})
#: Every file of a whole judge.
FILES = (_MADE, CARD, NORM, "judge.safetensors", WHOLE)


@dataclass(frozen=True, slots=True, config=ConfigDict(strict=True))
class JudgeRecord:
    """How a saved judge was made, and is asked: as :class:`~innerjudge.experiments.reading.passes.Passes` has it.

    ``name`` is that on the panel; ``kind`` is empty where a judge was saved alone, by ``save_judge``; ``criterion`` is
    what plain pairs are rated for, ``None`` for quality in general; ``prompt`` has the fields of a
    :class:`~innerjudge.JudgePrompt`, ``None`` for our words. ``features`` is the hash of the features and labels that
    it was fitted on, empty where it was saved from Python; at most ``limit`` items were used, drawn by ``seed``, as
    were the questions that calibrated a promise.
    """

    name: str
    kind: str
    scale: tuple[int, int] = (1, 5)
    abstain: bool = True
    markers: tuple[str, str] = THINK
    reasoning_tokens: Annotated[int, Field(ge=0, le=10**7)] = 128
    criterion: str | None = None
    prompt: dict[str, Any] | None = None
    merge_system: bool = False
    features: str = ""
    limit: Annotated[int, Field(ge=1)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0

    def __post_init__(self) -> None:
        low, high = self.scale
        if not (-(10**6) < low < high <= low + STEPS):
            raise ValueError(f"the scale {low} to {high}")
        if len(set(self.markers)) != 2 or not all(one.strip() for one in self.markers):
            raise ValueError(f"the markers {self.markers!r:.80}")

    @property
    def passes(self) -> Passes:
        """How it is asked."""
        names = ("scale", "abstain", "markers", "reasoning_tokens", "merge_system")
        own: dict[str, Any] = {name: getattr(self, name) for name in names}
        return Passes(**own, prompt=None if self.prompt is None else JudgePrompt.of(self.prompt))


def save(judge: BaseJudge, made: JudgeRecord, folder: Path, norm: FinalNorm | None = None) -> None:
    """Write ``made.json``, the model card, the model's final norm and then the judge, whose header stands for all."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WHOLE).unlink(missing_ok=True)  # from here until the end the folder is visibly incomplete
    (folder / NORM).unlink(missing_ok=True)
    if norm is not None:
        norm.save(folder / NORM)
    with foreign.replacing(folder / _MADE) as half:
        half.write_text(json.dumps(asdict(made)), encoding="utf-8")
    (folder / CARD).write_text(model_card(judge, made), encoding="utf-8")
    storage.save(judge, folder, beside=(_MADE,) if norm is None else (_MADE, NORM))


def load(folder: Path) -> tuple[BaseJudge, JudgeRecord]:
    """Inverse of :func:`save`; without ``made.json`` (saved from Python) it goes by its class, scale 1 to 5.

    ``InnerjudgeError`` if the folder holds no judge, or one of its files is damaged.
    """
    judge, path = storage.load(folder, beside=(_MADE, NORM)), folder / _MADE
    if not path.exists():
        return judge, JudgeRecord(type(judge).__name__, "")
    with foreign.refusing(path, "what `innerjudge fit` wrote: fit again"):
        data = foreign.parse_json(foreign.read_file(path, foreign.HEADER_LIMIT))
        given = {field.name: data[field.name] for field in fields(JudgeRecord) if field.name in data}
        given |= {name: tuple(given[name]) for name in ("scale", "markers") if name in given}
        return judge, JudgeRecord(**given)


def is_damaged(folder: Path) -> bool:
    """Whether this folder is a judge of ours with a damaged file, so that fitting again loses nothing."""
    try:
        raw = foreign.read_file(folder / WHOLE)
        files = foreign.parse_sealed(raw)["files"] if b'"innerjudge"' in raw else {}
        return any(foreign.digest_of_file(folder / Path(name).name) != digest for name, digest in files.items())
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return True


def require_kind(made: JudgeRecord, kind: str, scale: tuple[int, int], source: str) -> None:
    """Refuse items of a kind (pairs are rated responses) or on a scale that the judge was not fitted on."""
    alike = {"pair": "rating"}
    if made.kind and alike.get(made.kind, made.kind) != alike.get(kind, kind):
        raise InnerjudgeError.of("judges.other-kind", source, kind, made.name, made.kind)
    if made.kind and kind in ("rating", "pair") and scale != made.scale:
        theirs, mine = ("{}-{}".format(*s) for s in (scale, made.scale))
        raise InnerjudgeError.of("judges.other-scale", source, theirs, made.name, mine)


def model_card(judge: BaseJudge, made: JudgeRecord) -> str:
    """Markdown with the hub's header: what the judge is, of which model, how it was fitted, how it is used."""
    origin = judge.provenance_
    name = "" if origin is None else origin.model
    base = name if name.count("/") == 1 and not name.startswith((".", "/")) and not Path(name).exists() else None
    about: dict[str, Any] = {"library_name": "innerjudge", "tags": ["innerjudge", "judge", "reranking"]}
    header = ModelCardData(base_model=base, pipeline_tag="text-ranking", **about)
    shown: dict[str, Any] = {"judge": judge, "shown": repr(judge), "class_name": type(judge).__name__, "made": made}
    shown["prompt"] = None if made.prompt is None else JudgePrompt.of(made.prompt).told
    return f"{ModelCard.from_template(header, str(_TEMPLATE), **shown)}\n"


def find_folder(name: str | Path, revision: str | None) -> Path:
    """A local folder, or the files of a judge on the hub, brought here; ``InnerjudgeError`` if there is neither."""
    folder = Path(name)
    if folder.is_dir():
        if revision is not None:
            raise InnerjudgeError.of("judges.revision", revision, str(name))
        return folder
    try:
        return Path(snapshot_download(str(name), revision=revision, allow_patterns=list(FILES)))
    except Exception as error:  # the hub's client has no one class for what goes wrong on the way
        raise InnerjudgeError.of("judges.not-found", str(name), one_line(error)) from None


class HubUpload(ABC):
    """Puts on the hub what ``save`` writes into a folder."""

    @abstractmethod
    def save(self, folder: str | Path) -> None:
        """Write everything into a folder."""

    @checked
    def push_to_hub(
        self, repo_id: str, *, private: bool | None = None, token: str | None = None, revision: str | None = None,
        commit_message: str = "Judge of innerjudge", create_pr: bool = False
    ) -> str:  # fmt: skip
        """Put the judge's folder on the hub, model card and all; returns the address.

        The repository ``"you/name"`` is made where it does not exist, ``private`` or not (``None``: the hub's default
        for you). The ``token`` is of an account that may write there, ``None`` for the one of ``hf auth login``. The
        commit goes to the branch ``revision``; ``create_pr`` proposes it instead of making it. ``InnerjudgeError`` if
        the hub refuses, with its reason.
        """
        api = HfApi(token=token)
        with Scratch(repo_id) as folder:
            self.save(folder)
            try:
                made = api.create_repo(repo_id, private=private, exist_ok=True)
                how: dict[str, Any] = {"revision": revision, "commit_message": commit_message, "create_pr": create_pr}
                api.upload_folder(repo_id=made.repo_id, folder_path=folder, allow_patterns=list(FILES), **how)
            except Exception as error:  # as above
                raise InnerjudgeError.of("judges.push", repo_id, one_line(error)) from None
        return str(made)
