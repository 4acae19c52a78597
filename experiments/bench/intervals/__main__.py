"""``python -m innerjudge.experiments.bench.intervals``: simulate, and write down what the intervals cover."""

import argparse
import sys
from itertools import product
from pathlib import Path

from .document import FILE, markdown
from .trial import coverage
from .worlds import WORLDS

QUESTIONS = (8, 16, 25, 50, 200)
#: Candidates per question and strength: every figure in the first, the cheap ones in all.
DESIGNS = ((4, 0.3), (1, 0.0), (4, 0.0), (4, 0.7), (16, 0.3))
#: Figures that are simulated in every design.
EVERYWHERE = ("accuracy", "difference of accuracies", "AUROC within", "Cohen", "mean")


def main(arguments: list[str] | None = None) -> int:
    """Write the document."""
    parser = argparse.ArgumentParser(prog="python -m innerjudge.experiments.bench.intervals", description=__doc__)
    parser.add_argument("--studies", type=int, default=1000, help="studies of each design")
    parser.add_argument("--out", type=Path, default=FILE, help="the document")
    given = parser.parse_args(arguments)
    found = []
    for (candidates, strength), figure in product(DESIGNS, WORLDS):
        if candidates == 1 and not WORLDS[figure].single:
            continue
        if (candidates, strength) != DESIGNS[0] and not figure.startswith(EVERYWHERE):
            continue
        for questions in QUESTIONS:
            one = coverage(figure, questions=questions, candidates=candidates, strength=strength, studies=given.studies)
            found.append(one)
            design = f"{figure} {questions} x {candidates} at {strength:g}"
            sys.stdout.write(f"{design}: {one.covered:.3f}, by draws {one.drawn:.3f}\n")
            sys.stdout.flush()
    command = f"python -m innerjudge.experiments.bench.intervals --studies {given.studies}"
    given.out.write_text(markdown(found, command), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
