"""The command ``compare``."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated

import typer
from rich.console import Console

from ..runs.log import load_quietly
from . import options as o
from .loading import make_passes


def compare(
    data: o.Data,
    out: o.OutFolder,
    model: o.Model = "reference",
    limit: o.Limit = None,
    seed: o.Seed = 0,
    batch_size: o.BatchSize = 16,
    device: o.Device = "auto",
    dtype: o.Dtype = "auto",
    revision: o.Revision = None,
    trust_remote_code: o.Trust = False,
    module: o.Module = None,
    candidates: o.Candidates = 8,
    fit_share: Annotated[float, typer.Option(help="Share of the questions that judges are fitted on.")] = 0.5,
    between: o.Between_ = o.Between.reasoning,
    scale: o.Scale = "1-5",
    reasoning_tokens: o.ReasoningTokens = 128,
    abstain: o.Abstain = True,
    top_maj: o.TopMaj = None,
) -> None:
    """Run every judge that fits the data, and write verdicts, results and a report.

    `--data` may be given several times; the report then has a section for each.

        innerjudge compare --data builtin:choose --out runs/choose

        innerjudge compare --model Qwen/Qwen3-0.6B --data mmlu:val --limit 300 --out runs/mmlu
    """
    from ...extraction.provenance import versions
    from ...models.description import describe
    from ..compare.compare import compare as run_comparison
    from ..compare.judging import Settings
    from ..compare.metrics_by_kind import TOP_MAJ
    from ..compare.report.files import check_folder, write_run
    from ..compare.report.table import print_tables
    from ..compare.results import Run
    from ..data.datasets import load_data
    from ..reading.progress import shown

    check_folder(out)
    o.bounds(scale)
    o.share(fit_share)
    modules = o.modules(module)
    sets = [load_data(spec, limit=limit, seed=seed) for spec in data]
    lm = load_quietly(model, device, dtype, revision, modules, trust=trust_remote_code)
    with shown(Console(stderr=True)) as steps:
        passes = make_passes(batch_size, scale, reasoning_tokens, steps, abstain=abstain)
        settings = Settings(
            seed=seed,
            fit_share=fit_share,
            candidates=candidates,
            between=o.positions(between),
            passes=passes,
            top_maj=tuple(dict.fromkeys(top_maj or TOP_MAJ)),
        )
        found = tuple(run_comparison(lm, one, settings) for one in sets)
    run = Run(
        command=shlex.join(["innerjudge", *sys.argv[1:]]),
        seed=seed,
        versions=dict(versions()),
        model=describe(lm),
        comparisons=found,
    )
    write_run(run, out)
    print_tables(run, Console(), report=out / "report.html")
