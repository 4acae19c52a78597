"""The commands for the steps of the main job: ``extract``, ``fit``, ``score`` and ``rank``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from ..models.errors import InnerjudgeError
from . import cli_options as o
from .cli_model import load_quietly, make_passes


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
    from .jobs import extract_job, items_of
    from .progress import shown
    from .views import HIDDEN_NEEDS

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
    between: o.Between_ = o.Between.reasoning,
    scale: o.Scale = "1-5",
) -> None:
    """Fit one judge on extracted features, and save it as a folder (safetensors and JSON).

    All labelled items are used: extract the items to fit on and those to report on separately.
    """
    from .jobs import fit_job

    if (out / "judge.json").is_file():
        typer.echo(f"{out} is complete already.")
        return
    typer.echo(fit_job(features, judge, out, between=o.positions(between), scale=o.bounds(scale)))


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
) -> None:
    """Score items with a saved judge: one verdict a line.

    Give `--features` of an extraction, or `--data` (and `--model`) to run the model now; only the passes that the judge
    needs are run, and a killed run goes on where it stopped.
    """
    _items, said = _verdicts(
        judge, out, features, data, (model, device, dtype, revision), limit, seed, batch_size, candidates
    )
    typer.echo(said)


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
) -> None:
    """Rank the candidates of each question with a saved judge, best first: one question a line.

    The verdicts themselves are kept beside it as `OUT.verdicts.jsonl`.
    """
    import json

    from .jobs import ranking_rows
    from .jsonl import write_jsonl

    if out.is_file():
        typer.echo(f"{out} is complete already.")
        return
    verdicts = out.with_name(out.name + ".verdicts.jsonl")
    items, _said = _verdicts(
        judge, verdicts, features, data, (model, device, dtype, revision), limit, seed, batch_size, candidates
    )
    rows = [json.loads(line) for line in verdicts.read_text(encoding="utf-8").splitlines()]
    write_jsonl(out, ranking_rows(items, rows))
    typer.echo(f"The ranking is in {out}.")


def _verdicts(
    judge_folder: Path,
    out: Path,
    features: Path | None,
    data: str | None,
    model: tuple[str, str, str, str | None],
    limit: int | None,
    seed: int,
    batch_size: int,
    candidates: int,
) -> tuple[list[Any], str]:
    from ..probes import storage
    from .datasets import load_data
    from .jobs import items_of, score_job, scores_of_features
    from .jsonl import read_items, write_jsonl
    from .progress import shown

    if (features is None) == (data is None):
        raise InnerjudgeError("given both or neither of --features and --data, expected one: name the items to score")
    judge = storage.load(judge_folder)
    if features is not None:
        rows = list(scores_of_features(judge, features))
        write_jsonl(out, rows)
        return read_items(features / "items.jsonl"), f"{len(rows)} verdicts are in {out}."
    assert data is not None
    found = load_data(data, limit=limit, seed=seed)
    lm = load_quietly(*model)
    with shown(Console(stderr=True)) as steps:
        passes = make_passes(batch_size, _scale_of(judge), 128, steps)
        items = items_of(lm, found, candidates=candidates, seed=seed, passes=passes)
        return items, score_job(lm, judge, items, out, data=found.name, passes=passes)


def _scale_of(judge: Any) -> str:
    """Scale of a rating judge, from its values; the default where it has none."""
    values = getattr(judge, "values", None)
    return f"{int(min(values))}-{int(max(values))}" if values and max(values) > 1 else "1-5"
