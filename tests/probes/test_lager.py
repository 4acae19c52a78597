import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from innerjudge.extraction import Features, Provenance
from innerjudge.models import InnerjudgeError
from innerjudge.probes import LAGER, EScore, LetterLogits, TunedLAGER, VScore

LOG = np.log


def items(logits, m=None):
    logits = np.asarray(logits, dtype=np.float32)
    n = len(logits)
    return Features(
        ids=tuple(map(str, range(n))),
        groups=tuple(map(str, range(n))),
        provenance=Provenance("m", None, "f", "", "", ""),
        arrays={"logits/score": logits, "labels": np.full(n, m or logits.shape[-1], np.float32)},
    )


def naive(logits, values, rows, aggregate="logits"):
    """The definition, item by item and label by label; ``rows`` are (axis 1, entry) pairs."""
    out = []
    for z in np.asarray(logits, dtype=float):
        entries = [z[a, e] for a, e in rows]
        softmax = lambda v: np.exp(v - max(v)) / np.exp(v - max(v)).sum()  # noqa: E731
        if aggregate == "logits":
            p = softmax(sum(entries) / len(entries))
        else:
            p = sum(softmax(e) for e in entries) / len(entries)
        if aggregate == "probabilities_twice":
            p = softmax(p)
        out.append(sum(v * q for v, q in zip(values, p, strict=True)))
    return out


def test_expectation_by_hand():
    # One block, labels worth 1 and 2. Raw h[0]: (0, log 4); normed h[1]: (0, log 9); the others are decoys.
    # Mean logit of label 2: log 36 / 2 = log 6: P = (1/7, 6/7), score 1/7 + 12/7 = 13/7.
    z = [[[[0, LOG(4)], [50, 0]], [[50, 0], [0, LOG(9)]]]]
    one = {"values": (1, 2)}
    np.testing.assert_allclose(LAGER(**one).decision_function(items(z)), [13 / 7], rtol=1e-6)
    # Probabilities: (1/5, 4/5) and (1/10, 9/10): mean 0.85 for label 2; twice: 1/(1 + exp(0.15 - 0.85)).
    np.testing.assert_allclose(LAGER(**one, aggregate="probabilities").decision_function(items(z)), [1.85], rtol=1e-6)
    twice = LAGER(**one, aggregate="probabilities_twice").decision_function(items(z))
    np.testing.assert_allclose(twice, [1 + 1 / (1 + np.exp(-0.7))], rtol=1e-6)
    np.testing.assert_allclose(EScore(**one).decision_function(items(z)), [1.9], rtol=1e-6)
    np.testing.assert_allclose(LAGER(**one, entries="drop_last").decision_function(items(z)), [1.8], rtol=1e-6)
    assert VScore(**one).decision_function(items(z)) == [2.0]
    assert LAGER(**one, readout="argmax").predict(items(z)).tolist() == [2]


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({}, [(0, 0), (0, 1), (0, 2), (1, 3)]),  # L = 3: raw h[0..2] and the normed last
        ({"norm": True}, [(1, 0), (1, 1), (1, 2), (1, 3)]),
        ({"entries": "drop_last"}, [(0, 0), (0, 1), (0, 2)]),
        ({"entries": "drop_last", "norm": True}, [(1, 0), (1, 1), (1, 2)]),
        ({"entries": "last"}, [(1, 3)]),
        ({"entries": "last", "norm": True}, [(1, 3)]),
    ],
)
@pytest.mark.parametrize("aggregate", ["logits", "probabilities", "probabilities_twice"])
def test_entries(options, rows, aggregate, make):
    features = make()
    found = LAGER(**options, aggregate=aggregate).decision_function(features)
    np.testing.assert_allclose(found, naive(features["logits/score"], range(1, 6), rows, aggregate), rtol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 300))
def test_scores_stay_on_the_scale_and_shifts_do_not_matter(seed, size):
    z = np.random.default_rng(seed).normal(size=(5, 2, 4, 5)).astype(np.float32) * np.float32(size)
    scores = LAGER().decision_function(items(z))
    assert (scores >= 1).all()
    assert (scores <= 5).all()
    shifted = LAGER().decision_function(items(z + np.float32(8)))
    np.testing.assert_allclose(scores, shifted, atol=1e-3 * size)


