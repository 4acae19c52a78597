"""The page of weak labels: tables of means, and what follows from them by the bars of each method."""

from dataclasses import dataclass

import numpy as np

from .worlds import Floats

#: Column -> way to learn -> what it reached in each draw.
Found = dict[str, dict[str, Floats]]


@dataclass(frozen=True, slots=True)
class Claim:
    """That one way is better than another by at least ``bar``."""

    better: str
    than: str
    bar: float
    what: str


@dataclass(frozen=True, slots=True)
class Section:
    """A table and what it says."""

    title: str
    about: str
    found: Found
    claims: tuple[Claim, ...]
    room: tuple[float, float] = (0.56, 0.95)

    def lines(self) -> list[str]:
        """As Markdown."""
        made = [f"## {self.title}", "", self.about, "", f"| learned from | {' | '.join(self.found)} |"]
        made.append(f"| --- |{' --: |' * len(self.found)}")
        for name in next(iter(self.found.values())):
            made.append(f"| {name} | {' | '.join(_cell(column[name]) for column in self.found.values())} |")
        made += ["", "By the mean difference in the draws where both learned:", ""]
        for claim in self.claims:
            said = "; ".join(f"{name} {self._said(claim, column)}" for name, column in self.found.items())
            bar = f" (to pay: {claim.bar:+.2f})" if claim.bar else ""
            made.append(f"- {claim.what}{bar}: {said}.")
        return [*made, ""]

    def _said(self, claim: Claim, column: dict[str, Floats]) -> str:
        gain = common(column[claim.better], column[claim.than])
        if np.isnan(gain):
            return "never both"
        return f"{gain:+.3f}{'' if gain >= claim.bar else f' (does not pay{self._why(column[claim.than])})'}"

    def _why(self, than: Floats) -> str:
        """Why a gain is below its bar, as far as what it is compared with tells."""
        mean, (low, high) = float(np.nanmean(than)), self.room
        return ": no room, the other is near 1" if mean > high else ": the states hardly tell" if mean < low else ""


def _cell(reached: Floats) -> str:
    lost = int(np.isnan(reached).sum())
    if lost == len(reached):
        return "nothing learned"
    return f"{np.nanmean(reached):.3f} ± {np.nanstd(reached):.3f}{f' ({lost})' if lost else ''}"


def common(better: Floats, than: Floats) -> float:
    """Mean difference over the draws in which both learned."""
    both = ~np.isnan(better) & ~np.isnan(than)
    return float((better - than)[both].mean()) if both.any() else float("nan")
