"""Measure one part, and append its rows to a file as they come: what ``suite.py`` starts, and stops at its limit.

python -m innerjudge.experiments.bench.gpu KEY ROWS.jsonl --device cuda [--tiny]
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from .parts import Row, Sizes


def measure(key: str, sizes: Sizes) -> Iterator[Row]:
    """The rows of the part with this key; what is heavy is imported here."""
    kind, of, attention = [*key.split("-"), "", ""][:3]
    if kind == "tests":
        from .held import held

        return held(of, sizes)
    if kind == "vllm":
        from .engine import protocol

        return protocol(sizes)
    if kind == "grid":
        from .grid import grid

        return grid(sizes)
    from .passes import lens, passes

    return lens(of, sizes) if kind == "lens" else passes(of, attention, sizes)


def main() -> None:
    """Append a line of JSON for each row."""
    parser = argparse.ArgumentParser(prog="python -m innerjudge.experiments.bench.gpu", description=__doc__)
    parser.add_argument("key")
    parser.add_argument("rows", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    how = parser.parse_args()
    for row in measure(how.key, Sizes(how.device, how.tiny)):
        with how.rows.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(row)) + "\n")


if __name__ == "__main__":
    main()