def test_the_last_k_entries():
    z = np.random.default_rng(0).normal(size=(6, 2, 4, 5))
    every = LAGER().decision_function(items(z))
    np.testing.assert_array_equal(LAGER(entries=4).decision_function(items(z)), every)
    np.testing.assert_array_equal(LAGER(entries=1).decision_function(items(z)), EScore().decision_function(items(z)))
    by_hand = softmax_rows((z[:, 0, 2].astype(np.float32) + z[:, 1, 3].astype(np.float32)) / 2) @ np.arange(1, 6)
    np.testing.assert_allclose(LAGER(entries=2).decision_function(items(z)), by_hand, rtol=1e-5)
    assert len(TunedLAGER(entries=2).fit(items(z), np.arange(6) % 5 + 1).weights_) == 2
    with pytest.raises(InnerjudgeError, match="entries=5, expected 1 to 4"):
        LAGER(entries=5).decision_function(items(z))
    for wrong in (0, -1, True, 1.5):
        with pytest.raises(
            InnerjudgeError, match=r"entries=.*expected 'all'(, 'drop_last', 'last', or at least 1$| or)"
        ):
            LAGER(entries=wrong)


def softmax_rows(z):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def test_constant_logits_give_the_middle_and_ties_the_first():
    flat = items(np.zeros((1, 2, 3, 5)))
    np.testing.assert_allclose(LAGER().decision_function(flat), [3.0])
    assert LAGER(readout="argmax").decision_function(flat) == [1.0]
    assert LAGER(values=(0, 1)).predict(items(np.zeros((1, 2, 3, 2)))).tolist() == [False]  # 0.5: the first of a tie


def test_yes_no_and_pairs():
    z = np.zeros((2, 2, 2, 2))
    z[0, 1, 1, 1], z[1, 1, 1, 0] = LOG(3), LOG(3)
    verdict = EScore(values=(0, 1))
    np.testing.assert_allclose(verdict.decision_function(items(z)), [0.75, 0.25], rtol=1e-6)
    assert verdict.predict(items(z)).tolist() == [True, False]
    assert all(isinstance(label, bool) for label in verdict.predict(items(z)).tolist())
    pair = EScore(values=(1, 0), answers=("a", "b"))
    np.testing.assert_allclose(pair.decision_function(items(z)), [0.25, 0.75], rtol=1e-6)
    assert pair.predict(items(z)).tolist() == ["b", "a"]


def test_a_label_is_the_nearest_value():
    z = np.zeros((1, 2, 2, 5))
    z[0, 1, 1, 3] = LOG(6)  # P(4) = 0.6, others 0.1: 0.1 * (1 + 2 + 3 + 5) + 2.4 = 3.5: half-way, the lower
    assert EScore().decision_function(items(z)) == pytest.approx([3.5])
    assert VScore().predict(items(z)).tolist() == [4]


def test_another_number_of_labels_is_refused_and_padding_ignored():
    z = np.zeros((1, 2, 2, 7))
    z[..., 5:] = 99
    assert EScore().decision_function(items(z, m=5)) == pytest.approx([3.0])
    with pytest.raises(InnerjudgeError, match="given 0 with 7 verdict labels, expected 5"):
        EScore().decision_function(items(z))


# Tuning.


def planted(n=200, seed=0):
    """Entry 1 of 4 knows the score, the others are noise."""
    rng = np.random.default_rng(seed)
    y = rng.integers(1, 6, size=n)
    z = rng.normal(size=(n, 2, 4, 5)) * 2
    z[:, 0, 1] = 4.0 * (np.arange(1, 6) == y[:, None])
    return items(z), y.astype(float)


