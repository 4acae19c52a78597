"""Checks of a table of scores that no score has a part in: answers in the prompt, rows on both sides of a split."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ..figures import Cell, Section, grid
from .scores import Scores


def checks(given: Scores) -> Section:
    """Leaks in the data themselves, whatever the scores are."""
    found, rows = [], list[list[Cell]]()
    leaked = given.leaked
    if leaked is not None:
        right = np.array(given.labels)
        shares = [float(leaked[right].mean()), float(leaked[~right].mean())]
        rows.append(["answer in the prompt, of right ones", f"{shares[0]:.0%}"])
        rows.append(["answer in the prompt, of wrong ones", f"{shares[1]:.0%}"])
        if leaked.any():
            found.append(
                f"The answer stands in the prompt for {shares[0]:.0%} of the right and {shares[1]:.0%} of the wrong "
                "rows."
            )
    if "split" in given.more:
        for field, of in (("prompt", "prompts"), ("text", "texts")):
            if field in given.more:
                twice = _on_both_sides([" ".join(t.casefold().split()) for t in given.more[field]], given.more["split"])
                rows.append([f"{of} on both sides of the split", twice])
                found += [f"{twice} {of} stand on both sides of the split."] if twice else []
        both = _on_both_sides(given.questions, given.more["split"])
        rows.append(["questions on both sides of the split", both])
        found += [f"{both} questions have candidates on both sides of the split."] if both else []
    if "text" in given.more:
        repeated = sum(n - 1 for n in Counter(zip(given.questions, given.more["text"], strict=True)).values())
        rows.append(["candidates that repeat another of their question", repeated])
    sizes = Counter(given.questions)
    rows.append(["candidates a question", f"{min(sizes.values())} to {max(sizes.values())}"])
    mixed = _on_both_sides(given.questions, given.labels)
    rows.append(["questions with a right and a wrong candidate", mixed])
    if mixed < 20:
        found.append(
            f"Only {mixed} questions have a right and a wrong candidate: figures within questions rest on those."
        )
    absent = [name for name in ("text", "prompt", "answer", "source", "split") if name not in given.more]
    if absent:
        found.append(f"Not examined, as not every row has them: {', '.join(absent)}.")
    return Section(
        key="checks",
        title="The data",
        question="Do labels leak, or stand on both sides of a split?",
        found=tuple(found),
        grids=(grid("Checks of the table", ["check", "found"], rows),),
    )


def _on_both_sides(names: Sequence[str], sides: Sequence[object]) -> int:
    """How many of the names stand on more than one side."""
    return sum(n > 1 for n in Counter(name for name, _ in set(zip(names, sides, strict=True))).values())
