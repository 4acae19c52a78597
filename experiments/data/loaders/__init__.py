"""Public data formats read as items: ``load("LOADER:PATH")``."""

import re
from collections.abc import Callable
from pathlib import Path

from ....models.errors import InnerjudgeError, shown
from ....models.items import Item
from ..jsonl import check_unique
from .choices import arc, hellaswag, mmlu
from .inspect_log import inspect_log
from .pairs import judgebench, llmbar, mt_bench_human, pandalm, rewardbench
from .ratings import helpsteer2, prometheus, summeval, topical_chat, ultrafeedback
from .traces import gsm8k_solutions, lm_eval_samples, openai_messages, processbench, rewardbench2, vllm_outputs
from .trec import trec

#: Name of a format -> its reader.
LOADERS: dict[str, Callable[[Path], list[Item]]] = {
    one.__name__.replace("_", "-"): one
    for one in (
        *(gsm8k_solutions, mmlu, llmbar, pandalm, summeval, topical_chat, prometheus, inspect_log, mt_bench_human),
        *(rewardbench, rewardbench2, judgebench, ultrafeedback, helpsteer2, processbench, arc, hellaswag),
        *(openai_messages, vllm_outputs, lm_eval_samples, trec),
    )
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
    files = [path] if loader in (mmlu, trec) else files_of(path)
    items = [item for file in files for item in loader(file)]
    if not items:
        raise InnerjudgeError(
            f"{shown(path.name)}: given a file without records, expected at least one: check the path"
        )
    check_unique(items, [f"{shown(path.name)}, item {number}" for number in range(1, len(items) + 1)])
    return items
