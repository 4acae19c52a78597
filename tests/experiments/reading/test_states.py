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
from innerjudge import CLUE, LanguageModel, Trace, read
from innerjudge.experiments.cli.options import TABLE
from innerjudge.experiments.data.verdict_files import read_rows
from innerjudge.experiments.reading.passes import Passes
from innerjudge.experiments.reading.state_files import FORMATS, StateFiles, features_from
from innerjudge.experiments.reading.verify_states import compare_rows, verify_states
from innerjudge.extraction.extract import extract
from innerjudge.extraction.readouts import States
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.positions import encode_trace
from safetensors.torch import save_file

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


#: How states are changed, and what is found of which rows; of a text moved by one, the first row may be any.
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
    assert {one.said for one in found if one.said != "same"} == {"raw where normed was said"}


def test_truncated_rounded_and_another_model(reference: LanguageModel, states: Any, tmp_path: Path) -> None:
    found = verify_states(reference, TRACES, written(tmp_path / "a", states, lambda s: s[:-3]))
    assert {one.said.split(":")[0] for one in found if one.said != "same"} == {"truncated"}
    assert all(
        one.said == "same"
        for one in verify_states(reference, TRACES, written(tmp_path / "b", states, lambda s: s[:-1]))
    )
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
        assert all(one.said == "same" for one in verify_states(reference, TRACES[:1], StateFiles.of(f"{made}:{path}")))


def test_what_is_not_told_is_asked(reference: LanguageModel, states: Any, tmp_path: Path) -> None:
    files = written(tmp_path / "some", states, lambda s: s[:, [0, 2]])
    with pytest.raises(InnerjudgeError, match="expected which they are, ascending: --layers"):
        features_from(reference, TRACES, states=files)
    found = features_from(reference, TRACES, states=StateFiles.of(f"vllm:{tmp_path / 'some'}", layers=(0, 2)))
    assert found["hidden/prompt_end"].shape[1] == 2
    assert "rows 0, 2 of" in found.provenance.layers
    for spec, expected in (("hf:x", "FORMAT one of vllm"), ("vllm:", "FORMAT:PATH"), ("vllm:nowhere", "PATH a file")):
        with pytest.raises(InnerjudgeError, match=expected):
            StateFiles.of(spec)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "a.json").write_text('{"meta_info": 5}')
    with pytest.raises(InnerjudgeError, match="a response of SGLang"):
        features_from(reference, TRACES, states=f"sglang:{tmp_path / 'odd'}")
    other = [(tuple(i + 1 for i in ids), own) for ids, own in states]
    found = features_from(reference, TRACES, states=written(tmp_path / "other", other))
    assert set(found.missing["hidden/prompt_end"].values()) == {"no states of its text were given"}


