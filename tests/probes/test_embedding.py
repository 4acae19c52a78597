"""The opponent on sentence embeddings, with a real model of sentence-transformers that was made here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from innerjudge.extraction import Features
from innerjudge.models import InnerjudgeError
from innerjudge.probes import EmbeddingClassifier, embedding, load

VECTORS = {"[UNK]": (0, 0, 1), "yes": (1, 0, 0), "indeed": (0.8, 0.6, 0), "no": (-1, 0, 0), "never": (-0.8, 0.6, 0)}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedder of five words, whose sentences are the means of theirs."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = Tokenizer(models.WordLevel({word: k for k, word in enumerate(VECTORS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    made = SentenceTransformer(modules=[StaticEmbedding(words, embedding_weights=np.array(list(VECTORS.values())))])
    made.save(str(path := tmp_path_factory.mktemp("embedder") / "words"))
    return path


@pytest.fixture(autouse=True)
def anew(real_embedder: None) -> None:
    embedding._vectors_of.cache_clear()


def test_it_reads_what_words_mean(folder: Path, tmp_path: Path, make: Callable[..., Features]) -> None:
    judge = EmbeddingClassifier(embedder=str(folder), texts=["response"])
    known = make(12, response=["yes", "no", "yes yes"] * 4)
    judge.fit(known, [True, False, True] * 4)
    assert judge.coef_.shape == (3,)
    # Words that the fit has not seen: "indeed" lies near "yes", "never" near "no".
    new = make(4, seed=1, response=["indeed", "never", "yes indeed", "no never"])
    assert judge.predict(new).tolist() == [True, False, True, False]
    # The mean of (1, 0, 0) and (0.8, 0.6, 0) is (0.9, 0.3, 0), of length 0.948683.
    by_hand = judge.coef_ @ (np.array([0.9, 0.3, 0]) / 0.948683) + judge.intercept_
    assert judge.decision_function(new)[2] == pytest.approx(by_hand, abs=1e-5)
    judge.save(tmp_path / "judge")
    again = load(tmp_path / "judge")
    assert again.decision_function(new).tolist() == judge.decision_function(new).tolist()


def test_a_text_is_embedded_once(folder: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[..., Features]) -> None:
    asked: list[str] = []
    encode = embedding._Vectors.encode
    monkeypatch.setattr(embedding._Vectors, "encode", lambda self, texts: (asked.extend(texts), encode(self, texts))[1])
    judge = EmbeddingClassifier(embedder=str(folder), texts=["response"])
    known = make(6, response=["yes", "no", "yes"] * 2)
    judge.fit(known, [True, False, True] * 2).decision_function(known)
    assert sorted(asked) == [embedding._TOLD, "no", "yes"]
    monkeypatch.setattr(embedding, "_REMEMBERED", 2)
    judge.decision_function(known)
    assert sorted(asked) == sorted(2 * [embedding._TOLD, "no", "yes"]), "more are not kept"


def test_an_embedder_of_another_width_is_refused(folder: Path, make: Callable[..., Features]) -> None:
    judge = EmbeddingClassifier(embedder=str(folder), texts=["response"])
    judge.fit(make(6, response=["yes", "no"] * 3), [True, False] * 3)
    judge.coef_ = judge.coef_[:2]
    with pytest.raises(InnerjudgeError, match=r"told_: an array of shape \(3,\), expected \(2,\)"):
        judge.verdicts(make(2, response=["yes", "no"]))


def test_what_is_no_embedder_is_refused(tmp_path: Path, make: Callable[..., Features]) -> None:
    (tmp_path / "modules.json").write_text("[{")
    with pytest.raises(InnerjudgeError, match=r"given the embedder '.*', which sentence-transformers cannot load"):
        EmbeddingClassifier(embedder=str(tmp_path), texts=["response"]).fit(make(6), [True, False] * 3)


def test_a_hub_that_does_not_answer_is_asked_once(
    monkeypatch: pytest.MonkeyPatch, make: Callable[..., Features]
) -> None:
    """Not again and again with growing pauses, which took a minute."""
    pytest.importorskip("sentence_transformers")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    judge = EmbeddingClassifier(embedder="no-such-embedder")
    with pytest.raises(InnerjudgeError, match="'no-such-embedder', which sentence-transformers cannot load"):
        judge.fit(make(), np.arange(24) % 2 == 0)
    assert pauses == []
