"""The command ``sweep``: every probe at every layer, position and normalisation of an extraction."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from ..reading.progress import PlainConsole
from . import options as o
from . import say

if TYPE_CHECKING:
    from ..compare.sweep import Sweep


def sweep(
    features: o.FeaturesFolder,
    out: o.OutFolder,
    limit: o.Limit = None,
    seed: o.Seed = 0,
    fit_share: Annotated[float, typer.Option(help="Share of the questions that cells are fitted and picked on.")] = 0.5,
    splits: Annotated[int, typer.Option(min=1, help="Halvings behind the optimism of picking the best.")] = 100,
    top: Annotated[int, typer.Option(min=1, help="Cells to print.")] = 10,
    batch_size: o.NoBatchSize = 16,
    device: o.NoDevice = "auto",
    dtype: o.NoDtype = "auto",
) -> None:
    """Fit every probe at every layer, position and normalisation, and say what picking the best is worth.

    Writes `sweep.csv` (one row a cell), `sweep.json` (the pick, its honest figure, the optimism) and `sweep.png`. The
    model is not run: extract once, sweep as often as you like.

        innerjudge extract --data builtin:solve --limit 80 --out runs/features

        innerjudge sweep --features runs/features --out runs/sweep
    """
    del batch_size, device, dtype
    from ..runs.sweep_job import sweep_job

    o.share(fit_share)
    command = shlex.join(["innerjudge", *sys.argv[1:]])
    found = sweep_job(features, out, limit=limit, fit_share=fit_share, n_splits=splits, seed=seed, command=command)
    show(found, PlainConsole(), top)
    say(f"All {len(found.table)} cells are in {out / 'sweep.csv'}, with sweep.json and sweep.png beside it.")


def show(found: Sweep, console: Console, top: int) -> None:
    """Print the best cells and what picking among them is worth."""
    from ..compare.sweep import sentences

    table = Table(title=f"{found.metric}, best on the fitting questions first", title_justify="left", box=None)
    heads = found.table["head"].notna().any()
    names = ["judge", "position", "row", *(["head"] if heads else []), "normalisation", "penalty", "fit", "test"]
    for name in names:
        table.add_column(name, justify="right" if name in ("row", "head", "penalty", "fit", "test") else "left")
    for _, cell in found.table.sort_values("fit", ascending=False, kind="stable").head(top).iterrows():
        table.add_row(*("-" if cell[n] is None or cell[n] != cell[n] else _text(cell[n]) for n in names))
    console.print(table)
    for sentence in (*sentences(found), *found.notes):
        console.print(sentence, highlight=False)


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
