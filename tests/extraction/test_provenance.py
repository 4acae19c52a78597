"""Features carry the identity of their model, and each part of it is checked by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from innerjudge.extraction import Provenance, provenance
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.loading import LanguageModel, load, wrap
from transformers import AutoModelForCausalLM

Tiny = Callable[..., LanguageModel]
BINDING = ("fingerprint", "dtype", "attention", "chat_template", "layers", "prompt", "last_block")


@pytest.fixture
def origin(tiny: Tiny) -> Provenance:
    return provenance(tiny("llama"))


def test_json_round_trip(origin: Provenance) -> None:
    assert Provenance.from_json(json.loads(json.dumps(origin.to_json()))) == origin
    assert dict(origin.versions)["torch"].split("+")[0] == torch.__version__.split("+")[0]


@pytest.mark.parametrize("field", BINDING)
def test_each_binding_field_is_refused_by_name(origin: Provenance, field: str) -> None:
    another: Any = 7 if field == "last_block" else "another"
    other = replace(origin, **{field: another}, model="that model")
    assert origin.differences(other) == (field,)
    was = getattr(origin, field)
    with pytest.raises(InnerjudgeError) as caught:
        origin.require(other, "scoring")
    assert f"{field} {another!r} instead of {was!r}" in str(caught.value)
    assert "scoring" in str(caught.value)
    assert "that model" in str(caught.value)


def test_names_and_versions_do_not_bind(origin: Provenance) -> None:
    moved = replace(origin, model="elsewhere", revision="main", versions=(("torch", "99"),))
    origin.require(moved, "scoring")
    assert {f.name for f in fields(origin)} == {*BINDING, "model", "revision", "versions", "remote_code", "origin"}


def test_the_same_model_in_two_folders_agrees(tiny: Tiny, tmp_path: Path) -> None:
    lm = tiny("llama")
    for name in ("one", "two"):
        lm.model.save_pretrained(tmp_path / name)
        lm.tokenizer.save_pretrained(tmp_path / name)
    one, two = (provenance(load(str(tmp_path / name))) for name in ("one", "two"))
    assert one.differences(two) == ()
    assert one.differences(provenance(lm)) == ()
    assert one.model != two.model


def test_another_model_differs(tiny: Tiny) -> None:
    lm = tiny("llama")
    assert provenance(lm).differences(provenance(tiny("llama", seed=1))) == ("fingerprint",)
    assert tiny("llama").fingerprint != tiny("yarn").fingerprint  # the same weights, read with another rotary embedding


def test_other_heads_on_the_same_weights_differ(tiny: Tiny) -> None:
    lm = tiny("gpt2")
    config = type(lm.model.config)(**{**lm.model.config.to_dict(), "n_head": 2})
    model = AutoModelForCausalLM.from_config(config)
    model.load_state_dict(lm.model.state_dict())
    assert wrap(model, lm.tokenizer).fingerprint != lm.fingerprint


def test_another_dtype_is_told_by_its_field(tiny: Tiny, tmp_path: Path) -> None:
    lm = tiny("llama")
    lm.model.save_pretrained(tmp_path)
    lm.tokenizer.save_pretrained(tmp_path)
    half = load(str(tmp_path), dtype="bfloat16")
    assert provenance(lm).differences(provenance(half)) == ("dtype",)


def test_another_kernel_and_template_are_told_by_their_fields(tiny: Tiny, tmp_path: Path) -> None:
    lm = tiny("llama")
    lm.model.save_pretrained(tmp_path)
    lm.tokenizer.save_pretrained(tmp_path)
    assert provenance(lm).differences(provenance(load(str(tmp_path), attn_implementation="eager"))) == ("attention",)
    other = load(str(tmp_path))
    other.tokenizer.chat_template = "{{ messages }}"
    assert provenance(lm).chat_template == "none"
    assert provenance(lm).differences(provenance(other)) == ("chat_template",)
