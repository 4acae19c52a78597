"""What was learned is refused in any other type, shape or range: at load, or with the features at the latest."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from typing import Any

import numpy as np
import pytest
from innerjudge import Features
from innerjudge.models import InnerjudgeError
from innerjudge.probes import PooledProbe, load, registered_judges, save, storage
from innerjudge.probes.fitted_arrays import check_fitted, sizes_of

from .test_every_judge import CASES, fitted

#: Judge -> what it has learned, by kind.
LEARNED = [
    (name, attribute) for name, (judge, labels) in CASES.items() if labels is not None for attribute in judge.fitted
]


def changes(value: Any) -> dict[str, Any]:
    """The kinds of damage that a value can have: each would be stretched, cut or compared without a word."""
    if isinstance(value, np.ndarray):
        other = np.float32 if value.dtype == np.float64 else np.float64
        found = {
            "another type": value.astype(other),
            "one axis more": value[None],
            "one number": value.ravel()[:1].reshape(()),
            "not a number": value.astype(float) * np.nan,
            "infinite": value.astype(float) + np.inf,
        }
        for axis in range(value.ndim):
            found[f"axis {axis} of 1"] = value.take([0], axis)
            found[f"axis {axis} and one more"] = np.concatenate([value, value.take([0], axis)], axis)
        return {k: v for k, v in found.items() if v.shape != value.shape or v.dtype != value.dtype or "n" in k[:2]}
    if isinstance(value, tuple):
        return {"text": "x", "deep": ((("x",),),), "number": 3}
    return {"text": "x", "list": (1,), "infinite": float("inf")} if value is not None else {"text": "x"}


@pytest.fixture(scope="module")
def fitted_once(make) -> Callable[[str], tuple[Any, Features]]:  # type: ignore[no-untyped-def]
    """A judge of that name, and what it was fitted on: most of a test would go into fitting it again."""
    features = make()
    return cache(lambda name: (fitted(name, features), features))


@pytest.mark.parametrize(("name", "attribute"), LEARNED)
def test_no_learned_value_of_another_form_is_used(name, attribute, fitted_once, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    good, features = fitted_once(name)
    if not hasattr(good, attribute):
        pytest.skip("not learned with these options")
    save(good, tmp_path / "good")
    load(tmp_path / "good").decision_function(features)
    for wrong in changes(getattr(good, attribute)).values():
        judge = deepcopy(good)
        setattr(judge, attribute, wrong)
        with pytest.raises(InnerjudgeError, match=type(judge).__name__):
            judge.decision_function(features)
        with pytest.raises(InnerjudgeError, match=f"{type(judge).__name__}|cannot be read"):
            use_again(judge, features, tmp_path / "bad", monkeypatch)
    judge = deepcopy(good)
    delattr(judge, attribute)
    optional = {"n_excluded_", "threshold_"} | ({"row_"} if isinstance(judge, PooledProbe) else set())
    if judge.learns and attribute not in optional:
        with pytest.raises(InnerjudgeError):
            use_again(judge, features, tmp_path / "less", monkeypatch)


def use_again(judge, features, folder, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """As somebody would who changes the files and makes the checksums fit."""
    with monkeypatch.context() as patch:
        patch.setattr(storage, "check_fitted", lambda judge: None)
        try:
            save(judge, folder)
        except ValueError:  # what JSON cannot say (infinity) is in no file
            raise InnerjudgeError("cannot be read") from None
    load(folder).decision_function(features)


def test_every_learned_value_has_a_form() -> None:
    for name, judge in registered_judges().items():
        assert set(judge.fitted) <= set(judge.forms), name


def test_a_judge_that_is_not_a_number_is_blamed_itself(make, tmp_path) -> None:  # type: ignore[no-untyped-def]
    judge = fitted("logistic", make())
    judge.coef_ = judge.coef_ * np.nan
    with pytest.raises(InnerjudgeError, match="a LogisticProbe with coef_: an array with NaN"):
        save(judge, tmp_path / "judge")
    assert not (tmp_path / "judge").exists()


def test_sizes_of_the_model(make) -> None:  # type: ignore[no-untyped-def]
    judge = fitted("clue", make())
    check_fitted(judge, {"blocks": 3, "width": 4})
    with pytest.raises(InnerjudgeError, match=r"sum_: an array of shape \(2, 3, 4\), expected \(2, 3, 5\)"):
        check_fitted(judge, {"blocks": 3, "width": 5})
    with pytest.raises(InnerjudgeError, match=r"expected \(2, 4, any\)"):
        check_fitted(judge, {"blocks": 4})


def test_some_rows_do_not_say_how_many_blocks_there_are() -> None:
    for name, rows, found in (("a.mean~9", 5, {"blocks": 3}), ("a.mean[0,1]~9", 2, {}), ("a.mean[0,1]", 2, {})):
        f = Features.from_arrays({f"hidden/{name}": np.ones((2, rows, 9))}, provenance="m")
        assert sizes_of(f, list(f.arrays)) == {"numbers": 9 * rows, "width": 9, **found}
