"""One meaning of "better": paired differences to another judge, corrected for the number of judges compared."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..stats.significance import difference, holm
from .figures import Figure, of_difference
from .lens import Lens, Metric


def differences(
    lens: Lens,
    part: str,
    metric: str,
    of: Metric,
    scored: Mapping[str, Sequence[bool]],
    *,
    against: str | None = None,
    about: Sequence[bool] | None = None,
) -> dict[str, Figure]:
    """Paired differences of judges to another one, on the items that both scored, Holm-corrected.

    Judges of ``scored`` are compared with ``against`` (that of the settings), if it is among them; ``about`` says
    which items the metric is about.
    """
    other = lens.settings.against if against is None else against
    if other not in scored:
        return {}
    compared = [judge for judge in scored if judge != other]
    every = [True] * len(lens.truths) if about is None else about
    both = {judge: [a and b for a, b in zip(scored[judge], scored[other], strict=True)] for judge in compared}
    made = holm([difference(of(j, both[j]), of(other, both[j]), lens.groups) for j in compared])
    found = {}
    for judge, one in zip(compared, made, strict=True):
        mine, theirs = ([s and e for s, e in zip(scored[name], every, strict=True)] for name in (judge, other))
        if one.interval.value is None and (why := _without_pairs(mine, theirs, other)):
            one = replace(one, interval=replace(one.interval, reason=why))
        lost = sum(e and not b for e, b in zip(every, both[judge], strict=True))
        found[judge] = of_difference(
            one, data=lens.data, part=part, judge=judge, metric=metric, against=other, unscored=lost
        )
    return found


def _without_pairs(mine: Sequence[bool], theirs: Sequence[bool], other: str) -> str | None:
    """Why there is nothing to take a difference on; ``None`` where some item is scored by both."""
    if not any(theirs):
        return f"the judge {other} scored none of these items"
    if not any(mine):
        return "this judge scored none of these items"
    return (
        None if any(a and b for a, b in zip(mine, theirs, strict=True)) else f"no item is scored by both it and {other}"
    )
