"""An opponent that reads what a text means, but no state: a regression on the vectors of a sentence embedder."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from threading import Lock
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix

from ..extraction.features import Features
from ..models.checkpoint import hub_options
from ..models.errors import InnerjudgeError, one_line
from ..models.extra import require
from .description import Task
from .estimator import parameters
from .fitted_arrays import check_fitted
from .labels import Floats
from .text_only import TextClassifier

#: Texts whose vectors are kept, at most, beside those of one call.
_REMEMBERED = 20_000
_TOLD = "An embedder is told by the vector of a sentence."
_turn = Lock()


@parameters
class EmbeddingClassifier(TextClassifier):
    """:class:`TextClassifier` on sentence embeddings of length 1 instead of TF-IDF.

    It needs an extra: ``pip install "innerjudge[sentence-transformers]"``. The embedder runs on the CPU; code that
    comes with its weights is not run. It cuts off texts that are longer than its own context; prompt and response are
    one text.

    Args:
        embedder: Folder or hub name of a model that sentence-transformers loads.

    Attributes:
        coef_: ``[width of the embedding]`` float64.
        told_: The vector of one sentence, by which an embedder with other weights is recognised and refused.

    Source:
        No paper: what a text-only opponent may know beyond the words (see :class:`TextClassifier`).

    Example:
        >>> EmbeddingClassifier(embedder="./my-embedder", texts=["response"]).needs
        ('response',)
    """

    embedder: str = "sentence-transformers/all-MiniLM-L6-v2"

    fitted = ("n_excluded_", "coef_", "intercept_", "penalty_", "told_")

    @classmethod
    def presets(cls, task: Task) -> Mapping[str, Self]:
        """Presets for every kind of item, if the task has an embedder, which is loaded."""
        if not task.embedder:
            return {}
        _vectors_of(task.embedder)
        return {"embedding-only": cls(embedder=task.embedder, target=task.target)}

    def _check(self, features: Features) -> None:
        super()._check(features)
        now = self._vectors([_TOLD]).toarray()[0]
        check_fitted(self, {"embedding": len(now)})
        if not np.allclose(now, self.told_, atol=1e-3):
            raise InnerjudgeError.of("probes.other-embedder", self.embedder)

    def _learn_terms(self, texts: Sequence[str]) -> csr_matrix:
        self.told_ = self._vectors([_TOLD]).toarray()[0]
        return self._vectors(texts)

    def _vectors(self, texts: Sequence[str]) -> csr_matrix:
        with _turn:
            known = _vectors_of(self.embedder)
            if len(known) > _REMEMBERED:
                known.clear()
            new = list(dict.fromkeys(text for text in texts if text not in known))
            known.update(zip(new, known.encode(new), strict=True))
            return csr_matrix(np.stack([known[text] for text in texts]) if texts else np.zeros((0, len(self.coef_))))


class _Vectors(dict[str, Floats]):
    """Vectors of the texts that were embedded before, as every fit and figure of a comparison asks for them again."""

    def __init__(self, embedder: str) -> None:
        library = require("sentence_transformers", "sentence-transformers")
        try:
            self._model = library.SentenceTransformer(embedder, device="cpu", **hub_options(embedder))
        except Exception as error:  # its own, the hub's and those of torch
            raise InnerjudgeError.of("probes.no-embedder", embedder, one_line(error)) from None

    def encode(self, texts: list[str]) -> Floats:
        """``[n, width]``."""
        return np.asarray(self._model.encode(texts, normalize_embeddings=True, show_progress_bar=False), np.float64)


_vectors_of = lru_cache(maxsize=4)(_Vectors)
