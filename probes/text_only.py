"""Opponents that see no state: a regression on the words of an item, and the similarity of response and prompt.

A probe must do better than these before one can say that it reads the model: labels may depend on the words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from ..extraction.features import Features
from ..models.errors import InnerjudgeError
from ..models.foreign import parse_json, refusing
from .description import derived
from .estimator import parameters
from .judge import LearningJudge, Scores
from .labels import answers
from .regression import REGRESSIONS, TEXT_CANDIDATES, Candidates, Target, fit_sparse

#: Words and pairs of words at most, the most frequent ones.
TERMS = 50_000


def tfidf(terms: Sequence[str] | None = None) -> TfidfVectorizer:
    """TF-IDF of words, signs and pairs of them, with logarithmic counts and rows of length 1, of ``terms`` if given."""
    return TfidfVectorizer(
        ngram_range=(1, 2),
        sublinear_tf=True,
        max_features=TERMS,
        token_pattern=r"(?u)\w+|[^\w\s]",
        vocabulary=None if terms is None else {term: k for k, term in enumerate(terms)},
    )


class TextReader(LearningJudge):
    """A judge of an item's own texts, by the terms of its training texts; unknown terms are ignored.

    A choice has one text per option; an item whose response is empty is unscored.
    """

    family = "baseline"
    _of_options = derived(lambda self: "options" in self.needs)
    kinds = derived(lambda self: ("choice",) if self._of_options else ("trace", "rating", "pair"))
    pointwise = derived(lambda self: not self._of_options)
    vocabulary_: tuple[str, ...]
    idf_: npt.NDArray[np.float64]

    def sizes(self, known: Mapping[str, int]) -> dict[str, int]:
        """Adds the number of terms."""
        terms = self.__dict__.get("vocabulary_")
        return {**known, "terms": len(terms)} if isinstance(terms, tuple) else {**known}

    def _unreadable(self, features: Features) -> dict[str, str]:
        name = self.needs[-1]
        said = zip(features.ids, features.texts[name], strict=True)
        return {item: f"the {name} has no text" for item, text in said if not text.strip()}

    def _learn_terms(self, texts: Sequence[str]) -> csr_matrix:
        made = tfidf()
        try:
            found = csr_matrix(made.fit_transform(texts))
        except ValueError:
            raise InnerjudgeError(f"given {len(texts)} texts without a word to fit on, expected words") from None
        self.vocabulary_ = tuple(str(term) for term in made.get_feature_names_out())
        self.idf_ = np.asarray(made.idf_, dtype=np.float64)
        return found

    def _vectors(self, texts: Sequence[str]) -> csr_matrix:
        if not texts:
            return csr_matrix((0, len(self.vocabulary_)))
        made = tfidf(self.vocabulary_)
        made.idf_ = self.idf_
        return csr_matrix(made.transform(texts))

    def _padded(self, scores: Scores, counts: Sequence[int]) -> Scores:
        """Scores of all options as ``[n, K]``, ``-inf`` beyond an item's own; those of one response as they are."""
        if not self._of_options:
            return scores
        inside = np.arange(max(counts, default=1)) < np.array(counts, dtype=np.intp)[:, None]
        found = np.full(inside.shape, -np.inf)
        found[inside] = scores
        return found

    def _labels(self, scores: Scores, features: Features) -> list[Any]:
        return [int(k) for k in scores.argmax(axis=-1)] if self._of_options else [None] * len(scores)


