"""The command ``fit``."""

from typing import Annotated

import typer

from . import options as o


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
    from ..runs.fit_job import fit_job

    typer.echo(fit_job(features, judge, out, between=o.positions(between), limit=limit, seed=seed))
