"""``python -m innerjudge.experiments.bench.damage``: flip and kill, and write down what came of it.

It ends with 1 where a flip passed in silence or a kill lost anything.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

from ....extraction.provenance import versions
from .artefacts import ARTEFACTS, KILLED, MADE, make
from .flips import OUTCOMES, Flipped, flip
from .kills import Killed, kill
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
    flipped, killed = [], []
    with tempfile.TemporaryDirectory() as room, Typist() as typist:
        base = Path(room, "base")
        make(base, typist)
        for artefact in (one for one in ARTEFACTS if given.flips and given.only in one.name):
            flipped.append(flip(artefact, base, typist, given.flips, given.seed))
            _say(_plain(flipped[-1]))
        for name in (one for one in KILLED if given.kills and given.only in one):
            killed.append(kill(name, base, Path(room, "kills"), typist, given.kills, given.seed))
            _say(asdict(killed[-1]))
    command = f"python -m innerjudge.experiments.bench.damage --flips {given.flips} --kills {given.kills}"
    record = {
        "command": f"{command} --seed {given.seed}",
        "versions": dict(versions()),
        "flips": [_plain(one) for one in flipped],
        "kills": [asdict(one) for one in killed],
    }
    given.out.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    given.out.write_text(_document(record["command"], flipped, killed), encoding="utf-8")
    return int(any(one.rounds["silent"] for one in flipped) or any(one.lost for one in killed))


def _document(command: object, flipped: list[Flipped], killed: list[Killed]) -> str:
    lines = [
        "# Damage: bytes flipped, commands killed",
        "",
        f"Written by `{command}`, which says how to read it.",
        "",
        "A round flips one byte of one file (*all files at once*: of every file). **Healed**: the same command made it "
        "again, and everything read is as before. **Noticed**: one line says what is wrong, and nothing comes of it. "
        "**Harmless**: all came out as without it (a README, a plot). **Silent**: anything else, a traceback too.",
        "",
        f"| artefact | files | flips | rounds | {' | '.join(OUTCOMES)} |",
        "|---|---|---|---|" + "---|" * len(OUTCOMES),
    ]
    for one in flipped:
        counts = " | ".join(f"{one.rounds[outcome]:,}" for outcome in OUTCOMES)
        lines.append(f"| {one.artefact} | {one.files} | {one.flips:,} | {one.rounds.total():,} | {counts} |")
    lines += ["", "| command, killed and typed again | kills | the same files | lost |", "|---|---|---|---|"]
    for end in killed:
        lines.append(
            f"| `innerjudge {MADE[end.command][0]}` ({end.command}) | {end.kills} | {end.same} | {len(end.lost)} |"
        )
    return "\n".join(lines) + "\n"


def _plain(one: Flipped) -> dict[str, object]:
    return asdict(replace(one, rounds=Counter())) | {"rounds": {name: one.rounds[name] for name in OUTCOMES}}


def _say(record: dict[str, object]) -> None:
    sys.stdout.write(f"{record}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
