"""A judge with its model and the way it is asked: one object, made, saved and loaded."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from ...extraction.provenance import provenance
from ...models.arguments import checked
from ...models.errors import InnerjudgeError, html_table
from ...models.final_norm import find_final_norm
from ...models.loading import LanguageModel
from ...probes import BaseJudge
from ..data.jsonl import writing
from ..reading.judge_prompt import JudgePrompt
from ..reading.passes import Passes, check_prompt
from . import saved
from .pair_judge import PairJudge, shared_model
from .panel import passes_for, require_kind_of_judge, require_model, scale_of
from .saved import HubUpload, JudgeRecord, find_folder


class Judge(PairJudge, HubUpload):
    """A judge, its model and how it is asked.

    It may be used from many threads; one at a time runs the model. Judges of one model that are loaded in one process
    share it.

    Args:
        judge: The judge, fitted where it learns.
        lm: Its model.
        kind: Kind of what is judged: ``"trace"``, ``"rating"`` or ``"pair"`` (a prompt and one response to it; ratings
            are asked for on a scale) or ``"choice"`` (a question and its options). ``None`` goes by the judge.
        passes: How the model is run: batch size, reasoning markers, scale, length of reasoned verdicts. ``None`` takes
            the usual ones, on the judge's own scale.
        name: Name in results and on the model card; ``None`` for that of the class.
        criterion: What ratings are asked for; ``None`` for quality in general.
        prompt: The words in which it is asked: a :class:`~innerjudge.JudgePrompt`, the name of one that is shipped, or
            a YAML file; ``None`` for ours, or what ``passes`` says.

    ``InnerjudgeError`` if the judge is not fitted, belongs to another model, does not read such items, or was fitted on
    features of another prompt; if its labels are no tokens of the model.

    Example:
        >>> from innerjudge import LAGER, load
        >>> judge = Judge(LAGER(values=(0, 1)), load("reference"))
        >>> pairs = [("Start with 7. Add 5.", "<think>7+5=12</think>12"), ("Start with 7. Add 5.", "9")]
        >>> judge.scores(pairs).shape, judge.predict(pairs).dtype
        ((2,), dtype('bool'))
        >>> [found["corpus_id"] for found in judge.rank("Start with 7. Add 5.", ["12", None, "9"])][-1]
        1
    """

    @checked
    def __init__(
        self, judge: BaseJudge, lm: LanguageModel, *, kind: str | None = None, passes: Passes | None = None,
        name: str | None = None, criterion: str | None = None, prompt: JudgePrompt | str | Path | None = None
    ) -> None:  # fmt: skip
        if judge.learns and judge.provenance_ is None:
            raise InnerjudgeError(f"given {judge!r}, which is not fitted, expected a fitted judge: call fit first")
        self.kind = judge.kinds[0] if kind is None else kind
        require_kind_of_judge(judge, self.kind)
        require_model(judge, lm)
        self.lm, self.judge = lm, judge
        self.passes = _checked_passes(judge, lm, self.kind, passes, prompt)
        self.criterion = criterion
        low, high = map(int, self.passes.scale)  # NumPy's integers are taken too, and files hold Python's
        self._made = JudgeRecord(name or type(judge).__name__, self.kind, scale=(low, high), criterion=criterion)

    @classmethod
    @checked
    def load(
        cls, folder_or_hub_name: str | Path, *, lm: LanguageModel | None = None, kind: str | None = None,
        device: str = "auto", dtype: str = "auto", revision: str | None = None, trust_remote_code: bool = False
    ) -> Self:  # fmt: skip
        """Load a judge and its model.

        Args:
            folder_or_hub_name: A folder that :meth:`save`, ``innerjudge fit`` or ``save_judge`` wrote, or the name of
                one on the hub.
            lm: Its model, if that is loaded already or has moved. ``None`` loads it from where it was when the judge
                was fitted, or shares it with a judge that has loaded it.
            kind: Kind of what is judged, where a judge was saved alone and does not say; ``None`` goes by the judge.
            device: Where the model runs, as in :func:`~innerjudge.load`.
            dtype: Type of the weights; ``"auto"`` is the one that the judge was fitted on, any other is refused.
            revision: Branch, tag or commit of the *judge* on the hub; that of the model is recorded in it.
            trust_remote_code: For the model, as in :func:`~innerjudge.load`; what was set at the fit does not count.

        ``InnerjudgeError`` if there is no such judge, its files are damaged, or the model is gone or is another one.

        Example:
            >>> import tempfile
            >>> from innerjudge import TokenLogProb, load
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     Judge(TokenLogProb(), load("reference")).save(folder)
            ...     first, second = Judge.load(folder), Judge.load(folder)
            >>> first.lm is second.lm
            True
        """
        judge, made = saved.load(find_folder(folder_or_hub_name, revision))
        if lm is None:
            if judge.provenance_ is None:
                raise InnerjudgeError.of("judges.no-model", str(folder_or_hub_name))
            lm = shared_model(judge.provenance_, device=device, dtype=dtype, trust_remote_code=trust_remote_code)
        kind = made.kind or kind or judge.kinds[0]
        passes = replace(made.passes, scale=made.scale if made.kind else scale_of(judge, kind))
        found = cls(judge, lm, kind=kind, passes=passes, criterion=made.criterion)
        found._made = replace(made, kind=kind, scale=passes.scale)
        return found

    from_pretrained = load

    @property
    def name(self) -> str:
        """Name in results and on the model card."""
        return self._made.name

    def __repr__(self) -> str:
        return f"Judge({self.judge!r}, {self.lm.name!r}, kind={self.kind!r})"

    def _repr_html_(self) -> str:
        rows = [("judge", repr(self.judge)), ("model", repr(self.lm)), ("items", self.kind)]
        return html_table(self.name, (), [*rows, ("reads", ", ".join(self.judge.needs))])

    @checked
    def save(self, folder: str | Path) -> None:
        """Write the judge, how it is asked and a model card into one folder; the model itself is named, not copied.

        A judge of hidden states also gets the model's final norm, so that an :class:`~.engine.EngineJudge` can do
        without the model. ``InnerjudgeError`` if the folder cannot be written.
        """
        judge = self.judge
        if judge.provenance_ is None:  # needs no fit, and belongs to a model all the same
            judge = copy.copy(judge)
            judge.provenance_ = replace(provenance(self.lm), prompt=self.passes.told(_read_as(self.kind)))
        passes = self.passes
        how: dict[str, Any] = {name: getattr(passes, name) for name in ("abstain", "markers", "merge_system")}
        how["prompt"] = None if passes.prompt is None else passes.prompt.to_json()
        made = replace(self._made, reasoning_tokens=int(passes.reasoning_tokens), **how)
        norm = find_final_norm(self.lm) if any(need.startswith("hidden/") for need in judge.needs) else None
        with writing(folder):
            saved.save(judge, made, Path(folder), norm)

    save_pretrained = save


def _read_as(kind: str) -> str:
    """Kind of the items that are read: responses of pairs are rated one by one."""
    return "rating" if kind == "pair" else kind


def _checked_passes(
    judge: BaseJudge, lm: LanguageModel, kind: str, passes: Passes | None, prompt: JudgePrompt | str | Path | None
) -> Passes:
    """How a judge is asked; refuses a scale or a prompt that are not its own."""
    scale = scale_of(judge, kind)
    passes = Passes(scale=scale) if passes is None else passes
    if prompt is not None:
        passes = replace(passes, prompt=JudgePrompt.of(prompt))
    passes = passes_for(judge, passes)
    if judge.value_range is not None and kind in ("rating", "pair") and passes.scale != scale:
        theirs, mine = ("{}-{}".format(*s) for s in (passes.scale, scale))
        values = tuple(range(passes.scale[0], passes.scale[1] + 1))
        raise InnerjudgeError.of("judges.scale", theirs, mine, values, scale)
    check_prompt(lm.tokenizer, passes, _read_as(kind), [judge])
    told = passes.told(_read_as(kind))
    known = told if judge.provenance_ is None else judge.provenance_.prompt
    if known != told and any(one.startswith("prompt ") for one in (known, told)):
        mine, theirs = known or "our own words", told or "our own words"
        raise InnerjudgeError.of("judges.other-prompt", judge, mine, theirs)
    return passes
