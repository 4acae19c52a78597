"""How :mod:`.aspects` learns: labels with gaps as a table, one regression an aspect, the heads and the router."""

import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from ..models.errors import InnerjudgeError, shown
from .labels import Floats, has_both, soft_correctness
from .regression import Regression, fit_logistic, unscaled
from .scaling import divisors, steady

if TYPE_CHECKING:
    from .aspects import AspectProbes

Head = Literal["mean", "linear", "linear-by-route"]
#: An aspect needs so many positives, a route so many items.
FEWEST, FEWEST_OF_ROUTE = 5, 20
#: Names in the labels of an item that are no aspects.
OVERALL, ROUTE = "overall", "route"
_ROUNDS, _REFITS = 20, 5


class AspectLabels(NamedTuple):
    """Labels ``y [n, A]`` (NaN: unknown) of the aspects, ``route [n]`` (``""``: none) and ``overall [n]`` (NaN)."""

    names: tuple[str, ...]
    y: Floats
    route: npt.NDArray[Any]
    overall: Floats
    weight: Floats | None = None


def columns_of(labels: Any, aspects: tuple[str, ...], routes: Any, overall: Any) -> AspectLabels:
    """Labels as a table, from rows ``[n, A]``, mappings ``[n]`` or booleans; refuses names that are not expected."""
    rows = list(labels) if isinstance(labels, Iterable) else [labels]
    if all(isinstance(row, bool | np.bool_) for row in rows):
        rows = [{"right": row} for row in rows]
    if any(isinstance(row, Mapping) for row in rows):  # an overall label alone beside others with aspects
        rows = [{OVERALL: row} if isinstance(row, bool | np.bool_) else row for row in rows]
    if not all(isinstance(row, Mapping) for row in rows):
        if {np.shape(row) for row in rows} != {(len(aspects),)} or not aspects:
            raise InnerjudgeError.of("probes.aspect-columns", aspects)
        rows = [dict(zip(aspects, row, strict=True)) for row in rows]
    named = sorted({name for row in rows for name in row} - {OVERALL, ROUTE})
    if odd := {*named} - {*(aspects or named)}:
        raise InnerjudgeError(f"given the aspect {shown(min(odd))!r}, expected one of {shown(', '.join(aspects))}")
    names = aspects or tuple(named)
    y = np.array([[_share(row.get(name)) for name in names] for row in rows]).reshape(len(rows), len(names))
    route = [row.get(ROUTE) for row in rows] if routes is None else list(routes)
    known = [row.get(OVERALL) for row in rows] if overall is None else list(overall)
    if {len(route), len(known)} != {len(rows)}:
        raise InnerjudgeError(f"given {len(route)} routes, {len(known)} overall labels and {len(rows)} items' aspects")
    said = np.array(["" if _is_unknown(one) else str(one) for one in route], dtype=object)
    return AspectLabels(names, y, said, np.array([_share(one) for one in known]))


def _is_unknown(value: Any) -> bool:
    return value is None or type(value).__name__ == "NAType" or bool(value != value)  # of pandas, and NaN


def _share(value: Any) -> float:
    if _is_unknown(value):
        return np.nan
    if not isinstance(value, bool | int | float | np.number | np.bool_) or not 0 <= value <= 1:
        raise InnerjudgeError(f"given the label {value!r:.40} of an aspect, expected true, false, 0 to 1, or null")
    return float(value)


def fit_aspects(
    how: "AspectProbes", x: Floats, told: AspectLabels, groups: npt.NDArray[Any]
) -> tuple[tuple[str, ...], tuple[str, ...], Floats, Floats, Floats]:
    """Probes of vectors ``x [n, F]``, of all items and of each route, and what joins their scores.

    ``A`` names, ``R`` routes, ``coef [R + 1, A, F]``, ``intercept`` and ``head``: attributes of :class:`.AspectProbes`.
    Aspects that cannot be learned are left out with a warning; ``InnerjudgeError`` where that leaves none.
    """
    routes = tuple(sorted({*told.route.tolist()} - {""})) if how.routed else ()
    if how.routed and len(routes) < 2:
        raise InnerjudgeError(f"given the routes {shown(routes)} for routed=True, expected at least two: add items")
    weight, basis, scaler = told.weight, None, steady(StandardScaler().fit(x))
    if how.components is not None:
        scaled = scaler.transform(x)
        basis = components_of(scaled, how.components)
        x = scaled @ basis.T
    tried = {name: fit_aspect(how, x, y, groups, weight) for name, y in zip(told.names, told.y.T, strict=True)}
    whole = {name: one for name, one in tried.items() if one is not None}
    if not whole:
        raise InnerjudgeError.of("probes.no-aspect", FEWEST)
    if left := shown(", ".join(sorted(tried.keys() - whole))):
        warnings.warn(f"aspects left out: {left}: one class, or fewer than {FEWEST} positives", stacklevel=3)
    parts = [np.full(len(x), True), *(told.route == name for name in routes)]
    probes, heads = [list(whole.values())], list[Floats]()
    held = np.stack([one.held_out for one in probes[0]], axis=1)
    columns = told.y[:, [name in whole for name in told.names]].T
    for its in parts[1:]:
        few, share = its.sum() < FEWEST_OF_ROUTE, None if weight is None else weight[its]
        own = [None if few else fit_aspect(how, x[its], y[its], groups[its], share) for y in columns]
        probes.append([usual if one is None else one for one, usual in zip(own, probes[0], strict=True)])
        for k, one in enumerate(own):
            held[its, k] = held[its, k] if one is None else one.held_out
    for its in parts:
        alike = bool(heads) and how.head == "linear"
        heads.append(heads[0] if alike else _head(how, held[its], told.overall[its], groups[its], heads))
    coef, intercept = (
        np.array([[getattr(one, name) for one in row] for row in probes]) for name in ("coef", "intercept")
    )
    if basis is not None:  # folded into the weights, so that states are judged as they are
        coef, intercept = unscaled(coef @ basis, intercept, scaler)
    return tuple(whole), routes, coef, intercept, np.array(heads)


