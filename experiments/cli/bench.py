"""The command ``innerjudge bench``."""

from pathlib import Path
from typing import Literal

import typer

from ...models.errors import InnerjudgeError
from ..reading.progress import PlainConsole
from ..runs.log import LogStyle
from . import options as o, say


def bench(
    out: Path = Path("runs/bench"), shape: str = "135m", device: str | None = None, dtype: str = "float32",
    rounds: int = 7, threads: int = 1, only: list[str] | None = None, suite: Literal["gpu"] | None = None,
    quick: bool = False, seed: int = 0, log: LogStyle = "auto"
) -> None:  # fmt: skip
    """Measure what the passes of this package cost beside the bare pass of the model, and what others cost."""
    from rich.markdown import Markdown
    from transformers.utils import logging

    try:
        from ..bench.documents.sections import SECTIONS
        from ..bench.gpu import document, parts, suite as gpu
        from ..bench.passes.run import DOCUMENT, Options, markdown, run_benchmark, write
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("innerjudge.experiments.bench"):
            raise
        raise InnerjudgeError.of("cli.no-bench") from None
    from ..data.jsonl import require_room
    from ..runs.log import logged

    if suite == "gpu":
        chosen, sizes = gpu.chosen(only or ()), parts.Sizes(device or "cuda", quick or device == "cpu")
        gpu.require_card(sizes.device)
        require_room(out)
        with logged(log, kept=str(out)) as steps:
            ran = gpu.run_suite(chosen, sizes, steps, lambda so_far: document.write(so_far, out), command=o.typed())
        PlainConsole().print(Markdown(document.markdown(ran)))
        say(f"The tables are in {out / document.DOCUMENT}.")
        raise typer.Exit(int(ran.failed))
    require_room(out)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    options = Options(shape, device or "cpu", dtype, rounds, threads, quick, tuple(only or ()), seed)
    with logged(log, kept=str(out)) as steps:
        found = run_benchmark(options, steps, o.typed(), lambda so_far: write(so_far, out), SECTIONS)
    PlainConsole().print(Markdown(markdown(found)))
    say(f"The tables are in {out / DOCUMENT}.")
