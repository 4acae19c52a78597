"""A judge in LangChain's cross-encoder slot (extra ``langchain``)."""

from ...models.extra import require

require("langchain_core", "langchain")

from langchain_core.cross_encoders import BaseCrossEncoder  # noqa: E402

from ..judges.judge import Judge  # noqa: E402


class JudgeCrossEncoder(BaseCrossEncoder):
    """The model of a ``CrossEncoderReranker``, ``CrossEncoderReranker(model=JudgeCrossEncoder(judge), top_n=3)``.

    LangChain sorts by the scores, and cannot represent a document without one: a document that cannot be scored is an
    ``InnerjudgeError``, with the reason.

    Example:
        >>> from innerjudge import Judge, TokenLogProb, load
        >>> len(JudgeCrossEncoder(Judge(TokenLogProb(), load("reference"))).score([("2+2?", "4"), ("2+2?", "5")]))
        2
    """

    def __init__(self, judge: Judge, batch_size: int = 32) -> None:
        self.judge, self.batch_size = judge, batch_size

    def score(self, text_pairs: list[tuple[str, str]]) -> list[float]:
        """Scores of pairs ``(query, document)``, higher is better."""
        found: list[float] = self.judge.scores(text_pairs, batch_size=self.batch_size).tolist()
        return found