def components_of(scaled: Floats, most: int) -> Floats:
    """At most so many principal components ``[k, F]`` of centred vectors ``[n, F]``, largest first.

    Directions in which float32 does not tell the vectors apart are left out, by the tolerance of
    ``np.linalg.matrix_rank``: of ``n`` items there are at most ``n - 1`` others, and a new one may lie far along them.
    """
    _, size, axes = np.linalg.svd(scaled, full_matrices=False)
    told = size >= size.max() * max(scaled.shape) * np.finfo(np.float32).eps
    return np.asarray(axes[:most][told[:most]])


def _head(how: "AspectProbes", held: Floats, known: Floats, groups: npt.NDArray[Any], others: list[Floats]) -> Floats:
    """Weights of the aspects' scores, and an intercept; of all items where too few are labelled."""
    if how.head == "mean":
        w = 1 / divisors(held.std(axis=0), np.abs(held).max(axis=0)) / held.shape[1]
        return np.append(w, -w @ held.mean(axis=0))
    told = ~np.isnan(known)
    if told.sum() >= FEWEST_OF_ROUTE and has_both(known[told]):
        p = soft_correctness(known[told])
        one = fit_logistic(held[told], p, tuple(groups[told]), tuple(map(float, how.candidates)))
        return np.append(one.coef, one.intercept)
    if others:
        return others[0]
    raise InnerjudgeError.of("probes.few-overall", int(told.sum()), how.head, FEWEST_OF_ROUTE)


def fit_aspect(
    how: "AspectProbes", every: Floats, given: Floats, groups: npt.NDArray[Any], weight: Floats | None = None
) -> Regression | None:
    """The probe of one aspect, whose ``held_out`` has its own score where none is; ``None`` if labels do not tell."""
    some = np.full(len(given), True) if how.unknown == "negative" else ~np.isnan(given)
    x, y, own = every[some], np.nan_to_num(given[some]), tuple(groups[some])
    share, candidates = None if weight is None else weight[some], tuple(map(float, how.candidates))
    if y.sum() < FEWEST or not has_both(y, share):
        return None

    def fitted(p: Floats) -> Regression:
        w = share
        if how.balance:
            w = np.where(p > 0.5, 0.5 / p.mean(), 0.5 / (1 - p.mean())) * (1.0 if share is None else share)
        return fit_logistic(x, soft_correctness(p), own, candidates, w)

    found = fitted(y)
    candidates = (found.penalty,)
    for _ in range(_ROUNDS if how.observed else 0):
        found = fitted(expected(expit(x @ found.coef + found.intercept), y, how.observed or 1.0))
    for _ in range(_REFITS if how.correct else 0):
        before, y = y, corrected(expit(x @ found.coef + found.intercept), y, how.correct or 1.0)
        if (y == before).all() or not has_both(y):
            break
        found = fitted(y)
    held = every @ found.coef + found.intercept
    held[some] = np.where(np.isnan(found.held_out), held[some], found.held_out)
    return Regression(found.coef, found.intercept, found.penalty, held)


def expected(p: Floats, y: Floats, observed: float) -> Floats:
    """How likely each item is a positive, ``[n]``: 1 if recorded, else from ``p`` and the share that is recorded."""
    return np.where(y > 0, y, (1 - observed) * p / (1 - observed * p))


def corrected(p: Floats, y: Floats, threshold: float) -> Floats:
    """Labels ``[n]`` with negatives above the threshold, and above the mean probability, turned into positives."""
    return np.where((y == 0) & (p > max(threshold, p.mean())), 1.0, y)


def fit_router(states: npt.NDArray[np.floating], route: npt.NDArray[Any]) -> Floats:
    """Weights ``[R, D + 1]`` of states ``[n, D]``, the last of them the intercept, from routes (``""``: none)."""
    x, y = states[route != ""].astype(np.float64), route[route != ""].astype(str)
    scaler = steady(StandardScaler().fit(x))
    model = LogisticRegression(C=0.01, max_iter=10_000).fit(scaler.transform(x), y)
    found = np.column_stack(unscaled(model.coef_, model.intercept_, scaler))
    return found if len(found) > 1 else np.concatenate([0 * found, found])
