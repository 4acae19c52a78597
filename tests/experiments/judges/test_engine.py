"""States that an engine wrote, in both norm conventions, say what the loaded model says."""

from __future__ import annotations

import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from innerjudge import CLUE, EngineJudge, InnerjudgeError, Judge, LanguageModel, LogisticProbe, Rating, Trace, read
from innerjudge.extraction.given_states import GivenStates, read_vllm
from innerjudge.models.final_norm import FinalNorm, find_final_norm
from innerjudge.models.loading import wrap
from innerjudge.probes import RidgeProbe
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel

from .conftest import PROMPT, RIGHT, WRONG

PAIRS = [(PROMPT, RIGHT), (PROMPT, WRONG), ("Start with 2. Add 2.", "<think>2+2=4</think>4")]


@torch.inference_mode()
def engine(lm: LanguageModel, ids: tuple[int, ...], *, raw: bool) -> torch.Tensor:
    """All states ``[T, L + 1, D]`` by transformers itself; its last entry is normed, an engine's may be raw."""
    last: list[torch.Tensor] = []
    hook = lm.anatomy.blocks[-1].register_forward_hook(
        lambda _m, _a, out: last.append(out[0] if isinstance(out, tuple) else out)
    )
    try:
        states = lm.model(torch.tensor([ids]), output_hidden_states=True).hidden_states
    finally:
        hook.remove()
    return torch.cat([*states[:-1], last[0] if raw else states[-1]]).transpose(0, 1)


def given(lm: LanguageModel, judge: EngineJudge, pairs: Any, *, raw: bool) -> list[GivenStates]:
    return [GivenStates(one.ids, engine(lm, one.ids, raw=raw).numpy()) for one in judge.encode(pairs)]


@pytest.fixture
def folder(clue: Judge, tmp_path: Path) -> Path:
    clue.save(tmp_path / "judge")
    return tmp_path / "judge"


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("said", ["as it is", "detect"])
def test_both_conventions_say_what_the_model_says(
    clue: Judge, reference: LanguageModel, folder: Path, raw: bool, said: str
) -> None:
    judge = EngineJudge.load(folder)
    layers = list(range(reference.anatomy.n_blocks + 1))
    last: Any = said if said == "detect" else "raw" if raw else "normed"
    found = judge.verdicts(
        judge.encode(PAIRS), given(reference, judge, PAIRS, raw=raw),
        model="reference", layers=layers, n_blocks=layers[-1], last=last,
    )  # fmt: skip
    np.testing.assert_allclose([one.score for one in found], clue.scores(PAIRS), rtol=1e-3)  # type: ignore[arg-type]
    assert [one.label for one in found] == [one.label for one in clue.verdicts(PAIRS)]


def test_the_wrong_convention_is_refused(reference: LanguageModel, folder: Path) -> None:
    judge = EngineJudge.load(folder)
    n = reference.anatomy.n_blocks
    how: Any = {"model": "reference", "layers": list(range(n + 1)), "n_blocks": n}
    for raw, said, looks in ((True, "normed", "raw"), (False, "raw", "normed")):
        with pytest.raises(
            InnerjudgeError, match=f"said to be {said}, but looks {looks} beside the model's final norm"
        ):
            judge.verdicts(judge.encode(PAIRS), given(reference, judge, PAIRS, raw=raw), last=said, **how)
    bare = EngineJudge(judge.judge, judge.made, judge.tokenizer, None)
    with pytest.raises(InnerjudgeError, match="without the model's final norm"):
        bare.verdicts(bare.encode(PAIRS), given(reference, bare, PAIRS, raw=True), last="detect", **how)
    with pytest.raises(InnerjudgeError, match=r"expected also the final-normed state.*pass the model's final norm"):
        bare.verdicts(bare.encode(PAIRS), given(reference, bare, PAIRS, raw=True), last="raw", **how)
    assert bare.verdicts(bare.encode(PAIRS), given(reference, bare, PAIRS, raw=False), last="normed", **how)[0].score


