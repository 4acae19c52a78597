"""Data sets by name: a file, a pattern, ``LOADER:PATH`` of a public format, ``sample:NAME`` or ``builtin:TASK``."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from glob import has_magic
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ...models.arguments import checked
from ...models.errors import InnerjudgeError, shown
from ...models.items import Item, Rating
from ...models.reference.solve import Problem
from ...models.reference.words import HELD_OUT_SEED
from .jsonl import read_items
from .kinds import REQUIRED, hash_items, hash_of, kind_of, kind_of_record, record_to_item
from .loaders import LOADERS, find, load
from .mapping import items_from, near, rows_of, shape_of
from .records import Record
from .splits import Index, rows_by_group
from .tables import is_lines

#: Samples of public data that come with the package, for ``sample:NAME``.
SAMPLES = ("mmlu", "llmbar", "topical-chat", "gsm8k-solutions")
#: Questions that a draw of so many items should rest on, where there are so many, and the fewest items of one of them.
_QUESTIONS, _FEWEST = 40, 4
#: Items that a built-in task gives without a limit.
BUILTIN_SIZE = {"solve": 100, "rate": 400, "choose": 400, "steps": 400}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Items of one kind under a short name, such as ``"mmlu:val"``.

    They are in memory or (:func:`open_data`) read when they are asked for. ``builtin:solve`` has none: the caller
    samples answers to its ``problems`` from a model.
    """

    name: str
    kind: str
    items: Sequence[Item]
    problems: tuple[Problem, ...] = ()


@checked
def load_data(
    spec: str, *, limit: int | None = None, seed: int = 0, columns: Mapping[str, str] | None = None
) -> Dataset:
    """Load a data set.

    Args:
        spec: A file or pattern, as :func:`innerjudge.items_from` reads it; ``LOADER:PATH`` (:data:`.loaders.LOADERS`);
            ``sample:NAME`` (:data:`SAMPLES`); or ``builtin:NAME`` (:data:`BUILTIN_SIZE`).
        limit: At most this many items (problems for ``builtin:solve``), drawn as :func:`take_groups` says. ``None`` is
            all; for built-in tasks 100 problems or 400 items.
        seed: Seed of the draw, and of the built-in generators (held-out items for every seed).
        columns: Field -> column of a file whose columns have other names.

    Raises:
        InnerjudgeError: Names what is wrong with the spec, or the file, line and field.

    Example:
        >>> data = load_data("builtin:solve", limit=3)
        >>> data.kind, len(data.items), len(data.problems)
        ('trace', 0, 3)
    """
    _check_draw(limit, seed)
    (source, rows), rest = check_spec(spec, columns), spec.partition(":")[2]
    if source == "builtin":
        return _builtin(rest, limit, seed)
    name = f"{source}:{Path(rest).name}" if source in LOADERS else Path(spec).name
    if source in LOADERS:
        items = load(spec)
    elif source == "table":
        items = items_from(rows, columns, seed=seed)
    else:
        items = read_items(sample_path(rest) if source == "sample" else spec)
    chosen = items if limit is None else take_groups(items, limit, seed=seed)
    return Dataset(name=name, kind=kind_of(items[0]), items=tuple(chosen))


def check_spec(
    spec: str, columns: Mapping[str, str] | None = None, kind: str | None = None
) -> tuple[str, Iterable[Record]]:
    """What a spec names: ``builtin``, ``sample``, a loader, ``lines`` (a JSONL file of items) or ``table``; its rows.

    The name, and the first row of a file, are checked as in :func:`load_data`; no model is needed. The rows of a table
    are returned to make items from, so that it is not read again.
    """
    prefix, colon, rest = spec.partition(":")
    if named := _named(spec):
        if columns:
            raise InnerjudgeError(f"given columns (--map) with {spec!r}, expected them with a file: leave them out")
        if named == "builtin" and rest not in BUILTIN_SIZE:
            raise InnerjudgeError(f"given {spec!r}, expected builtin:{', builtin:'.join(BUILTIN_SIZE)}")
        if named == "sample":
            sample_path(rest)
        elif named in LOADERS:
            find(spec)
        return named, ()
    if not Path(spec).exists() and not has_magic(spec):
        meant = near(prefix if colon else "", [*LOADERS, "builtin", "sample"], "check the path")
        tasks, loaders = "|".join(BUILTIN_SIZE), ", ".join(LOADERS)
        raise InnerjudgeError.of("data.no-source", shown(spec), tasks, "|".join(SAMPLES), loaders, meant)
    rows = rows_of(spec, columns)
    row = next(rows)
    whole = any(all(map(row.has, names)) for names in REQUIRED.values())
    if whole and not columns and is_file(spec) and is_lines(Path(spec)):
        record_to_item(row, kind_of_record(row))
        return "lines", ()
    shape_of(row, columns, kind)
    return "table", chain([row], rows)


