"""A judge as a scikit-learn estimator, which reads features of one provenance and says what it cannot read."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any, ClassVar, Literal, Self, TypeVar, dataclass_transform

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import ClassifierTags, RegressorTags, Tags

from ..extraction.features import Features
from ..extraction.provenance import Provenance
from ..extraction.ragged import finite_rows
from ..models.arguments import checked, checked_fields, require_type
from ..models.errors import InnerjudgeError, html_table
from .description import JudgeDescription, derived
from .fitted_arrays import Forms, Number, check_fitted, forms_of, sizes_of
from .labels import TAKE_SOFT

_Judge = TypeVar("_Judge")


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(field,))
def parameters(judge: type[_Judge]) -> type[_Judge]:
    """Make the annotated attributes of a judge its parameters: keyword-only, checked, and stored as given.

    ``field(init=False)`` is no parameter; ``__post_init__`` refuses values, and sets what follows from them.
    """
    return checked_fields(dataclass(kw_only=True, eq=False, repr=False)(judge))


class Estimator(BaseEstimator):  # type: ignore[misc]
    """An estimator whose constructor checks its parameters and stores each, as given, under its own name.

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
        """What the judge is to scikit-learn: a classifier or a regressor."""
        return "classifier"

    @property
    def classes_(self) -> npt.NDArray[Any]:
        """The labels of a judge of two classes, the one for high scores last."""
        if self.estimator_type != "classifier":
            raise AttributeError(f"{type(self).__name__} predicts numbers and has no classes_")
        return np.array([False, True])

    def score(self, features: Features, labels: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
        """Accuracy of the labels, or :math:`R^2` of the scores of a regressor, as in scikit-learn.

        ``InnerjudgeError`` if an item cannot be scored (``features[features.present(*judge.needs)]`` leaves those out),
        the number of labels differs from that of items, or the judge gives no labels.
        """
        numbers = self.estimator_type == "regressor"
        said = self.decision_function(features) if numbers else self.predict(features)
        known = np.asarray(labels)
        if known.shape != (len(features),):
            raise InnerjudgeError.of("probes.score-labels", known.shape, len(features))
        if said.dtype == object and None in said:
            raise InnerjudgeError.of("probes.no-labels", self)
        return float((r2_score if numbers else accuracy_score)(known, said, sample_weight=sample_weight))

    def __sklearn_is_fitted__(self) -> bool:
        return not self.learns or self.provenance_ is not None

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.estimator_type = self.estimator_type
        tags.target_tags.required = tags.requires_fit = self.learns
        tags.input_tags.two_d_array = False
        if self.estimator_type == "classifier":
            tags.classifier_tags = ClassifierTags()
        else:
            tags.regressor_tags = RegressorTags()
        return tags

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in cls.__dict__:
            cls.__init__ = checked(cls.__init__, words=True)  # type: ignore[method-assign]
        fit: Any = cls.__dict__.get("fit")
        given = list(inspect.signature(fit).parameters.values()) if inspect.isfunction(fit) else []
        open_ended = any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) or p.name == "sample_weight" for p in given)
        if given and not open_ended and sum(p.kind != p.KEYWORD_ONLY for p in given) < 4:  # self, features, labels
            cls.fit = _unweighted(fit)

    def set_params(self, **params: Any) -> Self:
        """Change parameters of the constructor, which checks them; what ``fit`` learned stays until the next fit.

        ``InnerjudgeError`` if there is no such parameter, or the constructor refuses a value; nothing is changed then.
        """
        known: dict[str, Any] = self.get_params(deep=False)
        unknown = sorted(params.keys() - known.keys())
        if unknown:
            raise InnerjudgeError.of("probes.unknown", ", ".join(unknown), type(self).__name__, ", ".join(known))
        made: Any = type(self)
        self.__dict__.update(made(**(known | params)).__dict__)
        return self

    def __repr__(self) -> str:
        """In one line, unlike scikit-learn's: it stands in messages, on the model card and in hashes."""
        defaults = {name: p.default for name, p in inspect.signature(type(self)).parameters.items()}
        params: dict[str, Any] = self.get_params(deep=False)
        changed = [f"{name}={value!r}" for name, value in params.items() if repr(value) != repr(defaults[name])]
        return f"{type(self).__name__}({', '.join(changed)})"

    def _repr_html_(self) -> str:
        """The parameters and whether it is fitted, for notebooks; scikit-learn's own takes 28,000 characters."""
        params: dict[str, Any] = self.get_params(deep=False)
        return html_table(type(self).__name__, (), [*params.items(), ("fitted", self.__sklearn_is_fitted__())])

    def _repr_mimebundle_(self, **_options: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._repr_html_()}


def _unweighted(fit: Callable[..., Any]) -> Callable[..., Any]:
    """A ``fit`` that refuses weights in words."""

    @wraps(fit)
    def refusing(self: Any, *given: Any, sample_weight: object = None, **named: Any) -> Any:
        if sample_weight is not None or any(one is not None for one in given[2:]):
            raise InnerjudgeError.of("probes.no-weights", type(self).__name__, TAKE_SOFT)
        return fit(self, *given[:2], **named)

    return refusing