def test_a_judge_of_the_raw_last_block(reference: LanguageModel, traces: list[Trace], tmp_path: Path) -> None:
    clue = CLUE(last="raw")
    loaded = Judge(clue.fit(read(reference, traces, judges=[clue]), [True, False, False, False]), reference)
    loaded.save(tmp_path)
    judge, n = EngineJudge.load(tmp_path), reference.anatomy.n_blocks
    how: Any = {"model": "reference", "layers": [*range(1, n + 1)], "n_blocks": n}  # h[0] is not read
    raw = [GivenStates(one.ids, one.states[:, 1:]) for one in given(reference, judge, PAIRS, raw=True)]
    found = judge.verdicts(judge.encode(PAIRS), raw, **how)
    np.testing.assert_allclose([one.score for one in found], loaded.scores(PAIRS), rtol=1e-3)  # type: ignore[arg-type]
    normed = [GivenStates(one.ids, one.states[:, 1:]) for one in given(reference, judge, PAIRS, raw=False)]
    with pytest.raises(InnerjudgeError, match=r"raw output of the last block.*no norm can be undone"):
        judge.verdicts(judge.encode(PAIRS), normed, last="normed", **how)


def test_one_layer_is_enough_for_a_probe_of_one_layer(
    reference: LanguageModel, traces: list[Trace], tmp_path: Path
) -> None:
    probe = LogisticProbe(row=3)
    many = [
        *traces,
        *(
            Trace(question_id="p", candidate_id=t.candidate_id, prompt="Start with 7. Add 5.", response=t.response)
            for t in traces
        ),
    ]
    loaded = Judge(probe.fit(read(reference, many, judges=[probe]), [True, False, False, False] * 2), reference)
    loaded.save(tmp_path)
    judge, n = EngineJudge.load(tmp_path), reference.anatomy.n_blocks
    third = [GivenStates(one.ids, one.states[:, 3:4]) for one in given(reference, judge, PAIRS, raw=True)]
    found = judge.verdicts(judge.encode(PAIRS), third, model="reference", layers=[3], n_blocks=n)
    np.testing.assert_allclose([one.score for one in found], loaded.scores(PAIRS), rtol=1e-3, atol=1e-4)  # type: ignore[arg-type]
    with pytest.raises(InnerjudgeError, match=r"expected also h\[3\]"):
        judge.verdicts(judge.encode(PAIRS), third, model="reference", layers=[2], n_blocks=n)


def test_ratings_are_asked_as_the_judge_asks(reference: LanguageModel, tmp_path: Path) -> None:
    items = [Rating(item_id=f"{k}", prompt=f"Say {k}.", response="hi" * k, scores=(k % 5 + 1,)) for k in range(12)]
    probe = RidgeProbe()
    loaded = Judge(probe.fit(read(reference, items, judges=[probe]), [item.mean_score for item in items]), reference)
    loaded.save(tmp_path)
    judge, n = EngineJudge.load(tmp_path), reference.anatomy.n_blocks
    found = judge.verdicts(
        judge.encode(items),
        given(reference, judge, items, raw=True),
        model="reference",
        layers=[*range(n + 1)],
        n_blocks=n,
    )
    np.testing.assert_allclose([one.score for one in found], loaded.scores(items), rtol=1e-3)  # type: ignore[arg-type]


def test_files_of_vllm(reference: LanguageModel, folder: Path, clue: Judge, tmp_path: Path) -> None:
    judge, n = EngineJudge.load(folder), reference.anatomy.n_blocks
    files = []
    for k, one in enumerate(judge.encode(PAIRS)):
        tensors = {
            "hidden_states": engine(reference, one.ids, raw=True).to(torch.bfloat16).contiguous(),
            "token_ids": torch.tensor(one.ids),
        }
        save_file(tensors, tmp_path / f"{k}.safetensors")
        files.append(read_vllm(tmp_path / f"{k}.safetensors"))
    found = judge.verdicts(
        judge.encode(PAIRS), files, model="reference", layers=[*range(n + 1)], n_blocks=n, last="detect"
    )
    np.testing.assert_allclose([one.score for one in found], clue.scores(PAIRS), atol=0.2)  # type: ignore[arg-type]
    (tmp_path / "broken.safetensors").write_bytes(b"{}")
    save_file({"states": torch.ones(1)}, tmp_path / "other.safetensors")
    for name in ("broken", "other", "absent"):
        with pytest.raises(InnerjudgeError, match="expected a safetensors file with hidden_states and token_ids"):
            read_vllm(tmp_path / f"{name}.safetensors")


