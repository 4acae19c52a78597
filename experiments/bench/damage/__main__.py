"""``python -m innerjudge.experiments.bench.damage``: flip and kill, and write down what came of it.

It ends with 1 where a flip passed in silence or a kill lost anything. Hours long at full size: what is done is kept in
``damage.part.json`` beside the document, and the same command goes on from there.
"""

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from ....extraction.provenance import versions
from .artefacts import ARTEFACTS, KILLED, MADE
from .flips import OUTCOMES
from .work import work

FILE = Path(__file__).with_name("damage.md")


def main(arguments: list[str] | None = None) -> int:
    """Write ``damage.json`` and ``damage.md``."""
    parser = argparse.ArgumentParser(prog="python -m innerjudge.experiments.bench.damage", description=__doc__)
    parser.add_argument("--flips", type=int, default=200, help="flips of each file")
    parser.add_argument("--kills", type=int, default=20, help="kills of each command")
    parser.add_argument("--seed", type=int, default=0, help="of places and moments")
    parser.add_argument("--jobs", type=int, default=2, help="artefacts and commands at a time")
    parser.add_argument("--only", default="", help="artefacts and commands whose name has this in it")
    parser.add_argument("--out", type=Path, default=FILE, help="the document; its JSON stands beside it")
    given = parser.parse_args(arguments)
    command = f"python -m innerjudge.experiments.bench.damage --flips {given.flips} --kills {given.kills}"
    if given.only and given.out == FILE:
        parser.error("--only writes a part of the table: name another --out")
    command += f" --only {given.only}" if given.only else ""
    head = {"command": f"{command} --seed {given.seed}", "versions": dict(versions())}
    part = given.out.with_suffix(".part.json")
    record: dict[str, Any] = head | {"flips": [], "kills": []}
    if part.is_file() and head.items() <= (before := json.loads(part.read_text("utf-8"))).items():
        record = before
    done = {one["artefact"] for one in record["flips"]}, {one["command"] for one in record["kills"]}

    wanted = [("flips", k) for k, one in enumerate(ARTEFACTS) if given.flips and one.name not in done[0]]
    wanted += [("kills", k) for k, name in enumerate(KILLED) if given.kills and name not in done[1]]
    names = {"flips": [one.name for one in ARTEFACTS], "kills": list(KILLED)}
    wanted = [(where, k) for where, k in wanted if given.only in names[where][k]]
    if given.only and not wanted:
        parser.error(f"given --only {given.only}, expected a part of the name of an artefact or command")
    with ProcessPoolExecutor(given.jobs, get_context("spawn"), max_tasks_per_child=1) as pool:
        running = {pool.submit(work, where, k, given.flips, given.kills, given.seed): where for where, k in wanted}
        for one in as_completed(running):
            record[running[one]].append(one.result())
            part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
            sys.stdout.write(f"{one.result()}\n")
            sys.stdout.flush()
    for where, key in (("flips", "artefact"), ("kills", "command")):
        record[where].sort(key=lambda one, of=where, by=key: names[of].index(one[by]))
    part.unlink(missing_ok=True)
    given.out.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    given.out.write_text(_document(record), encoding="utf-8")
    return int(any(one["rounds"]["silent"] for one in record["flips"]) or any(one["lost"] for one in record["kills"]))


def _document(record: dict[str, Any]) -> str:
    lines = [
        "# Damage: bytes flipped, commands killed",
        "",
        f"Written by `{record['command']}`, which says how to read it.",
        "",
        "A round flips one byte of one file (*all files at once*: of every file). **Healed**: the same command made it "
        "again, and everything read is as before. **Noticed**: one line says what is wrong, and nothing comes of it. "
        "**Harmless**: all came out as without it (a README, a plot). **Silent**: anything else, a traceback too.",
        "",
        f"| artefact | files | flips | rounds | {' | '.join(OUTCOMES)} |",
        "|---|---|---|---|" + "---|" * len(OUTCOMES),
    ]
    for one in record["flips"]:
        rounds = one["rounds"]
        counts = " | ".join(f"{rounds[outcome]:,}" for outcome in OUTCOMES)
        lines.append(f"| {one['artefact']} | {one['files']} | {one['flips']:,} | {sum(rounds.values()):,} | {counts} |")
    lines += ["", "| command, killed and typed again | kills | the same files | lost |", "|---|---|---|---|"]
    for end in record["kills"]:
        typed = f"`innerjudge {MADE[end['command']][0]}` ({end['command']})"
        lines.append(f"| {typed} | {end['kills']} | {end['same']} | {len(end['lost'])} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
