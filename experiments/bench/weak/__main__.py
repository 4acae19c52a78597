"""``python -m innerjudge.experiments.bench.weak``: what weak labels are worth, on drawn worlds and on real states."""

import argparse
import tempfile
import warnings
from pathlib import Path

from ....extraction.provenance import versions
from .labelled import MANY, Draw, all_labels, areas, few_labels, of_raters
from .ordered import orders
from .page import Found
from .sections import sections
from .states import keep_states, of_file, of_store, solved
from .worlds import WIDTH, Answers, drawn

#: In the order of the page.
STUDIES = (all_labels, of_raters, few_labels, orders)
#: Position and row of the states of the built-in model, and of a language model.
SOLVE = (("reasoning_end", 4), ("reasoning_end", -1), ("response_end", 6))
SMOL = (("end", 15), ("end", -1), ("mean", 15))


def of_world(confound: float) -> Draw:
    """Worlds of one confound."""

    def draw(questions: int, seed: int) -> tuple[Answers, Answers]:
        return drawn(questions, confound, seed), drawn(250, confound, 1000 + seed, like=seed)

    return draw


def main() -> None:
    """Run the draws and write the page."""
    parser = argparse.ArgumentParser(description="What weak labels are worth, within questions.")
    parser.add_argument("--draws", type=int, default=10, help="draws of each cell")
    parser.add_argument("--questions", type=int, default=400, help="questions of real data, half to learn from")
    parser.add_argument("--model", help="a language model, such as HuggingFaceTB/SmolLM2-135M-Instruct")
    parser.add_argument("--solutions", default="sample:gsm8k-solutions", help="what it reads")
    parser.add_argument("--keep", type=Path, help="folder that keeps the states for the next time")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("weak.md"), help="the document")
    given = parser.parse_args()
    warnings.filterwarnings("ignore", message="given .* answers to")
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "solve").exists():
            solved(folder / "solve", given.questions)
        draws = {
            "world, difficulty not in the states": of_world(0.0),
            "world, difficulty in the states": of_world(2.0),
            **{f"solve, {at} {row}": of_store(folder / "solve", at, row).parted for at, row in SOLVE},
        }
        if given.model:
            name, file = Path(given.model).name, folder / "solutions.npz"
            if not file.exists():
                keep_states(given.model, given.solutions, given.questions, file)
            draws |= {f"{name}, {at} {row}": of_file(file, at, row).parted for at, row in SMOL}
        found: list[Found] = [
            {column: areas(draw, study, given.draws) for column, draw in draws.items()} for study in STUDIES
        ]
    command = f"python -m innerjudge.experiments.bench.weak --draws {given.draws} --questions {given.questions}"
    if given.model:
        loader, _, path = given.solutions.partition(":")
        command += f" --model {Path(given.model).name} --solutions {loader}:{Path(path).name}"
    lines = document(found, given.draws, given.questions, command)
    given.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))  # noqa: T201


def document(found: list[Found], draws: int, questions: int, command: str) -> list[str]:
    """The page."""
    made = ", ".join(f"{name} {version}" for name, version in versions())
    return [
        "# What weak labels are worth",
        "",
        f"AUROC within questions on other questions, mean of {draws} draws (± standard deviation), from up to {MANY}",
        f"questions. The worlds have {WIDTH} dimensions and 8 answers a question (`worlds.py`): right ones say one",
        "thing, wrong ones one of four others, unequally often. *solve* are states (position, row) of the built-in",
        f"model on its own answers to {questions} problems, 8 each; of a language model, states at the end of 4",
        f"solutions of GSM8K problems by other models, or the mean over them, {questions} problems. Half of the",
        "questions are learned from. In brackets: draws in which nothing was learned, as the labels had one class.",
        "",
        *(line for section in sections(found) for line in section.lines()),
        f"Written by `{command}` (seeds from 0; {made}).",
    ]


if __name__ == "__main__":
    main()