def test_the_last_token_has_no_states(reference: LanguageModel, folder: Path, clue: Judge) -> None:
    """CLUE reads the reasoning's markers, so that it can do without the end of the answer, but not without them."""
    judge, n = EngineJudge.load(folder), reference.anatomy.n_blocks
    how: Any = {"model": "reference", "layers": [*range(n + 1)], "n_blocks": n}
    encoded, whole = judge.encode(PAIRS), given(reference, judge, PAIRS, raw=True)
    ends = [one.positions["reasoning_end"][0] for one in encoded]
    for last, scored in ((len(encoded[0].ids) - 1, True), (ends[0] + 1, True), (ends[0], False), (0, False)):
        (found,) = judge.verdicts(encoded[:1], [GivenStates(encoded[0].ids[:last], whole[0].states[:last])], **how)
        if scored:
            assert found.score == pytest.approx(clue.scores(PAIRS[0]), rel=1e-3)
        elif last:
            assert f"states of {last} of {len(encoded[0].ids)} tokens" in str(found.unscored)
            assert "include_output_tokens" in str(found.unscored)
        else:
            assert found.unscored == "no states of its text were given"


def test_layers_in_another_order_are_refused(reference: LanguageModel, folder: Path) -> None:
    judge, n = EngineJudge.load(folder), reference.anatomy.n_blocks
    with pytest.raises(InnerjudgeError, match="in ascending order"):
        judge.verdicts(
            judge.encode(PAIRS),
            given(reference, judge, PAIRS, raw=True),
            model="reference",
            layers=[*reversed(range(n + 1))],
            n_blocks=n,
        )


def test_a_file_that_is_still_written_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "late.safetensors"
    lock = FileLock(f"{path}.lock", thread_local=False)
    lock.acquire()

    def write() -> None:
        time.sleep(0.3)
        save_file({"hidden_states": torch.ones(2, 1, 3), "token_ids": torch.tensor([5, 6])}, path)
        lock.release()

    with pytest.raises(InnerjudgeError, match=r"has been writing for more than 0.05 s.*late.safetensors.lock"):
        read_vllm(path, wait=0.05)
    writer = threading.Thread(target=write)
    writer.start()
    found = read_vllm(path)
    writer.join()
    assert found.ids == (5, 6)
    assert found.states[1:].tolist() == [[[1.0, 1.0, 1.0]]]


def test_only_the_tokens_that_are_asked_for_are_read(tmp_path: Path) -> None:
    """40 MB of states, of which two tokens are wanted: memory grows by far less than the file."""
    path = tmp_path / "long.safetensors"
    save_file(
        {"hidden_states": torch.zeros(5_000, 2, 2_000, dtype=torch.bfloat16), "token_ids": torch.arange(5_000)}, path
    )
    tracemalloc.start()
    states = read_vllm(path).states
    assert states[[7, 4_999]].shape == (2, 2, 2_000)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 20
    if (files := Path("/proc/self/fd")).is_dir():
        before = len(list(files.iterdir()))
        many = [read_vllm(path) for _ in range(20)]
        assert many[0].states[:1].shape == (1, 2, 2_000)
        assert len(list(files.iterdir())) <= before + 1, "no file stays open"


