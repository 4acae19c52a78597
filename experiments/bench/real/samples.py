"""Draw the committed samples from the originals: ``python -m innerjudge.experiments.bench.real.samples ORIGINALS``.

``ORIGINALS`` holds the public files as their repositories have them (``mmlu/val/*.csv``, ``topical_chat/...json``,
``llmbar/LLMBar_Natural.json``, ``gsm8k/example_model_solutions.jsonl``), each folder with its ``LICENSE``. Questions
are drawn, and then items within a question, so that as many questions as possible stand behind a figure.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ....models.items import Item
from ...data.datasets import SAMPLES, sample_path
from ...data.jsonl import checksum_of, write_jsonl
from ...data.kinds import item_to_row
from ...data.loaders import load

SEED = 0


@dataclass(frozen=True, slots=True)
class Drawing:
    """How a sample is drawn.

    Args:
        source: The original, as ``--data`` takes it, with ``{}`` for the folder of originals.
        questions: How many are drawn.
        part: What a question's items are drawn by, such as the system that replied: one part of each question.
    """

    source: str
    questions: int
    part: Callable[[Item], str] | None = None


DRAWINGS = {
    "mmlu": Drawing("mmlu:{}/mmlu/val", 120),
    "llmbar": Drawing("llmbar:{}/llmbar/LLMBar_Natural.json", 80),
    "topical-chat": Drawing(
        "topical-chat:{}/topical_chat/topical_chat.json", 60, lambda item: str(item.extra["system"])
    ),
    "gsm8k-solutions": Drawing("gsm8k-solutions:{}/gsm8k/example_model_solutions.jsonl", 50),
}
_FOLDERS = {"mmlu": "mmlu", "llmbar": "llmbar", "topical-chat": "topical_chat", "gsm8k-solutions": "gsm8k"}


def draw(items: Sequence[Item], how: Drawing, *, seed: int = SEED) -> list[Item]:
    """The items of a sample, in their own order.

    Example:
        >>> from ....models.items import Rating
        >>> many = [Rating(item_id=f"{q}{s}{k}", prompt="p", response="r", extra={"question_id": q, "system": s})
        ...         for q in "abc" for s in "xy" for k in "12"]
        >>> found = draw(many, Drawing("", 2, lambda item: item.extra["system"]))
        >>> len(found), len({item.group for item in found}), len({item.id[:2] for item in found})
        (4, 2, 2)
    """
    rng = np.random.default_rng(seed)
    groups = list(dict.fromkeys(item.group for item in items))
    chosen = {groups[k] for k in rng.permutation(len(groups))[: how.questions]}
    kept = [item for item in items if item.group in chosen]
    if how.part is None:
        return kept
    part = {}
    for group in (group for group in groups if group in chosen):
        parts = sorted({how.part(item) for item in kept if item.group == group})
        part[group] = parts[int(rng.integers(len(parts)))]
    return [item for item in kept if how.part(item) == part[item.group]]


def main(originals: Annotated[Path, typer.Argument(help="Folder with the originals.")]) -> None:
    """Write every sample, and beside it the licence of its original."""
    for name in SAMPLES:
        items = draw(load(DRAWINGS[name].source.format(originals)), DRAWINGS[name])
        write_jsonl(sample_path(name), map(item_to_row, items))
        checksum_of(sample_path(name)).unlink()  # the wheel says itself what is in it
        shutil.copyfile(originals / _FOLDERS[name] / "LICENSE", sample_path(name).with_suffix(".LICENSE"))
        print(name, len(items), "items,", len({item.group for item in items}), "questions")  # noqa: T201


if __name__ == "__main__":
    typer.run(main)
