"""``innerjudge store info|verify|merge|export``: what is in a feature store, and whether it is whole."""

from pathlib import Path

import typer
from rich.markup import escape
from rich.table import Table

from ..drawing.style import are_in, counted
from ..reading.progress import PlainConsole
from . import say

store_app = typer.Typer(help="Look at feature stores, check, merge and export them.", rich_markup_mode="markdown")


@store_app.command()
def info(store: str) -> None:
    """Show what is stored: items, readouts, bytes, type and what it loses, where it came from, what is unscored."""
    from ...extraction.store import FeatureStore
    from ..runs.extracting.summary import reasons_of
    from ..runs.merge_job import damaged

    held = FeatureStore.begun(store)
    lacking = held.look(checksums=False)
    table = Table(show_header=False, box=None)
    rows = {
        "items": f"{len(held):,}",
        "shards": f"{len(held.entries)} of {held.header.shards}, {counted(held.header.shard_items, 'item')} each",
        "bytes": f"{sum(entry.size for entry in held.entries.values()):,}",
        "hidden states as": held.header.dtype,
    }
    rows |= {f"{name}": str(list(shape)) for name, shape in held.shapes.items()}
    rows |= dict.fromkeys(held.ragged_names, "several rows per item")
    rows |= {
        f"{name}, lost": f"{one.relative:.2g} (root mean square), at most {one.worst:.2g} in one state"
        for name, one in held.rounding.items()
    }
    known = held.provenance
    rows |= {"model": known.model, "revision": known.revision or "-"}
    rows |= {"code of the model's own": "run" if known.remote_code else "none"}
    rows |= {name: "-" if value is None else str(value) for name, value in known.binding().items()}
    rows |= {f"version of {name}": one for name, one in known.versions}
    for name, value in rows.items():
        table.add_row(escape(name), escape(value))
    console = PlainConsole()
    console.print(table)
    if lacking:
        raise damaged(store, dict(lacking.values()))
    for names, count, reason in reasons_of(held.missing_reasons()):
        console.print(f"{count:,} items without {names}: {' '.join(reason.split())}", markup=False, highlight=False)


@store_app.command()
def verify(store: str) -> None:
    """Check every file against its checksum; damaged ones are named, and the command exits with code 2."""
    from ..runs.merge_job import verify_job

    for line in verify_job(store):
        say(line)


@store_app.command()
def merge(parts: list[str], out: str) -> None:
    """Put the items of several extractions, of one model and of one type, below one another as a new one."""
    from ..runs.merge_job import merge_jobs

    say(merge_jobs(parts, out))


@store_app.command()
def export(store: str, out: Path) -> None:
    """Write all items as one Parquet or npz file, for other programs."""
    from ...extraction.store import FeatureStore, export as write
    from ..data.jsonl import writing

    held = FeatureStore.open(store, check="checksums")
    with writing(out):
        write(held, out)
    say(are_in(len(held), "item", out))
