"""What must fit a judge: the kind of items, their scale, the model, and the passes that read what it needs."""

from dataclasses import replace

from ...extraction.provenance import WITHOUT_ABSTAIN, provenance
from ...models.errors import InnerjudgeError
from ...models.loading import LanguageModel
from ...probes import BaseJudge
from ...probes.fitted_arrays import check_fitted
from ..reading.passes import Passes
from ..reading.read import needed
from .pairs import ITEMS


def require_kind_of_judge(judge: BaseJudge, kind: str) -> None:
    """Refuse a judge that cannot read items of this kind one by one.

    Raises:
        InnerjudgeError: Names what was expected.
    """
    if kind not in ITEMS:
        raise InnerjudgeError(f"given kind={kind!r}, expected one of {', '.join(ITEMS)}")
    if not judge.pointwise and "choice" not in judge.kinds:
        raise InnerjudgeError(
            f"given {judge!r}, which sees both responses of a pair at once, expected a judge of single responses: the "
            "others judge pairs in `innerjudge compare`"
        )
    if kind not in judge.kinds:
        raise InnerjudgeError(f"given kind={kind!r} with {judge!r}, expected kind={judge.kinds[0]!r}: leave kind out")


def scale_of(judge: BaseJudge, kind: str) -> tuple[int, int]:
    """Lowest and highest score that a judge of ratings reads; 1 to 5 where it does not say.

    Example:
        >>> from innerjudge.probes import LAGER, RidgeProbe
        >>> scale_of(LAGER(values=(0, 1, 2)), "rating"), scale_of(RidgeProbe(), "rating")
        ((0, 2), (1, 5))
    """
    return (1, 5) if kind not in ("rating", "pair") or judge.value_range is None else judge.value_range


def passes_for(judge: BaseJudge, passes: Passes) -> Passes:
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
        # Prompt and last block are asked for, see `passes_for`.
        judge.require(replace(provenance(lm), prompt=fitted.prompt, last_block=fitted.last_block))
        whole = {} if fitted.last_block is not None else {"blocks": lm.anatomy.n_blocks}
        check_fitted(judge, whole | {"heads": lm.anatomy.n_heads})