def test_what_no_states_are_enough_for_is_refused(reference: LanguageModel, states: Any, tmp_path: Path) -> None:
    files = written(tmp_path, states)
    for need in ("logprob", "hidden/score", "tokens/response.entropy", "hidden/own_text(score).last"):
        with pytest.raises(InnerjudgeError, match="needs a pass"):
            features_from(reference, TRACES, Passes(needs=frozenset({need})), states=files)
    (tmp_path / "long").mkdir()
    long = np.concatenate([states[0][1], states[0][1][:1]])[:, :-1]
    np.save(tmp_path / "long" / "q_0.npy", long)
    found = features_from(reference, TRACES[:1], states=f"arrays:{tmp_path / 'long'}")
    assert "the engine read other tokens" in found.missing["hidden/prompt_end"]["q/0"]
    said = {one.said for one in verify_states(reference, TRACES[:1], StateFiles.of(f"arrays:{tmp_path / 'long'}"))}
    assert said == {"same", "of other text: more states than tokens"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The traces as a file, eight times under other names, half of them right."""
    path = tmp_path / "traces.jsonl"
    rows = [
        {"question_id": f"q{n}", "candidate_id": t.candidate_id, "prompt": t.prompt, "response": t.response,
         "correct": k in (0, 3)}
        for n in range(8)
        for k, t in enumerate(TRACES)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def noise(states: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).normal(size=states.shape).astype(np.float32)


#: What is planted, the type that is written, and what the command says of the rows where something is wrong.
FAULTS: dict[str, tuple[Change, torch.dtype, set[str]]] = {
    "shifted": (PLANTED["shifted"][0], torch.float32, {"shifted by one: the state of the token before"}),
    "permuted": (PLANTED["permuted"][0], torch.float32, {"permuted: it is h[1]", "permuted: it is h[2]"}),
    "truncated": (lambda s: s[:-3], torch.float32, {"truncated: more of the tokens than the last have no states"}),
    "rounded": (lambda s: s, torch.bfloat16, {"of another dtype: it is rounded"}),
    "other": (noise, torch.float32, {"of another model, or of other text: no state of the model is near"}),
    "narrow": (lambda s: s[..., :8], torch.float32, {"of another model, or too few: (T, N, 8), not (T, N, D)"}),
}


@pytest.mark.parametrize("fault", ["nothing", "normed", *FAULTS])
def test_the_command_names_each_planted_fault(fault: str, states: Any, data: Path, tmp_path: Path, cli: Any) -> None:
    change, dtype, expected = FAULTS.get(fault, (lambda s: s, torch.float32, set()))
    if fault == "normed":
        states = [(ids, np.concatenate([own[:, :-2], own[:, -1:], own[:, -1:]], axis=1)) for ids, own in states]
        expected = {"normed where raw was said"}
    written(tmp_path / "s", states, change, dtype)
    said = cli("verify", "--states", f"vllm:{tmp_path / 's'}", "--data", data, "--limit", 4)
    assert said.code == int(fault != "nothing"), said.out + said.err
    found = {line.partition(": ")[2].rpartition(" (")[0] for line in said.out.splitlines()}
    if fault == "narrow":
        assert len(found) == 1
        assert found.pop().startswith("of another model, or too few: (")
    else:
        assert found - {"same"} == expected


def test_the_command_refuses_what_it_cannot_compare(states: Any, data: Path, tmp_path: Path, cli: Any) -> None:
    written(tmp_path / "s", states, lambda s: s[:, [0, 2]])
    for more, why in (
        ((), "expected which they are, ascending: --layers 0,"),
        (("--layers", "2,0"), "expected which they are, ascending: --layers 0,"),
        (("--layers", "0,99"), "expected which they are, ascending: --layers 0,"),
        (("--layers", "0;2"), "numbers such as 0,15,30"),
    ):
        said = cli("verify", "--states", f"vllm:{tmp_path / 's'}", *more, "--data", data)
        assert said.code == 2
        assert why in said.refusal[0]
    assert cli("verify", "--states", f"vllm:{tmp_path / 's'}", "--layers", "0,2", "--data", data).code == 0
    assert "FORMAT one of vllm" in cli("verify", "--states", f"vllm:{tmp_path / 'no'}", "--data", data).refusal[0]
    help_ = TABLE["extract verify_states"]["states"]["help"]
    assert all(name in help_ for name in FORMATS)


def test_a_store_of_states_goes_on_as_one_of_a_pass(states: Any, data: Path, tmp_path: Path, cli: Any) -> None:
    written(tmp_path / "s", states)
    given = ("--states", f"vllm:{tmp_path / 's'}")
    for name, more in (("pass", ()), ("given", given)):
        ends = ("--features", tmp_path / name, "--judge")
        assert cli("extract", "--data", data, *more, "--shard-items", 4, "--out", tmp_path / name).code == 0
        assert cli("fit", *ends, "clue", "--out", tmp_path / f"{name}-judge").code == 0
        assert cli("score", *ends, tmp_path / f"{name}-judge", "--out", tmp_path / f"{name}.jsonl").code == 0
    scores = [[row["score"] for row in read_rows(tmp_path / f"{name}.jsonl")] for name in ("pass", "given")]
    assert len(scores[1]) == 32
    np.testing.assert_allclose(scores[1], scores[0], atol=1e-4)
    crossed = cli(
        "score", "--features", tmp_path / "given", "--judge", tmp_path / "pass-judge", "--out", tmp_path / "c"
    )
    assert crossed.code == 0, "one provenance: what was fitted on a pass scores states of the same model"
    swept = cli(
        "sweep", "--features", tmp_path / "given", "--splits", 2, "--role", "prompt_end", "--out", tmp_path / "sweep"
    )
    assert swept.code == 0, swept.err
    drawn = cli("curves", "--scores", tmp_path / "given.jsonl", "--orders", 4, "--out", tmp_path / "curves")
    assert drawn.code == 0, drawn.err
    again = cli("extract", "--data", data, *given, "--shard-items", 4, "--out", tmp_path / "given")
    assert "complete already" in again.out
    written(tmp_path / "s", states, PLANTED["permuted"][0])
    again = cli("extract", "--data", data, *given, "--shard-items", 4, "--out", tmp_path / "given")
    assert "other state files" in again.refusal[0]


def test_files_are_removed_when_asked(states: Any, data: Path, tmp_path: Path, cli: Any) -> None:
    folder, out = tmp_path / "s", tmp_path / "f"
    written(folder, states)
    other = folder / "other.safetensors"  # of no text of the data
    save_file({"hidden_states": torch.ones(2, 7, 128), "token_ids": torch.tensor([1, 2])}, other)
    (folder / "0.safetensors.lock").touch()
    short = folder / "2.safetensors"  # too few for its text: it may be written again
    ids, own = states[2]
    save_file({"hidden_states": torch.from_numpy(own[:5, :-1].copy()), "token_ids": torch.tensor(ids[:5])}, short)
    given = ("extract", "--data", data, "--states", f"vllm:{folder}", "--out", out)
    assert cli(*given).code == 0
    n = len(list(folder.glob("*.safetensors"))) - 1
    assert n > 2, "without --clean all stay"
    (folder / "0.safetensors").rename(tmp_path / "kept")
    assert "other state files" in cli(*given).refusal[0], "a file that is gone was not removed by --clean"
    (tmp_path / "kept").rename(folder / "0.safetensors")
    held = (folder / "1.safetensors").read_bytes()
    said = cli(*given, "--clean")
    assert f"{n - 1} files of states removed" in said.out, said.err
    assert {*folder.iterdir()} == {other, short}
    short.unlink()
    assert "complete already" in (again := cli(*given, "--clean")).out
    assert "0 files" in again.out
    other.unlink()
    assert "complete already" in cli(*given, "--clean").out, "an empty folder"
    (folder / "1.safetensors").write_bytes(held)
    assert "other state files" in cli(*given, "--clean").refusal[0], "a file of another time"
    (folder / "1.safetensors").unlink()
    empty = cli(*given[:-1], tmp_path / "h", "--clean")
    assert "given no files of states" in empty.refusal[0]
    shard = next(out.glob("shards/*"))
    shard.write_bytes(shard.read_bytes()[:-1])
    assert "damaged" in cli(*given, "--clean").refusal[0], "what is gone cannot be read again"
    assert "expected --states" in cli(*given[:3], "--clean", "--out", tmp_path / "g").refusal[0]


def test_a_store_of_some_layers(states: Any, data: Path, tmp_path: Path, cli: Any) -> None:
    written(tmp_path / "s", states, lambda s: s[:, [0, 2]])
    given = ("extract", "--data", data, "--states", f"vllm:{tmp_path / 's'}")
    said = cli(*given, "--layers", "0,2", "--out", tmp_path / "f")
    assert said.code == 0, said.err
    assert cli("fit", "--features", tmp_path / "f", "--judge", "clue", "--out", tmp_path / "j").code == 0
    assert cli("score", "--features", tmp_path / "f", "--judge", tmp_path / "j", "--out", tmp_path / "v").code == 0
    refused = cli("score", "--data", data, "--judge", tmp_path / "j", "--out", tmp_path / "w")
    assert refused.code == 2 or all(row["unscored"] for row in read_rows(tmp_path / "w")), "h[0..L] are other rows"
    for more, why in (
        (("--layers", "0,2", "--text"), "given --states with --text or --ray"),
        (("--layers", "0,2", "--read", "tokens/response.entropy"), "needs a pass"),
    ):
        assert why in cli(*given, *more, "--out", tmp_path / "g").refusal[0]
    assert "expected --states" in cli(*given[:3], "--layers", "0,2", "--out", tmp_path / "g").refusal[0]
