"""The results file and the page of the suite."""

import json
import os
from dataclasses import asdict
from pathlib import Path

from ....models.errors import readable
from .suite import Found, Ran

#: Files of a run in its folder.
RESULTS, DOCUMENT = "gpu.json", "gpu.md"


def write(found: Found, folder: Path) -> None:
    """Write ``gpu.json`` and ``gpu.md`` into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in ((RESULTS, json.dumps(asdict(found), indent=1) + "\n"), (DOCUMENT, markdown(found))):
        half = folder / f"{name}.new"
        half.write_text(text, encoding="utf-8")
        os.replace(half, folder / name)  # whoever is stopped here leaves the old one


def markdown(found: Found) -> str:
    """The page: the machine, how far the run came, and a table a part."""
    card = found.machine.get("card", f"no card ({found.sizes.device})")
    lines = [f"# A GPU in one command: {card}", "", f"Written by `{readable(found.command)}`: do not edit."]
    if found.sizes.tiny:
        lines += [
            "",
            "**Tiny shapes, fewer and shorter texts than stated: it shows that it runs and says nothing about cost.**",
        ]
    lines += [
        "",
        f"Machine: {_pairs(found.machine)}. Versions: {_pairs(found.versions)}. Weights are random, in "
        f"{found.sizes.dtype} (the tests: as they say). Limit: {found.limit:.0f} s.",
        "",
        "| part | seconds | rows | without figures | |",
        "| --- | --: | --: | --: | --- |",
    ]
    for ran in found.parts:
        empty = sum(bool(row.reason) for row in ran.rows)
        lines.append(f"| {ran.part.title} | {ran.seconds:.0f} | {len(ran.rows)} | {empty} | {_cell(ran.reason)} |")
    for ran in found.parts:
        lines += ["", f"## {ran.part.title}", "", ran.part.about, "", *_table(ran)]
    return "\n".join(lines) + "\n"


def _table(ran: Ran) -> list[str]:
    columns = list(dict.fromkeys(name for row in ran.rows for name in row.figures))
    lines = (
        [f"| | {' | '.join([*columns, 'why not'])} |", f"| --- |{' --: |' * len(columns)} --- |"] if ran.rows else []
    )
    for row in ran.rows:
        cells = [_number(row.figures.get(name)) for name in columns]
        lines.append(f"| {' | '.join([_cell(row.what), *cells, _cell(row.reason)])} |")
    if ran.reason:
        lines += [*([""] if lines else []), f"It {_cell(ran.reason)}."]
    return lines


def _pairs(named: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in named.items())


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _cell(text: str) -> str:
    return readable(" ".join(text.split())).replace("|", "\\|")
