"""Which judges sit on the panel for each kind of item, by name and family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...models.errors import InnerjudgeError
from ...probes import (
    CLUE,
    LAGER,
    AttentionScore,
    BaseJudge,
    DifferenceOfMeans,
    EScore,
    Length,
    LetterLogits,
    LogisticProbe,
    QKScore,
    QuestionOnly,
    RidgeProbe,
    TextJudge,
    TokenLogProb,
    TunedLAGER,
    VScore,
)


@dataclass(frozen=True, slots=True)
class Seat:
    """One judge on the panel.

    Args:
        family: ``"hidden"`` (reads states, heads or the logits of all blocks), ``"logits"`` (the verdict's own logits),
            ``"text"`` (reads what the model wrote) or ``"baseline"``.
        judge: The judge, not fitted.
        pointwise: For pairs: judges each response on its own, and the preference is the difference.
    """

    family: str
    judge: BaseJudge
    pointwise: bool = False


def panel(kind: str, *, between: tuple[str, str], scale: tuple[int, int]) -> dict[str, Seat]:
    """Judges that fit a kind of item, in the order of the report.

    Args:
        kind: ``"trace"``, ``"rating"``, ``"choice"`` or ``"pair"``.
        between: Positions that CLUE and the probes read.
        scale: Lowest and highest score of ratings.

    Example:
        >>> seats = panel("choice", between=("reasoning_start", "reasoning_end"), scale=(1, 5))
        >>> seats["qk-score"].family, "text" in seats
        ('hidden', True)
    """
    values = tuple(range(scale[0], scale[1] + 1))
    match kind:
        case "trace":
            return _trace(between)
        case "rating":
            return _rating(scale, values)
        case "choice":
            return _choice()
        case "pair":
            return _pair(scale, values)
    raise InnerjudgeError(f"given the kind {kind!r}, expected trace, rating, choice or pair")


def without_reasoning(seats: Mapping[str, Seat]) -> dict[str, Seat]:
    """The panel without the judges that read text written after reasoning."""
    return {name: seat for name, seat in seats.items() if "reasoned" not in seat.judge.needs}


def without_abstain(seats: Mapping[str, Seat]) -> dict[str, Seat]:
    """The panel without the judges that leave the abstain lines out: for prompts that have none."""
    return {name: seat for name, seat in seats.items() if getattr(seat.judge, "abstain", True)}


def _trace(between: tuple[str, str]) -> dict[str, Seat]:
    start, end = between
    return {
        "clue": Seat("hidden", CLUE(start=start, end=end)),
        "clue-margin": Seat("hidden", CLUE(start=start, end=end, rank_by="margin")),
        "clue-margin-scaled": Seat("hidden", CLUE(start=start, end=end, rank_by="margin", scale=True)),
        "clue-margin-balanced": Seat("hidden", CLUE(start=start, end=end, rank_by="margin", balance=True)),
        "difference-of-means": Seat("hidden", DifferenceOfMeans(positions=between)),
        "logistic-probe": Seat("hidden", LogisticProbe(positions=between)),
        "lager": Seat("hidden", LAGER(values=(0, 1))),
        "verdict-logits": Seat("logits", EScore(values=(0, 1))),
        TEXT: Seat("text", TextJudge.verdict()),
        f"{TEXT}-reasoned": Seat("text", TextJudge.verdict(generation="reasoned")),
        "token-log-probability": Seat("baseline", TokenLogProb()),
        "length": Seat("baseline", Length()),
        "question-only": Seat("baseline", QuestionOnly()),
    }


def _rating(scale: tuple[int, int], values: tuple[int, ...]) -> dict[str, Seat]:
    return {
        "lager": Seat("hidden", LAGER(values=values)),
        "lager-normed": Seat("hidden", LAGER(values=values, norm=True)),
        "lager-tuned": Seat("hidden", TunedLAGER(values=values)),
        "lager-tuned-paper": Seat("hidden", TunedLAGER(values=values, loss="paper")),
        "lager-probabilities": Seat("hidden", LAGER(values=values, aggregate="probabilities")),
        "lager-argmax": Seat("hidden", LAGER(values=values, readout="argmax")),
        "ridge-probe": Seat("hidden", RidgeProbe()),
        "e-score": Seat("logits", EScore(values=values)),
        "v-score": Seat("logits", VScore(values=values)),
        TEXT: Seat("text", TextJudge.rating(scale=scale)),
        f"{TEXT}-reasoned": Seat("text", TextJudge.rating(generation="reasoned", scale=scale)),
        "token-log-probability": Seat("baseline", TokenLogProb()),
        "length": Seat("baseline", Length(target="rating")),
        "question-only": Seat("baseline", QuestionOnly(target="rating")),
    }


def _choice() -> dict[str, Seat]:
    return {
        "qk-score": Seat("hidden", QKScore()),
        "qk-score-by-permutation": Seat("hidden", QKScore(select="permutation")),
        "qk-score-unlabelled": Seat("hidden", QKScore(select="unlabelled")),
        "qk-score-vote": Seat("hidden", QKScore(n_heads=3)),
        "qk-score-rotated": Seat("hidden", QKScore(rotary="after")),
        "qk-score-no-abstain": Seat("hidden", QKScore(abstain=False)),
        "attention-score": Seat("hidden", AttentionScore()),
        "attention-score-by-permutation": Seat("hidden", AttentionScore(select="permutation")),
        "letter-logits": Seat("logits", LetterLogits()),
        "letter-logits-no-abstain": Seat("logits", LetterLogits(abstain=False)),
        TEXT: Seat("text", TextJudge.choice()),
        f"{TEXT}-reasoned": Seat("text", TextJudge.choice(generation="reasoned")),
    }


def _pair(scale: tuple[int, int], values: tuple[int, ...]) -> dict[str, Seat]:
    return {
        "lager": Seat("hidden", LAGER(values=values), pointwise=True),
        "lager-normed": Seat("hidden", LAGER(values=values, norm=True), pointwise=True),
        "lager-pairwise": Seat("hidden", LAGER(values=(1, 0), answers=("a", "b"))),
        "logistic-probe": Seat("hidden", LogisticProbe(positions=("score",)), pointwise=True),
        "e-score": Seat("logits", EScore(values=values), pointwise=True),
        "verdict-logits": Seat("logits", EScore(values=(1, 0), answers=("a", "b"))),
        TEXT: Seat("text", TextJudge.pair()),
        f"{TEXT}-reasoned": Seat("text", TextJudge.pair(generation="reasoned")),
        f"{TEXT}-pointwise": Seat("text", TextJudge.rating(scale=scale), pointwise=True),
        "token-log-probability": Seat("baseline", TokenLogProb(), pointwise=True),
        "length": Seat("baseline", Length(), pointwise=True),
    }


#: The judge that differences are taken to.
TEXT = "text"
