"""Public data formats read as items: ``load("LOADER:PATH")``."""

from collections.abc import Callable
from pathlib import Path

from ....models.errors import InnerjudgeError
from ....models.items import Item
from ..jsonl import check_unique
from .gsm8k import gsm8k_solutions
from .inspect_log import inspect_log
from .mmlu import mmlu
from .pairs import llmbar, pandalm
from .ratings import prometheus, summeval, topical_chat

#: Name of a format -> its reader.
LOADERS: dict[str, Callable[[Path], list[Item]]] = {
    "gsm8k-solutions": gsm8k_solutions,
    "mmlu": mmlu,
    "llmbar": llmbar,
    "pandalm": pandalm,
    "summeval": summeval,
    "topical-chat": topical_chat,
    "prometheus": prometheus,
    "inspect-log": inspect_log,
}


def load(spec: str) -> list[Item]:
    """Read the items of ``LOADER:PATH``, such as ``"mmlu:data/mmlu/val"``; errors name file and record."""
    name, colon, place = spec.partition(":")
    if not colon or name not in LOADERS:
        raise InnerjudgeError(f"given {spec!r}, expected LOADER:PATH with a loader of {', '.join(LOADERS)}")
    path = Path(place)
    if not place or not path.exists():
        raise InnerjudgeError(f"given {place!r}, expected a folder or file: check the path")
    items = LOADERS[name](path)
    if not items:
        raise InnerjudgeError(f"{path.name}: given a file without records, expected at least one: check the path")
    check_unique(items, [f"{path.name}, item {number}" for number in range(1, len(items) + 1)])
    return items
