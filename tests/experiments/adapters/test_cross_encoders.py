"""A judge where sentence-transformers, LangChain and rerankers expect a cross-encoder."""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module

import pytest
from innerjudge import InnerjudgeError, Judge

from .conftest import PROMPT, RIGHT, WRONG

WORSE = "<think>7+5=14;14*3=42</think>42"
TOO_LONG = "12 " * 2000


@pytest.fixture(scope="module")
def best_first(judge: Judge) -> list[str]:
    given = [WRONG, RIGHT, WORSE]
    found = [given[one["corpus_id"]] for one in judge.rank(PROMPT, given)]
    assert found[0] == RIGHT
    return found


def test_sentence_transformers(judge: Judge) -> None:
    from sentence_transformers.cross_encoder.evaluation import CrossEncoderRerankingEvaluator

    samples = [{"query": PROMPT, "positive": [RIGHT], "documents": [WRONG, WORSE, RIGHT]}] * 2
    figures = CrossEncoderRerankingEvaluator(samples=samples, name="solve", show_progress_bar=False)(
        judge.as_cross_encoder()
    )
    # before, the right one stands third: 1/3; after, first
    assert figures["solve_base_mrr@10"] == pytest.approx(1 / 3)
    assert figures["solve_mrr@10"] == figures["solve_map"] == figures["solve_ndcg@10"] == pytest.approx(1)
    negatives = [{"query": PROMPT, "positive": [WRONG], "negative": [RIGHT]}]
    assert CrossEncoderRerankingEvaluator(samples=negatives)(judge.as_cross_encoder())["mrr@10"] == pytest.approx(1 / 2)


def test_other_evaluators_of_sentence_transformers(judge: Judge) -> None:
    from scipy.stats import spearmanr
    from sentence_transformers.cross_encoder.evaluation import (
        CrossEncoderClassificationEvaluator,
        CrossEncoderCorrelationEvaluator,
    )

    pairs, right = [(PROMPT, RIGHT), (PROMPT, WRONG), (PROMPT, WORSE)], [1, 0, 0]
    found = CrossEncoderClassificationEvaluator(pairs, right, show_progress_bar=False)(judge.as_cross_encoder())
    assert found["average_precision"] == 1  # the right one scores highest
    alike = CrossEncoderCorrelationEvaluator(pairs, [3, 1, 2], show_progress_bar=False)(judge.as_cross_encoder())
    assert alike["spearman"] == pytest.approx(spearmanr(judge.scores(pairs), [3, 1, 2])[0])


def test_langchain(judge: Judge, best_first: list[str]) -> None:
    from innerjudge.experiments.adapters.langchain import JudgeCrossEncoder
    from langchain_classic.retrievers.document_compressors import CrossEncoderReranker
    from langchain_core.documents import Document

    model = JudgeCrossEncoder(judge)
    documents = [Document(page_content=text, metadata={"k": k}) for k, text in enumerate([WRONG, RIGHT, WORSE])]
    found = CrossEncoderReranker(model=model, top_n=2).compress_documents(documents, PROMPT)
    assert [one.page_content for one in found] == best_first[:2]
    assert found[0].metadata == {"k": 1}
    assert model.score([(PROMPT, RIGHT)]) == judge.scores([(PROMPT, RIGHT)]).tolist()
    assert model.score([]) == []
    with pytest.raises(InnerjudgeError, match="longer than the model's context"):
        model.score([(PROMPT, RIGHT), (PROMPT, TOO_LONG)])


def test_rerankers(judge: Judge, best_first: list[str]) -> None:
    from innerjudge.experiments.adapters.rerankers import JudgeRanker
    from rerankers import Document

    ranker = JudgeRanker(judge)
    found = ranker.rank(PROMPT, [WRONG, RIGHT, WORSE, TOO_LONG], doc_ids=["a", "b", "c", "d"])
    assert [one.text for one in found] == [*best_first, TOO_LONG]
    assert [one.rank for one in found] == [1, 2, 3, 4]
    assert found.top_k(1)[0].doc_id == "b"
    assert found.get_score_by_docid("b") == pytest.approx(ranker.score(PROMPT, RIGHT), abs=1e-6)
    assert found.get_score_by_docid("d") is None
    assert "longer than the model's context" in found[3].document.metadata["unscored"]
    assert asyncio.run(ranker.rank_async(PROMPT, [RIGHT, WRONG])).results_count() == 2
    one = ranker.rank(PROMPT, Document(RIGHT, doc_id="x", metadata={"k": 1}))
    assert (one[0].doc_id, one[0].k) == ("x", 1)
    assert ranker.rank(PROMPT, []).results_count() == 0


@pytest.mark.parametrize(
    ("module", "library", "extra"),
    [
        ("lm_eval", "lm-eval>=", "lm-eval"),
        ("langchain", "langchain-core>=", "langchain"),
        ("rerankers", "rerankers>=", "rerankers"),
        ("inspect_ai", "inspect-ai>=", "inspect"),
    ],
)
def test_without_its_library_an_adapter_says_what_to_install(
    module: str, library: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = "langchain_core" if module == "langchain" else module
    for loaded in [name for name in sys.modules if name.partition(".")[0] == absent]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, absent, None)
    monkeypatch.delitem(sys.modules, f"innerjudge.experiments.adapters.{module}", raising=False)
    with pytest.raises(InnerjudgeError) as refused:
        import_module(f"innerjudge.experiments.adapters.{module}")
    assert library in str(refused.value)
    assert f'pip install "innerjudge[{extra}]"' in str(refused.value)
