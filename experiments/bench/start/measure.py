"""Start times: ``python -m innerjudge.experiments.bench.start.measure FOLDER``, a model's folder.

Every start is a fresh process, and the commands take turns, so that other work on the machine hits all alike.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from ....extraction.provenance import versions

#: Where the committed record lies.
RECORD = Path(__file__).with_name("start.json")
_CLI = ("-m", "innerjudge.experiments.cli.main")
#: The model as transformers loads it, which the others are a ratio of.
FLOOR = "torch, AutoModelForCausalLM.from_pretrained"
#: What is asked of which: at most this many times the floor.
BARS = {"innerjudge models --model FOLDER": 1.3}


def commands(folder: str) -> dict[str, tuple[str, ...]]:
    """What is started, by name."""
    bare = "import torch\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n"
    model = f"AutoModelForCausalLM.from_pretrained({folder!r})"
    return {
        FLOOR: ("-c", bare + model),
        f"{FLOOR}, and the tokenizer": ("-c", f"{bare}{model}, AutoTokenizer.from_pretrained({folder!r})"),
        "from innerjudge import load; load(FOLDER)": ("-c", f"from innerjudge import load\nload({folder!r})"),
        "innerjudge models --model FOLDER": (*_CLI, "models", "--model", folder),
        "import torch, transformers": ("-c", bare),
        "import innerjudge": ("-c", "import innerjudge"),
        "innerjudge --help": (*_CLI, "--help"),
    }


def started(command: tuple[str, ...]) -> tuple[float, float]:
    """Seconds of the wall and of the processor that a fresh Python took."""
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} ended with {status}:\n{said}")
    process.returncode = 0
    return time.perf_counter() - begun, used.ru_utime + used.ru_stime


def measured(folder: str, rounds: int) -> dict[str, dict[str, float]]:
    """Of every command: least and middle CPU seconds, least wall seconds, and the middle ratio to the floor's CPU."""
    asked = commands(folder)
    for command in asked.values():
        started(command)  # files are in memory from here on
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in asked}
    for _ in range(rounds):
        for name, command in asked.items():
            times[name].append(started(command))
    floors = [cpu for _, cpu in times[FLOOR]]
    return {
        name: {
            "least wall s": round(min(wall for wall, _ in each), 2),
            "least CPU s": round(min(cpu for _, cpu in each), 2),
            "middle CPU s": round(statistics.median(cpu for _, cpu in each), 2),
            "of the floor": round(statistics.median(cpu / own for (_, cpu), own in zip(each, floors, strict=True)), 2),
        }
        for name, each in times.items()
    }


def page(record: dict[str, object], found: dict[str, dict[str, float]]) -> str:
    """The record as Markdown."""
    columns = list(next(iter(found.values())))
    lines = [
        "# How long the tool takes to begin",
        "",
        f"Written by `{record['command']}` ({record['versions']}): {record['rounds']} rounds, in which the commands "
        "take turns, each in a fresh process. CPU seconds are those of user and system together, which other work on "
        f"the machine moves least; the ratio is the middle of the rounds' ratios to *{FLOOR}*.",
        "",
        f"| what is started | {' | '.join(columns)} | asked for |",
        f"| --- | {' | '.join('---' for _ in columns)} | --- |",
    ]
    for name, one in found.items():
        bar = BARS.get(name)
        met = "-" if bar is None else f"at most {bar}: {'met' if one['of the floor'] <= bar else 'missed'}"
        lines.append(f"| `{name}` | {' | '.join(f'{v:.2f}' for v in one.values())} | {met} |")
    return "\n".join([*lines, ""])


def main(
    folder: Annotated[str, typer.Argument(help="A model's folder.")],
    rounds: Annotated[int, typer.Option(help="Starts of each command.")] = 7,
    out: Annotated[Path, typer.Option(help="The record; a page stands beside it.")] = RECORD,
) -> None:
    """Measure, and write the record and its page."""
    found = measured(str(Path(folder).resolve()), rounds)
    name = Path(folder).resolve().name
    record: dict[str, object] = {
        "command": f"python -m innerjudge.experiments.bench.start.measure {name} --rounds {rounds}",
        "versions": ", ".join(f"{name} {version}" for name, version in versions()),
        "rounds": rounds,
    }
    out.write_text(json.dumps(record | {"starts": found}, indent=1) + "\n", "utf-8")
    out.with_suffix(".md").write_text(page(record, found), "utf-8")


if __name__ == "__main__":
    typer.run(main)
