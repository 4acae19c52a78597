"""``python -m innerjudge.experiments.bench.weak``: what weak labels are worth, on drawn worlds and on real states."""

import argparse
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata
from sklearn.base import clone

from ....extraction.features import Features
from ....extraction.provenance import versions
from ....extraction.store import FeatureStore
from ....models.errors import InnerjudgeError
from ....probes import BaseJudge, CountedProbe, DifferenceOfMeans, LogisticProbe
from ...data.jsonl import read_items
from .worlds import WIDTH, Floats, features_of, world

Bools = npt.NDArray[np.bool_]
#: Draws features and labels to learn from, and others to test on.
Draw = Callable[[int, int], tuple[Features, Bools, Features, Bools]]
#: Labels of the small case, in how many whole questions, questions of the large case, rows of the real states.
LABELS, FEW, MANY = 40, 5, 200
ROWS = (4, -1)


def within(scores: Floats, right: Bools, groups: tuple[str, ...]) -> float:
    """Mean AUROC within the questions that have right and wrong answers."""
    found = []
    question = np.unique(np.array(groups), return_inverse=True)[1]
    for q in range(question.max() + 1):
        s, y = scores[question == q], right[question == q]
        if 0 < y.sum() < len(y):
            ranks = rankdata(s)
            found.append((ranks[y].sum() - y.sum() * (y.sum() + 1) / 2) / (y.sum() * (~y).sum()))
    return float(np.mean(found))


def drawn(confound: float) -> Draw:
    """Worlds of one confound."""

    def draw(questions: int, seed: int) -> tuple[Features, Bools, Features, Bools]:
        x, y, q = world(questions, confound=confound, seed=seed)
        new_x, new_y, new_q = world(250, confound=confound, seed=1000 + seed, like=seed)
        return features_of(x, q), y, features_of(new_x, new_q), new_y

    return draw


def of_store(folder: Path, row: int) -> Draw:
    """Questions of an extracted ``builtin:solve``, half of them to learn from."""
    features = FeatureStore.open(folder).features(["hidden/reasoning_end"])
    right = np.array([bool(getattr(item, "correct", False)) for item in read_items(folder / "items.jsonl")])
    kept = features.present("hidden/reasoning_end")
    states, right = features[kept]["hidden/reasoning_end"][:, row].astype(np.float64), right[kept]
    names, question = np.unique(np.array(features.groups)[kept], return_inverse=True)

    def draw(questions: int, seed: int) -> tuple[Features, Bools, Features, Bools]:
        order = np.random.default_rng(seed).permutation(len(names))
        cut = len(names) // 2
        sides = [np.flatnonzero(np.isin(question, some)) for some in (order[:cut][:questions], order[cut:])]
        (f, y), (new, new_y) = ((features_of(states[rows], question[rows]), right[rows]) for rows in sides)
        return f, y, new, new_y

    return draw


def cells(draw: Draw, questions: int, draws: int) -> dict[str, Floats]:
    """AUROC within questions of each way to learn, in each draw; NaN where it cannot learn."""
    plain = LogisticProbe(positions=["state"])
    centred = LogisticProbe(positions=["state"], centre="question")
    found: dict[str, list[float]] = {}
    for seed in range(draws):
        f, y, new, new_y = draw(questions, seed)
        question = np.unique(np.array(f.groups), return_inverse=True)[1]
        counts = np.bincount(question, y)[question].astype(int)
        some = np.sort(np.random.default_rng(seed).permutation(len(y))[:LABELS])
        whole = np.flatnonzero(question < FEW)
        labelled = np.isin(np.arange(len(y)), some).astype(float)
        tried: dict[str, tuple[BaseJudge, Features, Sequence[npt.ArrayLike]]] = {
            "all labels, plain": (plain, f, [y]),
            "all labels, centred": (centred, f, [y]),
            "all labels, difference of means": (DifferenceOfMeans(positions=["state"]), f, [y]),
            f"{LABELS} labels of {LABELS} or fewer questions, plain": (plain, f[some], [y[some]]),
            f"{LABELS} labels of {LABELS} or fewer questions, centred": (centred, f, [y, labelled]),
            f"{LABELS} labels of {FEW} questions, plain": (plain, f[whole], [y[whole]]),
            f"{LABELS} labels of {FEW} questions, centred": (centred, f[whole], [y[whole]]),
            "counts as soft labels": (plain, f, [counts / np.bincount(question)[question]]),
            "counts, CountedProbe": (CountedProbe(positions=["state"]), f, [counts]),
        }
        for name, (judge, given, columns) in tried.items():
            try:
                scores = clone(judge).fit(given, *columns).decision_function(new)
                area = within(scores, new_y, new.groups)
            except InnerjudgeError:  # the labels drawn are of one class, or no question has both
                area = np.nan
            found.setdefault(name, []).append(area)
    return {name: np.array(areas) for name, areas in found.items()}


