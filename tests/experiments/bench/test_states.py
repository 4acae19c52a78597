"""States of other tools: each planted fault is named, and a store of theirs is that of a pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from innerjudge import CLUE, LanguageModel, Trace, read
from innerjudge.experiments.bench.states.formats import FORMATS, StateFiles
from innerjudge.experiments.bench.states.given import features_from
from innerjudge.experiments.bench.states.verify import compare_rows, main, verify_states
from innerjudge.extraction.extract import extract
from innerjudge.extraction.readouts import States
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.positions import encode_trace
from safetensors.torch import save_file
from typer.testing import CliRunner

TRACES = [
    Trace(question_id="q", candidate_id=str(k), prompt="Start with 7. Add 5.", response=f"<think>7+5={n}</think>{n}")
    for k, n in enumerate((12, 13, 14, 11))
]


@pytest.fixture(scope="module")
def states(reference: LanguageModel) -> list[tuple[tuple[int, ...], np.ndarray[Any, Any]]]:
    """Ids, and ``[T, L + 2, D]`` of all tokens, of each trace; by transformers, for all rows but the last two."""
    lm, found = reference, []
    for trace in TRACES:
        ids = encode_trace(lm.tokenizer, trace, sampled_by=lm.fingerprint).ids
        with torch.no_grad():
            out = lm.model(torch.tensor([ids]), output_hidden_states=True).hidden_states
            raw: list[torch.Tensor] = []
            hook = lm.anatomy.blocks[-1].register_forward_hook(
                lambda _m, _a, output, raw=raw: raw.append(output[0] if isinstance(output, tuple) else output)
            )
            lm.model(torch.tensor([ids]))
            hook.remove()
        rows = [*out[:-1], raw[0], out[-1]]
        found.append((ids, torch.cat(rows).numpy().swapaxes(0, 1)))
    return found


Change = Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]


def written(folder: Path, states: Any, change: Change = lambda s: s, dtype: torch.dtype = torch.float32) -> StateFiles:
    """The raw states in files as vLLM writes them, changed."""
    folder.mkdir(exist_ok=True)
    for k, (ids, own) in enumerate(states):
        given = torch.from_numpy(np.ascontiguousarray(change(own[:, :-1]))).to(dtype)
        save_file({"hidden_states": given, "token_ids": torch.tensor(ids[: len(given)])}, folder / f"{k}.safetensors")
    return StateFiles.of(f"vllm:{folder}")


def test_distances_by_hand() -> None:
    """Two blocks, states of one number: a given 2 beside own 4 is |2 - 4| / 4 = 0.5 away, and of no state near."""
    own = np.array([[[1.0], [4.0], [9.0], [30.0]]] * 3, np.float32)
    assert (
        compare_rows(own[:, :3] * 1.05, own, [0, 1, 2])
        == [(pytest.approx("of another dtype: it is rounded"), pytest.approx(0.05, rel=1e-4))] * 3
    )
    assert compare_rows(own[:, :1] * 2, own, [0])[0] == (
        "of another model, or of other text: no state of the model is near",
        pytest.approx(0.5),  # the nearest is 4: |2 - 4| / 4
    )


PLANTED: dict[str, tuple[Change, dict[int, str]]] = {
    "nothing": (lambda s: s, {}),
    "shifted": (lambda s: np.concatenate([s[:1], s[:-1]]), dict.fromkeys(range(1, 5), "shifted by one")),
    "permuted": (
        lambda s: s[:, [0, 2, 1, *range(3, s.shape[1])]],
        {1: "permuted: it is h[2]", 2: "permuted: it is h[1]"},
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_faults_are_named(name: str, reference: LanguageModel, states: Any, tmp_path: Path) -> None:
    change, expected = PLANTED[name]
    found = verify_states(reference, TRACES, written(tmp_path, states, change))
    rows = {f"h[{row}]": said for row, said in expected.items()}
    for one in found:
        assert one.said.startswith(rows.get(one.row, one.said if name == "shifted" else "same")), one
    assert {one.text for one in found} == {trace.id for trace in TRACES}


def test_a_last_block_of_the_other_kind(reference: LanguageModel, states: Any, tmp_path: Path) -> None:
    normed = [(ids, np.concatenate([own[:, :-2], own[:, -1:], own[:, -1:]], axis=1)) for ids, own in states]
    n = reference.anatomy.n_blocks
    found = verify_states(reference, TRACES, written(tmp_path, normed))
    assert {one.said for one in found if one.row == f"h[{n}]"} == {"normed where raw was said"}
    files = replace(written(tmp_path, states), last="normed")
    found = verify_states(reference, TRACES, files)
    assert {one.said for one in found if not one.well} == {"raw where normed was said"}


def test_truncated_rounded_and_another_model(reference: LanguageModel, states: Any, tmp_path: Path) -> None:
    found = verify_states(reference, TRACES, written(tmp_path / "a", states, lambda s: s[:-3]))
    assert {one.said.split(":")[0] for one in found if not one.well} == {"truncated"}
    assert all(one.well for one in verify_states(reference, TRACES, written(tmp_path / "b", states, lambda s: s[:-1])))
    found = verify_states(reference, TRACES, written(tmp_path / "c", states, dtype=torch.bfloat16))
    assert {one.said for one in found} == {"of another dtype: it is rounded"}
    noise = np.random.default_rng(0)
    found = verify_states(reference, TRACES, written(tmp_path / "d", states, lambda s: noise.normal(size=s.shape)))
    assert {one.said.split(",")[0] for one in found} == {"of another model"}


def test_features_are_those_of_a_pass(reference: LanguageModel, states: Any, tmp_path: Path) -> None:
    expected = read(reference, TRACES)
    found = features_from(reference, TRACES, states=written(tmp_path, states))
    for name in ("hidden/prompt_end", "hidden/reasoning_end", "hidden/response_end"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-4)
    clue = CLUE().fit(expected, [True, False, False, True])
    np.testing.assert_allclose(clue.decision_function(found), clue.decision_function(expected), atol=1e-4)


def test_every_format(reference: LanguageModel, states: Any, tmp_path: Path) -> None:
    """One text in each format: the state at the end of its prompt is that of a pass."""
    ids, own = states[0]
    n, raw = reference.anatomy.n_blocks, torch.from_numpy(np.ascontiguousarray(own[:, :-1]))
    name = TRACES[0].id.replace("/", "_")
    top = torch.from_numpy(np.ascontiguousarray(own[:, -1]))
    save_file({"hidden_states": raw, "token_ids": torch.tensor(ids)}, tmp_path / "vllm.safetensors")
    save_file({"hidden_states": raw, "input_ids": torch.tensor(ids)}, tmp_path / "speculators.safetensors")
    for made in ("vllm-lens", "token_embed", "sglang", "arrays"):
        (tmp_path / made).mkdir()
    save_file({"residual_stream": raw[:, 1:].swapaxes(0, 1).contiguous()}, tmp_path / f"vllm-lens/{name}.safetensors")
    np.save(tmp_path / f"token_embed/{name}.npy", top.numpy())
    rows = [top[:-2].tolist(), top[-2].tolist(), top[-1].tolist()]
    (tmp_path / f"sglang/{name}.json").write_text(json.dumps({"meta_info": {"hidden_states": rows}}))
    np.save(tmp_path / f"arrays/{name}.npy", raw.numpy())
    expected = extract(
        reference,
        [encode_trace(reference.tokenizer, TRACES[0], sampled_by=reference.fingerprint)],
        [States("prompt_end", "last")],
    )
    expected_rows = read(reference, TRACES[:1])["hidden/prompt_end"][0]
    assert len(expected) == 1
    held = {"vllm": [*range(n + 2)], "speculators": [*range(n + 2)], "arrays": [*range(n + 2)]}
    held |= {"vllm-lens": [*range(1, n + 2)], "token_embed": [n + 1], "sglang": [n + 1]}
    assert held.keys() == FORMATS.keys()
    for made, kept in held.items():
        path = tmp_path / made if (tmp_path / made).is_dir() else tmp_path / f"{made}.safetensors"
        found = features_from(reference, TRACES[:1], states=f"{made}:{path}")
        np.testing.assert_allclose(found["hidden/prompt_end"][0], expected_rows[kept], atol=1e-4, err_msg=made)
        assert all(one.well for one in verify_states(reference, TRACES[:1], StateFiles.of(f"{made}:{path}")))


def test_what_is_not_told_is_asked(reference: LanguageModel, states: Any, tmp_path: Path) -> None:
    files = written(tmp_path / "some", states, lambda s: s[:, [0, 2]])
    with pytest.raises(InnerjudgeError, match="expected which they are, ascending: --layers"):
        features_from(reference, TRACES, states=files)
    found = features_from(reference, TRACES, states=StateFiles.of(f"vllm:{tmp_path / 'some'}", layers=(0, 2)))
    assert found["hidden/prompt_end"].shape[1] == 2
    assert "rows 0, 2 of" in found.provenance.layers
    for spec, expected in (
        ("hf:x", "FORMAT one of vllm"),
        ("vllm:", "FORMAT:PATH"),
        ("vllm:nowhere", "expected a file"),
    ):
        with pytest.raises(InnerjudgeError, match=expected):
            StateFiles.of(spec)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "a.json").write_text('{"meta_info": 5}')
    with pytest.raises(InnerjudgeError, match="a response of SGLang"):
        list(StateFiles.of(f"sglang:{tmp_path / 'odd'}").texts())
    other = [(tuple(i + 1 for i in ids), own) for ids, own in states]
    found = features_from(reference, TRACES, states=written(tmp_path / "other", other))
    assert set(found.missing["hidden/prompt_end"].values()) == {"no states of its text were given"}


def test_the_commands(reference: LanguageModel, states: Any, tmp_path: Path) -> None:
    written(tmp_path / "right", states)
    written(tmp_path / "wrong", states, PLANTED["permuted"][0])
    data = tmp_path / "traces.jsonl"
    rows = [
        {"question_id": "q", "candidate_id": t.candidate_id, "prompt": t.prompt, "response": t.response} for t in TRACES
    ]
    rows = [row | {"correct": k in (0, 3)} for k, row in enumerate(rows)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    app = typer.Typer()
    app.command()(main)
    run = CliRunner()
    said = run.invoke(app, ["--states", f"vllm:{tmp_path / 'right'}", "--data", str(data)])
    assert said.exit_code == 0, said.output
    said = run.invoke(app, ["--states", f"vllm:{tmp_path / 'wrong'}", "--data", str(data)])
    assert said.exit_code == 1
    assert "permuted: it is h[2]" in said.output
    said = run.invoke(app, ["--states", f"vllm:{tmp_path / 'none'}", "--data", str(data)])
    assert said.exit_code == 2
