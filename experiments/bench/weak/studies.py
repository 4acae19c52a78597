"""The studies by name, the states that each runs on, and what they found, kept as files between runs."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .gaps import aspects_world, gaps, real
from .judged import judged
from .labelled import MANY, Draw, Measure, all_labels, by_area, few_labels, measured, of_raters
from .ordered import orders
from .page import Found
from .picks import Candidates, drawn_candidates, picks, real_candidates
from .preferred import preferred
from .raters import raters
from .routed import routed, routes_world
from .states import keep_states, of_file, of_store, solved
from .worded import wordings
from .worlds import Answers, drawn

#: Position and row of the states of the built-in model, and of a language model.
SOLVE = (("reasoning_end", 4), ("reasoning_end", -1), ("response_end", 6))
SMOL = (("end", 15), ("end", -1), ("mean", 15))
#: The ones of them that the longer studies run on: of the others some tell all and some hardly anything.
FEW_SOLVE, FEW_SMOL = SOLVE[2:], SMOL[2:]
#: Which facts are the rules of picks.
RULES = {"solve": ("bare", "carried"), "solutions": ("carried", "whole")}
WORLDS = {"world, difficulty not in the states": 0.0, "world, difficulty in the states": 2.0}


@dataclass(frozen=True, slots=True)
class Study:
    """What is measured, on which drawn world (``None``: the two of ``WORLDS``), and on how many real states."""

    measure: Measure
    world: Draw | None = None
    few: bool = True


def of_world(confound: float, spread: float = 1.0) -> Draw:
    """Worlds of one confound, and of one spread of the questions."""

    def draw(questions: int, seed: int) -> tuple[Answers, Answers]:
        return (
            drawn(questions, confound, seed, spread=spread),
            drawn(250, confound, 1000 + seed, like=seed, spread=spread),
        )

    return draw


STUDIES = {
    "all-labels": Study(by_area(all_labels), few=False),
    "of-raters": Study(by_area(of_raters), few=False),
    "few-labels": Study(by_area(few_labels), few=False),
    "orders": Study(by_area(orders), few=False),
    "raters": Study(raters),
    "judged": Study(judged, of_world(2.0, spread=0.0)),
    "wordings": Study(wordings),
    "preferred": Study(preferred),
    "gaps": Study(gaps, aspects_world),
    "routed": Study(routed, routes_world),
}
#: The one that needs no states.
PICKS = "picks"


class Sources:
    """Where the states lie in a folder, which it fills with what is not there yet; a model may be ``None``."""

    def __init__(self, folder: Path, model: str | None, solutions: str, questions: int) -> None:
        self.folder, self.model = folder, None if model is None else Path(model).name
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "solve").exists():
            solved(folder / "solve", questions)
        if model and not (folder / "solutions.npz").exists():
            keep_states(model, solutions, questions, folder / "solutions.npz")

    def draws(self, study: Study) -> dict[str, Draw]:
        """By column."""
        if study.world is not None:
            found = {"world": study.world}
        else:
            worlds = list(WORLDS.items())[1 if study.few else 0 :]
            found = {name: of_world(confound) for name, confound in worlds}
        for at, row in FEW_SOLVE if study.few else SOLVE:
            found[f"solve, {at} {row}"] = self._drawn(study, of_store(self.folder / "solve", at, row))
        for at, row in (FEW_SMOL if study.few else SMOL) if self.model else ():
            answers = of_file(self.folder / "solutions.npz", at, row)
            found[f"{self.model}, {at} {row}"] = self._drawn(study, answers)
        return found

    def _drawn(self, study: Study, answers: Answers) -> Draw:
        return real(answers.parted) if study.measure is gaps else answers.parted

    def candidates(self, seed: int) -> dict[str, Candidates]:
        """Of a draw of :data:`PICKS`, by column."""
        found = {"world": drawn_candidates(4 * MANY, seed)}
        found["solve"] = real_candidates(of_store(self.folder / "solve", *SOLVE[2]), RULES["solve"], seed)
        if self.model:
            answers = of_file(self.folder / "solutions.npz", *SMOL[2])
            found["GSM8K solutions"] = real_candidates(answers, RULES["solutions"], seed)
        return found

    def run(self, name: str, draws: int, *, resume: bool = False) -> None:
        """Run one study and keep what it found, a file a study; to ``resume`` spares the columns that are kept."""
        found = (self.kept((name,)) or [{}])[0] if resume else {}
        if name == PICKS:
            found = {}
            for seed in range(draws):
                for column, its in self.candidates(seed).items():
                    for way, value in picks(its, seed).items():
                        before = found.setdefault(column, {}).get(way, np.zeros(0))
                        found[column][way] = np.append(before, value)
            self._keep(name, found)
        else:
            for column, draw in self.draws(STUDIES[name]).items():
                if column not in found:
                    found[column] = measured(draw, STUDIES[name].measure, draws)
                    self._keep(name, found)

    def _keep(self, name: str, found: Found) -> None:
        lists = {column: {way: its.tolist() for way, its in ways.items()} for column, ways in found.items()}
        (self.folder / f"{name}.json").write_text(json.dumps(lists), encoding="utf-8")

    def kept(self, names: tuple[str, ...]) -> list[Found] | None:
        """What studies found, this time or in another run; ``None`` if one has not been run."""
        files = [self.folder / f"{name}.json" for name in names]
        if not all(file.exists() for file in files):
            return None
        read = [json.loads(file.read_text("utf-8")) for file in files]
        return [{c: {way: np.array(its) for way, its in ways.items()} for c, ways in one.items()} for one in read]
