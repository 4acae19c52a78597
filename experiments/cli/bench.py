"""The command ``innerjudge bench``."""

from pathlib import Path
from typing import Annotated

import typer

from ..reading.progress import PlainConsole
from . import options as o, say


def bench(
    out: Annotated[
        Path, typer.Option("--out", help="Folder for benchmark.json and benchmark.md.", file_okay=False)
    ] = Path("runs/bench"),
    shape: Annotated[str, typer.Option(help="Shape of the random model: tiny, 10m, 135m, 1b or 7b.")] = "135m",
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1 ...")] = "cpu",
    dtype: Annotated[str, typer.Option("--dtype", help="float32, bfloat16 or float16.")] = "float32",
    rounds: Annotated[int, typer.Option(min=1, help="How often each variant is timed.")] = 7,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the processor.")] = 1,
    only: Annotated[list[str] | None, typer.Option(help="A section; repeatable. All if not given.")] = None,
    quick: Annotated[bool, typer.Option(help="Few short texts: whether it runs, not what it costs.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the random weights.")] = 0,
    log: o.Log = "auto",
) -> None:
    """Measure what the passes of this package cost beside the bare pass of the model, and what others cost.

    In a checkout more is measured: other libraries, where they are installed, lengths, precision and writing. A table
    is written as soon as it is done.

        innerjudge bench

        innerjudge bench --device cuda --dtype bfloat16 --shape 7b --out runs/bench-7b
    """
    from rich.markdown import Markdown
    from transformers.utils import logging

    from ..bench.passes.run import DOCUMENT, Options, markdown, run_benchmark, write
    from ..data.jsonl import require_room
    from ..runs.log import logged

    require_room(out)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    options = Options(shape, device, dtype, rounds, threads, quick, tuple(only or ()), seed)
    try:
        from ..bench.documents.sections import SECTIONS
    except ModuleNotFoundError:  # the wheel has none of it
        from ..bench.passes.run import SECTIONS
    with logged(log, kept=str(out)) as steps:
        found = run_benchmark(options, steps, o.typed(), lambda so_far: write(so_far, out), SECTIONS)
    PlainConsole().print(Markdown(markdown(found)))
    say(f"The tables are in {out / DOCUMENT}.")
