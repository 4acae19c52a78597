"""A judge as a ranker of the library ``rerankers`` (extra ``rerankers``)."""

from typing import Any

from ...models.extra import require

require("rerankers", "rerankers")

from rerankers.documents import Document  # noqa: E402
from rerankers.models.ranker import BaseRanker  # noqa: E402
from rerankers.results import RankedResults, Result  # noqa: E402
from rerankers.utils import prep_docs  # noqa: E402

from ..judges.judge import Judge  # noqa: E402


class JudgeRanker(BaseRanker):  # type: ignore[misc]
    """``JudgeRanker(judge).rank(query, docs)``, as ``Reranker(name)`` of the library does.

    Documents that cannot be scored stand last, with a score of ``None`` and the reason as ``metadata["unscored"]``.

    Example:
        >>> from innerjudge import Judge, TokenLogProb, load
        >>> ranked = JudgeRanker(Judge(TokenLogProb(), load("reference"))).rank("2+2?", ["4", ""], doc_ids=["a", "b"])
        >>> [(result.document.doc_id, result.rank) for result in ranked]
        [('a', 1), ('b', 2)]
        >>> ranked[1].document.metadata["unscored"]
        'the response is empty'
    """

    def __init__(self, judge: Judge, batch_size: int = 32, verbose: int = 1) -> None:
        self.judge, self.batch_size, self.verbose = judge, batch_size, verbose
        self.ranking_type = "pointwise"

    def rank(
        self,
        query: str,
        docs: str | list[str] | Document | list[Document],
        doc_ids: list[str] | list[int] | None = None,
        metadata: list[dict[str, Any]] | None = None,
    ) -> RankedResults:
        """Documents best first, as the library's own rankers return them; no documents give no results."""
        known = prep_docs(docs, doc_ids, metadata) if not isinstance(docs, list) or docs else []
        found = []
        ranked = self.judge.rank(query, [doc.text for doc in known], batch_size=self.batch_size)
        for place, one in enumerate(ranked, start=1):
            document = known[one["corpus_id"]]
            if "unscored" in one:
                document.metadata = {**(document.metadata or {}), "unscored": one["unscored"]}
            found.append(Result(document=document, score=one["score"], rank=place))
        return RankedResults(results=found, query=query, has_scores=True)

    def score(self, query: str, doc: str) -> float:
        """Score of one document; an ``InnerjudgeError`` where it has none."""
        return float(self.judge.scores([(query, doc)])[0])
