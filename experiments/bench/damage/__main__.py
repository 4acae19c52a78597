"""``python -m innerjudge.experiments.bench.damage``: flip and kill, and write down what came of it.

It ends with 1 where a flip passed in silence or a kill lost anything. Hours long at full size: what is done is kept in
``damage.part.json`` beside the document, and the same command goes on from there. With ``--only`` the other rows of the
table stay as they are, if the same flips, kills, seed and versions made them.
"""

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from ....extraction.provenance import versions
from .artefacts import ARTEFACTS, KILLED, typed_of
from .asked import answering
from .flips import OUTCOMES
from .typed import Typist
from .work import work

FILE = Path(__file__).with_name("damage.md")
#: What is tried, in the order of the table, and the field that names one of it.
NAMES = {"flips": [one.name for one in ARTEFACTS], "kills": [*KILLED]}
_NAMED = {"flips": "artefact", "kills": "command"}


def main(arguments: list[str] | None = None) -> int:
    """Write ``damage.json`` and ``damage.md``."""
    parser = argparse.ArgumentParser(prog="python -m innerjudge.experiments.bench.damage", description=__doc__)
    parser.add_argument("--flips", type=int, default=200, help="flips of each file")
    parser.add_argument("--kills", type=int, default=20, help="kills of each command")
    parser.add_argument("--seed", type=int, default=0, help="of places and moments")
    parser.add_argument("--jobs", type=int, default=2, help="artefacts and commands at a time")
    parser.add_argument(
        "--only", action="append", help="those with this in their name, or in 'flips: NAME'; repeatable"
    )
    parser.add_argument(
        "--join", action="append", type=Path, default=[], help="JSON of a part that was made beside, repeatable"
    )
    parser.add_argument("--out", type=Path, default=FILE, help="the document; its JSON stands beside it")
    given = parser.parse_args(arguments)
    command = f"python -m innerjudge.experiments.bench.damage --flips {given.flips} --kills {given.kills}"
    head = {"command": f"{command} --seed {given.seed}", "versions": dict(versions())}
    whole, part = given.out.with_suffix(".json"), given.out.with_suffix(".part.json")
    wanted = {
        where: _named(where, names, given.only) if getattr(given, where) else [] for where, names in NAMES.items()
    }
    if not any(wanted.values()) and not given.join:
        parser.error(f"given --only {given.only}, expected parts of names of {', '.join((*NAMES['flips'], *KILLED))}")
    held = [*([whole] if given.only and whole.is_file() else []), *given.join]
    before = [_read(path, head) for path in held]
    if None in before:
        odd = held[before.index(None)]
        parser.error(f"given {odd}, of other flips, kills, seed or versions than this run: leave it out, or --only")

    record: dict[str, Any] = _read(part, head) or head | {"flips": [], "kills": []}
    done = {where: [one[name] for one in record[where]] for where, name in _NAMED.items()}
    left = [(where, name) for where, names in wanted.items() for name in names if name not in done[where]]
    free: SimpleQueue[Typist] = SimpleQueue()
    with ExitStack() as typists, ThreadPoolExecutor(given.jobs) as pool:
        typists.enter_context(answering())
        for _ in range(min(given.jobs, len(left))):
            free.put(typists.enter_context(Typist()))
        running = {pool.submit(work, free, *one, given.flips, given.kills, given.seed): one[0] for one in left}
        for one in as_completed(running):
            record[running[one]].append(one.result())
            part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
            sys.stdout.write(f"{one.result()}\n")
            sys.stdout.flush()
    record = _joined([*before, record])
    whole.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    given.out.write_text(document(record), encoding="utf-8")
    part.unlink(missing_ok=True)
    return int(any(one["rounds"]["silent"] for one in record["flips"]) or any(one["lost"] for one in record["kills"]))


def _named(where: str, names: list[str], only: list[str] | None) -> list[str]:
    """Those whose name, or ``"flips: NAME"`` and ``"kills: NAME"``, has one of the parts in it."""
    return [name for name in names if only is None or any(part in f"{where}: {name}" for part in only)]


def _read(path: Path, head: dict[str, Any]) -> dict[str, Any] | None:
    """A record of the same command and versions; nothing where there is none."""
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return found if found and head.items() <= found.items() else None


def _joined(records: list[Any]) -> dict[str, Any]:
    """The rows of all, in the order of the table; of several of one name the last."""
    joined = dict(records[-1])
    for where, name in _NAMED.items():
        rows = {one[name]: one for record in records for one in record[where]}
        joined[where] = [rows[one] for one in NAMES[where] if one in rows]
    return joined


def document(record: dict[str, Any]) -> str:
    """The table as Markdown."""
    lines = [
        "# Damage: bytes flipped, commands killed",
        "",
        f"Written by `{record['command']}`.",
        "",
        "A round flips one byte of one file (*all files at once*: of every file). **Healed**: the same command made it "
        "again, and everything read is as before. **Noticed**: one line says what is wrong, and there is no result. "
        "**Harmless**: all came out as without the flip (a README, a plot). **Silent**: all else, also a traceback.",
        "",
        f"| artefact | files | flips | rounds | {' | '.join(OUTCOMES)} |",
        "|---|---|---|---|" + "---|" * len(OUTCOMES),
    ]
    for one in record["flips"]:
        rounds = one["rounds"]
        counts = " | ".join(f"{rounds[outcome]:,}" for outcome in OUTCOMES)
        lines.append(f"| {one['artefact']} | {one['files']} | {one['flips']:,} | {sum(rounds.values()):,} | {counts} |")
    lines += [
        "",
        "A command is killed at seeded moments of its life, and again just before it changes a file: before each of "
        "these changes, or at seeded ones where they are many. Then it is typed again. **The same**: it leaves the "
        "same files as a run that nobody killed, nothing half-written, and (where it writes none) says the same. With "
        "0 *before a change*, it changes no file.",
        "",
        "| command, killed and typed again | kills by the clock | before a change | the same | lost |",
        "|---|---|---|---|---|",
    ]
    for end in record["kills"]:
        name, typed = (
            end["command"],
            " ".join(typed_of(end["command"])[: 2 if end["command"].startswith("store") else 1]),
        )
        said = f"`innerjudge {typed}`" + (f" ({name})" if name != typed else "")
        counts = " | ".join(map(str, (end["kills"], end["at_changes"], end["same"], len(end["lost"]))))
        lines.append(f"| {said} | {counts} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