def _named(spec: str) -> str:
    """What stands before the colon of a data set that is no file: ``builtin``, ``sample`` or a loader; or nothing."""
    prefix, colon, _ = spec.partition(":")
    return prefix if colon and prefix in ("builtin", "sample", *LOADERS) else ""


def open_data(
    spec: str, *, limit: int | None = None, seed: int = 0, columns: Mapping[str, str] | None = None
) -> Dataset:
    """A data set for one long run: the items of a JSONL file are read when they are asked for, and not kept.

    As :func:`load_data`; the whole file has been checked once when this returns. Items of other files and of public
    formats, and built-in ones, are in memory.
    """
    if check_spec(spec, columns)[0] != "lines":
        return load_data(spec, limit=limit, seed=seed, columns=columns)
    from .item_lines import scan

    _check_draw(limit, seed)
    found = scan(spec)
    rows = drawn(found.groups.tolist(), limit, seed=seed, whole=found.kind != "rating")
    items = found.items if limit is None else found.items.chosen(rows)
    return Dataset(name=Path(spec).name, kind=found.kind, items=items)


def is_file(spec: str) -> bool:
    """Whether a data set is one file, and not a built-in one or in a public format."""
    return not _named(spec) and Path(spec).is_file()


def sample_path(name: str) -> Path:
    """The file of a sample that comes with the package."""
    if name not in SAMPLES:
        raise InnerjudgeError(f"given 'sample:{name}', expected sample:{', sample:'.join(SAMPLES)}")
    return Path(__file__).parent / "samples" / f"{name}.jsonl"


def take_groups(items: Sequence[Item], limit: int, *, seed: int) -> list[Item]:
    """Draw questions at random until about ``limit`` items are there, never more; items keep their order.

    Questions come in a random order, and one that no longer fits is passed over. Questions of one item each thus give
    exactly ``limit`` items. Candidates of one question stay together. Ratings of one question are first thinned at
    random to a fortieth of the limit, but never below four: intervals come from questions, and five conversations of 36
    ratings say less than 45 of four. Where not even two questions fit, two are thinned to ``limit`` items together (one
    item each or more), so that a split by question stays possible; a limit of 1 gives one item.
    """
    return [items[k] for k in drawn_rows(items, limit, seed=seed)]


def drawn(names: Sequence[Hashable], limit: int | None, *, seed: int, whole: bool = True) -> Index:
    """Rows that :func:`take_groups` draws, by the group of each item; all of them without a limit.

    ``whole`` keeps all items of a question together, as candidates are; else (ratings) large questions are thinned.
    """
    _check_draw(limit, seed)
    if limit is None:
        return np.arange(len(names), dtype=np.intp)
    rng = np.random.default_rng(seed)
    groups = rows_by_group(names)
    drawn = [groups[k] for k in rng.permutation(len(groups))]
    if not whole and limit < len(names):
        share = max(_FEWEST, limit // _QUESTIONS)
        drawn = [rows if len(rows) <= share else rng.permutation(rows)[:share] for rows in drawn]
    kept: list[int] = []
    fitting = 0
    for rows in drawn:
        if len(kept) + len(rows) <= limit:
            kept += rows.tolist()
            fitting += 1
    if fitting < min(2, len(groups)):
        first = rng.permutation(drawn[0]).tolist()
        second = rng.permutation(drawn[1]).tolist() if len(drawn) > 1 else []
        share = max(limit - limit // 2, limit - len(second))
        kept = first[:share]
        kept += second[: limit - len(kept)]
    return np.array(sorted(kept), dtype=np.intp)


def drawn_rows(items: Sequence[Item], limit: int | None, *, seed: int) -> list[int]:
    """Rows of the items that :func:`take_groups` draws; all of them without a limit."""
    together = not items or not isinstance(items[0], Rating)
    return [int(k) for k in drawn([item.group for item in items], limit, seed=seed, whole=together)]


def _check_draw(limit: int | None, seed: int) -> None:
    if limit is not None and limit < 1:
        raise InnerjudgeError(f"given --limit {limit}, expected at least 1: leave it out for all items")
    if seed < 0:
        raise InnerjudgeError(f"given --seed {seed}, expected 0 or more")


def _builtin(task: str, limit: int | None, seed: int) -> Dataset:
    from ...models.reference import choose, rate, solve

    count, seed, name = limit or BUILTIN_SIZE[task], HELD_OUT_SEED + seed, f"builtin:{task}"
    if task == "solve":
        return Dataset(name=name, kind="trace", items=(), problems=tuple(solve.problems(count, seed=seed)))
    made: dict[str, Any] = {"rate": rate.ratings, "choose": choose.choices, "steps": rate.traces}
    items = made[task](count, seed=seed)
    return Dataset(name=name, kind=kind_of(items[0]), items=tuple(items))


def hash_data(data: Dataset) -> str:
    """Hash of a data set: its items, or the problems that items are sampled for."""
    return hash_of([hash_items(data.items), *map(repr, data.problems)])
