"""Pools on the worked examples of their papers and beside a loop; the probe beside torch, and what it cannot see."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from innerjudge.extraction import Features, Ragged
from innerjudge.models import InnerjudgeError
from innerjudge.probes import PooledProbe, Task, calibrate, pooled_fit
from innerjudge.probes.pooled_fit import Head, LabelledStates, _loss, pool
from scipy.special import expit, logit, softmax

LN2, LN3 = np.log(2), np.log(3)


def pooled(columns, how, window=10):
    out = torch.tensor(np.array(columns, dtype=np.float64).T)
    return pool(out, torch.tensor([len(out)]), how, window).item()


def test_swift():
    # Gates .5, .75, .25 on rewards 1, 2, -1: (.5 + 1.5 - .25) / 1.5 = 1.75 / 1.5.
    assert pooled([[1, 2, -1], [0, LN3, -LN3]], "gated") == pytest.approx(1.166667, abs=1e-6)


def test_step():
    # sigmoid(2), sigmoid(0), sigmoid(-1) = .880797, .5, .268941: mean .549913.
    assert expit(pooled([[2, 0, -1]], "probability")) == pytest.approx(0.549913, abs=1e-6)


def test_reprobe():
    # Step logits of wrong (-2, .5, -1): the least probability of right is 1 - sigmoid(.5) = .377541.
    assert expit(pooled([[2, -0.5, 1]], "min")) == pytest.approx(0.377541, abs=1e-6)
    # Labels wrong (0, 1, 0), wrong ones weigh 3: (.126928 + 3 * .474077 + .313262) / 3 = .620807.
    assert 3 * loss_of([[2], [-0.5], [1]], [True, False, True], weigh=1 / 3) == pytest.approx(0.620807, abs=1e-6)


def test_token_probe():
    # Logits of a fault (-1, 2, 0), the second token is one and weighs 10: (.313262 + 10 * .126928 + .693147) / 3.
    one, fault = [[1, 0], [-2]], [True, False]
    assert 10 * loss_of(one, fault, weigh=0.1, each="both", progress=0.0) == pytest.approx(0.758563, abs=1e-6)
    # The span of the second alone: softplus(-2) = .126928; a quarter of the way .75 * .758563 + .25 * .126928 of it.
    assert loss_of([[-2]], [False], each="both") == pytest.approx(0.126928, abs=1e-6)
    # One item whose second token is a span that is wrong; all weights as published: a quarter of the way .600654.
    parts = [
        loss_of([[1, -2, 0]], [False], told=[1, 0, 1], span=[-1, 7, -1], each="both", how="min", progress=at)
        for at in (0, 0.25, 1)
    ]
    assert parts == pytest.approx([0.758563, 0.600654, 0.126928], abs=1e-6)
    # A span has its least token, here -2 of (1, -2); two are averaged: (.126928 + softplus(-3) = .048587) / 2.
    two = {"told": [0, 0, 1, 1], "span": [4, 4, 5, -1], "each": "both", "how": "min"}
    assert loss_of([[1, -2, 3, 0]], [False], **two) == pytest.approx(0.0877575, abs=1e-6)
    # Without a span the tokens alone count, and at the end, where they do not, nothing does.
    none = {"told": [1, 0, 1], "span": [-1, -1, -1], "each": "both"}
    assert loss_of([[1, -2, 0]], [False], progress=0.25, **none) == pytest.approx(0.75 * 0.377779, abs=1e-6)
    assert loss_of([[1, -2, 0]], [False], **none) is None


def test_lynx_exits_by_a_promise():
    # Nine wrong events, split conformal: of a level .1 the 9th (.8) may not pass, of .2 the 8th (.6); .05 takes 19.
    wrong, right = [0.05, 0.1, 0.1, 0.2, 0.3, 0.3, 0.4, 0.6, 0.8], [0.95, 0.9, 0.9, 0.8, 0.7, 0.6, 0.6, 0.5, 0.3]
    labels, groups = [False] * 9 + [True] * 9, [f"q{k}" for k in range(18)]
    for level, border in ((0.1, 0.8), (0.2, 0.6), (0.05, np.inf)):
        how = {"risk": "passed bad answers", "level": level, "confidence": None}
        assert calibrate(wrong + right, labels, groups, **how).threshold == np.nextafter(border, np.inf)


def test_brier():
    # Logits (0, 2, -1), labels (1, 1, 0): ((.5 - 1)^2 + (.880797 - 1)^2 + .268941^2) / 3 = .112180.
    assert loss_of([[0], [2], [-1]], [True, True, False], loss="brier") == pytest.approx(0.112180, abs=1e-6)


def test_losses_within_a_question():
    # P = (1, .2), N = (0, -.5): softplus of -1, -1.5, -.2, -.7 are .313262, .201413, .598139, .403186: mean .379.
    scores, right = [[1], [0.2], [0], [-0.5], [9]], [True, True, False, False, True]  # the last is another question
    groups = ["q"] * 4 + ["r"]
    assert loss_of(scores, right, groups, loss="pairwise") == pytest.approx(0.379, abs=1e-6)
    # ln(e^1 + e^.2 + e^0 + e^-.5) = ln 5.546216 = 1.713116, less the mean of 1 and .2.
    assert loss_of(scores, right, groups, loss="listwise") == pytest.approx(1.113116, abs=1e-6)
    assert loss_of([[1], [2]], [True, True], ["q", "q"], loss="listwise") is None


def loss_of(states, right, groups=None, *, weigh=1.0, progress=1.0, told=None, span=None, weight=None, **how):
    """The loss of items whose states are their own logits."""
    held = Ragged.of([np.array(one)[:, None] for one in states])
    told, span, weight = (None if one is None else np.array(one) for one in (told, span, weight))
    groups = tuple(groups or map(str, range(len(states))))
    items = LabelledStates(held, groups, np.array(right), told, weight=weight, span=span)
    head, recipe = Head((), 1, how.get("how", "mean"), 1), PooledProbe(**how)
    found = _loss(head, torch.tensor([1.0, 0.0]), items, np.arange(len(states)), recipe, weigh, progress)
    return None if found is None else found.item()


@pytest.mark.parametrize("loss", ["bce", "brier"])
def test_soft_labels_and_weights_are_items_written_again(loss):
    """An item of probability p is a right one of weight p and a wrong one of weight 1 - p; the naive sums, in numpy."""
    rng = np.random.default_rng(0)
    z, p, w = rng.normal(size=6), rng.random(6), rng.random(6) * 3
    terms = (np.logaddexp(0, -z), np.logaddexp(0, z)) if loss == "bce" else ((1 - expit(z)) ** 2, expit(z) ** 2)
    for c in (1, 0.3):  # how much right ones weigh
        want = (w * (c * p * terms[0] + (1 - p) * terms[1])).mean() / w.mean()
        found = loss_of(z[:, None], p, weight=w, weigh=c, loss=loss)
        assert found == pytest.approx(want, rel=1e-5)
        # Of states, here each item's only one:
        assert loss_of(z[:, None], p, weight=w, weigh=c, loss=loss, each="state") == pytest.approx(want, rel=1e-5)
    # By hand, logit 0 with p .25: ln 2, whatever p; (.5 - .25)^2 = .0625, and p (1 - p) = .1875, which nothing moves.
    assert loss_of([[0]], [0.25], loss=loss) == pytest.approx(LN2 if loss == "bce" else 0.0625 + 0.1875, abs=1e-6)


@pytest.mark.parametrize("loss", ["pairwise", "listwise"])
def test_weights_within_a_question_are_items_written_again(loss):
    z, right, w = [[1], [0.2], [0], [-0.5]], [True, True, False, False], [2, 1, 1, 3]
    again = np.repeat(np.arange(4), w)
    found = loss_of(z, right, ["q"] * 4, weight=w, loss=loss)
    written = loss_of([z[k] for k in again], np.array(right)[again], ["q"] * 7, loss=loss)
    # Weights have the mean 1, and not 7 / 4: in a sum of exponentials that is a constant, ln(7 / 4).
    assert found == pytest.approx(written - (np.log(7 / 4) if loss == "listwise" else 0), rel=1e-5)


def test_soft_labels_are_not_for_pairs():
    features, right = traces(20)
    for loss in ("pairwise", "listwise"):
        with pytest.raises(InnerjudgeError, match=f"loss='{loss}', which compares right answers with wrong ones"):
            PooledProbe(loss=loss).fit(features, np.where(right, 0.9, 0.1))


def test_an_item_of_weight_0_is_as_if_it_were_not_there():
    features, right = traces(40)
    weight = np.random.default_rng(1).integers(0, 3, 40)
    some = weight > 0
    soft = np.where(right, 0.8, 0.1)
    whole = PooledProbe(epochs=3).fit(features, soft, weight)
    part = PooledProbe(epochs=3).fit(features.take(np.flatnonzero(some)), soft[some], weight[some])
    assert np.array_equal(whole.weights_, part.weights_)
    # Standardised by weighted states: items written again have the same mean and scale.
    again = np.repeat(np.arange(40), weight)
    twice = LabelledStates(features.ragged["hidden/response.none[-1]"].take(again), ("q",) * len(again), right[again])
    kept = np.flatnonzero(some)
    once = LabelledStates(
        features.ragged["hidden/response.none[-1]"].take(kept), ("q",) * len(kept), right[kept], weight=weight[kept]
    )
    for items in (twice, once):
        items.standardise(np.ones(len(items.right), bool))
    assert np.allclose(twice.mean, once.mean)
    assert np.allclose(twice.scale, once.scale)


def test_soft_labels_teach_what_hard_ones_do():
    features, right = traces()
    noisy = np.where(right, 0.8, 0.3)
    probe = PooledProbe(how="min", learning_rate=0.05, epochs=60, patience=20).fit(features, noisy)
    unseen, truth = traces(seed=1)
    scores = probe.decision_function(unseen)
    assert np.mean(scores[truth][:, None] > scores[~truth]) > 0.85
    items = LabelledStates(features.ragged["hidden/response.none[-1]"], features.groups, noisy)
    learned, held_out = items.split(0)
    assert held_out.any()
    assert not {*np.array(features.groups)[learned]} & {*np.array(features.groups)[held_out]}


def test_labels_of_spans_need_their_places():
    features, right = traces(12)
    probe, labels = PooledProbe(each="both", epochs=1), [{"spans": (bool(good),)} for good in right]
    with pytest.raises(InnerjudgeError, match="features without places of spans, expected both: extract with --read"):
        probe.fit(features, labels)
    placed = replace(features, texts={"spans": ("[[0, 1]]",) * 11 + ("",)})
    assert probe.fit(placed, labels).n_excluded_ == 1
    said = [{"spans": one["spans"], "correct": one["spans"][0]} for one in labels[:11]]
    assert np.array_equal(probe.weights_, PooledProbe(each="both", epochs=1).fit(placed.take(range(11)), said).weights_)
    with pytest.raises(InnerjudgeError, match=r"none can be read .*'one of its spans has no token of the response, or"):
        probe.fit(replace(features, texts={"spans": ("",) * 12}), labels)
    with pytest.raises(InnerjudgeError, match="given 0 labels for 1 spans"):
        probe.fit(placed, [{"steps": (True,)} for _ in labels])
    soft = [0.25, *labels[1:11], 0.75]  # of the whole item, beside labels of spans
    assert probe.fit(placed, np.array(soft, dtype=object)).n_excluded_ == 0


def weights_of_right(right, **how):
    """What the loss weighs right items by, at each of its calls in a fit."""
    rows = np.random.default_rng(0).normal(size=(len(right), 1, 1, 2))
    f = Features.from_arrays({"hidden/response.none[-1]": Ragged.of(rows)}, provenance="m")
    seen = []
    real = pooled_fit._loss
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pooled_fit, "_loss", lambda *a: (seen.append(a[5]), real(*a))[1])
        PooledProbe(epochs=1, **how).fit(f, right)
    return seen


def test_wrong_ones_weigh_three_times():
    # ReProbe's pos_weight 3 of wrong steps: right ones weigh a third; with balance (2 right, 1 wrong) half of that.
    seen = [w for b in (False, True) for w in weights_of_right([True, True, False], balance=b, wrong_weight=3.0)]
    assert sorted({*seen}) == pytest.approx([1 / 6, 1 / 3])
    with pytest.raises(InnerjudgeError, match="wrong_weight=0"):
        PooledProbe(wrong_weight=0.0)


def test_the_best_row_is_found_on_questions_held_out():
    features, right = traces(80, width=4)
    held = features.ragged["hidden/response.none[-1]"]
    rng = np.random.default_rng(5)
    three = np.stack(
        [rng.normal(size=(held.shape[0], 4)), held.values[:, 0], rng.normal(size=(held.shape[0], 4))], axis=1
    )
    name, how = "hidden/response.none", {"how": "min", "learning_rate": 0.05}
    f = Features.from_arrays({name: Ragged(three, held.offsets)}, provenance="m", groups=features.groups)
    probe = PooledProbe(rows="best", **how).fit(f, right)
    assert (probe.needs, probe.row_) == ((name,), 1)
    alone = PooledProbe(**how).fit(features, right)
    assert np.array_equal(probe.weights_, alone.weights_)
    assert np.array_equal(probe.decision_function(f), alone.decision_function(features))
    with pytest.raises(InnerjudgeError, match="given row=1 of 1 rows"):
        probe.decision_function(Features.from_arrays({name: held}, provenance=f.provenance, groups=f.groups))
    with pytest.raises(InnerjudgeError, match="no held-out items to choose a row by"):
        PooledProbe(rows="best").fit(f.take(range(4)), right[:4])


def test_chunk_probe_weighs_right_ones():
    # Three right and one wrong chunk, alpha .9: .9 * 1 / 3 = .3.
    assert weights_of_right([True, True, True, False], balance=0.9)[0] == pytest.approx(0.3)


def test_multimax_attention_and_rolling():
    v = [[0.1, 0.9, 0.2], [-0.3, -0.1, 0.4]]
    assert pooled(v, "max") == pytest.approx(0.65)  # (.9 + .4) / 2
    assert pooled(v, "min") == pytest.approx(-0.1)  # (.1 - .3) / 2
    assert pooled(v, "last") == pytest.approx(0.3)  # (.2 + .4) / 2
    # Weights (1, 2, 1) / 4 and (1, 1, 2) / 4: (.1 + 1.8 + .2) / 4 = .525 and (-.3 - .1 + .8) / 4 = .1.
    assert pooled([*v, [0, LN2, 0], [0, 0, LN2]], "attention") == pytest.approx(0.3125)
    # In windows of two, attention: (.1 + 1.8) / 3, (1.8 + .2) / 3 and (-.3 - .1) / 2, (-.1 + .8) / 3; of faults the
    # greatest, .666667 and .233333, mean .45: of minus the faults the least, minus .45.
    faults = [[-x for x in row] for row in v]
    assert pooled([*faults, [0, LN2, 0], [0, 0, LN2]], "rolling", 2) == pytest.approx(-0.45)
    # Of faults (0, 1, 1, 0): 0, .5, .75, .375, the greatest .75. One state: half of it.
    assert pooled([[0, -1, -1, 0]], "ema") == pytest.approx(-0.75)
    assert pooled([[4]], "ema") == pytest.approx(2)
    assert pooled([[1, 2, 4]], "tail", 2) == pytest.approx(3)
    # sigma .9, .5, .8: (.36) ** (1 / 3) = .711379, and the product .36.
    steps = [[logit(p) for p in (0.9, 0.5, 0.8)]]
    assert expit(pooled(steps, "geometric")) == pytest.approx(0.711379, abs=1e-6)
    assert expit(pooled(steps, "product")) == pytest.approx(0.36)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_products_of_sure_states_keep_their_order(kind):
    # Of p = 1 - e, e tiny: ln(p q / (1 - p q)) = -ln(e + f), and of the geometric mean -ln((e + f) / 2). One state has
    # its own log-odds; of 800 twice, e + f = 2 exp(-800), so that ln 2 is lost, and nothing of the mean.
    out, counts = torch.tensor([[120], [200], [800], [800]], dtype=kind, requires_grad=True), torch.tensor([1, 1, 2])
    assert pool(out, counts, "product").tolist() == pytest.approx([120, 200, 800 - LN2])
    assert pool(out, counts, "geometric").tolist() == pytest.approx([120, 200, 800])
    (slope,) = torch.autograd.grad(pool(out, counts, "product").sum(), out)
    assert slope.ravel().tolist() == pytest.approx([1, 1, 0.5, 0.5])


def naive(values, more, how, window):
    """One head of one item, as the docstring says it."""
    if how == "gated":
        return (expit(more) * values).sum() / expit(more).sum()
    if how == "attention":
        return softmax(more) @ values
    if how == "probability":
        return logit(expit(values).mean())
    if how == "product":
        return logit(expit(values).prod())
    if how == "geometric":
        return logit(expit(values).prod() ** (1 / len(values)))
    if how == "tail":
        return values[-window:].mean()
    if how == "ema":
        e = [0.0]
        for value in values:
            e.append(0.5 * value + 0.5 * e[-1])
        return min(e[1:])
    if how == "rolling":
        width = min(window, len(values))
        places = (slice(k, k + width) for k in range(len(values) - width + 1))
        return min(softmax(more[at]) @ values[at] for at in places)
    return {"mean": values.mean(), "min": values.min(), "max": values.max(), "last": values[-1]}[how]


@settings(deadline=None, max_examples=60)
@given(
    counts=st.lists(st.integers(1, 9) | st.just(70), min_size=1, max_size=6),
    how=st.sampled_from(get_args(pooled_fit.Pool)),
    heads=st.integers(1, 3),
    window=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_pools_are_those_of_a_loop(counts, how, heads, window, seed):
    columns = heads * (2 if how in pooled_fit.WEIGHED else 1)
    out = np.random.default_rng(seed).normal(size=(sum(counts), columns))
    parts = np.split(out, np.cumsum(counts)[:-1])
    more = [part[:, heads:] if columns > heads else part for part in parts]
    want = [
        np.mean([naive(p[:, h], m[:, h], how, window) for h in range(heads)]) for p, m in zip(parts, more, strict=True)
    ]
    assert np.allclose(pool(torch.tensor(out), torch.tensor(counts), how, window), want)


def test_a_fully_connected_head_is_that_of_torch():
    head = Head((5, 3), 2, "mean", 1)
    layers = [torch.nn.Linear(4, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)]
    flat = [part for one in layers[::2] for part in (one.weight.T.reshape(-1), one.bias)]
    x = torch.randn(7, 4, generator=torch.Generator().manual_seed(0))
    counts = torch.ones(7, dtype=int)
    assert torch.allclose(head.outputs(torch.cat(flat), x, counts), torch.nn.Sequential(*layers)(x), atol=1e-6)


def test_sizes_of_published_heads():
    # SAPLMA on 4,096 numbers: 4096*256+256 + 256*128+128 + 128*64+64 + 64+1 = 1,090,049.
    # STEP: 4096*512+512 + 513 = 2,098,177.
    for widths, weights in (((256, 128, 64), 1_090_049), ((512,), 2_098_177)):
        assert PooledProbe(widths=widths).sizes({"width": 4096})["weights"] == weights
    # SWIFT: 2F + 2 for F = 33 rows of 4,096.
    assert PooledProbe(rows=range(33), how="gated").sizes({"width": 4096})["weights"] == 270_338


def traces(n=60, *, seed=0, tokens=12, width=6, noise=0.3):
    """Items of several tokens, of which one says that the item is wrong; four to a question."""
    rng = np.random.default_rng(seed)
    right = rng.random(n) < 0.5
    rows = []
    for good in right:
        x = rng.normal(size=(rng.integers(3, tokens), 1, width)) * noise
        x[rng.integers(len(x)), 0, 0] += 0 if good else -3
        rows.append(x)
    features = Features.from_arrays(
        {"hidden/response.none[-1]": Ragged.of(rows)}, provenance="m", groups=[f"q{k // 4}" for k in range(n)]
    )
    return features, right


@pytest.mark.parametrize("loss", ["bce", "brier", "pairwise", "listwise"])
@pytest.mark.parametrize("how", ["min", "mean", "gated", "attention", "rolling", "geometric", "ema"])
def test_one_bad_token_is_found(how, loss):
    probe = PooledProbe(how=how, window=2, loss=loss, learning_rate=0.05, epochs=60, patience=20)
    probe.fit(*traces())
    unseen, right = traces(seed=1)
    scores = probe.decision_function(unseen)
    assert np.mean(scores[right][:, None] > scores[~right]) > 0.85


def test_the_same_seed_gives_the_same_probe_and_another_another():
    features, right = traces()
    first, again, other = (PooledProbe(seed=s, epochs=2).fit(features, right).weights_ for s in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_what_was_held_out_is_not_learned_from():
    """Labels of the held-out questions move when training stops, and nothing else: one epoch gives the same weights."""
    features, right = traces()
    probe = PooledProbe(epochs=1).fit(features, right)
    _, held_out = LabelledStates(features.ragged["hidden/response.none[-1]"], features.groups, right).split(0)
    turned = np.where(held_out, ~right, right)
    assert np.array_equal(PooledProbe(epochs=1).fit(features, turned).weights_, probe.weights_)


def test_a_question_is_on_one_side():
    groups = np.repeat(np.arange(20), 4)
    items = LabelledStates(Ragged.of(np.zeros((80, 1, 1))), tuple(map(str, groups)), np.arange(80) % 2 == 0)
    learned, held_out = items.split(3)
    assert not set(groups[learned]) & set(groups[held_out])
    assert held_out.sum() == 16  # a fifth of 20 questions, four items each
    batches = list(items.batches(np.flatnonzero(learned), 10, torch.Generator().manual_seed(0)))
    assert [len(one) for one in batches] == [12, 12, 12, 12, 12, 4]  # whole questions: at least 10
    assert sorted(np.concatenate(batches).tolist()) == np.flatnonzero(learned).tolist()


@pytest.mark.parametrize(
    "wrong",
    [{"how": "sum"}, {"loss": "hinge"}, {"heads": 0}, {"widths": (0,)}, {"learning_rate": 0.0}, {"role": "stp(x)"},
     {"each": "state", "loss": "pairwise"}, {"each": "both", "loss": "listwise"}, {"each": "state", "how": "gated"},
     {"balance": -1.0}, {"rows": (1, 1)}],
)  # fmt: skip
def test_parameters_are_checked(wrong):
    with pytest.raises(InnerjudgeError, match="expected"):
        PooledProbe(**wrong)


def test_pairs_need_a_question_with_both():
    name = "hidden/response.none[-1]"
    alone = Features.from_arrays({name: traces(8)[0].ragged[name]}, provenance="m")
    with pytest.raises(InnerjudgeError, match="both right and wrong"):
        PooledProbe(loss="pairwise").fit(alone, np.arange(8) % 2 == 0)


def test_step_reads_where_the_other_judges_read():
    for between, role in ((("reasoning_start", "reasoning_end"), "reasoning/step_end"), (("a", "b"), "step_end")):
        assert PooledProbe.presets(Task("trace", between))["step"].role == role


def test_published_defaults():
    """HSRM reads before ends of lines; SAPLMA's Adam decays no weight; ReProbe's wrong steps weigh three times."""
    made = PooledProbe.presets(Task("trace", ("reasoning_start", "reasoning_end")))
    assert made["hsrm"].needs == ("hidden/reasoning/before_step(line).none[-1]",)
    assert (made["saplma"].weight_decay, made["saplma"].learning_rate) == (0.0, 1e-3)
    for name in ("reprobe", "reprobe-attention"):
        assert (made[name].wrong_weight, made[name].balance) == (3.0, False)
    assert (made["rolling-probe"].how, made["rolling-probe"].window) == ("rolling", 10)
    assert made["token-probe"].label_fields == ("span_labels", "sample_weight")


def test_pairs_are_on_both_sides_or_no_side_is_held_out():
    """One question with both, which a seed holds out: then there would be nothing to learn from."""
    right = np.r_[True, False, np.repeat([True, False] * 5, 2)[:18], True, True]
    groups = tuple(str(k // 2) for k in range(len(right)))
    items = LabelledStates(Ragged.of(np.zeros((len(right), 1, 1))), groups, right)
    assert items.mixed()
    for seed in range(8):
        learned, held_out = items.split(seed, mixed=True)
        assert learned.all()
        assert not held_out.any()


def test_rows_are_shares_of_the_depth():
    x = np.random.default_rng(0).normal(size=(8, 30, 3))  # 28 blocks: LYNX reads 9, 16 and the last, normed
    name, y = "hidden/response_end.none", np.arange(8) % 2 == 0
    f = Features.from_arrays({name: Ragged.of(x[:, None])}, provenance="m")
    cut = Features.from_arrays({f"{name}[9,16,-1]": Ragged.of(x[:, None, [9, 16, -1]])}, provenance="m")
    shares = PooledProbe(role="response_end", rows=[0.33, 0.57, -1], epochs=3)
    assert shares.needs == (name,)
    other = PooledProbe(role="response_end", rows=[9, 16, -1], epochs=3).fit(cut, y)
    assert np.array_equal(shares.fit(f, y).weights_, other.weights_)


def test_an_item_without_states_is_unscored():
    name = "hidden/response.none[-1]"
    features, right = traces()
    probe = PooledProbe(epochs=1).fit(features, right)
    none = Features.from_arrays({name: Ragged.of([np.ones((1, 1, 6)), np.ones((0, 1, 6))], (1, 6))}, provenance="m")
    said = probe.verdicts(none)
    assert said[0].unscored is None
    assert said[1].unscored == "no response"


def test_rows_of_another_width_than_at_the_fit_are_refused():
    name, y = "qk/step_end.after[prompt]", [k % 2 == 0 for k in range(20)]
    f, wide = (
        Features.from_arrays({name: Ragged.of(np.ones((20, 2, 1, 1, n)), (1, 1, n))}, provenance="m") for n in (3, 4)
    )
    probe = PooledProbe(role="step_end", rows=None, readouts=[name], epochs=1).fit(f, y)
    with pytest.raises(InnerjudgeError, match="rows of 4 numbers to score, expected 3"):
        probe.decision_function(wide)


def test_sure_states_keep_their_order():
    # The mean probability of one state is its own, however sure: 20 and 30 are 20 and 30.
    assert pooled([[20.0]], "probability") == pytest.approx(20)
    assert pooled([[30.0]], "probability") == pytest.approx(30)
    assert pooled([[200.0]], "probability") == pytest.approx(200)


def test_batches_count_states_where_states_are_held_to_the_label():
    items = LabelledStates(Ragged.of(np.zeros((20, 3, 1))), tuple(map(str, range(20))), np.arange(20) > 9)
    sizes = [len(b) for b in items.batches(np.arange(20), 12, torch.Generator(), states=True)]
    assert sizes == [4, 4, 4, 4, 4]  # four items of three states each are twelve


def test_a_loss_that_is_no_number_is_refused():
    with pytest.raises(InnerjudgeError, match="expected a lower one"):
        PooledProbe(learning_rate=9e5, widths=(100, 100), epochs=9, weight_decay=9e5).fit(*traces())
    with pytest.raises(InnerjudgeError, match="a rate above 0"):
        PooledProbe(learning_rate=float("nan"))


@pytest.mark.parametrize("how", get_args(pooled_fit.Pool))
@pytest.mark.parametrize("layers", [0, 1])
def test_it_learns_on_the_device_of_the_weights(how, layers):
    """Where torch makes tensors on another device unless told, here one that holds no numbers: none is made there."""
    features, right = traces(20)
    held, groups = features.ragged["hidden/response.none[-1]"], features.groups
    probe = PooledProbe(how=how, layers=layers, widths=[4] * layers, each="item", dropout=0.0, window=2)
    with torch.random.fork_rng():
        weights = probe._head.start(6, torch.Generator().manual_seed(0)).requires_grad_()
    found = []
    for default in ("cpu", "meta"):
        with torch.device(default):
            items = LabelledStates(held, groups, right)
            (batch, *_) = items.batches(np.arange(20), 16, torch.Generator("cpu").manual_seed(0))
            found.append(_loss(probe._head, weights, items, batch, probe, 1.0))
    assert found[1].device == weights.device
    assert found[0].item() == found[1].item()
    assert probe._head.start(6, torch.Generator("cpu")).device.type == "cpu"


def test_a_device_that_there_is_not_is_refused():
    with pytest.raises(InnerjudgeError, match="device='cuda:99', expected one of this machine's"):
        PooledProbe(device="cuda:99").fit(*traces(8))