@parameters
class TextClassifier(TextReader):
    """Regression on the TF-IDF of an item's own text: what its words alone give away.

    Logistic regression (scikit-learn) of what is correct, or of which option is the right one; ridge regression of
    ratings. The penalty is chosen by folds that never split a question, as :class:`~innerjudge.probes.LogisticProbe`'s.

    Args:
        target: ``"correct"`` for traces, ``"rating"``, or ``"choice"``, which scores each option by its own text.
        texts: Which texts of the item it reads: ``"prompt"``, ``"response"``, or both; for choices always the options.
        candidates: Values of ``C`` (``"rating"``: of ``1 / alpha``) to choose from.

    Attributes:
        vocabulary_: The terms: words, signs and pairs of them, at most :data:`TERMS`.
        idf_: ``[terms]`` float64, the weight of each by how rare it is.
        coef_: ``[terms]`` float64.
        intercept_: Score of a text without a known term.
        penalty_: The chosen candidate.

    Source:
        Opponent of arXiv 2605.09502 (there on the first step of a solution).

    Example:
        >>> texts = {"response": ["so 4", "so 5", "thus 4", "thus 5"]}
        >>> f = Features.from_arrays({}, texts=texts, provenance="m", groups="ppqq")
        >>> TextClassifier(texts=["response"]).fit(f, [True, False, True, False]).predict(f)
        array([ True, False,  True, False])
    """

    target: Literal["correct", "rating", "choice"] = "correct"
    texts: Sequence[str] = ("prompt", "response")
    candidates: Candidates = TEXT_CANDIDATES
    coef_: npt.NDArray[np.float64] = field(init=False)
    intercept_: float = field(init=False)

    estimator_type = derived(lambda self: "regressor" if self.target == "rating" else "classifier")

    def __post_init__(self) -> None:
        if not self.texts or not set(self.texts) <= {"prompt", "response"}:
            raise InnerjudgeError(f"given texts={tuple(self.texts)}, expected 'prompt', 'response' or both")
        self.needs = ("options",) if self.target == "choice" else tuple(self.texts)

    def fit(self, features: Features, labels: npt.ArrayLike) -> Self:
        """Learn terms, penalty and coefficients.

        ``InnerjudgeError`` if no item has a text with a word, or the labels are all of one class.
        """
        part, values, excluded = self._training(features, labels)
        texts, counts = self._texts(part)
        groups, kind = part.groups, self.target
        if self.target == "choice":
            given = answers(values, np.array(counts), part.ids)
            values = np.concatenate([np.arange(n) == answer for n, answer in zip(counts, given, strict=True)])
            groups = tuple(g for g, n in zip(groups, counts, strict=True) for _ in range(n))
        of: Target = "rating" if kind == "rating" else "correct"
        y = REGRESSIONS[of][0](values)
        found = fit_sparse(of, self._learn_terms(texts), y, groups, tuple(map(float, self.candidates)))
        self.coef_, self.intercept_, self.penalty_ = found.coef, found.intercept, found.penalty
        return self._fitted_on(features, excluded)

    def _texts(self, features: Features) -> tuple[list[str], list[int]]:
        """All texts that are scored, and of choices how many options each has."""
        if self._of_options:
            return options_of(features)
        return ["\n".join(each) for each in zip(*[features.texts[name] for name in self.needs], strict=True)], []

    def _scores(self, features: Features) -> Scores:
        texts, counts = self._texts(features)
        return self._padded(np.asarray(self._vectors(texts) @ self.coef_ + self.intercept_), counts)

    def _labels(self, scores: Scores, features: Features) -> list[Any]:
        if self._of_options:
            return super()._labels(scores, features)
        return [float(s) if self.target == "rating" else bool(s > 0) for s in scores]


@parameters
class PromptSimilarity(TextReader):
    """Cosine similarity (TF-IDF) of response and prompt, or of each option and the question; its fit reads no labels.

    If the prompt contains the truth, this alone is near perfect. It has no border between right and wrong.

    Args:
        options: Whether to compare the options of choices.

    Attributes:
        vocabulary_: As in :class:`TextClassifier`, from prompts and responses.
        idf_: Likewise.

    Source:
        After the text-similarity baseline of arXiv 2605.17028.

    Example:
        >>> texts = {"prompt": ["red or blue ?"] * 2, "response": ["red", "a green one"]}
        >>> f = Features.from_arrays({}, texts=texts, provenance="m")
        >>> PromptSimilarity().fit(f).decision_function(f).round(2)
        array([0.31, 0.  ])
    """

    options: bool = False
    needs = derived(lambda self: ("prompt", "options" if self.options else "response"))

    needs_labels = False  # only the terms are learned

    def fit(self, features: Features, labels: npt.ArrayLike | None = None) -> Self:
        """Learn the terms; ``labels`` are not read.

        ``InnerjudgeError`` if no item has a text with a word.
        """
        part, _, excluded = self._training(features, np.zeros(len(features)))
        self._learn_terms([text for side in self._sides(part)[:2] for text in side])
        return self._fitted_on(features, excluded)

    def _sides(self, features: Features) -> tuple[list[str], list[str], list[int]]:
        prompts = list(features.texts["prompt"])
        if not self.options:
            return prompts, list(features.texts["response"]), []
        texts, counts = options_of(features)
        return [p for p, n in zip(prompts, counts, strict=True) for _ in range(n)], texts, counts

    def _scores(self, features: Features) -> Scores:
        prompts, texts, counts = self._sides(features)
        cosine = self._vectors(texts).multiply(self._vectors(prompts)).sum(axis=1)
        return self._padded(np.asarray(cosine, dtype=np.float64).reshape(-1), counts)


def options_of(features: Features) -> tuple[list[str], list[int]]:
    """The options of all choices one after the other, and how many each has."""
    with refusing("a text of features", "a list of options: extract them again"):
        each = [[str(one) for one in parse_json(text)] for text in features.texts["options"]]
    return [one for some in each for one in some], [len(some) for some in each]
