"""Public data formats read as items: ``load("LOADER:PATH")``."""

import re
from collections.abc import Callable
from pathlib import Path

from ....models.errors import InnerjudgeError, shown
from ....models.items import Item
from ..jsonl import check_unique
from . import choices, inspect_log, pairs, ratings, traces, trec

_NAMED = {
    traces: "gsm8k-solutions rewardbench2 processbench prm800k math-shepherd openai-messages vllm-outputs "
    "lm-eval-samples",
    choices: "mmlu arc hellaswag",
    pairs: "llmbar pandalm mt-bench-human rewardbench judgebench",
    ratings: "summeval topical-chat prometheus ultrafeedback helpsteer2",
    inspect_log: "inspect-log",
    trec: "trec",
}
#: Name of a format -> its reader.
LOADERS: dict[str, Callable[[Path], list[Item]]] = {
    name: getattr(module, name.replace("-", "_")) for module, names in _NAMED.items() for name in names.split()
}
_BESIDE = re.compile(r"(?i)^\.|^(readme|licen[sc]e)|\.(md|txt|sha256|py)$")


def find(spec: str) -> tuple[Callable[[Path], list[Item]], Path]:
    """The loader and the path of ``LOADER:PATH``; an error where either is not there."""
    name, colon, place = spec.partition(":")
    if not colon or name not in LOADERS:
        raise InnerjudgeError(f"given {spec!r}, expected LOADER:PATH with a loader of {', '.join(LOADERS)}")
    path = Path(place)
    if not place or not path.exists():
        raise InnerjudgeError(f"given {shown(place)!r}, expected a folder or file: check the path")
    return LOADERS[name], path


def files_of(path: Path) -> list[Path]:
    """The file, or the files of a folder that are data, in alphabetical order."""
    there = [one for one in path.iterdir() if one.is_file()] if path.is_dir() else [path]
    return sorted(one for one in there if one == path or not _BESIDE.search(one.name))


def load(spec: str) -> list[Item]:
    """Read the items of ``LOADER:PATH``, such as ``"mmlu:data/mmlu/val"``; errors name file and record.

    Every file of a folder is read, in alphabetical order, except those whose names begin with a dot, and documents
    (README, LICENSE) and checksums; ``mmlu`` and ``trec`` take the folder whole.
    """
    loader, path = find(spec)
    files = [path] if loader in (LOADERS["mmlu"], LOADERS["trec"]) else files_of(path)
    items = [item for file in files for item in loader(file)]
    if not items:
        raise InnerjudgeError.of("data.no-records", shown(path.name))
    check_unique(items, [f"{shown(path.name)}, item {number}" for number in range(1, len(items) + 1)])
    return items
