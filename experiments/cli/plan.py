"""The commands before a run: what a model is, what data are, their labels, and what an extraction will cost."""

import sys
from pathlib import Path
from typing import Literal

import typer
from rich.filesize import decimal
from rich.table import Table

from ...models.errors import InnerjudgeError
from ..reading.progress import PlainConsole
from ..runs.loading import Model
from . import options as o, say


def models(on: Model) -> None:
    """Show what was detected of a model: blocks, heads, norm, head size, chat template, reasoning markers."""
    lm = on.load()
    from ...models.description import describe

    table = Table(show_header=False, box=None)
    for name, value in describe(lm).items():
        table.add_row(name, "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value))
    PlainConsole().print(table)


def look(
    data: str, map_: list[str] | None = None, model: str = "reference", limit: int | None = None, seed: int = 0,
    scale: str | None = None, markers: tuple[str, str] = o.THINK, items: int = 3
) -> None:  # fmt: skip
    """Say what is understood of a data set: kind, labels, lengths, what will be unscored; and show some items."""
    columns = o.mapped(map_, data)
    from ..data.datasets import load_data
    from ..runs.look import look_at

    found = load_data(data, limit=limit, seed=seed, columns=columns)
    if found.problems:
        raise InnerjudgeError(f"given {data}, problems whose answers are still to be sampled, expected items")
    seen = look_at(found.items, model, scale=None if scale is None else o.bounds(scale), n=items, markers=markers)
    for name, value in seen.facts.items():
        say(f"{name}: {value}")
    for reason, count in seen.unscored.items():
        say(f"{count} unscored where this is read: {reason}")
    for text in seen.items:
        say(f"\n--- {text}")


def label(
    data: str, out: Path, map_: list[str] | None = None, limit: int | None = None, seed: int = 0, rater: str = "me",
    rule: Literal["answers", "largest", "random"] | None = None, spread: bool = False
) -> None:  # fmt: skip
    """Show traces one by one, and write after each key (or line of the input) whether it is right: r, w, s, b, q."""
    columns = o.mapped(map_, data)
    from ..data.datasets import load_data
    from ..runs.label_job import label_job

    def ask(text: str) -> str:
        say(text)
        try:
            return (typer.getchar() if sys.stdin.isatty() else sys.stdin.readline()[:1]).lower() or "q"
        except EOFError:
            return "q"

    found = load_data(data, limit=limit, seed=seed, columns=columns)
    say(label_job(found.items, out, ask, rater=rater, rule=rule, spread=spread, seed=seed))


def plan(
    data: str, on: Model, out: str = ".", map_: list[str] | None = None, limit: int | None = None, seed: int = 0,
    batch_size: int = 16, candidates: int = 8, scale: str = "1-5", abstain: bool = True,
    store_dtype: o.StoreDtype = "float32"
) -> None:  # fmt: skip
    """Say what `extract` will cost: tokens, seconds, bytes by type and readout, memory, and what will be unscored."""
    columns = o.mapped(map_, data)
    from ...extraction.store import DTYPES
    from ..data.datasets import open_data
    from ..reading.passes import HIDDEN_NEEDS, Passes
    from ..runs.extracting.summary import disk_of, make_plan, no_room
    from ..runs.job import items_of

    ends = o.bounds(scale)
    found = open_data(data, limit=limit, seed=seed, columns=columns)
    lm = on.load()
    passes = Passes(batch_size=batch_size, scale=ends, reasoning_tokens=0, needs=HIDDEN_NEEDS, abstain=abstain)
    items = items_of(lm, found, candidates=candidates, seed=seed, passes=passes)
    planned = make_plan(lm, items, passes, seed=seed, copies=2 if found.kind == "choice" else 1)
    console = PlainConsole()
    disk, size = disk_of(out), planned.total(store_dtype)
    room = "unknown: an object store does not say how much it can hold"
    if disk is not None:
        tight = "yes, but it leaves too little: `extract` will ask" if disk.holds(size) else "no"
        room = "yes" if disk.spares(size) else tight
    for name, value in {
        "items": f"{planned.items:,} (measured on {planned.sample})",
        "tokens": f"{planned.tokens:,}",
        "seconds": f"{planned.seconds:,.0f} ({planned.items / planned.seconds:.1f} items/s)",
        "peak memory": decimal(planned.memory)
        + (f", on the GPU {decimal(planned.gpu_memory)}" if planned.gpu_memory else ""),
        "free on disk": "unknown" if disk is None else f"{decimal(disk.free)} of {decimal(disk.total)}",
        f"room for {decimal(size)} as {store_dtype}": room,
    }.items():
        console.print(f"{name}: {value}", highlight=False)
    table = Table("bytes of", *DTYPES)
    for name in planned.shapes:
        table.add_row(name, *(decimal(planned.size(name, one)) for one in DTYPES))
    table.add_row("all", *(decimal(planned.total(one)) for one in DTYPES))
    console.print(table)
    for names, count, reason in planned.unscored:
        share = count / planned.sample
        console.print(f"about {share:.0%} without {names}: {' '.join(reason.split())}", markup=False, highlight=False)
    if disk is not None and not disk.holds(size):
        raise no_room(size, out, disk)
