"""``python -m innerjudge.experiments.bench.damage``: flip and kill, and write down what came of it.

It ends with 1 where a flip passed in silence or a kill lost anything. Hours long at full size: what is done is kept in
``damage.part.json`` beside the document, and the same command goes on from there.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ....extraction.provenance import versions
from .artefacts import ARTEFACTS, KILLED, MADE, make
from .flips import OUTCOMES, Flipped, flip
from .kills import kill
from .typed import Typist

FILE = Path(__file__).with_name("damage.md")


def main(arguments: list[str] | None = None) -> int:
    """Write ``damage.json`` and ``damage.md``."""
    parser = argparse.ArgumentParser(prog="python -m innerjudge.experiments.bench.damage", description=__doc__)
    parser.add_argument("--flips", type=int, default=200, help="flips of each file")
    parser.add_argument("--kills", type=int, default=20, help="kills of each command")
    parser.add_argument("--seed", type=int, default=0, help="of places and moments")
    parser.add_argument("--only", default="", help="artefacts and commands whose name has this in it")
    parser.add_argument("--out", type=Path, default=FILE, help="the document; its JSON stands beside it")
    given = parser.parse_args(arguments)
    command = f"python -m innerjudge.experiments.bench.damage --flips {given.flips} --kills {given.kills}"
    head = {"command": f"{command} --seed {given.seed}", "versions": dict(versions())}
    part = given.out.with_suffix(".part.json")
    record: dict[str, Any] = head | {"flips": [], "kills": []}
    if part.is_file() and head.items() <= (before := json.loads(part.read_text("utf-8"))).items():
        record = before
    done = {one["artefact"] for one in record["flips"]}, {one["command"] for one in record["kills"]}

    def keep(where: str, found: dict[str, Any]) -> None:
        record[where].append(found)
        part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        sys.stdout.write(f"{found}\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory() as room, Typist() as typist:
        base = Path(room, "base")
        make(base, typist)
        for artefact in (
            one for one in ARTEFACTS if given.flips and given.only in one.name and one.name not in done[0]
        ):
            keep("flips", _plain(flip(artefact, base, typist, given.flips, given.seed)))
        for name in KILLED if given.kills else ():
            if given.only not in name or name in done[1]:
                continue
            keep("kills", asdict(kill(name, base, Path(room, "kills"), typist, given.kills, given.seed)))
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


def _plain(one: Flipped) -> dict[str, object]:
    return asdict(replace(one, rounds=Counter())) | {"rounds": {name: one.rounds[name] for name in OUTCOMES}}


if __name__ == "__main__":
    raise SystemExit(main())
