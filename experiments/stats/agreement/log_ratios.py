"""Preferences from what two models think likely: one that was trained on preferences, and the one that it began as."""

import warnings
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from ....models.errors import InnerjudgeError
from ..statistic import Floats

_KNOWN = {"a": 1.0, "b": 0.0, "tie": 0.5, None: np.nan}


class LogRatios(NamedTuple):
    """How likely a is better, ``[n]``, and the implicit rewards ``[n, 2]``: ``slope`` times the log-ratios."""

    p: Floats
    rewards: Floats
    slope: float

    @property
    def quality(self) -> Floats:
        """Log-odds ``[n, 2]`` whose difference is that of ``p``: labels of ``RankedProbe(loss="soft-pairs")``."""
        half = logit(np.clip(self.p, 1e-9, 1 - 1e-9)) / 2
        return np.stack([half, -half], axis=1)


def log_ratio_preferences(
    policy: npt.ArrayLike, reference: npt.ArrayLike, *, beta: float = 0.1, per_token: bool = False,
    preferences: Sequence[str | None] | None = None, slope: Literal["beta", "seed"] = "beta",
    smooth: tuple[float, float] | None = None
) -> LogRatios:  # fmt: skip
    r"""How likely ``a`` is better than ``b``: :math:`\sigma(r_a - r_b)`, :math:`r = \beta \log(\pi / \pi_{ref})`.

    ``policy`` and ``reference`` are log-probabilities of the two responses, ``[n, 2]``, or ``[n, 2, 2]`` with their
    numbers of tokens (rows of ``features["logprob"]``), by which ``per_token`` divides. Known ``preferences`` (a, b,
    tie) stay; with ``slope="seed"`` a logistic regression on them, through zero and with a weak prior, replaces
    ``beta``. ``smooth=(0.1, 0.1)`` is SPA's: the winner has 1, and .9 in the tenth of pairs with its smallest margins.

    Source:
        Selfie and SPA (arXiv 2406.04412), for DPO; the reference stays the first model. The release takes the tenth of
        batch means. The slope of few preferences may have the wrong sign.

    Example:
        >>> log_ratio_preferences([[-40, -52]], [[-45, -50]]).p.round(4)
        array([0.6682])
    """
    both = [np.atleast_1d(np.asarray(one, dtype=np.float64)) for one in (policy, reference)]
    told_of = [None] * len(both[0]) if preferences is None else preferences
    known = np.array([_KNOWN.get(one, np.inf) for one in told_of])
    kinds = [(len(known), 2)] * (not per_token) + [(len(known), 2, 2)]
    if not len(known) or both[0].shape not in kinds or both[1].shape != both[0].shape or not np.isfinite(both).all():
        expected = " or ".join(map(str, kinds))
        raise InnerjudgeError.of("stats.log-ratios", both[0].shape, both[1].shape, len(known), per_token, expected)
    other = both[0].ndim == 3 and bool((both[0][..., 1] != both[1][..., 1]).any())
    if both[0].ndim == 3 and not (both[0][..., 1] > 0).all():
        raise InnerjudgeError("given a response without tokens, expected some in each: leave such pairs out")
    pairs = [x if x.ndim == 2 else x[..., 0] / (x[..., 1] if per_token else 1.0) for x in both]
    same, told = np.all([x[:, 0] == x[:, 1] for x in pairs], axis=0), np.nan_to_num(2 * known - 1)
    share, flip = smooth or (0.0, 0.0)
    odd = {
        f"pair {same.argmax()} of equal responses, expected two: leave it out": same.any(),
        "per_token of models that count other tokens, expected one tokenizer: take sums": per_token and other,
        "preferences of other names, expected a, b, tie or None": np.isinf(known).any(),
        "slope='seed' without a known preference, expected some: name them": slope == "seed" and not told.any(),
        f"{beta=}, {slope=}, {smooth=}, expected above 0, beta or seed, shares up to 1 and .5": not (
            0 < beta < np.inf and slope in ("beta", "seed") and 0 <= share <= 1 and 0 <= flip <= 0.5
        ),
    }
    if any(odd.values()):
        raise InnerjudgeError(f"given {next(why for why, one in odd.items() if one)}")
    if other:
        warnings.warn("policy and reference count tokens differently: sums of two tokenizers", stacklevel=2)
    ratio = pairs[0] - pairs[1]
    margin = ratio[:, 0] - ratio[:, 1]
    if slope == "seed":
        unit = float(np.sqrt((margin**2).mean()))
        unit = unit if unit > 1e-12 * max(np.abs(one).max() for one in pairs) else 1.0  # rounding alone
        signed = (told * margin)[told != 0] / unit
        beta = float(minimize_scalar(lambda k: np.logaddexp(0, -k * signed).sum() + k * k / 18).x) / unit
        if beta <= 0:
            warnings.warn("the known preferences go against the log-ratios: so do all labels", stacklevel=2)
    p = np.where(np.isnan(known), expit(beta * margin), known)
    if smooth is not None:
        wins, by = np.sign(p - 0.5), np.full(len(p), 0.5)
        by[np.argsort(wins * margin * beta, kind="stable")[: round(share * len(p))]] -= flip
        p = 0.5 + wins * by
    return LogRatios(p, beta * ratio, beta)
