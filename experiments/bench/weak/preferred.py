"""What is learned from pairs whose preference is known of few, and a log-ratio of two models of all."""

import numpy as np
from scipy.stats import norm

from ....probes import RankedProbe
from ...stats.agreement.log_ratios import log_ratio_preferences
from .judged import with_lengths
from .labelled import Try, area_of, within
from .worlds import Answers, Floats, Ints, features_of

#: Known pairs.
SEEDS = (60, 20)
#: Spread of an answer's log-ratio, in nats; its share of pairs in the right order; its pull by a deviation of length.
SPREAD, CASES = 10.0, {"ratio": (0.665, 0.0), "ratio likes length": (0.665, 1.0), "weak ratio": (0.58, 0.0)}
#: SPA's: the share of pairs that are smoothed, and how far.
SMOOTH = (0.1, 0.1)
PAIRS = RankedProbe(positions=["state"], candidates=(3.0, 30.0, 300.0))
SOFT = RankedProbe(positions=["state"], candidates=(3.0, 30.0, 300.0), loss="soft-pairs")


def pairs_of(answers: Answers, rng: np.random.Generator) -> Ints:
    """Places ``[n, 2]`` of a right and a wrong answer to one question, each answer in one pair, in random order."""
    found = []
    for q in range(int(answers.question.max()) + 1):
        at = rng.permutation(np.flatnonzero(answers.question == q))
        found += list(zip(at[answers.right[at]], at[~answers.right[at]], strict=False))
    pairs = np.array(found, dtype=np.intp).reshape(-1, 2)
    return rng.permuted(rng.permutation(pairs), axis=1)


def log_ratios(answers: Answers, share: float, likes: float, rng: np.random.Generator) -> Floats:
    """Log-ratios ``[n]``: a right answer has more than a wrong one in ``share`` of the pairs, before length."""
    gap = np.sqrt(2) * float(norm.ppf(share)) * SPREAD
    length = np.zeros(len(answers.right)) if answers.length is None else answers.length
    pull = likes * SPREAD * (length - length.mean()) / (length.std() or 1.0)
    return np.asarray(gap * answers.right + SPREAD * rng.normal(size=len(answers.right)) + pull)


def preferred(learn: Answers, test: Answers, seed: int) -> dict[str, float]:
    """AUROC within questions of probes of pairs: known ones, and the rest by the log-ratio."""
    learn, test = with_lengths(learn, seed), with_lengths(test, seed)
    pairs = pairs_of(learn, np.random.default_rng([22, seed]))
    told = ["a" if first else "b" for first in learn.right[pairs[:, 0]]]
    found = {"all pairs known": _area(learn, test, pairs, np.where(learn.right[pairs], 1.0, 0.0))}
    for n in SEEDS:
        found[f"{n} pairs"] = _area(learn, test, pairs[:n], np.where(learn.right[pairs[:n]], 1.0, 0.0))
    for case, (share, likes) in CASES.items():
        ratio = log_ratios(learn, share, likes, np.random.default_rng([23, seed]))[pairs]
        new = log_ratios(test, share, likes, np.random.default_rng([24, seed]))
        found[f"{case}, itself"] = within(new, test.right, tuple(map(str, test.question)))
        for n in SEEDS if case == "ratio" else SEEDS[:1]:
            known = [one if k < n else None for k, one in enumerate(told)]
            signs = np.where(log_ratio_preferences(ratio, 0 * ratio, preferences=known).quality > 0, 1.0, 0.0)
            soft = log_ratio_preferences(ratio, 0 * ratio, preferences=known, slope="seed")
            smooth = log_ratio_preferences(ratio, 0 * ratio, preferences=known, smooth=SMOOTH)
            found |= {
                f"{n} pairs, {case}, signs": _area(learn, test, pairs, signs),
                f"{n} pairs, {case}, signs smoothed": _area(learn, test, pairs, smooth.quality, SOFT),
                f"{n} pairs, {case}, soft": _area(learn, test, pairs, soft.quality, SOFT),
            }
    return found


def _area(learn: Answers, test: Answers, pairs: Ints, quality: Floats, judge: RankedProbe = PAIRS) -> float:
    """Of a fit on pairs ``[n, 2]`` with a quality of each."""
    features = features_of(learn.states[pairs.ravel()], np.repeat(np.arange(len(pairs)), 2))
    tried: Try = (judge, features, [quality.ravel()])
    return area_of(tried, test)
