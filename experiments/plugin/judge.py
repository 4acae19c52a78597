"""A judge with its model and the way it is asked: one object, with the face of a CrossEncoder."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from rich.console import Console

from ...extraction.provenance import provenance
from ...models.errors import InnerjudgeError
from ...models.final_norm import find_final_norm
from ...models.loading import LanguageModel
from ...probes import BaseJudge, Verdict
from .. import saved
from ..passes import Passes
from ..progress import shown
from ..saved import NORM, Made
from ..views import read
from .asked import asked_alike, kind_of_judge, require_kind_of_judge, require_model, scale_of
from .hub import find_folder, push_folder
from .pairs import as_list, is_single, items_of_pairs
from .ranked import Ranked, ranked
from .shared_models import shared_model, turn


class Judge:
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

    Raises:
        InnerjudgeError: If the judge is not fitted, belongs to another model, or does not read such items.

    Example:
        >>> from innerjudge import LAGER, load
        >>> judge = Judge(LAGER(values=(0, 1)), load("reference"))
        >>> judge.predict([("Start with 7. Add 5.", "<think>7+5=12</think>12"), ("Start with 7. Add 5.", "9")]).shape
        (2,)
        >>> [found["corpus_id"] for found in judge.rank("Start with 7. Add 5.", ["12", None, "9"])][-1]
        1
    """

    def __init__(
        self,
        judge: BaseJudge,
        lm: LanguageModel,
        *,
        kind: str | None = None,
        passes: Passes | None = None,
        name: str | None = None,
        criterion: str | None = None,
    ) -> None:
        _check(judge, lm)
        self.kind = kind_of_judge(judge) if kind is None else kind
        require_kind_of_judge(judge, self.kind)
        require_model(judge, lm)
        scale = scale_of(judge, self.kind)
        passes = Passes(scale=scale) if passes is None else passes
        if hasattr(judge, "values") and self.kind in ("rating", "pair") and passes.scale != scale:
            theirs, mine = ("{}-{}".format(*s) for s in (passes.scale, scale))
            raise InnerjudgeError(f"given the scale {theirs} for a judge on {mine}, expected {mine}: leave passes out")
        self.lm = lm
        self.judge = judge
        self.passes = asked_alike(judge, passes)
        self._made = Made(name or type(judge).__name__, self.kind, scale=self.passes.scale, criterion=criterion)

    @classmethod
    def load(
        cls,
        folder_or_hub_name: str | Path,
        *,
        lm: LanguageModel | None = None,
        device: str = "auto",
        dtype: str = "auto",
        revision: str | None = None,
    ) -> Self:
        """Load a judge and its model.

        Args:
            folder_or_hub_name: A folder that :meth:`save`, ``innerjudge fit`` or ``save_judge`` wrote, or the name of
                one on the hub.
            lm: Its model, where it is loaded already or has moved. ``None`` loads it from where it was when the judge
                was fitted, or shares it with a judge that did.
            device: Where the model runs, as in :func:`~innerjudge.load`.
            dtype: Of the model; ``"auto"`` is the one that the judge was fitted on, and others are refused.
            revision: Branch, tag or commit of the *judge* on the hub; that of the model is recorded in it.

        Raises:
            InnerjudgeError: If there is no such judge, its files are damaged, or the model is gone or another.

        Example:
            >>> from innerjudge import TokenLogProb, load
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     Judge(TokenLogProb(), load("reference")).save(folder)
            ...     first, second = Judge.load(folder), Judge.load(folder)
            >>> first.lm is second.lm
            True
        """
        folder = find_folder(folder_or_hub_name, revision)
        judge, made = saved.load(folder)
        if lm is None:
            if judge.provenance_ is None:
                raise InnerjudgeError(
                    f"given {str(folder_or_hub_name)!r}, which does not say its model, expected one that Judge.save or "
                    "`innerjudge fit` wrote: pass the model as lm"
                )
            lm = shared_model(judge.provenance_, device=device, dtype=dtype)
        kind = made.kind or kind_of_judge(judge)
        passes = Passes(
            scale=made.scale if made.kind else scale_of(judge, kind),
            abstain=made.abstain,
            markers=made.markers,
            reasoning_tokens=made.reasoning_tokens,
        )
        found = cls(judge, lm, kind=kind, passes=passes)
        found._made = replace(made, kind=kind, scale=passes.scale)
        return found

    from_pretrained = load

    @property
    def name(self) -> str:
        """Name in results and on the model card."""
        return self._made.name

    def __repr__(self) -> str:
        return f"Judge({self.judge!r}, {self.lm.name!r}, kind={self.kind!r})"

    def save(self, folder: str | Path) -> None:
        """Write the judge, how it is asked and a model card into one folder; the model itself is named, not copied.

        A judge of hidden states also gets the model's final norm, so that an :class:`~.engine.EngineJudge` can do
        without the model.

        Raises:
            InnerjudgeError: If the folder cannot be written.
        """
        judge = self.judge
        if judge.provenance_ is None:  # needs no fit, and belongs to a model all the same
            judge = copy.copy(judge)
            judge.provenance_ = replace(provenance(self.lm), prompt=self.passes.prompt if self.kind == "choice" else "")
        passes = self.passes
        made = replace(
            self._made,
            abstain=passes.abstain,
            markers=passes.markers,
            reasoning_tokens=passes.reasoning_tokens,
        )
        saved.save(judge, made, Path(folder))
        norm = find_final_norm(self.lm) if any(need.startswith("hidden/") for need in judge.needs) else None
        if norm is not None:
            norm.save(Path(folder) / NORM)

    save_pretrained = save

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        token: str | None = None,
        revision: str | None = None,
        commit_message: str = "Judge of innerjudge",
        create_pr: bool = False,
    ) -> str:
        """Put the judge's folder on the hub, model card and all; returns the address.

        Args:
            repo_id: ``"you/name"``; the repository is made where it does not exist.
            private: Whether a new repository is private; ``None`` is the hub's default for you.
            token: Of an account that may write there; ``None`` for the one of ``hf auth login``.
            revision: Branch to commit to.
            commit_message: First line of the commit.
            create_pr: Propose the commit instead of making it.

        Raises:
            InnerjudgeError: If the hub refuses, with its reason.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.save(folder)
            how = {"revision": revision, "commit_message": commit_message, "create_pr": create_pr}
            return push_folder(Path(folder), repo_id, private=private, token=token, **how)

    def predict(
        self,
        pairs: Any,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        *,
        prompt_name: None = None,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
    ) -> Any:
        """Scores of pairs ``(prompt, response)``, higher is better.

        Args:
            pairs: A list of pairs (or of items of the judge's kind), or one pair.
            batch_size: Pairs a forward pass.
            show_progress_bar: Whether progress is shown on standard error.
            prompt_name: Only ``None``: a judge asks in its own words. This and the next two stand here since callers of
                CrossEncoder pass them.
            convert_to_numpy: An array; else a list of floats.
            convert_to_tensor: A tensor instead.

        Returns:
            Scores ``[n]`` float64; a float for one pair; ``[0]`` for no pairs.

        Raises:
            InnerjudgeError: If one of them cannot be scored (an array has no place for a reason: :meth:`verdicts` has),
                or the judge is one of choices.
        """
        self._refuse_options("predict")
        if prompt_name is not None:
            raise InnerjudgeError(f"given prompt_name={prompt_name!r}, expected none: a judge asks in its own words")
        single = is_single(pairs)
        found = self.verdicts(pairs, batch_size, show_progress_bar)
        bad = [verdict for verdict in found if verdict.unscored]
        if bad:
            raise InnerjudgeError(
                f"given {len(bad)} of {len(found)} pairs that cannot be scored (first: {bad[0].id}: "
                f"{bad[0].unscored}), expected scorable pairs: use verdicts() or rank(), which return the reasons"
            )
        scores = np.array([verdict.score for verdict in found], dtype=np.float64)
        if single:
            return float(scores[0])
        if convert_to_tensor:
            import torch

            return torch.from_numpy(scores)
        return scores if convert_to_numpy else scores.tolist()

    def verdicts(self, pairs: Any, batch_size: int = 32, show_progress_bar: bool | None = None) -> list[Verdict]:
        """One verdict a pair, in order; a pair that cannot be judged is unscored, with the reason.

        Args:
            pairs: Pairs ``(prompt, response)``, or ``(question, options)`` for a judge of choices; or items of the
                judge's kind, such as ``Trace`` or ``Rating``, with unique ids. One alone counts as a list of one.
            batch_size: Items a forward pass.
            show_progress_bar: Whether progress is shown on standard error.

        Raises:
            InnerjudgeError: If ``pairs`` is no list, holds items of another kind, or the model cannot be asked at all
                (a scale that its tokenizer splits, say).

        Example:
            >>> from innerjudge import TokenLogProb, load
            >>> Judge(TokenLogProb(), load("reference")).verdicts([("Start with 7.", "")])[0].unscored
            'the response is empty'
        """
        if batch_size < 1:
            raise InnerjudgeError(f"given batch_size={batch_size}, expected at least 1")
        asked = [pairs] if is_single(pairs) else as_list(pairs, "pairs of strings")
        items, places, reasons = items_of_pairs(
            asked, self.kind, context=self.lm.anatomy.context, criterion=self._made.criterion
        )
        found = {place: Verdict(str(place), unscored=reason) for place, reason in reasons.items()}
        if items:
            passes = replace(self.passes, batch_size=batch_size)
            with (
                shown(Console(stderr=True)) if show_progress_bar else nullcontext(passes.steps) as steps,
                turn(self.lm),
            ):
                features = read(self.lm, items, replace(passes, steps=steps))
            found |= dict(zip(places, self.judge.verdicts(features), strict=True))
        return [replace(found[k], id=getattr(one, "id", str(k))) for k, one in enumerate(asked)]

    def rank(
        self,
        query: str,
        documents: Sequence[str],
        top_k: int | None = None,
        return_documents: bool = False,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
    ) -> list[Ranked]:
        """Candidates of one prompt, best first; the options of one question for a judge of choices.

        Ties keep the order of the documents. What cannot be scored stands last, with a ``score`` of ``None`` and the
        reason as ``unscored``. Options are read in one pass, and the abstain lines that it shows are not ranked.

        Args:
            query: The prompt, or the question.
            documents: The candidates, or the options; none give ``[]``.
            top_k: At most so many; ``None`` for all.
            return_documents: Whether each result has its ``text``.
            batch_size: Pairs a forward pass.
            show_progress_bar: Whether progress is shown on standard error.

        Returns:
            ``{"corpus_id": place in documents, "score": float or None}``, and ``text``, and ``unscored``.

        Raises:
            InnerjudgeError: If ``documents`` is no list, or ``top_k`` is below 1.

        Example:
            >>> from innerjudge import LetterLogits, load
            >>> found = Judge(LetterLogits(), load("reference")).rank("Which is a fruit?", ["iron", "pear"])
            >>> sorted(one["corpus_id"] for one in found)
            [0, 1]
        """
        return self.rank_many([query], [documents], top_k, return_documents, batch_size, show_progress_bar)[0]

    def rank_many(
        self,
        queries: Sequence[str],
        documents: Sequence[Sequence[str]],
        top_k: int | None = None,
        return_documents: bool = False,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
    ) -> list[list[Ranked]]:
        """:meth:`rank` for many prompts at once, each with its own candidates: one list a prompt.

        Batches are made over all of them, so that prompts with few candidates fill batches together.

        Raises:
            InnerjudgeError: If there are not as many lists of candidates as prompts, and as in :meth:`rank`.
        """
        asked = as_list(queries, "prompts")
        given = [as_list(one, "candidates") for one in as_list(documents, "lists of candidates")]
        if len(asked) != len(given):
            raise InnerjudgeError(
                f"given {len(asked)} prompts and {len(given)} lists of candidates, expected one list a prompt"
            )
        if top_k is not None and top_k < 1:
            raise InnerjudgeError(f"given top_k={top_k}, expected at least 1: leave it out for all")
        if self.kind == "choice":
            filled = [k for k, options in enumerate(given) if options]
            one_pass = self.verdicts([(asked[k], given[k]) for k in filled], batch_size, show_progress_bar)
            of = dict(zip(filled, one_pass, strict=True))
            said = [_of_options(of[k], len(options)) if k in of else [] for k, options in enumerate(given)]
        else:
            pairs = [(prompt, one) for prompt, many in zip(asked, given, strict=True) for one in many]
            flat = iter(self.verdicts(pairs, batch_size, show_progress_bar))
            said = [[next(flat) for _ in many] for many in given]
        return [ranked(of, many, top_k, return_documents) for of, many in zip(said, given, strict=True)]

    def _refuse_options(self, method: str) -> None:
        if self.kind == "choice":
            raise InnerjudgeError(
                f"given {self.judge!r}, which compares the options of a question, expected a judge of responses for "
                f"{method}(pairs): use rank(question, options)"
            )


def _of_options(verdict: Verdict, n: int) -> list[Verdict]:
    """Verdicts of the ``n`` options of one question; the abstain lines behind them are left out."""
    scores = verdict.score if isinstance(verdict.score, list) else [None] * n
    return [Verdict(str(k), score=scores[k], unscored=verdict.unscored) for k in range(n)]


def _check(judge: object, lm: object) -> None:
    if not isinstance(judge, BaseJudge) or not isinstance(lm, LanguageModel):
        raise InnerjudgeError(
            f"given a {type(judge).__name__} and a {type(lm).__name__}, expected a judge such as CLUE and what "
            "load(name) or wrap(model, tokenizer) returns"
        )
    if judge.learns and judge.provenance_ is None:
        raise InnerjudgeError(f"given {judge!r}, which is not fitted, expected a fitted judge: call fit first")
