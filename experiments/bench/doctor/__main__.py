"""``python -m innerjudge.experiments.bench.doctor``: examine planted worlds, and write down what is named."""

import argparse
from collections import Counter
from pathlib import Path

import pandas as pd

from ....extraction.provenance import versions
from ...compare.doctor.explanations import explain
from ...compare.doctor.scores import read_scores
from .worlds import table

WORLDS = ("question", "length", "source", "leak", "signal", "null")


def main() -> None:
    """Run the studies and write the table."""
    parser = argparse.ArgumentParser(description="Examine planted worlds, and write down what is named.")
    parser.add_argument("--studies", type=int, default=200, help="studies of each world")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("worlds.md"), help="the document")
    given = parser.parse_args()
    lines = [
        "# What `doctor` names where the cause is known",
        "",
        f"Simulated studies, {given.studies} of each world, of 100 questions with 6 candidates. In each the labels go",
        "with the question (some are hard) and with the planted cause, and the score knows that cause and nothing",
        "else; in *signal* it knows the label with noise, in *null* nothing. A cell is a number of studies.",
        "",
        "| planted | named exactly that | nothing | something else |",
        "| --- | --: | --: | --: |",
    ]
    for world in WORLDS:
        named: Counter[tuple[str, ...]] = Counter()
        for seed in range(given.studies):
            named[explain(read_scores(pd.DataFrame(table(world, seed)))).named] += 1
        right = named[()] if world == "null" else named[(world,)]
        nothing = 0 if world == "null" else named[()]
        lines.append(f"| {world} | {right} | {nothing} | {given.studies - right - nothing} |")
        print(lines[-1], flush=True)  # noqa: T201
    made = ", ".join(f"{name} {version}" for name, version in versions())
    lines += [
        "",
        f"Written by `python -m innerjudge.experiments.bench.doctor --studies {given.studies}` (seeds from 0; {made}).",
    ]
    given.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
