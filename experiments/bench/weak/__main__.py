"""``python -m innerjudge.experiments.bench.weak``: what weak labels are worth, on drawn worlds and on real states."""

import argparse
import tempfile
import warnings
from pathlib import Path

from ....extraction.provenance import versions
from .aspect_sections import aspect_sections
from .judge_sections import judge_sections
from .labelled import MANY, QUICK
from .page import Section
from .routed import PENALTY
from .sections import sections
from .studies import PICKS, STUDIES, Sources
from .worlds import WIDTH

#: File of a page -> its studies in order, its sections of what they found, its title and what it says first.
PAGES = {
    "weak.md": (
        ("all-labels", "of-raters", "few-labels", "orders"),
        sections,
        "What weak labels are worth",
        [
            "AUROC within questions on other questions, mean of {draws} draws (± standard deviation), "
            "from up to {many}",
            "questions. The worlds have {width} dimensions and 8 answers a question (`worlds.py`): right ones say one",
            "thing, wrong ones one of four others, unequally often. *solve* are states (position, row) of the built-in",
            "model on its own answers to {questions} problems, 8 each; of a language model, states at the end of 4",
            "solutions of GSM8K problems by other models, or the mean over them, {questions} problems. Half of the",
            "questions are learned from. In brackets: draws in which nothing was learned, as the labels had one class.",
        ],
    ),
    "weak-judges.md": (
        ("raters", "judged", "wordings", "preferred"),
        judge_sections,
        "Labels of judges",
        [
            "Mean of {draws} draws (± standard deviation), learned from up to {many} questions and measured on others,",
            "on drawn worlds and real states as above. Judges are made up: the truth with errors as each section says.",
            "Logistic probes choose among the penalties {quick}.",
        ],
    ),
    "weak-aspects.md": (
        ("gaps", "routed", PICKS),
        aspect_sections,
        "Aspects, routes and gates",
        [
            "Mean of {draws} draws (± standard deviation), measured on other questions. Real aspects are what can be",
            "checked of an answer (`facts.py`): on *solve* that all steps hold, that each begins with the last result,",
            "no words, short, several lines, slashes; of GSM8K solutions that all calculations hold, that the answer",
            "is the last result, a whole number, short, at most two steps, divisions. Probes choose among the",
            "penalties {quick}; those of routes have {routes}.",
        ],
    ),
}


def main() -> None:
    """Run the studies and write the pages."""
    parser = argparse.ArgumentParser(description="What weak labels are worth, within questions.")
    parser.add_argument("--draws", type=int, default=10, help="draws of each cell")
    parser.add_argument("--questions", type=int, default=400, help="questions of real data, half to learn from")
    parser.add_argument("--model", help="a language model, such as HuggingFaceTB/SmolLM2-135M-Instruct")
    parser.add_argument("--solutions", default="sample:gsm8k-solutions", help="what it reads")
    parser.add_argument("--keep", type=Path, help="folder that keeps states and what studies found for the next time")
    parser.add_argument("--only", nargs="*", choices=(*STUDIES, PICKS), help="studies to run; the rest as kept")
    parser.add_argument("--resume", action="store_true", help="spare the columns of these studies that are kept")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder of the pages")
    given = parser.parse_args()
    warnings.filterwarnings("ignore", message="given .* answers to")
    with tempfile.TemporaryDirectory() as temporary:
        sources = Sources(given.keep or Path(temporary), given.model, given.solutions, given.questions)
        for name in (*STUDIES, PICKS) if given.only is None else given.only:
            sources.run(name, given.draws, resume=given.resume)
            print(f"{name} is done", flush=True)  # noqa: T201
        command = f"python -m innerjudge.experiments.bench.weak --draws {given.draws} --questions {given.questions}"
        if given.model:
            loader, _, path = given.solutions.partition(":")
            command += f" --model {sources.model} --solutions {loader}:{Path(path).name}"
        for file, (names, to_sections, title, about) in PAGES.items():
            found = sources.kept(names)
            if found is not None:
                says = {"draws": given.draws, "questions": given.questions, "many": MANY, "width": WIDTH}
                says |= {"quick": ", ".join(f"{c:g}" for c in QUICK), "routes": f"{PENALTY[0]:g}"}
                lines = document(title, [line.format(**says) for line in about], to_sections(found), command)
                (given.out / file).write_text("\n".join(lines) + "\n", encoding="utf-8")
                print(f"wrote {file}", flush=True)  # noqa: T201


def document(title: str, about: list[str], made_of: list[Section], command: str) -> list[str]:
    """A page."""
    made = ", ".join(f"{name} {version}" for name, version in versions())
    parts = [line for section in made_of for line in section.lines()]
    return [f"# {title}", "", *about, "", *parts, f"Written by `{command}` (seeds from 0; {made})."]


if __name__ == "__main__":
    main()
