"""The commands for the steps of the main job: ``extract``, ``fit``, ``score`` and ``rank``."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from . import cli_options as o
from .cli_judged import judged, rank_work, score_work
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
    abstain: o.Abstain = True,
    text: Annotated[bool, typer.Option(help="Also write the text judges' answers.")] = False,
) -> None:
    """Run the model once over a data set and keep the features that judges read.

    A run that was killed goes on where it stopped when the same command is given again; if the data were edited in
    between, it is refused. Responses of pairs become items of their own, as judges of single responses read them.

        innerjudge extract --model Qwen/Qwen3-0.6B --data traces.jsonl --out runs/features

        innerjudge extract --data builtin:rate --limit 100 --text --reasoning-tokens 128 --out runs/rate
    """
    from .content import hash_data
    from .datasets import load_data
    from .jobs import check_extraction, extract_job, items_of
    from .passes import HIDDEN_NEEDS
    from .progress import shown

    check_extraction(out)
    o.bounds(scale)
    found = load_data(data, limit=limit, seed=seed)
    lm = load_quietly(model, device, dtype, revision)
    needs = None if text else HIDDEN_NEEDS
    with shown(Console(stderr=True)) as steps:
        passes = make_passes(batch_size, scale, reasoning_tokens if text else 0, steps, needs, abstain=abstain)
        job: dict[str, Any] = {
            "data": data,
            "kind": found.kind,
            "items": hash_data(found),
            "limit": limit,
            "seed": seed,
        }
        job |= {"candidates": candidates, "scale": passes.scale, "abstain": abstain}
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
    judge: Annotated[str, typer.Option(help=f"Name of the judge: {o.JUDGE_NAMES}", show_default=False)],
    out: o.OutFolder,
    limit: o.Limit = None,
    seed: o.Seed = 0,
    between: o.Between_ = o.Between.reasoning,
    batch_size: o.NoBatchSize = 16,
    device: o.NoDevice = "auto",
    dtype: o.NoDtype = "auto",
) -> None:
    """Fit one judge on extracted features, and save it as a folder (safetensors and JSON).

    All labelled items are used (or `--limit` of them): extract the items to fit on and those to report on separately.
    The model is not run, so batches, devices and dtypes have no effect; the scale is that of the extraction.

        innerjudge fit --features runs/features --judge clue-margin --out runs/judge
    """
    del batch_size, device, dtype
    from .fit_job import fit_job

    typer.echo(fit_job(features, judge, out, between=o.positions(between), limit=limit, seed=seed))


#: Help of the two commands that ask a saved judge.
_SCORE = """Score items with a saved judge: one verdict a line.

    Give `--features` of an extraction, or `--data` to run the judge's own model now (or the same from another place,
    by `--model`); only the passes that the judge needs are run, and a killed run goes on where it stopped. Verdicts
    that are there already, of the same judge on the same texts, are kept; other verdicts are refused.

        innerjudge score --judge runs/judge --data new.jsonl --out runs/verdicts.jsonl

        innerjudge score --judge runs/judge --features runs/features --limit 100 --out runs/verdicts.jsonl
    """
_RANK = """Rank the candidates of each question with a saved judge, best first: one question a line.

    The items come from `--features` or from `--data`, as in `score`. The verdicts are kept beside the ranking as
    `OUT.verdicts.jsonl`.

        innerjudge rank --judge runs/judge --data new.jsonl --out runs/ranking.jsonl
    """
score = judged(score_work, "score", _SCORE)
rank = judged(rank_work, "rank", _RANK)