class FeatureReader(JudgeDescription, Estimator, ABC):
    """An estimator that reads features of one provenance, and says why an item cannot be read."""

    #: Names of the readouts or generations that the judge reads.
    needs: tuple[str, ...]
    #: Those that ``fit`` reads beside them.
    fit_needs: tuple[str, ...] = ()
    #: Names of all arrays and generations that it may read, in its fit and later.
    reads: tuple[str, ...] = derived(lambda self: tuple(dict.fromkeys((*self.needs, *self.fit_needs, "labels"))))
    #: Whether ``fit`` must be called first.
    learns: ClassVar[bool] = False
    #: Attributes that ``fit`` sets and :mod:`.storage` keeps: arrays, or plain values (tuples for lists). A class that
    #: does not say them keeps those that it inherits, and those of its own ``forms``.
    fitted: ClassVar[tuple[str, ...]] = ()
    #: What each of them must be: :func:`.fitted_arrays.check_fitted` refuses anything else. Inherited forms are added.
    forms: ClassVar[Forms] = {"threshold_": Number(none=True), "n_excluded_": Number(low=0, whole=True)}
    provenance_: Provenance | None = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        above: Any = super(cls, cls)
        if own := cls.__dict__.get("forms") or forms_of(cls):
            cls.forms = {**above.forms, **own}
            if "fitted" not in cls.__dict__:
                cls.fitted = tuple(dict.fromkeys((*above.fitted, *own) if above.fitted else (*own, "n_excluded_")))

    @property
    def last_block(self) -> int | None:
        """The last block that a fitted judge reads: a pass for it may stop there; ``None`` for a whole pass."""
        if self._reads_until is not None:
            return self._reads_until
        return None if self.provenance_ is None else self.provenance_.last_block

    @property
    def _reads_until(self) -> int | None:
        """Block behind which nothing is read, however far the pass went; ``None`` if all that there is is read."""
        return None

    def require(self, given: Provenance) -> None:
        """Refuse features of another model, with another prompt, or of a pass that stopped before the last block read.

        A pass may have stopped anywhere after that block.
        """
        if self.provenance_ is None:
            return
        expected, until = self.provenance_, self._reads_until
        if until is not None and (given.last_block is None or until <= given.last_block):
            expected = replace(expected, last_block=given.last_block)
        expected.require(given, type(self).__name__)

    def sizes(self, known: Mapping[str, int]) -> dict[str, int]:
        """The lengths named in :attr:`forms`, from parameters, provenance and what is ``known`` of the model."""
        return dict(known)

    def rows_read(self, total: int) -> frozenset[int]:
        """Rows of hidden states ``[n, total, D]`` that the judge reads; all of them by default."""
        return frozenset(range(total))

    def _unreadable(self, features: Features) -> dict[str, str]:
        """Item id -> reason, for items whose features are there but say nothing (a text without a verdict)."""
        return {}

    def _check(self, features: Features) -> None:
        require_type(features, Features, type(self).__name__)
        if self.learns and self.provenance_ is None:
            raise InnerjudgeError.of("probes.not-fitted", type(self).__name__)
        self._require_fitting(sizes_of(features, self.needs))
        self.require(features.provenance)

    def _require_fitting(self, sizes: dict[str, int]) -> None:
        """:func:`.fitted_arrays.check_fitted`, once for what was learned and for each model."""
        held, learned = self.__dict__.get("_held_to", (None, ())), [self.__dict__.get(name) for name in self.fitted]
        same = len(held[1]) == len(learned) and all(a is b for a, b in zip(held[1], learned, strict=True))
        if held[0] != sizes or not same:
            check_fitted(self, sizes)
            self._held_to = (dict(sizes), learned)

    def _reasons(self, features: Features, *also: str) -> dict[str, str]:
        """Item id -> why it cannot be read (``also``: readouts beyond ``needs``); needs no fitted judge."""
        require_type(features, Features, type(self).__name__)
        names = (*self.needs, *also)
        reasons = features.reasons(*names)
        for name in names:
            if name in features.texts:
                continue
            held = features.ragged.get(name)
            for row in np.flatnonzero(~(finite_rows(features[name]) if held is None else held.finite())):
                why = f"{name} holds infinite values or NaN: extract with --dtype bfloat16 or float32"
                reasons.setdefault(features.ids[row], why)
        return reasons | self._unreadable(without(features, reasons))

    def unscored(self, features: Features) -> dict[str, str]:
        """Item id -> reason, for every item that this judge cannot score.

        Example:
            >>> from innerjudge import Features, TokenLogProb
            >>> f = Features.from_arrays({"logprob": [[-6, 3], [0, 0]]}, provenance="m", ids=["a", "b"])
            >>> TokenLogProb().unscored(f)
            {'b': 'no response tokens'}
        """
        self._check(features)
        return self._reasons(features)


def without(features: Features, reasons: dict[str, str]) -> Features:
    """The items without a reason against them; the same features, not a copy, if that is all of them."""
    if not reasons:
        return features
    return features.take([k for k, i in enumerate(features.ids) if i not in reasons])
