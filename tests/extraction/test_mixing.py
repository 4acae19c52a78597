"""What one batch may mix: states are those of the text alone, whoever else is read or written beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.experiments.bench.coverage import mixing
from innerjudge.experiments.bench.coverage.document import FOLDER
from innerjudge.experiments.bench.coverage.mixing import UNTIL
from innerjudge.experiments.bench.coverage.shrink import registered_types, small_config
from innerjudge.experiments.bench.coverage.small_model import random_items, readable, small_model
from innerjudge.extraction import Features, HiddenStates, ResponseLogProb, extract
from innerjudge.extraction.writing.generate import complete
from innerjudge.extraction.writing.write_and_read import write_and_read
from innerjudge.models.description import open_paths
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.inputs import Mixing, alike, context_of, find_mixing
from innerjudge.models.items import Trace
from innerjudge.models.loading import LanguageModel
from innerjudge.models.positions import encode_trace
from transformers import LlamaConfig, LlamaForCausalLM

READ = [HiddenStates("score"), HiddenStates("middle")]
TABLE, VERSIONS = mixing.read()


def model(model_type: str, kind: str) -> LanguageModel:
    lm = mixing.made(model_type, kind)
    assert not isinstance(lm, str), lm
    return lm


@pytest.mark.parametrize(("model_type", "kind"), mixing.sample(TABLE))
def test_a_type_with_angles_of_a_kind(model_type: str, kind: str) -> None:
    """Every type once, every kind with several types; ``python -m ...coverage.mixing --check`` tries all pairs."""
    assert mixing.check(model_type, kind) == TABLE[model_type][kind]


def test_every_type_and_kind_is_tried_and_none_is_wrong() -> None:
    assert sorted(TABLE) == registered_types()
    for kind in mixing.KINDS:
        said = [cells[kind] for cells in TABLE.values()]
        assert not [one for one in said if one.startswith("WRONG")]
        assert said.count("pass") >= 110
    assert (FOLDER / "mixing.md").read_text(encoding="utf-8") == mixing.markdown(TABLE, VERSIONS)


def test_the_sample_has_every_type_and_every_kind() -> None:
    pairs = mixing.sample(TABLE)
    assert len({name for name, _ in pairs}) == len(pairs) >= 100
    assert min(sum(kind == one for _, kind in pairs) for one in mixing.KINDS) >= 5


@pytest.mark.parametrize("kind", mixing.KINDS)
def test_llama_with_angles_of_every_kind(kind: str) -> None:
    lm = model("llama", kind)
    assert lm.mixing == Mixing(UNTIL if kind in ("longrope", "dynamic") else None, exact=kind == "dynamic")
    assert mixing.check("llama", kind) == "pass"


@pytest.mark.parametrize(("model_type", "kind"), [("phi3", "longrope"), ("llama", "dynamic"), ("phimoe", "longrope")])
def test_a_batch_that_mixes_what_it_may_not_would_be_seen(
    model_type: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mixing.check(model_type, kind) == "pass"
    monkeypatch.setattr("innerjudge.models.loading.find_mixing", lambda _config: Mixing())
    assert mixing.check(model_type, kind).startswith("WRONG: padded right, item-")


@pytest.fixture(params=["longrope", "dynamic"])
def lm(request: pytest.FixtureRequest) -> LanguageModel:
    return model("phi3" if request.param == "longrope" else "llama", request.param)


def test_what_is_written_does_not_move_with_the_batch(lm: LanguageModel) -> None:
    """Short ones, some that grow past the length at which the angles change, and longer ones."""
    items = random_items(lm, (9, 20, 22, 22, 30, 33))
    alone = [complete(lm, [item], max_new_tokens=6)[0] for item in items]
    assert complete(lm, items, max_new_tokens=6, batch_size=6) == alone


def test_answers_whose_angles_grow_are_not_looked_at(lm: LanguageModel) -> None:
    """Nothing would be rejected: the states of the steps are not those of a pass over the whole text."""
    questions = [Trace(question_id=k, candidate_id="", prompt=k, response="") for k in ("w4 w8", "w5")]
    seen: list[int] = []

    def look(features: Features) -> list[str]:
        seen.append(len(features))
        return ["no"] * len(features)

    how: Any = {"reject": look, "reject_at": ["segment(2)"], "markers": ("w7", "w9")}
    longest = max(len(encode_trace(lm.tokenizer, one).ids) for one in questions)
    with pytest.raises(
        InnerjudgeError, match=f"prompt of {longest} tokens .* at most {UNTIL} together, .* leave reject out"
    ):
        write_and_read(lm, questions, [ResponseLogProb()], max_new_tokens=UNTIL - longest + 1, **how)
    assert not seen
    found = write_and_read(lm, questions, [ResponseLogProb()], max_new_tokens=UNTIL - longest, **how)
    assert seen
    assert any("rejected" in trace.extra for trace in found.traces)
    assert write_and_read(lm, questions, [ResponseLogProb()], max_new_tokens=UNTIL).replayed == 2


def test_what_was_read_before_leaves_no_trace(lm: LanguageModel) -> None:
    """Dynamic scaling keeps the angles of the longest text so far."""
    first, long = random_items(lm, (30, 60))
    once = extract(lm, [first], READ)["hidden/score"]
    extract(lm, [long], READ)
    assert np.array_equal(extract(lm, [first], READ)["hidden/score"], once)


def test_what_models_says(lm: LanguageModel) -> None:
    said = open_paths(lm)
    assert f"texts of more than {UNTIL} tokens" in said["batches"]
    assert said["early stop"].startswith("open")


@pytest.mark.parametrize(
    ("rope", "context"),
    [
        ({"rope_type": "default"}, 100),
        ({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 80}, 320),
        ({"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 50}, 100),
        ({"rope_type": "dynamic", "factor": 3.0}, 300),
        ({"rope_type": "linear", "factor": 4.0}, 100),
    ],
)
def test_the_context_counts_the_factor(rope: dict[str, Any], context: int) -> None:
    config = LlamaConfig(max_position_embeddings=100, rope_parameters={**rope, "rope_theta": 1e4})
    assert context_of(config) == context
    assert find_mixing(config).until == (100 if rope["rope_type"] == "dynamic" else None)


def massive(seed: int = 0) -> LanguageModel:
    """A bfloat16 Llama whose first block adds thousands to one channel, which its last one takes out again."""
    config = small_config("llama")
    plain = small_model(config, seed=seed)
    assert isinstance(plain, LlamaForCausalLM)
    plain.to(torch.bfloat16)  # type: ignore[arg-type]
    with torch.no_grad():
        for block, sign in ((plain.model.layers[0], 1), (plain.model.layers[-1], -1)):
            block.mlp.down_proj.weight[5] += sign * 40.0
            block.mlp.up_proj.weight *= 6.0
    return readable(plain)


def test_rounding_is_no_fault_of_structure() -> None:
    for seed in range(3):
        lm = massive(seed)
        assert lm.padding_sides == {"left", "right"}
        assert lm.reads_packed
        assert lm.shares_prompts
        assert lm.dtype == "bfloat16", "the copy is let go"


@pytest.fixture(params=["with a copy in float32", "without room for one"])
def _room(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without room for one":
        monkeypatch.setattr("innerjudge.models.caching.free_memory", lambda _device: 0.0)


@pytest.mark.usefixtures("_room")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_fault_of_structure_is_seen_in_half_precision(dtype: torch.dtype) -> None:
    lm = readable(small_model(small_config("mamba")).to(dtype))
    assert not lm.reads_packed
    assert not lm.shares_prompts
    assert open_paths(lm)["packing"].startswith("closed: ")


@pytest.mark.usefixtures("_room")
@pytest.mark.parametrize("seed", range(3))
def test_rounding_is_no_fault_where_only_the_noise_of_the_type_tells(seed: int) -> None:
    """The difference between a text in a batch and the same text alone is what rounding makes of it in this model."""
    lm = massive(seed)
    assert lm.padding_sides == {"left", "right"}
    assert lm.reads_packed
    assert lm.shares_prompts
    assert not [said for said in open_paths(lm).values() if "closed" in said]


def test_more_than_the_noise_of_the_type_is_a_fault() -> None:
    a = torch.ones(3, 4)
    assert alike(1.1 * a, a, noise=0.06)  # 0.1 is under twice 0.06
    assert not alike(1.1 * a, a, noise=0.04)
    assert alike(
        (1.02 * a).bfloat16(), a.bfloat16()
    )  # 0.02 is under what half precision is given where nothing is known
    assert not alike(1.0002 * a, a)  # float32 has no such excuse


def test_what_half_precision_closes_is_said(cli: Any, tmp_path: Path) -> None:
    """`innerjudge models` has a line for each path: open, or closed and why."""
    recurrent = readable(small_model(small_config("mamba")).to(torch.bfloat16))
    for name, lm in (("plain", massive()), ("recurrent", recurrent)):
        lm.model.save_pretrained(tmp_path / name)
        lm.tokenizer.save_pretrained(tmp_path / name)
        said = cli("models", "--model", tmp_path / name, "--dtype", "bfloat16")
        lines = {line.split()[0]: line for line in said.out.splitlines() if line.split()}
        assert said.code == 0, said.err
        assert "open" in lines["batches"]
        assert ("closed: " in lines["packing"]) == (name == "recurrent")


def test_reading_one_at_a_time_is_said() -> None:
    lm = readable(small_model(small_config("cpmant")))
    lm.__dict__["padding_sides"] = frozenset()
    with pytest.warns(UserWarning, match="texts are read one at a time: "):
        extract(lm, random_items(lm, (5, 9)), READ)


def test_tokens_without_states_are_no_traceback() -> None:
    """A tokenizer with more tokens than the embedding: items that have one are unscored, the others are read."""
    lm = readable(small_model(small_config("llama")))
    lm.tokenizer.add_tokens(["<think>"])
    lm.tokenizer.add_special_tokens({"pad_token": "<pad>"})
    assert lm.pad_id == 0 or lm.pad_id < lm.n_ids == 96
    good, bad = random_items(lm, (5, 9))
    bad = replace(bad, ids=(*bad.ids[:-1], 96))
    found = extract(lm, [good, bad], READ)
    assert found.missing["hidden/score"].keys() == {bad.id}
    assert "token 96 ('<think>') is none of the model's 96" in found.missing["hidden/score"][bad.id]
    for strange in (10**6, 10**9, 10**12):  # a stored id that is nobody's: the model is not blamed
        away = replace(bad, ids=(*bad.ids[:-1], strange))
        why = extract(lm, [good, away], READ).missing["hidden/score"][bad.id]
        assert why == f"token {strange} is none of the model's 96, nor of its tokenizer's: another model sampled it"
    said = complete(lm, [good, bad], max_new_tokens=2)
    assert not isinstance(said[0], str)
    assert isinstance(said[1], str)
    assert len(lm.fingerprint) == 16
