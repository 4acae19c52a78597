"""Whatever is given wrong: one clear line, exit code 2, and nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import innerjudge
import pytest
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.loading import LanguageModel
from innerjudge.models.positions import encode_prompt
from innerjudge.models.prompts import rating_prompt
from transformers import AutoTokenizer, BertConfig, BertModel

pytestmark = pytest.mark.usefixtures("no_pixels")

RATING = {"item_id": "r1", "prompt": "Say hi.", "response": "hi", "scores": [4]}


def refused(said: Any, *words: str) -> None:
    assert said.code == 2, said
    assert len(said.refusal) == 1, said.err
    assert said.refusal[0].startswith("innerjudge: ")
    assert "Traceback" not in said.err
    for word in words:
        assert word in said.err


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), "utf-8")
    return path


@pytest.mark.parametrize("command", ["compare", "extract"])
@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ((RATING, '{"item_id": "r2", "prom'), ("data.jsonl line 2", "JSON")),
        ((RATING, {"item_id": "r2", "prompt": "?"}), ("data.jsonl line 2", "'response'", "add the field")),
        ((), ("data.jsonl", "empty file")),
        ((RATING, RATING), ("data.jsonl line 2", "'r1'", "data.jsonl line 1", "unique")),
    ],
    ids=["broken line", "missing field", "empty file", "duplicate ids"],
)
def test_bad_jsonl(cli, tmp_path: Path, command: str, rows: Any, words: tuple[str, ...]) -> None:
    data = lines(tmp_path / "data.jsonl", *rows)
    refused(cli(command, "--data", data, "--out", tmp_path / "out"), *words)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--data", "builtin:sing"), ("'builtin:sing'", "builtin:solve")),
        (("--data", "no-such-loader:x"), ("'no-such-loader:x'", "gsm8k-solutions")),
        (("--data", "mmlu:no-such-folder"), ("'no-such-folder'", "check the path")),
        (("--data", "builtin:rate", "--seed", -1), ("--seed -1", "0 or more")),
        (("--data", "builtin:rate", "--seed", "x"), ("--seed", "'x'", "See `innerjudge")),
        (("--data", "builtin:rate", "--limit", 0), ("--limit 0", "at least 1")),
        (("--data", "builtin:rate", "--limit", "x"), ("--limit", "'x'")),
        (("--data", "builtin:rate", "--device", "toaster"), ("'toaster'",)),
        (("--data", "builtin:rate", "--dtype", "int3"), ("'int3'", "float32")),
        (("--data", "builtin:rate", "--scale", "5-1"), ("--scale '5-1'", "1-5")),
        (("--data", "builtin:rate", "--scale", "1-" + "9" * 5000), ("--scale '1-999", "1-5")),
        (("--data", "builtin:rate", "--scale", "1-\u00b2"), ("--scale '1-", "1-5")),
        (("--data", "builtin:rate", "--scale", "1-100000"), ("the scale 1..100000", "at most 1000 apart")),
        (("--data", "builtin:rate", "--batch-size", 0), ("--batch-size",)),
        (("--data", "builtin:rate", "--colour"), ("--colour",)),
        ((), ("--data",)),
    ],
)
def test_bad_options(cli, tmp_path: Path, args: tuple[Any, ...], words: tuple[str, ...]) -> None:
    for command in ("compare", "extract"):
        refused(cli(command, *args, "--out", tmp_path / "out"), *words)
    assert not (tmp_path / "out").exists()


def test_bad_options_of_compare_alone(cli, tmp_path: Path) -> None:
    for args in (("--fit-share", 1), ("--limit", 1)):
        refused(cli("compare", "--data", "builtin:rate", *args, "--out", tmp_path / "out"), args[0])
    assert not (tmp_path / "out").exists()


def test_a_hub_name_without_network(tmp_path: Path) -> None:
    args = ("compare", "--model", "nobody/no-such-model", "--data", "builtin:rate", "--out", "out")
    ended = subprocess.run(
        [sys.executable, "-m", "innerjudge.experiments.cli.main", *args],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        # Offline mode would hide how the libraries try again and again: this is a network that does not answer.
        env={k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
        | {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hub")},
    )
    said = SimpleNamespace(code=ended.returncode, err=ended.stderr, refusal=ended.stderr.splitlines())
    refused(said, "'nobody/no-such-model'", "check the spelling and the network")
    assert not (tmp_path / "out").exists()


def test_no_weights_no_config_no_causal_model(cli, tmp_path: Path, reference: LanguageModel) -> None:
    bare = tmp_path / "bare"
    reference.model.config.save_pretrained(bare)
    reference.tokenizer.save_pretrained(bare)
    bert = tmp_path / "bert"
    small = BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=9)
    BertModel(small).save_pretrained(bert)
    reference.tokenizer.save_pretrained(bert)
    for model, words in ((bare, ("model.safetensors",)), (bert, ("BertModel", "causal")), (tmp_path, ("config.json",))):
        for command in (("compare", "--data", "builtin:rate"), ("extract", "--data", "builtin:rate")):
            refused(cli(*command, "--model", model, "--out", tmp_path / "out"), *words)
        refused(cli("models", "--model", model), *words)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_other_files_is_left_alone(cli, tmp_path: Path) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "thesis.tex").write_text("mine")
    features = tmp_path / "features"
    assert cli("extract", "--data", "builtin:choose", "--limit", 4, "--out", features).code == 0
    refused(cli("compare", "--data", "builtin:rate", "--out", out), "thesis")
    refused(cli("extract", "--data", "builtin:rate", "--out", out), "holds other files")
    refused(cli("fit", "--features", features, "--judge", "letter-logits", "--out", out), "holds other files")
    assert cli("fit", "--features", features, "--judge", "letter-logits", "--out", tmp_path / "judge").code == 0
    refused(
        cli("score", "--judge", tmp_path / "judge", "--features", features, "--out", out / "thesis.tex"),
        "holds no verdicts",
    )
    refused(cli("rank", "--judge", tmp_path / "judge", "--features", features, "--out", tmp_path / "r"), "score")
    refused(cli("fit", "--features", features, "--judge", "clue", "--out", tmp_path / "j"), "'clue'", "qk-score")
    refused(cli("fit", "--features", features, "--judge", "qk-score", "--out", tmp_path / "judge"), "LetterLogits")
    refused(cli("score", "--judge", tmp_path / "judge", "--out", tmp_path / "v"), "neither")
    refused(cli("score", "--judge", features, "--features", features, "--out", tmp_path / "v"), "judge.json")
    refused(cli("fit", "--features", out, "--judge", "clue", "--out", tmp_path / "j"), "job.json")
    assert [path.name for path in out.iterdir()] == ["thesis.tex"]
    assert (out / "thesis.tex").read_text() == "mine"
    assert not any((tmp_path / name).exists() for name in ("r", "v", "j", "r.verdicts.jsonl", "v.part"))


def test_labels_of_one_class_at_fit(cli, tmp_path: Path) -> None:
    rows = [
        {"question_id": "q", "candidate_id": f"{k}", "prompt": "?", "response": "<think>a</think>b", "correct": False}
        for k in range(3)
    ]
    features = tmp_path / "features"
    assert cli("extract", "--data", lines(tmp_path / "t.jsonl", *rows), "--out", features).code == 0
    for judge in ("clue", "logistic-probe", "length"):
        refused(cli("fit", "--features", features, "--judge", judge, "--out", tmp_path / "judge"), "0 correct")
    assert not (tmp_path / "judge").exists()


def test_features_of_another_model_at_score(cli, tmp_path: Path, shared: Path) -> None:
    chat = shared / "models" / "tinystories-chat-3M"
    data = lines(tmp_path / "r.jsonl", RATING, RATING | {"item_id": "r2", "scores": [1]})
    for model, name in (("reference", "ours"), (chat, "theirs")):
        assert cli("extract", "--model", model, "--data", data, "--out", tmp_path / name).code == 0
    assert cli("fit", "--features", tmp_path / "ours", "--judge", "lager", "--out", tmp_path / "judge").code == 0
    score = ("score", "--judge", tmp_path / "judge", "--out", tmp_path / "v.jsonl")
    for source in (("--features", tmp_path / "theirs"), ("--data", data, "--model", chat)):
        refused(cli(*score, *source), "fingerprint", "'reference'", "tinystories-chat-3M")
    assert not list(tmp_path.glob("v.jsonl*"))
    assert cli(*score, "--features", tmp_path / "ours").code == 0


def test_a_scale_that_the_tokenizer_splits(cli, tmp_path: Path, shared: Path) -> None:
    for folder in ("qwen2.5-instruct", "smollm2-instruct"):  # digits one by one: "10" is two tokens
        tokenizer = AutoTokenizer.from_pretrained(shared / "tokenizers" / folder)
        assert len(encode_prompt(tokenizer, "r", "r", rating_prompt("?", "!", scale=(1, 5))).label_ids) == 5
        with pytest.raises(InnerjudgeError, match=r"'10' is .*'1', '0'.*a scale of 1 to 5"):
            encode_prompt(tokenizer, "r", "r", rating_prompt("?", "!", scale=(1, 10)))
    data = lines(tmp_path / "r.jsonl", *(RATING | {"item_id": f"r{k}", "scores": [k]} for k in range(1, 5)))
    for command in ("compare", "extract"):
        refused(cli(command, "--data", data, "--scale", "9995-9999", "--out", tmp_path / "out"), "one token")
        assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    refused(cli("extract", "--data", data, "--scale", "9995-9999", "--out", tmp_path / "out"), "one token")
    assert list((tmp_path / "out").iterdir()) == []
    shutil.rmtree(tmp_path / "out")


def test_a_trace_longer_than_the_context_is_unscored_and_counted(cli, tmp_path: Path, reference: LanguageModel) -> None:
    context = reference.anatomy.context
    assert context is not None
    rows = [
        {
            "question_id": f"q{k // 2}",
            "candidate_id": f"{k % 2}",
            "prompt": "?",
            "response": f"<think>{'1+1=2; ' * (context if k == 1 else k + 1)}</think>{k}",
            "correct": k % 2 == 0,
        }
        for k in range(8)
    ]
    data, features = lines(tmp_path / "t.jsonl", *rows), tmp_path / "features"
    assert cli("extract", "--data", data, "--out", features).code == 0
    assert cli("fit", "--features", features, "--judge", "clue", "--out", tmp_path / "judge").code == 0
    assert cli("score", "--judge", tmp_path / "judge", "--features", features, "--out", tmp_path / "v").code == 0
    verdicts = [json.loads(line) for line in (tmp_path / "v").read_text("utf-8").splitlines()]
    assert [row["unscored"] is None for row in verdicts] == [k != 1 for k in range(8)]
    assert verdicts[1]["score"] is None
    assert f"longer than the model's context of {context}" in verdicts[1]["unscored"]


def test_no_reasoning_markers(cli, tmp_path: Path) -> None:
    rows = [
        {
            "question_id": f"q{k // 2}",
            "candidate_id": f"{k % 2}",
            "prompt": "1+1?",
            "response": "2" * (k + 1),
            "correct": k % 2 == 0,
        }
        for k in range(8)
    ]
    data = lines(tmp_path / "t.jsonl", *rows)
    found = {}
    for between in ("reasoning", "response"):
        out = tmp_path / between
        args = ("--between", between, "--reasoning-tokens", 0, "--out", out)
        said = cli("compare", "--data", data, *args)
        assert said.code == 0, said.err
        results = json.loads((out / "results.json").read_text("utf-8"))
        found[between] = next(
            r for r in results["figures"] if (r["judge"], r["metric"], r["against"]) == ("clue", "AUROC", None)
        )
        verdicts = [json.loads(line) for line in (out / "verdicts.jsonl").read_text("utf-8").splitlines()]
        reasons = {row["unscored"] for row in verdicts if row["judge"] == "clue"}
        assert (reasons == {None}) == (between == "response")
        assert between == "response" or all("<think>" in reason for reason in reasons)
    assert (found["reasoning"]["value"], found["reasoning"]["n"], found["reasoning"]["unscored"]) == (None, 0, 4)
    assert (found["response"]["n"], found["response"]["unscored"]) == (4, 0)


def test_read_wants_items_of_one_kind_and_of_the_judge(reference: LanguageModel) -> None:
    rating = innerjudge.Rating(item_id="r", prompt="?", response="!")
    choice = innerjudge.Choice(question_id="c", question="?", options=("x", "y"))
    for items in ([], [rating, choice]):
        with pytest.raises(InnerjudgeError, match="expected items of one kind"):
            innerjudge.read(reference, items)
    with pytest.raises(InnerjudgeError, match="of the kind that it was made for"):
        innerjudge.read(reference, [choice], judges=[innerjudge.CLUE()])
