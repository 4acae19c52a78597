"""The commands for the steps of the main job: ``extract``, ``fit``, ``score`` and ``rank``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ..models.errors import InnerjudgeError
from . import cli_options as o
from .cli_model import load_quietly, make_passes

if TYPE_CHECKING:
    from ..models.items import Item


def register_steps(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    for command in (extract, fit, score, rank):
        app.command()(command)


def extract(
    data: o.OneData,
    out: o.OutFolder,
    model: o.Model = "reference",
    limit: o.Limit = None,
    seed: o.Seed = 0,
    batch_size: o.BatchSize = 16,
    device: o.Device = "auto",
    dtype: o.Dtype = "auto",
    revision: o.Revision = None,
    candidates: o.Candidates = 8,
    scale: o.Scale = "1-5",
    reasoning_tokens: o.ReasoningTokens = 0,
    text: Annotated[bool, typer.Option(help="Also write the text judges' answers.")] = False,
) -> None:
    """Run the model once over a data set and keep the features that judges read.

    A run that was killed goes on where it stopped when the same command is given again.
    """
    from .datasets import load_data
    from .jobs import check_new, extract_job, items_of
    from .progress import shown
    from .views import HIDDEN_NEEDS

    check_new(out, ours="job.json")
    o.bounds(scale)
    found = load_data(data, limit=limit, seed=seed)
    lm = load_quietly(model, device, dtype, revision)
    needs = None if text else HIDDEN_NEEDS
    with shown(Console(stderr=True)) as steps:
        passes = make_passes(batch_size, scale, reasoning_tokens if text else 0, steps, needs)
        job = {"data": data, "limit": limit, "seed": seed, "candidates": candidates, "scale": scale}
        job |= {"text": text, "reasoning_tokens": passes.reasoning_tokens}
        said = extract_job(
            lm,
            lambda: items_of(lm, found, candidates=candidates, seed=seed, passes=passes),
            out,
            job=job,
            passes=passes,
        )
    typer.echo(said)


def fit(
    features: o.FeaturesFolder,
    judge: Annotated[str, typer.Option(help="Name of the judge as in reports, such as clue or qk-score.")],
    out: o.OutFolder,
    limit: o.Limit = None,
    seed: o.Seed = 0,
    between: o.Between_ = o.Between.reasoning,
) -> None:
    """Fit one judge on extracted features, and save it as a folder (safetensors and JSON).

    All labelled items are used (or `--limit` of them): extract the items to fit on and those to report on separately.
    The model is not run, so there is nothing to set of batches, devices or dtypes; the scale is that of the extraction.
    """
    from .fit_job import fit_job

    typer.echo(fit_job(features, judge, out, between=o.positions(between), limit=limit, seed=seed))


def score(
    judge: o.JudgeFolder,
    out: o.OutFile,
    features: o.SomeFeatures = None,
    data: o.SomeData = None,
    model: o.Model = "reference",
    limit: o.Limit = None,
    seed: o.Seed = 0,
    batch_size: o.BatchSize = 16,
    device: o.Device = "auto",
    dtype: o.Dtype = "auto",
    revision: o.Revision = None,
    candidates: o.Candidates = 8,
    reasoning_tokens: o.ReasoningTokens = 128,
) -> None:
    """Score items with a saved judge: one verdict a line.

    Give `--features` of an extraction, or `--data` (and `--model`) to run the model now; only the passes that the judge
    needs are run, and a killed run goes on where it stopped.
    """
    source = _Source(features, data, model, device, dtype, revision, limit, seed, batch_size, candidates)
    typer.echo(_verdicts(judge, out, source, reasoning_tokens)[1])


def rank(
    judge: o.JudgeFolder,
    out: o.OutFile,
    features: o.SomeFeatures = None,
    data: o.SomeData = None,
    model: o.Model = "reference",
    limit: o.Limit = None,
    seed: o.Seed = 0,
    batch_size: o.BatchSize = 16,
    device: o.Device = "auto",
    dtype: o.Dtype = "auto",
    revision: o.Revision = None,
    candidates: o.Candidates = 8,
    reasoning_tokens: o.ReasoningTokens = 128,
) -> None:
    """Rank the candidates of each question with a saved judge, best first: one question a line.

    The items come from `--features` or from `--data`, as in `score`. The verdicts are kept beside the ranking as
    `OUT.verdicts.jsonl`.
    """
    from .scoring import write_ranking

    source = _Source(features, data, model, device, dtype, revision, limit, seed, batch_size, candidates)
    verdicts = out.with_name(out.name + ".verdicts.jsonl")
    items, _ = _verdicts(judge, verdicts, source, reasoning_tokens, to_rank=True)
    typer.echo(write_ranking(items, verdicts, out))


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the items to score come from, as typed."""

    features: Path | None
    data: str | None
    model: str
    device: str
    dtype: str
    revision: str | None
    limit: int | None
    seed: int
    batch_size: int
    candidates: int


def _verdicts(
    judge_folder: Path, out: Path, source: _Source, reasoning_tokens: int, *, to_rank: bool = False
) -> tuple[list[Item], str]:
    """The items, and what was done."""
    from . import saved
    from .datasets import load_data
    from .jobs import items_of
    from .jsonl import read_items
    from .kinds import kind_of
    from .progress import shown
    from .scoring import require_model, require_rankable, score_features, score_items

    if (source.features is None) == (source.data is None):
        raise InnerjudgeError(
            f"given {'both' if source.data else 'neither'} of --features and --data, expected one: name the items"
        )
    judge, made = saved.load(judge_folder)
    if source.features is not None:
        items = read_items(source.features / "items.jsonl")
        if to_rank:
            require_rankable(kind_of(items[0]))
        return items, score_features(judge, source.features, out, name=made.name)
    assert source.data is not None
    found = load_data(source.data, limit=source.limit, seed=source.seed)
    if to_rank:
        require_rankable(found.kind)
    lm = load_quietly(source.model, source.device, source.dtype, source.revision)
    require_model(judge, lm)
    with shown(Console(stderr=True)) as steps:
        passes = make_passes(source.batch_size, "{}-{}".format(*made.scale), reasoning_tokens, steps)
        items = items_of(lm, found, candidates=source.candidates, seed=source.seed, passes=passes)
        return items, score_items(lm, judge, items, out, data=found.name, name=made.name, passes=passes)
