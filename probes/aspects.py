"""Probes of several aspects of an answer, from labels with gaps, and the one score that they make together."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from ..extraction.features import Features
from ..models.arguments import Count, Within, require_type
from ..models.errors import InnerjudgeError
from .aspect_fit import OVERALL, ROUTE, Head, columns_of, fit_aspects, fit_router
from .estimator import parameters
from .judge import Scores
from .labels import Floats, Weights
from .regression import LOGISTIC_CANDIDATES, Candidates
from .row_judge import RowJudge

_ROUTER = "hidden/prompt_end"


@parameters
class AspectProbes(RowJudge):
    r"""One logistic probe an aspect (INSPECTOR, arXiv 2601.22588), from labels with gaps; the score joins them.

    *Gaps* (PLT-MLC, arXiv 2304.10539, where positives that nobody recorded count as negatives): an item without a label
    for an aspect leaves its fit, or counts as negative. Where all that is not recorded may be positive, ``observed``
    says which share of the positives is, and EM takes a negative for right with probability :math:`(1-c)p/(1-cp)`;
    ``correct`` is the paper's correction. Its focal loss, and its head and tail networks (commented out in the release)
    are not built.

    *Routes* (DMoERM, arXiv 2403.01197: a router, and an expert a capability and task): where items have a route, there
    are probes of each, and a router on the state at the end of the prompt. The released code starts from random weights
    and keeps the checkpoint that reverses most pairs. ``positions`` and ``combine`` are as in :class:`.LogisticProbe`.

    Args:
        aspects: Their names; empty for all that the labels have, in alphabetical order.
        row: Row of the states, a number; such as 0.6 for the row nearest to that share of the model's depth.
        components: Number of principal components of the standardised states that are learned from; ``None`` for all
            states as they are. Of few or like items there are fewer: at most one less than items.
        unknown: ``"mask"`` leaves an item without a label for an aspect out of its fit, ``"negative"`` counts it.
        observed: Share of the positives that are recorded as such, below 1; ``None`` if negatives are negative.
        correct: Negatives with at least this probability, and more than the mean, become positives, in at most five
            refits; ``None`` for none.
        balance: Both classes of an aspect weigh the same: more is found, and probabilities are too high.
        head: ``"mean"`` of the aspects' standardised scores, or a logistic regression of the ``overall`` label on them,
            ``"linear"`` for all routes or ``"linear-by-route"``.
        routed: Fit probes of each route, and the router.
        candidates: Values of ``C`` to choose from, by held-out log-loss for each aspect.

    Attributes:
        aspects_: Aspects that could be fitted, ``A`` of them; the others had one class, or fewer than 5 positives.
        routes_: ``R`` routes; empty without.
        coef_: ``[R + 1, A, F]``, first those of all items: they stand in for a route with fewer than 20 items, or of
            one class.
        intercept_: ``[R + 1, A]``.
        head_: ``[R + 1, A + 1]``, weights of the aspects' scores, and the intercept.
        router_: ``[R, D + 1]``, likewise of the state at the end of the prompt; ``None`` without routes.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(80, 2, 2))
        >>> f = Features.from_arrays({"hidden/a": x}, provenance="m", groups=np.repeat(np.arange(20), 4).tolist())
        >>> y = (x[:, 1] > 0).astype(float)
        >>> y[::3, 1] = np.nan  # nobody was asked whether these are concise
        >>> probes = AspectProbes(aspects=["correct", "concise"], positions=["a"]).fit(f, y)
        >>> ((probes.aspect_scores(f) > 0) == (x[:, 1] > 0)).mean(axis=0) > 0.9
        array([ True,  True])
    """

    aspects: Sequence[str] = ()
    row: int | float = -1
    components: Count | None = None
    unknown: Literal["mask", "negative"] = "mask"
    observed: Within | None = None
    correct: Within | None = None
    balance: bool = False
    head: Head = "mean"
    routed: bool = False
    candidates: Candidates = LOGISTIC_CANDIDATES
    aspects_: tuple[str, ...] = field(init=False)

    on_request = True
    learns_in_parts = False
    label_fields = ("aspects", "sample_weight")

    def __post_init__(self) -> None:
        super().__post_init__()
        if {OVERALL, ROUTE} & {*self.aspects}:
            raise InnerjudgeError(f"given aspects={self.aspects!r}, expected names other than {OVERALL!r}, {ROUTE!r}")
        self.needs += (_ROUTER,) * self.routed

    def sizes(self, known: Mapping[str, int]) -> dict[str, int]:
        """Adds the numbers of aspects, routes and their weights."""
        a, r = (len(n) if isinstance(n := vars(self).get(name), tuple) else 0 for name in ("aspects_", "routes_"))
        states = {"states": known["width"] + 1} if "width" in known else {}
        return {**super().sizes(known), "aspects": a, "weights": a + 1, "routes": r, "heads": r + 1, **states}

    def label_of(self, extra: Mapping[str, Any], label: Any) -> Any:
        """The item's ``aspects``, its ``route``, and the label itself as the overall one; ``None`` without aspects."""
        own = extra.get("aspects")
        if not isinstance(own, Mapping | None):
            raise InnerjudgeError(f"given aspects={own!r:.40} of an item, expected names with true, false or null")
        return None if own is None else {**own, ROUTE: extra.get(ROUTE), OVERALL: label}

    def fit(
        self, features: Features, labels: Any, sample_weight: Weights = None, *, routes: Any = None, overall: Any = None
    ) -> Self:
        """Learn from labels ``[n, A]``, a column an aspect, NaN where unknown; or from mappings ``[n]`` of names.

        Such a mapping, as item files have it, may also name the ``route`` and the ``overall`` label of the item; else
        both may be given as columns ``[n]``. ``InnerjudgeError`` if a name is unknown, no aspect can be fitted, or what
        ``routed`` or ``head`` needs is missing.
        """
        require_type(features, Features, "AspectProbes.fit")
        told = columns_of(labels, tuple(self.aspects), routes, overall)
        part, at, excluded, weight = self._weighted(features, np.arange(len(told.y)), sample_weight)
        told = told._replace(y=told.y[at], route=told.route[at], overall=told.overall[at], weight=weight)
        row = self._told(features)
        found = fit_aspects(self, self._vectors(part, row), told, np.array(part.groups))
        self.router_ = fit_router(part[_ROUTER][:, row], told.route) if self.routed else None
        self.aspects_, self.routes_, self.coef_, self.intercept_, self.head_ = found
        self.row_ = row
        return self._fitted_on(features, excluded)

    def aspect_scores(self, features: Features) -> Floats:
        """Log-odds ``[n, A]`` of each aspect, in the order of :attr:`aspects_`."""
        self._require_scorable(features)
        return self._by_aspect(features)[0]

    def _by_aspect(self, features: Features) -> tuple[Floats, npt.NDArray[np.intp]]:
        x, head = self._vectors(features, self.row_), np.zeros(len(features), dtype=np.intp)
        if self.router_ is not None:
            states = features[_ROUTER][:, self.row_].astype(np.float64)
            head = 1 + (states @ self.router_[:, :-1].T + self.router_[:, -1]).argmax(axis=1)
        scores = np.empty((len(x), len(self.aspects_)))
        for k in np.unique(head):
            scores[head == k] = x[head == k] @ self.coef_[k].T + self.intercept_[k]
        return scores, head

    def _scores(self, features: Features) -> Scores:
        scores, k = self._by_aspect(features)
        return np.asarray((scores * self.head_[k, :-1]).sum(axis=1) + self.head_[k, -1])

    def _labels(self, scores: Scores, features: Features) -> list[Any]:
        return [None if self.head == "mean" else bool(s > 0) for s in scores]