def extracted(folder: Path, questions: int) -> None:
    """States of the built-in model on its own answers to ``builtin:solve``, in a new folder."""
    sizes = ["--limit", str(questions), "--candidates", "8"]
    command = [
        sys.executable,
        "-m",
        "innerjudge.experiments.cli.main",
        "extract",
        "--data",
        "builtin:solve",
        *sizes,
        "--out",
        str(folder),
    ]
    subprocess.run(command, check=True)


def main() -> None:
    """Run the draws and write the page."""
    parser = argparse.ArgumentParser(description="What weak labels are worth, within questions.")
    parser.add_argument("--draws", type=int, default=5, help="draws of each cell")
    parser.add_argument("--questions", type=int, default=400, help="questions of builtin:solve, half to learn from")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("weak.md"), help="the document")
    given = parser.parse_args()
    warnings.filterwarnings("ignore", message="given .* answers to")
    with tempfile.TemporaryDirectory() as folder:
        extracted(Path(folder) / "solve", given.questions)
        draws = {
            "world, difficulty not in the states": drawn(0.0),
            "world, difficulty in the states": drawn(2.0),
            **{f"solve, row {row}": of_store(Path(folder) / "solve", row) for row in ROWS},
        }
        columns = {name: cells(draw, MANY, given.draws) for name, draw in draws.items()}
    lines = document(columns, given.draws, given.questions)
    given.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))  # noqa: T201


def document(columns: dict[str, dict[str, Floats]], draws: int, questions: int) -> list[str]:
    """The page: a table of means, and what follows from it by the bars of the method."""
    lines = [
        "# What weak labels are worth",
        "",
        f"AUROC within questions on other questions, mean of {draws} draws (± standard deviation); {MANY} questions",
        f"with 8 answers each. The worlds have {WIDTH} dimensions (`worlds.py`); *solve* are states at the end of the",
        f"reasoning of the built-in model, on its own answers to {questions} problems, half of them to learn from.",
        f"{LABELS} labels are drawn from all answers, or are those of {FEW} whole questions. In brackets: draws where",
        "the labels had one class, or for a centred probe no question both, and nothing was learned.",
        "",
        f"| learned from | {' | '.join(columns)} |",
        f"| --- |{' --: |' * len(columns)}",
    ]
    for name in next(iter(columns.values())):
        lines.append(f"| {name} | {' | '.join(_cell(found[name]) for found in columns.values())} |")
    lines += ["", "What that says, by the difference of means in each column:", ""]
    small = f"{LABELS} labels of {FEW} questions"
    for better, than, bar, what in (
        ("all labels, centred", "all labels, plain", 0.0, "Centring, with all labels"),
        (f"{small}, centred", f"{small}, plain", 0.03, f"Centring, with {small} (to pay: 0.03)"),
        (
            f"{LABELS} labels of {LABELS} or fewer questions, centred",
            f"{LABELS} labels of {LABELS} or fewer questions, plain",
            0.03,
            f"Centring, with {LABELS} labels spread over all questions (to pay: 0.03)",
        ),
        ("counts, CountedProbe", "counts as soft labels", 0.0, "`CountedProbe` against shares as soft labels"),
        ("counts, CountedProbe", "all labels, plain", -0.03, "`CountedProbe` against all labels (to pay: -0.03)"),
    ):
        gains = {k: _common(found[better], found[than]) for k, found in columns.items()}
        said = "; ".join(f"{k} {gain:+.3f}{'' if gain >= bar else _why(columns[k][than])}" for k, gain in gains.items())
        lines.append(f"- {what}: {said}.")
    made = ", ".join(f"{name} {version}" for name, version in versions())
    command = f"python -m innerjudge.experiments.bench.weak --draws {draws} --questions {questions}"
    return [*lines, "", f"Written by `{command}` (seeds from 0; {made})."]


def _cell(areas: Floats) -> str:
    lost = int(np.isnan(areas).sum())
    if lost == len(areas):
        return "nothing learned"
    return f"{np.nanmean(areas):.3f} ± {np.nanstd(areas):.3f}{f' ({lost})' if lost else ''}"


def _why(than: Floats) -> str:
    """Why a gain is below its bar, as far as what it is compared with tells."""
    mean = float(np.nanmean(than))
    known = ": no room, the other is near 1" if mean > 0.95 else ": the states hardly tell" if mean < 0.56 else ""
    return f" (does not pay{known})"


def _common(better: Floats, than: Floats) -> float:
    """Mean difference over the draws in which both learned."""
    both = ~np.isnan(better) & ~np.isnan(than)
    return float((better - than)[both].mean()) if both.any() else float("nan")


if __name__ == "__main__":
    main()
