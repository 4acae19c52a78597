"""Parameters of every judge, as scikit-learn clones, sets and shows them; predictions are arrays."""

from typing import Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from innerjudge.models import InnerjudgeError
from innerjudge.probes import (
    CLUE,
    LAGER,
    AttentionScore,
    DifferenceOfMeans,
    EScore,
    Length,
    LogisticProbe,
    QKScore,
    RidgeProbe,
    TextJudge,
    TokenLogProb,
    TunedLAGER,
    load,
    save,
)
from innerjudge.probes.storage import registered_judges
from sklearn.base import clone

from .test_every_judge import ANSWERS, CASES, CORRECT, JUDGES, RATINGS, fitted, fresh


def test_repr_shows_what_was_changed():
    assert repr(CLUE(scale=True)) == "CLUE(scale=True)"
    assert repr(EScore()) == "EScore()"


WORDED = [
    (cls, name)
    for cls in registered_judges().values()
    for name, hint in get_type_hints(cls.__init__).items()
    if name != "return" and (get_origin(hint) is Literal or any(get_origin(one) is Literal for one in get_args(hint)))
]


@pytest.mark.parametrize(("cls", "name"), WORDED, ids=lambda one: one if isinstance(one, str) else one.__name__)
def test_an_unknown_word_is_refused_with_all_that_there_are(cls, name):
    with pytest.raises(InnerjudgeError, match=rf"{cls.__name__}: given {name}='nonsense' \(str\), expected .*'.*'"):
        cls(**{name: "nonsense"})


def test_unknown_options_are_refused():
    for make_judge in (
        lambda: CLUE(rank_by="both"),
        lambda: LAGER(entries="first"),
        lambda: LAGER(values=[1]),
        lambda: LAGER(values=[1, 2], answers=["bad"]),
        lambda: TunedLAGER(loss="huber"),
        lambda: TunedLAGER(alpha=1.5),
        lambda: QKScore(rotary="both"),
        lambda: QKScore(select="luck"),
        lambda: QKScore(n_heads=0),
        lambda: AttentionScore(select="unlabelled", prefer="earliest"),
        lambda: TextJudge(generation="sung"),
        lambda: TextJudge(labels=["a", "A"], values=[0, 1]),
        lambda: TextJudge(labels=["1", "2"]),
        lambda: DifferenceOfMeans(positions=["a", "b", "c"]),
        lambda: LogisticProbe(candidates=[0.0]),
        lambda: Length(target="luck"),
    ):
        with pytest.raises(InnerjudgeError, match="expected"):
            make_judge()


@pytest.mark.parametrize("name", CASES)
def test_scikit_learn_clones_every_judge(name, make):
    judge, labels = CASES[name]
    again = clone(judge)
    assert type(again) is type(judge)
    assert again is not judge
    assert again.get_params() == judge.get_params()
    features = make()
    want = fitted(name, features).decision_function(features)
    got = again if not again.learns and labels is None else again.fit(features, labels)
    np.testing.assert_array_equal(got.decision_function(features), want)
    assert getattr(clone(got), "provenance_", None) is None


@pytest.mark.parametrize("judge", JUDGES.values(), ids=JUDGES)
def test_every_class_clones_with_its_defaults(judge):
    assert repr(clone(judge())) == repr(judge())


@pytest.mark.parametrize("name", CASES)
def test_parameters_are_stored_as_given_and_can_be_set(name):
    judge = fresh(name)[0]
    params = judge.get_params()
    other = type(judge)()
    assert other.set_params(**params) is other
    assert all(other.get_params()[k] is v for k, v in params.items())
    assert other.needs == judge.needs
    before = repr(other)
    for wrong in ({"colour": "red"}, dict.fromkeys(("score", "select", "entries", "target"), "no such value")):
        with pytest.raises(InnerjudgeError, match=r"expected|given"):
            other.set_params(**wrong)
        assert repr(other) == before


def test_lists_and_arrays_are_taken(make, tmp_path):
    for judge in (LAGER(values=np.arange(1, 6)), EScore(values=[1, 2, 3, 4, 5]), TextJudge(labels=list("12345"))):
        save(judge, tmp_path / "judge")
        again = load(tmp_path / "judge")
        np.testing.assert_array_equal(again.decision_function(make()), clone(judge).decision_function(make()))
        assert "(values=" in repr(judge) or "(labels=" in repr(judge)


def test_parameters_that_are_set_keep_what_was_learned(make):
    judge = CLUE().fit(make(), CORRECT)
    margin = judge.set_params(rank_by="margin").decision_function(make(seed=1))
    np.testing.assert_array_equal(margin, CLUE(rank_by="margin").fit(make(), CORRECT).decision_function(make(seed=1)))


@pytest.mark.parametrize(
    ("judge", "kind"),
    [(LAGER(values=(0, 1)), "b"), (LAGER(), "i"), (RidgeProbe(), "f"), (TokenLogProb(), "O"), (QKScore(), "i"),
     (EScore(values=(1, 0), answers=("a", "b")), "U"), (EScore(values=(1, 2), answers=("a", 2)), "O"),
     (EScore(values=(1, 2.5)), "f")],
)  # fmt: skip
def test_predict_gives_an_array(judge, kind, make):
    features = make() if len(getattr(judge, "values", range(5))) == 5 else make(labels=np.full(24, 2))
    if judge.learns:
        judge.fit(features, RATINGS if isinstance(judge, RidgeProbe) else ANSWERS)
    found = judge.predict(features)
    assert isinstance(found, np.ndarray)
    assert (found.dtype.kind, found.shape) == (kind, (24,))
    assert found.tolist() == [v.label for v in judge.verdicts(features)]
