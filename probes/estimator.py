"""A judge as an estimator of scikit-learn: parameters, tags, classes and a score."""

import inspect
from abc import abstractmethod
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import ClassifierTags, RegressorTags, Tags

from ..extraction.features import Features
from ..extraction.provenance import Provenance
from ..models.arguments import checked
from ..models.errors import InnerjudgeError


class Estimator(BaseEstimator):  # type: ignore[misc]
    """An estimator whose constructor checks its parameters and stores each, as it was given, under its own name.

    ``clone``, ``cross_val_score``, ``GridSearchCV`` and ``Pipeline`` work with it; ``X`` are
    :class:`~innerjudge.Features` and ``y`` their labels.
    """

    learns: ClassVar[bool]
    provenance_: Provenance | None

    @abstractmethod
    def decision_function(self, features: Features) -> npt.NDArray[np.float64]:
        """Scores, higher is better."""

    @abstractmethod
    def predict(self, features: Features) -> npt.NDArray[Any]:
        """Labels ``[n]``."""

    @property
    def estimator_type(self) -> Literal["classifier", "regressor"]:
        """What scikit-learn takes the judge for: one of classes, or of numbers."""
        return "classifier"

    @property
    def classes_(self) -> npt.NDArray[Any]:
        """Labels of a judge of two classes, the one that high scores stand for last."""
        if self.estimator_type != "classifier":
            raise AttributeError(f"{type(self).__name__} predicts numbers and has no classes_")
        return np.array([False, True])

    def score(self, features: Features, labels: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
        """Accuracy of the labels; of a judge of numbers :math:`R^2` of the scores, as in scikit-learn.

        Raises:
            InnerjudgeError: If an item cannot be scored (``features[features.present(*judge.needs)]`` leaves those
                out), there is not one label an item, or the judge has no labels.
        """
        numbers = self.estimator_type == "regressor"
        said = self.decision_function(features) if numbers else self.predict(features)
        known = np.asarray(labels)
        if known.shape != (len(features),):
            raise InnerjudgeError(
                f"given labels of shape {known.shape} for {len(features)} items, expected one an item"
            )
        if said.dtype == object and None in said:
            raise InnerjudgeError(
                f"given {self!r}, which has scores without labels, expected a judge of labels: fit it to set a "
                "threshold, or pass its decision_function to a metric such as roc_auc_score"
            )
        return float((r2_score if numbers else accuracy_score)(known, said, sample_weight=sample_weight))

    def __sklearn_is_fitted__(self) -> bool:
        return not self.learns or self.provenance_ is not None

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.estimator_type = self.estimator_type
        tags.target_tags.required = self.learns
        tags.requires_fit = self.learns
        tags.input_tags.two_d_array = False
        if self.estimator_type == "classifier":
            tags.classifier_tags = ClassifierTags()
        else:
            tags.regressor_tags = RegressorTags()
        return tags

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in cls.__dict__:
            cls.__init__ = checked(cls.__init__)  # type: ignore[method-assign]

    def set_params(self, **params: Any) -> Self:
        """Change parameters of the constructor, which checks them; what ``fit`` learned stays until the next fit.

        Raises:
            InnerjudgeError: If there is no such parameter, or the constructor refuses a value; nothing is changed then.

        Example:
            >>> from innerjudge.probes import LAGER
            >>> LAGER().set_params(norm=True)
            LAGER(norm=True)
        """
        known: dict[str, Any] = self.get_params(deep=False)
        unknown = sorted(params.keys() - known.keys())
        if unknown:
            raise InnerjudgeError(
                f"given {', '.join(unknown)} to {type(self).__name__}, expected parameters of it: {', '.join(known)}"
            )
        made: Any = type(self)
        self.__dict__.update(made(**(known | params)).__dict__)
        return self

    def __repr__(self) -> str:
        """In one line, unlike scikit-learn's: it stands in messages, on the model card and in hashes."""
        defaults = {name: p.default for name, p in inspect.signature(type(self)).parameters.items()}
        params: dict[str, Any] = self.get_params(deep=False)
        changed = [f"{name}={value!r}" for name, value in params.items() if repr(value) != repr(defaults[name])]
        return f"{type(self).__name__}({', '.join(changed)})"
