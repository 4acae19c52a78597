"""The command ``innerjudge bench``."""

from pathlib import Path

from ..reading.progress import PlainConsole
from ..runs.log import LogStyle
from . import options as o, say


def bench(
    out: Path = Path("runs/bench"),
    shape: str = "135m",
    device: str = "cpu",
    dtype: str = "float32",
    rounds: int = 7,
    threads: int = 1,
    only: list[str] | None = None,
    quick: bool = False,
    seed: int = 0,
    log: LogStyle = "auto",
) -> None:
    """Measure what the passes of this package cost beside the bare pass of the model, and what others cost."""
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
