"""Two studies side by side: what changed in the file, which figures moved further than their intervals allow."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scipy import stats

_KEY = ("data", "part", "judge", "metric", "against")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One figure in both studies: data set, part, judge, metric, and what it is compared with are its ``key``.

    ``change`` is the second less the first, ``None`` where one of them is undefined; ``low`` and ``high`` are the ends
    of its interval, were the studies independent (``None`` without both intervals), and ``apart`` says whether that
    interval, corrected for the number of figures compared, excludes 0.
    """

    key: tuple[str, ...]
    first: float | None
    second: float | None
    change: float | None
    low: float | None = None
    high: float | None = None
    apart: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyDiff:
    """What differs between two studies."""

    spec: tuple[tuple[str, Any, Any], ...]
    versions: tuple[tuple[str, Any, Any], ...]
    moved: tuple[Change, ...]
    only_first: tuple[tuple[str, ...], ...]
    only_second: tuple[tuple[str, ...], ...]


def compare_studies(first: Mapping[str, Any], second: Mapping[str, Any]) -> StudyDiff:
    """Compare the results (``results.json``) of two studies, figure by figure; of two comparisons as well.

    The interval of a change treats the studies as independent. On the same items and seeds they are not, and the true
    interval is narrower: a change called apart is apart either way; one that is not called so may still be.
    """
    held = [{tuple(str(f.get(n) or "") for n in _KEY): f for f in found["figures"]} for found in (first, second)]
    shared = [key for key in held[0] if key in held[1]]
    return StudyDiff(
        spec=tuple(_differing(first.get("spec", {}), second.get("spec", {}))),
        versions=tuple(_differing(first.get("versions", {}), second.get("versions", {}))),
        moved=tuple(_moved(key, held[0][key], held[1][key], len(shared)) for key in shared),
        only_first=tuple(key for key in held[0] if key not in held[1]),
        only_second=tuple(key for key in held[1] if key not in held[0]),
    )


def _moved(key: tuple[str, ...], a: Mapping[str, Any], b: Mapping[str, Any], n: int) -> Change:
    before, after = a.get("value"), b.get("value")
    if before is None or after is None:
        return Change(key=key, first=before, second=after, change=None)
    change = float(after) - float(before)
    if None in (a.get("low"), a.get("high"), b.get("low"), b.get("high")):
        return Change(key=key, first=before, second=after, change=change)
    z = float(stats.norm.ppf(0.975))
    error = math.hypot(*(float(one["high"] - one["low"]) / (2 * z) for one in (a, b)))
    wide = float(stats.norm.ppf(1 - 0.025 / max(n, 1))) * error  # Bonferroni over all figures
    low, high = change - z * error, change + z * error
    return Change(key=key, first=before, second=after, change=change, low=low, high=high, apart=abs(change) > wide > 0)


def _differing(first: Any, second: Any, place: str = "") -> list[tuple[str, Any, Any]]:
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        found = []
        for name in dict.fromkeys([*first, *second]):
            found += _differing(first.get(name), second.get(name), f"{place}.{name}" if place else str(name))
        return found
    if _are_parts(first) and _are_parts(second) and len(first) == len(second):
        return [d for k, (a, b) in enumerate(zip(first, second, strict=True)) for d in _differing(a, b, f"{place}.{k}")]
    return [] if first == second else [(place, first, second)]


def _are_parts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, Mapping) for one in value)
