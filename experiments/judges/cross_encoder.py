"""What can be asked of a judge with its model: the methods of a CrossEncoder, and their words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import numpy as np
from rich.console import Console

from ...models.errors import InnerjudgeError
from ...models.loading import LanguageModel
from ...probes import BaseJudge, Verdict
from ..reading.passes import Passes
from ..reading.progress import shown
from ..reading.read import read
from .pairs import as_list, is_single, items_of_pairs
from .shared_models import turn

if TYPE_CHECKING:
    from .reward import Reward


class CardData:
    """Stands where a CrossEncoder keeps figures for its model card.

    Evaluators write there and return the same figures; a judge's card is written from the judge alone, so they are not
    kept.
    """

    def set_evaluation_metrics(
        self, evaluator: Any, metrics: Mapping[str, float], epoch: int = 0, step: int = 0
    ) -> None:
        """Take note of nothing."""


class CrossEncoderFace:
    """Scores, verdicts and rankings of a judge; :class:`~.judge.Judge` sets the attributes.

    Attributes:
        judge: The judge.
        lm: Its model.
        kind: Kind of what is judged.
        passes: How the model is run.
        criterion: What ratings are asked for.
    """

    judge: BaseJudge
    lm: LanguageModel
    kind: str
    passes: Passes
    criterion: str | None
    #: Where sentence-transformers' evaluators write, as they do with a CrossEncoder.
    model_card_data = CardData()

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
            >>> from innerjudge import Judge, TokenLogProb, load
            >>> Judge(TokenLogProb(), load("reference")).verdicts([("Start with 7.", "")])[0].unscored
            'the response is empty'
        """
        if batch_size < 1:
            raise InnerjudgeError(f"given batch_size={batch_size}, expected at least 1")
        asked = [pairs] if is_single(pairs) else as_list(pairs, "pairs of strings")
        items, places, reasons = items_of_pairs(
            asked, self.kind, context=self.lm.anatomy.context, criterion=self.criterion
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
            >>> from innerjudge import Judge, LetterLogits, load
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

    def as_reward(self, *, name: str = "innerjudge", batch_size: int = 32) -> Reward:
        """A reward function for TRL's trainers: :func:`~innerjudge.experiments.judges.reward.as_reward`."""
        from .reward import as_reward

        self._refuse_options("as_reward")
        return as_reward(self, name=name, batch_size=batch_size)

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


class Ranked(TypedDict):
    """One candidate: its place in the list given, its score (``None`` with ``unscored``, the reason), and its text."""

    corpus_id: int
    score: float | None
    text: NotRequired[Any]
    unscored: NotRequired[str]


def ranked(
    verdicts: Sequence[Verdict], documents: Sequence[Any], top_k: int | None, return_documents: bool
) -> list[Ranked]:
    """Best first, ties in the order given, unscored ones last; at most ``top_k``.

    Example:
        >>> said = [Verdict("0", score=0.1), Verdict("1", unscored="empty"), Verdict("2", score=0.9)]
        >>> for one in ranked(said, ["a", "b", "c"], None, True):
        ...     print(one)
        {'corpus_id': 2, 'score': 0.9, 'text': 'c'}
        {'corpus_id': 0, 'score': 0.1, 'text': 'a'}
        {'corpus_id': 1, 'score': None, 'text': 'b', 'unscored': 'empty'}
    """
    found = [_ranked(k, verdict, documents[k], return_documents) for k, verdict in enumerate(verdicts)]
    found.sort(key=lambda one: (one["score"] is None, -(one["score"] or 0.0)))
    return found[:top_k]


def _ranked(place: int, verdict: Verdict, document: Any, with_text: bool) -> Ranked:
    assert not isinstance(verdict.score, list)
    found: Ranked = {"corpus_id": place, "score": verdict.score}
    if with_text:
        found["text"] = document
    if verdict.unscored is not None:
        found["unscored"] = verdict.unscored
    return found
