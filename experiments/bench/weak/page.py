"""The page of weak labels: tables of means, and what follows from them by the bars of each method."""

from dataclasses import dataclass

import numpy as np

from .worlds import Floats

#: Column -> way to learn -> what it reached in each draw.
Found = dict[str, dict[str, Floats]]
GAINS = (
    "Mean difference over the draws in which both learned (- where they never did). A number marks a gain below its "
    "row's bar: [1] it is too small; [2] the states hardly tell right from wrong; [3] the other way is near 1 already."
)

CEILING = " [4] a probe of all true labels is no better than the other way."


@dataclass(frozen=True, slots=True)
class Claim:
    """That one way is better than another by at least ``bar``."""

    better: str
    than: str
    bar: float
    what: str


@dataclass(frozen=True, slots=True)
class Section:
    """A table and what it says; of the ways whose name begins with ``part`` and a colon, if there is one.

    ``truth`` is the way that learns from all true labels: what is above it cannot be reached by learning.
    """

    title: str
    about: str
    found: Found
    claims: tuple[Claim, ...]
    room: tuple[float, float] = (0.56, 0.95)
    part: str = ""
    truth: str = ""

    def lines(self) -> list[str]:
        """As Markdown."""
        made = [f"## {self.title}", "", self.about, "", f"| learned from | {' | '.join(self.found)} |"]
        made.append(f"| --- |{' --: |' * len(self.found)}")
        found = {column: self._of_part(its) for column, its in self.found.items()}
        for name in next(iter(found.values())):
            made.append(f"| {name} | {' | '.join(_cell(column[name]) for column in found.values())} |")
        made += [
            "",
            GAINS + (CEILING if self.truth else ""),
            "",
            f"| gain | it pays from | {' | '.join(self.found)} |",
            f"| --- |{' --: |' * (len(self.found) + 1)}",
        ]
        for claim in self.claims:
            said = " | ".join(self._said(claim, column) for column in found.values())
            made.append(f"| {claim.what} | {claim.bar:+.2f} | {said} |")
        return [*made, ""]

    def _of_part(self, column: dict[str, Floats]) -> dict[str, Floats]:
        start = f"{self.part}: " if self.part else ""
        return {name.removeprefix(start): its for name, its in column.items() if name.startswith(start)}

    def _said(self, claim: Claim, column: dict[str, Floats]) -> str:
        gain = common(column[claim.better], column[claim.than])
        if np.isnan(gain):
            return "-"
        return f"{gain:+.3f}{'' if gain >= claim.bar else self._why(column, claim.than)}"

    def _why(self, column: dict[str, Floats], name: str) -> str:
        """Why a gain is below its bar, as far as what it is compared with tells: a number that ``GAINS`` explains."""
        mean, (low, high) = float(np.nanmean(column[name])), self.room
        if self.truth and np.nanmean(column[self.truth]) <= mean:
            return " [4]"
        return " [3]" if mean > high else " [2]" if mean < low else " [1]"


def _cell(reached: Floats) -> str:
    lost = int(np.isnan(reached).sum())
    if lost == len(reached):
        return "nothing learned"
    return f"{np.nanmean(reached):.3f} ± {np.nanstd(reached):.3f}{f' ({lost})' if lost else ''}"


def common(better: Floats, than: Floats) -> float:
    """Mean difference over the draws in which both learned."""
    both = ~np.isnan(better) & ~np.isnan(than)
    return float((better - than)[both].mean()) if both.any() else float("nan")