def test_other_tokens_other_models_other_shapes(reference: LanguageModel, folder: Path, clue: Judge) -> None:
    judge, n = EngineJudge.load(folder), reference.anatomy.n_blocks
    how: Any = {"model": "reference", "layers": [*range(n + 1)], "n_blocks": n}
    right = given(reference, judge, PAIRS, raw=True)
    longer = GivenStates((*right[0].ids, 1), np.concatenate([right[0].states[:], right[0].states[:1]]))
    broken = GivenStates(right[2].ids, np.full_like(right[2].states, np.nan))
    found = judge.verdicts(
        judge.encode([*PAIRS, (PROMPT, "no markers")]),
        [longer, right[1], right[2], given(reference, judge, [(PROMPT, "no markers")], raw=True)[0]],
        **how,
    )
    assert "the engine read other tokens" in str(found[0].unscored)
    assert found[1].score == pytest.approx(clue.scores(PAIRS[1]), rel=1e-3)
    assert found[3].unscored == "no <think> in the response"
    assert (
        judge.verdicts(judge.encode(PAIRS[2:]), [broken], **how)[0].unscored
        == "the engine wrote infinite values or NaN"
    )
    with pytest.raises(InnerjudgeError, match="of the model 'other' for a judge of 'reference'"):
        judge.verdicts(judge.encode(PAIRS), right, **how | {"model": "other"})
    with pytest.raises(InnerjudgeError, match=r"expected one an item, all of 2 layers"):
        judge.verdicts(judge.encode(PAIRS), right, **how | {"layers": [0, 1]})
    with pytest.raises(InnerjudgeError, match="expected each once, in ascending order, from 0"):
        judge.verdicts(judge.encode(PAIRS), right, **how | {"layers": [*range(1, n + 2)]})
    with pytest.raises(InnerjudgeError, match=r"expected \(tokens, layers, width\)"):
        GivenStates((1, 2), np.ones((3, 2, 1)))
    with pytest.raises(InnerjudgeError, match="which cannot be encoded"):
        judge.encode([(PROMPT, None)])
    assert judge.verdicts([], [], **how) == []


def test_judges_of_more_than_states_are_refused(rater: Judge, tmp_path: Path) -> None:
    rater.save(tmp_path)
    assert not (tmp_path / "final_norm.safetensors").exists()
    with pytest.raises(InnerjudgeError, match="which reads logits/score"):
        EngineJudge.load(tmp_path)


@pytest.mark.parametrize("scale", [1.0, 1e-4])
def test_the_norm_as_numbers(reference: LanguageModel, scale: float) -> None:
    torch.manual_seed(0)
    gpt = GPT2LMHeadModel(
        GPT2Config(n_layer=2, n_head=2, n_embd=32, vocab_size=len(reference.tokenizer), n_positions=64)
    )
    torch.nn.init.normal_(gpt.transformer.ln_f.weight, 1.0, 0.3)
    torch.nn.init.normal_(gpt.transformer.ln_f.bias, 0.0, 0.3)
    for lm in (reference, wrap(gpt, reference.tokenizer)):
        norm = find_final_norm(lm)
        assert norm is not None
        assert norm.centred == (lm is not reference)
        states = torch.randn(5, lm.anatomy.width) * scale
        expected = lm.anatomy.normed(states).detach().numpy()
        np.testing.assert_allclose(norm(states.numpy()), expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_the_norm_there_and_back(tmp_path: Path) -> None:
    norm = FinalNorm(np.array([1.0, 2.0]), np.array([0.0, 1.0]), 1e-6, centred=True)
    norm.save(tmp_path / "norm")
    back = FinalNorm.load(tmp_path / "norm")
    np.testing.assert_array_equal(back(np.eye(2)), norm(np.eye(2)))
    (tmp_path / "norm").write_bytes(b"x")
    with pytest.raises(InnerjudgeError, match="which is damaged"):
        FinalNorm.load(tmp_path / "norm")


def test_ids_that_were_sampled_are_run_again_as_they_are(reference: LanguageModel, folder: Path) -> None:
    judge = EngineJudge.load(folder)
    text = judge.encode([(PROMPT, RIGHT)])[0]
    odd = (*text.ids[text.positions["prompt_end"][0] + 1 :], 5, 5)

    def encoded(sampled_by: str) -> tuple[int, ...]:
        extra = {"response_ids": odd, "sampled_by": sampled_by}
        return judge.encode([Trace(question_id="q", candidate_id="0", prompt=PROMPT, response=RIGHT, extra=extra)])[
            0
        ].ids

    assert encoded("engine")[-2:] == encoded(reference.fingerprint)[-2:] == (5, 5)
    assert encoded("another model") == text.ids
