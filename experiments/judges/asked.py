"""What a judge is asked: the kind of its items, and the passes that read what it needs."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from ...extraction.provenance import WITHOUT_ABSTAIN, provenance
from ...models.errors import InnerjudgeError
from ...models.loading import LanguageModel
from ...probes import BaseJudge
from ...probes.choices import ChoiceJudge
from ...probes.fitted_arrays import check_fitted
from ..reading.passes import Passes
from ..reading.read import needed
from .pairs import ITEMS


def kind_of_judge(judge: BaseJudge) -> str:
    """Kind of the items that a judge reads, where that was not recorded.

    Judges of options read choices; judges on a scale other than 0 and 1, or of the state before a score, read ratings;
    the others read traces.

    Example:
        >>> from innerjudge.probes import CLUE, LAGER, QKScore, TextJudge
        >>> [kind_of_judge(judge) for judge in (CLUE(), LAGER(), LAGER(values=(0, 1)), QKScore(), TextJudge.choice())]
        ['trace', 'rating', 'trace', 'choice', 'choice']
    """
    if is_choice_judge(judge):
        return "choice"
    rated = "hidden/score" in judge.needs or getattr(judge, "target", "correct") == "rating"
    return "rating" if rated or _values(judge) not in (None, (0, 1)) else "trace"


def is_choice_judge(judge: BaseJudge) -> bool:
    """Whether a judge scores the options of a question."""
    return isinstance(judge, ChoiceJudge) or getattr(judge, "values", ()) is None


def require_kind_of_judge(judge: BaseJudge, kind: str) -> None:
    """Refuse a judge that cannot read items of this kind one by one.

    Raises:
        InnerjudgeError: Names what was expected.
    """
    if kind not in ITEMS:
        raise InnerjudgeError(f"given kind={kind!r}, expected one of {', '.join(ITEMS)}")
    if (kind == "choice") != is_choice_judge(judge):
        raise InnerjudgeError(
            f"given kind={kind!r} with {judge!r}, expected kind={kind_of_judge(judge)!r}: leave kind out"
        )
    if "a" in (getattr(judge, "answers", None) or ()):
        raise InnerjudgeError(
            f"given {judge!r}, which sees both responses of a pair at once, expected a judge of single responses: the "
            "others judge pairs in `innerjudge compare`"
        )


def scale_of(judge: BaseJudge, kind: str) -> tuple[int, int]:
    """Lowest and highest score that a judge of ratings reads; 1 to 5 where it does not say.

    Example:
        >>> from innerjudge.probes import LAGER, RidgeProbe
        >>> scale_of(LAGER(values=(0, 1, 2)), "rating"), scale_of(RidgeProbe(), "rating")
        ((0, 2), (1, 5))
    """
    values = _values(judge)
    if kind not in ("rating", "pair") or values is None:
        return (1, 5)
    return int(min(values)), int(max(values))


def asked_alike(judge: BaseJudge, passes: Passes) -> Passes:
    """Passes that read what a judge needs and no further, and ask choices as those were asked that it was fitted on."""
    origin = judge.provenance_
    abstain = passes.abstain if origin is None else origin.prompt != WITHOUT_ABSTAIN
    return replace(needed([judge], passes), abstain=abstain)


def require_model(judge: BaseJudge, lm: LanguageModel) -> None:
    """Refuse a model that the judge was not made for, before anything is run.

    Raises:
        InnerjudgeError: Names both models.
    """
    if judge.provenance_ is not None:
        fitted = judge.provenance_
        # Prompt and last block are asked for, see `asked_alike`.
        judge.require(replace(provenance(lm), prompt=fitted.prompt, last_block=fitted.last_block))
        whole = {} if fitted.last_block is not None else {"blocks": lm.anatomy.n_blocks}
        check_fitted(judge, whole | {"heads": lm.anatomy.n_heads})


def _values(judge: BaseJudge) -> tuple[float, ...] | None:
    values = cast("tuple[float, ...] | None", getattr(judge, "values", None))
    return None if values is None else tuple(sorted(values))
