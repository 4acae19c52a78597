"""The command line: ``innerjudge compare``, ``models``, and the commands of the ``cli_*`` files beside this one."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from ...models.errors import InnerjudgeError
from ..runs.log import load_quietly
from . import options as o
from .bench import register_bench
from .extract import register_steps
from .loading import make_passes
from .plan import register_plan
from .sample import register_sample
from .select import register_select
from .serve import register_serve
from .store import register_store
from .study import register_study
from .sweep import register_sweep

app = typer.Typer(
    name="innerjudge",
    help="Judge language-model output from the model's inside, and compare with what it says in text.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
errors = Console(stderr=True)
register_steps(app)
register_sample(app)
register_select(app)
register_plan(app)
register_store(app)
register_study(app)
register_bench(app)
register_serve(app)
register_sweep(app)


@app.command()
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
    resamples: Annotated[int, typer.Option(min=1, help="Bootstrap resamples behind each interval.")] = 1000,
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
    with shown(errors) as steps:
        passes = make_passes(batch_size, scale, reasoning_tokens, steps, abstain=abstain)
        settings = Settings(
            seed=seed,
            fit_share=fit_share,
            candidates=candidates,
            between=o.positions(between),
            passes=passes,
            n_resamples=resamples,
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


@app.command()
def models(
    model: o.Model = "reference",
    device: o.Device = "auto",
    dtype: o.Dtype = "auto",
    revision: o.Revision = None,
    trust_remote_code: o.Trust = False,
    module: o.Module = None,
    limit: o.NoLimit = None,
    seed: o.NoSeed = 0,
    batch_size: o.NoBatch = 16,
) -> None:
    """Show what was detected of a model: blocks, heads, norm, head size, chat template, reasoning markers.

    innerjudge models --model Qwen/Qwen3-0.6B
    """
    del limit, seed, batch_size
    from ...models.description import describe

    table = Table(show_header=False, box=None)
    lm = load_quietly(model, device, dtype, revision, o.modules(module), trust=trust_remote_code)
    for name, value in describe(lm).items():
        table.add_row(name, "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value))
    Console().print(table)


def main() -> None:
    """Entry point: whatever was given wrong is one line on standard error and exit code 2."""
    try:
        code = app(_arguments(sys.argv[1:]) or ["--help"], prog_name="innerjudge", standalone_mode=False)
    except InnerjudgeError as error:
        _fail(str(error), 2)
    except OSError as error:
        named = f"{str(error.filename)!r}" if error.filename is not None else "a file or folder"
        _fail(
            f"given {named}, which cannot be read or written ({error.strerror or error}), expected one that can: check "
            "its place and its rights",
            2,
        )
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except Exception as error:
        # Complaints about options; typer brings a click of its own, so their class has no public name.
        if not hasattr(error, "format_message"):
            raise
        context = getattr(error, "ctx", None)
        about = context.command_path if context is not None else "innerjudge"
        _fail(f"{error.format_message().rstrip('.')}{_given(error)}. See `{about} --help`.", 2)
    if code == 130:
        _fail("stopped; extract, score, sample and study go on there when the same command is given again", 130)
    raise SystemExit(code if isinstance(code, int) else 0)


def _arguments(typed: Sequence[str]) -> list[str]:
    """What was typed, with ``--ray`` without an address written out: typer knows no option of an optional value."""
    following = [*typed, "--"][1:]
    bare = [one == "--ray" and then.startswith("-") for one, then in zip(typed, following, strict=True)]
    return [f"{one}=local" if alone else one for one, alone in zip(typed, bare, strict=True)]


def _given(error: Exception) -> str:
    """What was typed for the option that an error is about."""
    names = getattr(getattr(error, "param", None), "opts", ())
    typed = next((value for name, value in pairwise(sys.argv) if name in names), None)
    return f" (given {typed!r})" if typed is not None else ""


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(f"innerjudge: {' '.join(message.split())}", err=True)
    raise SystemExit(code) from None


if __name__ == "__main__":
    main()
