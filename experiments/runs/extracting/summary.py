"""The summary of a run: how much was done, what was left unscored and why, and how fast it went."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ....extraction.store import FeatureStore
from ...compare.reasons import shape_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """How fast the part of a run was that was done just now.

    Args:
        items: Items read.
        tokens: Tokens passed.
        seconds: Wall seconds.
        floor: Seconds that the bare model takes for the same tokens; 0 where it was not measured.
    """

    items: int
    tokens: int
    seconds: float
    floor: float = 0.0

    def told(self) -> str:
        """The speed in words.

        Example:
            >>> Speed(items=200, tokens=5000, seconds=4.0, floor=3.2).told()
            '200 items and 5,000 tokens in 4.0 s: 50.0 items/s, 1.25x the bare pass'
        """
        said = f"{self.items:,} items and {self.tokens:,} tokens in {self.seconds:.1f} s"
        if self.seconds:
            said += f": {self.items / self.seconds:.1f} items/s"
        return said + (f", {self.seconds / self.floor:.2f}x the bare pass" if self.floor else "")


def unscored(store: FeatureStore) -> list[tuple[str, int, str]]:
    """Why items of a store lack a readout, see :func:`reasons_of`."""
    return reasons_of(store.missing_reasons())


def reasons_of(items: Iterable[Mapping[str, str]]) -> list[tuple[str, int, str]]:
    """Why items lack a readout: readouts, number of items, and the reason of the first of them.

    Reasons that differ in numbers and quoted texts only count as one.

    Example:
        >>> reasons_of([{"hidden/a": "7 tokens"}, {"hidden/a": "8 tokens", "logprob": "8 tokens"}])
        [('hidden/a', 2, '7 tokens'), ('logprob', 1, '8 tokens')]
    """
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], str] = {}
    for missing in items:
        for name, reason in missing.items():
            key = (name, shape_of(reason))
            counts[key] += 1
            first.setdefault(key, reason)
    merged: dict[tuple[str, int], list[str]] = {}
    for (name, shape), count in counts.items():
        merged.setdefault((shape, count), []).append(name)
    rows = [(", ".join(sorted(names)), count, first[names[0], shape]) for (shape, count), names in merged.items()]
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def summary(store: FeatureStore, speed: Speed | None) -> list[str]:
    """Lines: what was done just now, what the type lost, what is unscored and why."""
    lines = [speed.told()] if speed else []
    for name, rounding in store.rounding.items():
        lines.append(
            f"{name} stored as {store.header.dtype}: relative error {rounding.relative:.2g}, at most "
            f"{rounding.worst:.2g} in one state"
        )
    for names, count, reason in unscored(store):
        lines.append(f"{count:,} of {len(store):,} items without {names}: {one_line(reason)}")
    return lines


def one_line(text: str) -> str:
    """``text`` without line breaks."""
    return re.sub(r"\s+", " ", text)