@pytest.mark.parametrize("loss", ["code", "paper"])
@pytest.mark.parametrize("aggregate", ["logits", "probabilities", "probabilities_twice"])
def test_tuning_finds_the_entry_that_knows(loss, aggregate):
    features, y = planted()
    judge = TunedLAGER(loss=loss, aggregate=aggregate, epochs=10).fit(features, y)
    assert judge.weights_.argmax() == 1
    assert judge.weights_.sum() == pytest.approx(1.0, abs=1e-12)
    assert (judge.weights_ > 0).all()
    assert judge.losses_[-1] < judge.losses_[0]
    held, truth = planted(seed=1)
    tuned, untuned = judge.decision_function(held), LAGER(aggregate=aggregate).decision_function(held)
    assert np.corrcoef(tuned, truth)[0, 1] > np.corrcoef(untuned, truth)[0, 1]


def test_one_step_by_hand():
    # One batch and one Adam step from theta = 0: each theta moves by lr * sign(gradient), whatever the gradient's size.
    features, y = planted(4)
    judge = TunedLAGER(batch_size=4).fit(features, y)
    theta = np.log(judge.weights_)
    theta -= theta.max()  # the entry that gained most
    assert {round(float(t), 6) for t in theta} <= {0.0, -0.02}
    assert theta[1] == 0  # the entry that knows went up


def test_the_loss_is_the_published_one():
    # Uniform weights; alpha * CE + (1 - alpha) * error, averaged over the batch, in numpy.
    features, y = planted(4)
    y = y + np.array([0.4, -0.2, 0.0, 0.1]) * (y < 5) * (y > 1)
    z = np.concatenate([features["logits/score"][:, 0, :-1], features["logits/score"][:, 1, -1:]], axis=1).mean(axis=1)
    p = torch.softmax(torch.from_numpy(z.astype(float)), -1).numpy()
    ce = -np.log(p[np.arange(4), np.round(y).astype(int) - 1]).mean()
    gap = p @ np.arange(1, 6) - y
    code = TunedLAGER(batch_size=4).fit(features, y).losses_[0]
    assert code == pytest.approx(0.6224593 * ce + 0.3775407 * (gap**2).mean(), rel=1e-6)
    paper = TunedLAGER(batch_size=4, loss="paper", alpha=0.25).fit(features, y).losses_[0]
    assert paper == pytest.approx(0.25 * ce + 0.75 * np.abs(gap).mean(), rel=1e-6)


def test_tuning_is_the_same_each_time():
    features, y = planted()
    first, second = TunedLAGER().fit(features, y), TunedLAGER().fit(features, y)
    np.testing.assert_array_equal(first.weights_, second.weights_)
    assert not np.array_equal(first.weights_, TunedLAGER(seed=7).fit(features, y).weights_)


def test_tuning_on_one_entry_is_the_last_layer(make):
    features, y = planted()
    judge = TunedLAGER(entries="last").fit(features, y)
    np.testing.assert_array_equal(judge.weights_, [1.0])
    np.testing.assert_allclose(judge.decision_function(features), EScore().decision_function(features), rtol=1e-12)


def test_tuning_on_yes_and_no(make):
    z = np.random.default_rng(0).normal(size=(40, 2, 4, 2))
    y = np.arange(40) % 2 == 0
    z[:, 0, 2, 1] = np.where(y, 3, -3)
    judge = TunedLAGER(values=(0, 1), epochs=20).fit(items(z), y)
    assert judge.weights_.argmax() == 2


def test_scores_outside_of_the_scale_are_refused():
    features, y = planted(10)
    with pytest.raises(InnerjudgeError, match="expected them within values"):
        TunedLAGER().fit(features, y + 5)


# Letters.


def test_letters_are_the_models_own_logits(make):
    features = make(labels=np.array([5, 4, *[5] * 22]))
    scores = LetterLogits().decision_function(features)
    np.testing.assert_array_equal(scores[0], features["logits/score"][0, 1, -1])
    assert scores[1, 4] == -np.inf
    without = LetterLogits(abstain=False)
    assert (without.decision_function(features)[0, 3:] == -np.inf).all()
    assert set(without.predict(features)) <= {0, 1, 2}
    assert len(without.verdicts(features)[1].score) == 2
    few = make(labels=np.array([3, *[5] * 23]))
    assert without.verdicts(few)[0].unscored == "3 option lines, expected at least 2 and the 2 abstain lines"
