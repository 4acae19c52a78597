"""Candidates in order: from verdicts to the rows that a ranking returns."""

from collections.abc import Sequence
from typing import Any, NotRequired, TypedDict

from ...models.errors import InnerjudgeError
from ...probes import Verdict


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


def of_options(verdict: Verdict, n: int) -> list[Verdict]:
    """Verdicts of the ``n`` options of one question; the abstain lines behind them are left out."""
    scores = verdict.score if isinstance(verdict.score, list) else [None] * n
    return [Verdict(str(k), score=scores[k], unscored=verdict.unscored) for k in range(n)]


def check_top_k(top_k: object) -> None:
    """Refuse anything but ``None`` or a number of at least 1.

    Example:
        >>> check_top_k(None), check_top_k(3)
        (None, None)
    """
    if top_k is not None and (not isinstance(top_k, int) or top_k < 1):
        raise InnerjudgeError(f"given top_k={top_k!r}, expected at least 1: leave it out for all")
