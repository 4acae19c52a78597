"""A judge's labels held against people's, part by part, and what a probe that learned from them keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ....models.errors import InnerjudgeError, shown
from ...data.verdict_table import Table
from ...drawing.style import filled
from ..intervals import Interval, cluster_interval, paired_difference
from ..statistic import SHARE, Floats, Said, Statistic, finite, require_same_length, undefined
from .aggregate import aggregate
from .confusion import cohen_kappa, percent_agreement
from .reliability import krippendorff_alpha

_ALL, _TERCILES = "all", ("short", "middle", "long")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How often a ``rater`` agrees with the people, and beyond chance (``kappa``), on one ``part`` of the items."""

    rater: str
    part: str
    share: Interval
    kappa: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What :func:`check_labels` found; ``str`` of it is a Markdown page.

    ``people`` is their agreement with one another, ``rows`` that of the judge and of the probe with them, ``right`` the
    share of all items that the judge labelled that is right by their measure, ``kept`` the difference of the two kappas
    (probe less judge) and ``ratio`` their ratio, on items that both labelled, ``costs`` what one verdict costs.
    """

    people: Interval
    rows: tuple[Agreement, ...]
    right: Interval
    kept: Interval | None = None
    ratio: float | None = None
    costs: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        known = {"found": self, "raters": [row.rater for row in self.rows if row.part == _ALL]}
        return filled(Path(__file__).with_name("checked.md").read_text("utf-8"), known).rstrip()


def check_labels(
    table: Table, judge: str, people: Sequence[str], *, probe: str | None = None,
    slices: Sequence[str] = ("length", "data"), costs: Mapping[str, float] | None = None
) -> Checked:  # fmt: skip
    """Hold a judge's labels against people's before a probe learns from them, and the probe after.

    People are settled by vote; items on which they are level, or that one side did not label, do not count. One kappa
    cannot tell random errors, which a probe averages away, from errors that follow something, which it copies: look at
    the slices. ``slices`` are ``"length"`` (terciles), ``"data"`` or tags of the table; ``costs`` one verdict's, by
    name, in any unit. On labels of the judge itself a probe has agreement, not accuracy.

    Source:
        TnT-LLM (arXiv 2403.12173, section 4.2): kappa of people, and of the model with their consensus.

    Example:
        >>> from innerjudge.experiments.data.verdict_table import Row, Table
        >>> said = {"gpt": [1, 1, 0, 0], "anna": [1, 1, 0, 0], "ben": [1, 1, 0, 1]}
        >>> told = [(j, k, v) for j in said for k, v in enumerate(said[j])]
        >>> rows = [Row(question=str(k), candidate="0", judge=j, label=bool(v)) for j, k, v in told]
        >>> found = check_labels(Table(rows), "gpt", ["anna", "ben"])
        >>> found.rows[0].share.value, found.people.value
        (1.0, 0.5)
    """
    raters = [judge] if probe is None else [judge, probe]
    names = [*raters, *people]
    if (odd := {*names} - {*table.judges}) or not people or len({*names}) < len(names):
        known = shown(", ".join(table.judges)) + (f" (not {shown(min(odd))})" if odd else "")
        raise InnerjudgeError.of("stats.no-raters", judge, shown(people), probe, known)
    said = {name: table.labels(name) for name in names}
    settled = aggregate({name: said[name] for name in people}, "vote").labels
    truth = [None if one is None else max(one, key=lambda c: one[c]) for one in settled]
    if all(a is None or b is None for a, b in zip(truth, said[judge], strict=True)):
        raise InnerjudgeError(f"given no item with a label by {judge} and one by people, expected some: label the same")
    rows: list[Agreement] = []
    groups, parts = table.groups, _parts(table, slices)
    for rater in raters:
        for part, its in parts.items():
            own = [label if k in its else None for k, label in enumerate(said[rater])]
            share = cluster_interval(percent_agreement(own, truth), groups)
            kappa = cluster_interval(cohen_kappa(own, truth), groups)
            rows.append(Agreement(rater=rater, part=part, share=share, kappa=kappa))
    both = [all(said[name][k] is not None for name in raters) for k in range(len(truth))]
    on_both = [cohen_kappa([v if b else None for v, b in zip(said[n], both, strict=True)], truth) for n in raters]
    first, last = (one.value or 0.0 for one in (on_both[0], on_both[-1]))
    return Checked(
        people=cluster_interval(_of_people([said[name] for name in people]), groups),
        rows=tuple(rows),
        right=cluster_interval(corrected_share(truth, said[judge]), groups),
        kept=None if probe is None else paired_difference(on_both[1], on_both[0], groups),
        ratio=last / first if first > 0 else None,
        costs=costs or {},
    )


def corrected_share(people: Said, judge: Said) -> Statistic:
    r"""Share of ``True`` among all items that a judge labelled, corrected with those that people labelled too.

    With ``h`` of people and ``f`` of the judge: :math:`\bar h + \lambda (\bar f_{all} - \bar f_{checked})`, where
    :math:`\lambda = \mathrm{cov}(h, f) / \mathrm{var}(f)` on the checked ones, the tuned prediction-powered mean.
    """
    require_same_length(people=people, judge=judge)
    if not all(v is None or isinstance(v, bool | np.bool_) for v in (*people, *judge)):
        return undefined("labels other than true and false", n=0, size=len(judge))
    h, f = (finite([None if v is None else float(bool(v)) for v in column]) for column in (people, judge))
    every = ~np.isnan(f)
    checked = every & ~np.isnan(h)
    m = int(checked.sum())
    if m < 2:
        return undefined("fewer than two checked items", n=m, size=len(judge))
    spread = float(np.var(f[checked]))
    covariance = float(np.mean((h[checked] - h[checked].mean()) * (f[checked] - f[checked].mean())))
    slope = covariance / spread if spread else 0.0
    h, f = np.where(checked, h, 0.0), np.where(every, f, 0.0)

    def over(w: Floats) -> Floats:
        some = np.maximum(w @ checked, 1e-12)
        moved: Floats = (w @ f) / np.maximum(w @ every, 1e-12) - (w @ (f * checked)) / some
        return (w @ h) / some + slope * moved

    value = float(over(np.ones((1, len(f))))[0])
    return Statistic(value=value, n=m, size=len(f), counts=(checked,), limits=SHARE, over=over)


def _parts(table: Table, slices: Sequence[str]) -> dict[str, frozenset[int]]:
    """Rows of all items, and of each part by the slices; one that does not part them is left out."""
    found = {_ALL: frozenset(range(len(table.items)))}
    for name in slices:
        values = [item[0] for item in table.items] if name == "data" else table.tag(name)
        if name == "length":
            lengths = finite(table.lengths)
            ends = np.nanquantile(lengths, (1 / 3, 2 / 3)) if not np.isnan(lengths).all() else ()
            values = [None if v != v else _TERCILES[int(np.searchsorted(ends, v))] for v in lengths.tolist()]
        kinds = [one for one in dict.fromkeys(values) if one is not None]
        kinds = [one for one in _TERCILES if one in kinds] if name == "length" else kinds
        for kind in kinds if len(kinds) > 1 else ():
            found[f"{name} {kind}"] = frozenset(k for k, value in enumerate(values) if value == kind)
    return found


def _of_people(said: Sequence[Said]) -> Statistic:
    """Cohen's kappa of two; of more Krippendorff's alpha, which needs no complete labels as Fleiss' kappa does."""
    if len(said) == 1:
        return undefined("one person", n=0, size=len(said[0]))
    if len(said) == 2:
        return cohen_kappa(*said)
    codes = {v: float(k) for k, v in enumerate(dict.fromkeys(v for column in said for v in column if v is not None))}
    return krippendorff_alpha([[None if v is None else codes[v] for v in c] for c in said], level="nominal")
