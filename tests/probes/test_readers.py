"""Lookback Lens and LLM-Check, on the worked examples."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from innerjudge.experiments.reading.judge_prompt import JudgePrompt
from innerjudge.experiments.reading.read import read
from innerjudge.extraction import AttentionSpans, Features, Lens, QueryKey, Ragged, extract
from innerjudge.extraction.batching import collate
from innerjudge.extraction.taps.residual import Reading
from innerjudge.extraction.taps.spans import SpanStates, SpanTap
from innerjudge.models import InnerjudgeError, Trace
from innerjudge.models.attention_calls import AttentionCall
from innerjudge.models.positions import Encoding, encode_prompt
from innerjudge.probes import LLMCheck, PooledProbe, QKVerification, ReadoutProbe, ReDeEP
from innerjudge.probes.description import Task

OWN = "attention/response.diagonal"


def test_lookback_of_one_row(reference):
    # Weights (.2, .2, .2) on the context and (.3, .1) on the answer: means .2 and .2, so .2 / .4; masses .6 and .4.
    item = Encoding(id="a", group="a", ids=(1, 2, 3, 4, 5), positions={"q": (4,), "context": (0, 1, 2), "new": (3, 4)})
    batch = collate([item], pad_id=0, side="right", device=torch.device("cpu"))
    readouts = [AttentionSpans("q", ("context", "new"), what) for what in ("ratio", "mass")]
    of = Reading(reference, [item], batch, {one.name: () for one in readouts}, 1)
    spans = {one.name: SpanStates(of, one, 0) for one in readouts}
    [heads] = reference.anatomy.heads[0]
    n = heads.n_heads
    states = torch.zeros(1, n, 5, heads.head_dim)
    weights = torch.tensor([0.2, 0.2, 0.2, 0.3, 0.1]).expand(1, n, 5, 5)
    tap = SpanTap(of, spans, 0)
    tap._block = 0
    beside = (weights @ tap._columns(weights.transpose(2, 3))).transpose(1, 2)
    tap._read(AttentionCall(None, states, states[:, : heads.n_kv_heads], None, None, weights, beside=beside), heads, 0)
    ratio, mass = (one.values(shape) for one, shape in zip(spans.values(), ((1, n), (1, n, 2)), strict=True))
    assert ratio == pytest.approx(np.full((1, 1, n), 0.5))
    assert mass[0, 0, 0] == pytest.approx([0.6, 0.4])


def near_of(reference, weights, what):
    """What each step of two keeps of such weights [T, T], the same in every head, in the first block."""
    item = Encoding(id="a", group="a", ids=tuple(range(1, 8)), positions={}, ranges={"step@-1": ((3, 6), (6, 7))})
    batch = collate([item], pad_id=0, side="right", device=torch.device("cpu"))
    one = AttentionSpans("step@-1", (), what)
    of = Reading(reference, [item], batch, {one.name: ()}, 1)
    [heads] = reference.anatomy.heads[0]
    spans, n = SpanStates(of, one, 0), heads.n_heads
    tap, states = SpanTap(of, {one.name: spans}, 0), torch.zeros(1, n, 7, heads.head_dim)
    tap._block, key = 0, states[:, : heads.n_kv_heads]
    tap._read(AttentionCall(None, states, key, None, None, weights.expand(1, n, 7, 7)), heads, 0)
    return spans.values((1, n, one.own)).values[:, 0, 0]


def test_reprobe_reads_the_last_five_keys_of_the_rows_that_wrote_a_step(reference):
    # A prompt of 4 tokens, a step of tokens 4..6: rows 3..5 (methods.md, section 3). Row t has 1 / (t + 1) on each key
    # so far: means over rows 3, 4, 5 are (1/4 + 1/5 + 1/6) / 3 = 37/180, and (0 + 1/5 + 1/6) / 3 = 11/90 for the key
    # four back, which row 3 has not. The next step is row 6: 1/7 each.
    weights = torch.ones(7, 7).tril() / torch.arange(1, 8)[:, None]
    expected = [[37 / 180] * 4 + [11 / 90], [1 / 7] * 5]
    assert near_of(reference, weights, "own(5)") == pytest.approx(np.array(expected))
    assert near_of(reference, weights, "own(1)") == pytest.approx(np.array([[37 / 180], [1 / 7]]))


def test_reprobe_attention(reference):
    probe = PooledProbe.presets(Task("trace"))["reprobe-attention"]
    own, likeliest = "attention/reasoning/step(line)@-1.own(5)", "tokens/reasoning/step(line).mean(probability(4))"
    assert probe.needs == (own, likeliest)
    said = [
        Trace(question_id=f"q{k}", candidate_id="a", prompt="1+1?", response=f"<think>{k}\nso {k}</think>{k}")
        for k in range(4)
    ] + [Trace(question_id="q4", candidate_id="a", prompt="1+1?", response="2")]
    features = read(reference, said, judges=[probe])
    a = reference.anatomy
    assert features.ragged[own].shape == (8, a.n_blocks, a.n_heads, 5)
    assert features.ragged[likeliest].shape == (8, 4)
    probe.fit(features, [True, False, True, False, True])
    assert probe.mean_.shape == (a.n_blocks * a.n_heads * 5 + 4,)
    assert [len(own) for own in probe.step_scores(features[:4])] == [2] * 4
    unscored = [one.unscored for one in probe.verdicts(features)]
    assert unscored[:4] == [None] * 4
    assert unscored[4] is not None
    other = replace(features, ragged={**features.ragged, likeliest: Ragged.of([[[0.0] * 4]] * 5)})  # one step each
    assert probe.verdicts(other)[0].unscored == f"not as many rows of each of {own}, {likeliest}"
    with pytest.raises(InnerjudgeError, match="expected names of readouts"):
        PooledProbe(readouts=["hidden/score"])


def test_probes_read_all_numbers_side_by_side():
    rng = np.random.default_rng(0)
    right = np.arange(40) % 2 == 0
    arrays = {name: rng.random((40, 3)) for name in ("hidden/response.logdet", OWN)}
    arrays[OWN][:, 2] = right  # the last of the second readout tells
    f = Features.from_arrays(arrays, provenance="m", groups=[f"q{k // 4}" for k in range(40)])
    probe = ReadoutProbe(readouts=list(arrays)).fit(f, right)
    assert probe.coef_.shape == (6,)
    assert np.abs(probe.coef_).argmax() == 5
    assert probe.predict(f).tolist() == right.tolist()
    for wrong in ({"readouts": ()}, {"readouts": ["hidden/step.mean"]}, {"readouts": ["hidden/score"]}, {"C": 0.0}):
        with pytest.raises(InnerjudgeError, match="given"):
            ReadoutProbe(**wrong)


def test_trilens_reads_three_entropies_of_every_block(reference):
    trilens = ReadoutProbe.presets(Task("trace"))["trilens"]
    assert trilens.needs == tuple(Lens(at=at).name for at in ("attention", "mlp", "residual"))
    said = [
        Trace(question_id=f"q{k}", candidate_id="a", prompt="1+1?", response=f"<think>{k}</think>{k}") for k in range(4)
    ]
    judge = trilens.fit(read(reference, said, judges=[trilens]), [True, False, True, False])
    assert judge.coef_.shape == (3 * reference.anatomy.n_blocks,)
    assert all(v.unscored is None for v in judge.verdicts(read(reference, said, judges=[judge])))


def test_llm_check():
    # Block 1: heads (.5, .25) and (.8, .1): (ln .5 + ln .25) / 2 + (ln .8 + ln .1) / 2 = -1.039721 - 1.262864
    first = np.log([[0.5, 0.25], [0.8, 0.1]]).mean(1)
    # Block 2 is better for the wrong one: the attention score has its direction from the paper, and is not turned.
    own = np.stack([[first, first - 5], [first - 1, first]])
    f = Features.from_arrays({OWN: own}, provenance="m", ids=["right", "wrong"])
    judge = LLMCheck().fit(f, [True, False])
    assert (judge.block_, judge.sign_, judge.last_block) == (1, 1, 1)
    assert judge.decision_function(f) == pytest.approx([-2.302585, -4.302585], abs=1e-6)
    assert judge.predict(f).tolist() == [True, False]
    assert LLMCheck(block=2).fit(f, [True, False]).sign_ == 1
    with pytest.raises(InnerjudgeError, match="block=3, expected one of the 2"):
        LLMCheck(block=3).fit(f, [True, False])


def test_the_hidden_score_finds_its_direction_and_leaves_out_what_is_no_block():
    # Rows h[0], h[1], h[2] and the final-normed one, of which h[1] and h[2] are blocks; h[2] parts the classes turned.
    rows = [[9, 1, 4, -9], [9, 2, 1, -9], [-9, 2, 3, 9], [-9, 1, 2, 9]]
    f = Features.from_arrays({"hidden/response.logdet": rows}, provenance="m", groups="pqrs")
    judge = LLMCheck(statistic="hidden").fit(f, [False, True, False, True])
    assert (judge.block_, judge.sign_) == (2, -1)
    assert judge.decision_function(f).tolist() == [-4, -1, -3, -2]
    early = replace(f, arrays={"hidden/response.logdet": f["hidden/response.logdet"][:, :3]})
    early = replace(early, provenance=replace(f.provenance, last_block=2))
    assert judge.decision_function(early).tolist() == [-4, -1, -3, -2]


def test_external_context_of_one_row(reference):
    # Weights (.5, .3, .2) on states (1, 0), (3, 1), (0, 5), of which two are kept: mean (2, .5); the query's state is
    # (1, 1): (2 + .5) / (sqrt(4.25) sqrt 2) = .857493 (methods.md, section 19).
    item = Encoding(id="a", group="a", ids=(1, 2, 3, 4), positions={"q": (3,), "context": (0, 1, 2)})
    batch = collate([item], pad_id=0, side="right", device=torch.device("cpu"))
    one = AttentionSpans("q", ("context",), "copied")
    spans = SpanStates(Reading(reference, [item], batch, {one.name: ()}, 1), one, 0)
    spans._owner[..., 1] = 2  # a tenth of three tokens is one
    n = spans.heads
    spans.note(1, 0, [(torch.tensor([3]), torch.tensor([0.5, 0.3, 0.2, 0.0]).expand(1, n, 1, 4))])
    spans._anatomy = SimpleNamespace(normed=lambda states: states)
    spans.finish(torch.tensor([[[1.0, 0], [3, 1], [0, 5], [1, 1]]]))
    assert spans.values((1, n)) == pytest.approx(np.full((1, 1, n), 0.857493), abs=1e-6)


def test_redeep():
    # Head (1, 0) parts the classes, and so does block 2. External context .9, .7, .5, .3: scaled 1, 2/3, 1/3, 0;
    # knowledge .1, .3, .4, .5: 0, 1/2, 3/4, 1. Scores .2 - 0, .2 * 2/3 - 1/2, .2 / 3 - 3/4, 0 - 1.
    copied = np.array([[[e, 0.5]] * 2 for e in (0.9, 0.7, 0.5, 0.3)])
    copied[:, 1] = 0.5
    changed = np.array([[0.5, p] for p in (0.1, 0.3, 0.4, 0.5)])
    f = Features.from_arrays(dict(zip(ReDeEP().needs, (copied, changed), strict=True)), provenance="m", groups="pqrs")
    judge = ReDeEP(blocks=1).fit(f, [True, True, False, False])
    assert (judge.heads_, judge.blocks_.tolist()) == (((1, 0),), [2])
    assert judge.decision_function(f) == pytest.approx([0.2, 0.4 / 3 - 0.5, 0.2 / 3 - 0.75, -1.0])
    assert judge.predict(f).tolist() == [True, True, False, False]
    assert ReDeEP().fit(f, [True, True, False, False]).blocks_.tolist() == [2, 1]  # all there are
    copied[0, 0, 0], changed[:] = 0.9, 0.3 + np.array([[0], [1e-7], [0], [1e-7]])  # the knowledge is .3 up to rounding
    arrays = dict(zip(ReDeEP().needs, (copied, changed), strict=True))
    same = ReDeEP(blocks=1).fit(Features.from_arrays(arrays, provenance="m", groups="pqrs"), [True, True, False, False])
    assert same.range_ == pytest.approx([0.6, 1.0])
    with pytest.raises(InnerjudgeError, match="heads"):
        ReDeEP(heads=0)
    judge.blocks_ = np.array([3])  # of two
    with pytest.raises(InnerjudgeError, match="blocks_: an array with 3, expected at most 2: it is damaged"):
        judge.decision_function(f)


def test_redeep_reads_a_model(reference):
    said = [
        Trace(question_id=f"q{k}", candidate_id="a", prompt="1+1?", response=f"<think>{k}</think>{k}") for k in range(4)
    ]
    judge = ReDeEP.presets(Task("trace"))["redeep"]
    judge.fit(read(reference, said, judges=[judge]), [True, False, True, False])
    assert all(v.unscored is None for v in judge.verdicts(read(reference, said, judges=[judge])))


def test_true_and_false_are_verified_by_the_head_that_tells_them_apart(reference):
    # Head (2, 1) has 3 - 1, 1 - 2, 2 - 2.5 and 5 - 2 on true less false; head (1, 0) is right three times in four.
    qk = np.zeros((4, 2, 2, 2))
    qk[:, 1, 1] = [[3, 1], [1, 2], [2, 2.5], [5, 2]]
    qk[:, 0, 0, 0] = [1, -1, 1, 1]
    f = Features.from_arrays({"qk/p-true": qk}, provenance="m", ids="abcd")
    judge = QKVerification().fit(f, [True, False, False, True])
    assert judge.heads_ == ((2, 1),)
    assert judge.head_accuracy_[0, 0] == 0.75
    assert judge.decision_function(f) == pytest.approx([2, -1, -0.5, 3])
    assert judge.predict(f).tolist() == [True, False, False, True]
    flat = Features.from_arrays({"qk/p-true": np.ones((1, 2, 2, 2))}, provenance="m", ids="e")
    assert judge.verdicts(flat)[0].unscored == "the head does not tell the options apart"
    for how, more in (({"select": "permutation"}, {}), ({"select": "unlabelled"}, {}), ({}, {"permuted": f})):
        with pytest.raises(InnerjudgeError, match="expected select='accuracy' alone"):
            QKVerification(**how).fit(f, [True, False, False, True], **more)
    with pytest.raises(InnerjudgeError, match="4 correct and 0 incorrect"):
        QKVerification().fit(f, [True] * 4)


def test_verification_reads_the_lines_of_true_and_false(reference):
    """An answer that brings such lines itself does not move the keys."""
    said = [
        Trace(question_id=f"q{k}", candidate_id="a", prompt="1+1?", response=f"(A) true\n(B) false\n(A) {k}\n")
        for k in range(4)
    ]
    judge = QKVerification.presets(Task("trace"))["qk-verification"]
    features = read(reference, said, judges=[judge])
    a = reference.anatomy
    assert features["qk/p-true"].shape == (4, a.n_blocks, a.n_heads, 2)
    for k, trace in enumerate(said):
        prompt = JudgePrompt.of("p-true").ask(trace)
        lines = [(at := prompt.user.rindex(line), at + len(line)) for line in ("(A) true\n", "(B) false?\n")]
        item = encode_prompt(reference.tokenizer, "", "", replace(prompt, option_spans=tuple(lines)))
        assert extract(reference, [item], [QueryKey()])["qk/before"][0] == pytest.approx(
            features["qk/p-true"][k], abs=1e-4
        )
    judge.fit(features, [True, False, True, False])
    assert all(isinstance(v.label, bool) or v.unscored for v in judge.verdicts(features))
