"""Point-wise questions: is it correct, or which grade, about one response by itself."""

from collections.abc import Sequence

from ....models.prompts import rating_prompt, verdict_prompt
from .ask import Question
from .candidate import Candidate


def pointwise(
    candidates: Sequence[Candidate],
    *,
    wording: str = "default",
    references: Sequence[str | None] | None = None,
    reasoned: bool = False,
) -> list[Question]:
    """One question a candidate: "is the response correct" without a scale, else a grade on its scale.

    Args:
        candidates: What is asked about.
        wording: One of :data:`~innerjudge.models.prompts.WORDINGS`; the ``template`` of the rows.
        references: Reference answer shown with each; without them none is shown, whatever the candidates hold.
        reasoned: Ask to think first.

    Example:
        >>> one = Candidate(prompt="2+2?", response="4", question="q", candidate="0", scale=(1, 3))
        >>> pointwise([one])[0].values
        (1, 2, 3)
    """
    shown = references if references is not None else [None] * len(candidates)
    return [_asked(c, wording, r, reasoned) for c, r in zip(candidates, shown, strict=True)]


def _asked(one: Candidate, wording: str, reference: str | None, reasoned: bool) -> Question:
    columns = one.columns | {"template": wording}
    if one.scale is None:
        prompt = verdict_prompt(one.prompt, one.response, wording=wording, reference=reference, reasoned=reasoned)
        return Question(prompt=prompt, values=(0, 1), answers=(False, True), columns=columns)
    prompt = rating_prompt(
        one.prompt,
        one.response,
        wording=wording,
        criterion=one.criterion,
        reference=reference,
        scale=one.scale,
        reasoned=reasoned,
    )
    grades = tuple(range(one.scale[0], one.scale[1] + 1))
    return Question(prompt=prompt, values=grades, answers=grades, columns=columns)
