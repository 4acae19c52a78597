"""Peak memory by number of items, each in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .line import Line

#: What is done -> in words.
DONE = {
    "iterate": "iterating a store",
    "fit-store": "fitting from a store (mini-batch logistic)",
    "fit-stream": "fitting while the model runs (CLUE)",
    "extract": "`innerjudge extract`",
    "fit": "`innerjudge fit` (CLUE)",
}
#: Memory may grow by so much from the fewest to the most items before it no longer counts as flat.
_GROWTH = 1.1


def memory(folder: Path, most: int) -> Iterator[Line]:
    """Peak of anonymous memory (mapped files are the disk's) for a hundredth, a tenth and all of ``most`` items."""
    for what, words in DONE.items():
        points = []
        for items in (most // 100, most // 10, most):
            command = [sys.executable, "-m", "innerjudge.experiments.bench.large_runs.one_job", what]
            command += [str(folder / f"m{items}"), str(items)]
            env = os.environ | {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
            ended = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
            if ended.returncode:
                raise RuntimeError(f"{' '.join(command)} ended with {ended.returncode}: {ended.stderr[-2000:]}")
            points.append((items, float(ended.stdout.split()[-1])))
        growth = points[-1][1] / points[0][1]
        measured = ", ".join(f"{peak:,.0f} MB at {items:,}" for items, peak in points)
        asked = f"flat (at most {_GROWTH} times)"
        yield Line(f"peak memory of {words}", measured, asked, growth <= _GROWTH, tuple(points))
