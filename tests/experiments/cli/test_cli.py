"""The main job through the command line: files, words, and the same verdicts again."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from innerjudge.experiments.compare import items as job
from innerjudge.models.items import Trace

pytestmark = pytest.mark.usefixtures("no_pixels")

FILES = [
    "compare.json",
    "kept",
    "plots",
    "report.html",
    "report.md",
    "results.json",
    "timings.json",
    "verdicts.jsonl",
    "verdicts.jsonl.sha256",
]
PAIRS = [("a", "good"), ("b", "fine"), ("a", "nice"), ("tie", "well"), ("b", "yes"), ("a", "hi")]
QUICK = ("--seed", 3)


def refuse(word: str) -> float:
    raise AssertionError(f"{word} in a JSON file")


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line, parse_constant=refuse) for line in path.read_text("utf-8").splitlines()]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture
def pairs_file(tmp_path: Path) -> Path:
    texts = [
        {"pair_id": f"p{k}", "prompt": "Say it.", "response_a": word, "response_b": f"not {word}", "preference": side}
        for k, (side, word) in enumerate(PAIRS)
    ]
    return write(tmp_path / "pairs.jsonl", texts)


@pytest.fixture
def both_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sampled traces with even candidates called right, whatever the model can do."""
    sample = job.sample_traces

    def sampled(*args: Any, **options: Any) -> list[Trace]:
        return [replace(t, correct=int(t.candidate_id) % 2 == 0) for t in sample(*args, **options)]

    monkeypatch.setattr(job, "sample_traces", sampled)


@pytest.mark.usefixtures("both_classes")
def test_all_four_kinds(cli, pairs_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    data = [arg for task in ("solve", "rate", "choose") for arg in ("--data", f"builtin:{task}")]
    small = ("--limit", 6, "--candidates", 3, "--reasoning-tokens", 8)
    said = cli("compare", *data, "--data", pairs_file, *small, *QUICK, "--judges", "all", "--out", out)
    assert said.code == 0, said.err
    assert "report.html" in said.out
    assert sorted(path.name for path in out.iterdir()) == FILES

    results = json.loads((out / "results.json").read_text("utf-8"), parse_constant=refuse)
    parts = {"name", "command", "spec", "versions", "model", "summary", "figures", "cost_per_item", "sha256"}
    assert set(results) == parts
    assert results["spec"]["seeds"] == {"data": 3, "split": 3, "sampling": 3}
    assert results["command"].startswith("innerjudge compare --data builtin:solve")
    assert list(results["summary"]) == ["builtin:solve", "builtin:rate", "builtin:choose", "pairs.jsonl"]
    judges = defaultdict(set)
    main = [row for row in results["figures"] if row["part"] == "accuracy"]
    for row in results["figures"]:
        assert {"data", "part", "judge", "metric", "value", "low", "high", "n", "unscored", "against"} <= set(row)
        assert (row["value"] is None) <= bool(row["reason"]), row
        if row["value"] is not None and row["low"] is not None:
            assert row["low"] - 1e-9 <= row["high"] + 1e-9
        if row["metric"] in ("AUROC", "Spearman", "accuracy") and row["part"] == "accuracy":
            assert row["n"] + row["unscored"] <= 18
    for row in main:
        judges[row["data"]].add(row["judge"])
    assert {"clue", "lager", "text", "length"} <= judges["builtin:solve"]
    assert {"lager", "lager-tuned", "ridge-probe", "text"} <= judges["builtin:rate"]
    assert {"qk-score", "attention-score", "letter-logits", "text"} <= judges["builtin:choose"]
    assert {"lager", "lager-pairwise", "text"} <= judges["pairs.jsonl"]
    gaps = {(r["data"], r["judge"]) for r in main if r["against"] == "text"}
    assert gaps == {(d, j) for d, found in judges.items() for j in found - {"text"}}
    picked = {r["metric"] for r in results["figures"] if r["judge"] == "no judge"}
    assert picked == {"majority", "random", "oracle"}
    timings = json.loads((out / "timings.json").read_text("utf-8"))["seconds_per_item"]
    assert {name: set(found) for name, found in timings.items()} == judges

    shown: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in rows_of(out / "verdicts.jsonl"):
        named = {"data", "question", "candidate", "judge", "order", "score", "label", "unscored", "truth"}
        assert named <= set(row)
        assert (row["score"] is None) == (row["unscored"] is not None), row
        assert ("scores" in row) == (row["data"] == "builtin:choose" and row["unscored"] is None)
        if row["data"] == "builtin:solve":
            assert row["tokens"] > 0
        if row["order"] == "given":
            shown[row["data"], row["judge"]].append((row["question"], row["candidate"]))
    for data_name, found in judges.items():
        asked = {tuple(shown[data_name, judge]) for judge in found}
        assert len(asked) == 1, "judges saw other items, or in another order"
    # 6 problems, 3 of them to test on, 3 candidates each: whole questions, every candidate
    solve = shown["builtin:solve", "clue"]
    assert len(solve) == 9
    assert {k for _, k in solve} == {"0", "1", "2"}
    assert len({q for q, _ in solve}) == 3
    assert len(shown["pairs.jsonl", "lager"]) == 3


def test_same_seed_same_verdicts(cli, tmp_path: Path) -> None:
    files = []
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        out = tmp_path / name
        args = ("--data", "builtin:rate", "--limit", 6, "--reasoning-tokens", 0, "--seed", seed)
        assert cli("compare", *args, "--out", out).code == 0
        files.append((out / "verdicts.jsonl").read_bytes())
    assert files[0] == files[1] != files[2]


def test_data_without_labels_gives_verdicts(cli, tmp_path: Path) -> None:
    traces = [
        {"question_id": f"q{k}", "candidate_id": "0", "prompt": "1+1?", "response": f"<think>1+1={k}</think>{k}"}
        for k in range(4)
    ]
    choices = [{"question_id": f"q{k}", "question": "Which?", "options": ["x", f"y{k}", "z"]} for k in range(6)]
    ratings = [{"item_id": f"r{k}", "prompt": "Hi.", "response": f"Hi {k}"} for k in range(4)]
    pairs = [{"pair_id": f"p{k}", "prompt": "Hi.", "response_a": "a", "response_b": f"b{k}"} for k in range(4)]
    said = {}
    for name, rows in (("traces", traces), ("choices", choices), ("ratings", ratings), ("pairs", pairs)):
        data = write(tmp_path / f"{name}.jsonl", rows)
        out = tmp_path / name
        ended = cli("compare", "--data", data, "--reasoning-tokens", 0, "--judges", "all", "--out", out, *QUICK)
        assert ended.code == 0, ended.err
        results = json.loads((out / "results.json").read_text("utf-8"), parse_constant=refuse)
        figures = [row for row in results["figures"] if row["part"] == "accuracy"]
        assert {row["value"] for row in figures} == {None}
        assert all(row["reason"] for row in figures)
        said[name] = {(row["judge"], row["unscored"] is None) for row in rows_of(out / "verdicts.jsonl")}
    assert ("lager", True) in said["traces"]
    assert ("clue", False) in said["traces"]
    assert ("token-log-probability", True) in said["traces"]
    assert ("qk-score-unlabelled", True) in said["choices"], "the heads that need no labels were not chosen"
    assert ("qk-score", False) in said["choices"]
    assert ("lager", True) in said["ratings"]
    assert ("lager-pairwise", True) in said["pairs"]


def test_questions_with_one_candidate(cli, tmp_path: Path) -> None:
    traces = [
        {
            "question_id": f"q{k}",
            "candidate_id": "0",
            "prompt": f"{k}+1?",
            "response": f"<think>{k}+1={k + k % 2}</think>{k + k % 2}",
            "correct": k % 2 == 1,
        }
        for k in range(16)
    ]
    out = tmp_path / "run"
    args = ("--data", write(tmp_path / "t.jsonl", traces), "--reasoning-tokens", 0, "--out", out)
    said = cli("compare", *args, "--judges", "all", *QUICK)
    assert said.code == 0, said.err
    found = json.loads((out / "results.json").read_text("utf-8"))["figures"]
    rows = {(r["judge"], r["metric"]): r for r in found if not r["against"]}
    assert rows["clue", "AUROC"]["n"] == 8
    assert rows["clue", "AUROC within questions"]["value"] is None
    assert rows["clue-margin-balanced", "AUROC"]["value"] is None, "no question has right and wrong candidates"
    assert "clue-margin-balanced: not fitted" in (out / "report.md").read_text("utf-8")


def test_one_class_to_fit_on(cli, tmp_path: Path) -> None:
    traces = [
        {"question_id": f"q{k}", "candidate_id": "0", "prompt": "?", "response": "<think>a</think>b", "correct": True}
        for k in range(4)
    ]
    said = cli("compare", "--data", write(tmp_path / "t.jsonl", traces), "--out", tmp_path / "run", *QUICK)
    assert said.code == 2
    assert said.refusal == [
        "innerjudge: given items to fit on that are all correct, expected at least two different labels: add items, "
        "or raise --limit"
    ]
    assert not (tmp_path / "run").exists()


def test_models(cli) -> None:
    said = cli("models")
    assert said.code == 0
    for word in ("blocks", "head size", "final norm", "chat template", "<think> and </think>, one token each"):
        assert word in said.out


def test_parts_of_a_model_are_named(cli) -> None:
    assert cli("models", "--module", "blocks=model.layers", "--module", "final_norm=model.norm").code == 0
    for typed, message in (("blocks=model.norm", "expected a list of blocks"), ("bloks=x", "expected PART=PATH once")):
        said = cli("models", "--module", typed)
        assert said.code == 2
        assert message in said.err


@pytest.mark.parametrize("command", ["compare", "extract", "fit", "score", "rank", "models"])
def test_help(cli, command: str) -> None:
    said = cli(command, "--help")
    assert said.code == 0
    assert said.err == ""
    for option in ("--limit", "--seed", "--batch-size", "--device", "--dtype"):
        assert option in said.out, option
    if command in ("fit", "models"):  # one set of options fits every command, also where some have no effect
        assert "has no effect" in " ".join(said.out.replace("│", " ").split())


def test_no_arguments_show_the_help(cli) -> None:
    said = cli()
    assert said.code == 0
    assert "compare" in said.out


def test_a_true_process_exits_with_2_and_one_line(tmp_path: Path) -> None:
    args = ["compare", "--data", "nothing.jsonl", "--out", str(tmp_path / "run")]
    for program in (
        [sys.executable, "-m", "innerjudge.experiments.cli.main"],
        [str(Path(sys.executable).parent / "innerjudge")],
    ):
        ended = subprocess.run([*program, *args], capture_output=True, text=True, cwd=tmp_path)
        assert ended.returncode == 2
        assert ended.stdout == ""
        assert len(ended.stderr.splitlines()) == 1
        assert ended.stderr.startswith("innerjudge: given 'nothing.jsonl'")
    assert not (tmp_path / "run").exists()


def test_version(cli) -> None:
    from importlib import metadata

    said = cli("--version")
    assert (said.code, said.out) == (0, f"innerjudge {metadata.version('innerjudge')}\n")


def test_judges_are_listed_with_what_they_read(cli: Any) -> None:
    """The star is for those that must be named."""
    lines = [line.split() for line in cli("judges", "trace").out.splitlines()]
    rows = {line[0]: line for line in lines if len(line) > 1}
    assert rows["swift"][1:3] == ["*", "hidden"]
    assert rows["swift"][-1] == "hidden/response.none[-5,-4,-3,-1]"
    assert rows["clue"][1] == "hidden"
    assert "nothing" in rows["text-only"]
    assert "qk-score" not in rows


def test_a_judge_of_many_states_is_fitted_from_a_store(cli: Any, tmp_path: Path) -> None:
    options = ("--data", "builtin:solve", "--limit", 12, "--candidates", 4)
    judges = ("mean-probe", "step", "lookback", "trilens", "llm-check-attention", "llm-check-hidden")
    judges += ("calibration-probe", "p-true", "redeep", "reprobe-attention", "qk-verification")
    options += ("--reasoning-tokens", 96)
    read = [word for judge in judges for word in ("--read", judge)]
    assert not cli("extract", *options, *read, "--out", tmp_path / "f").code
    for judge in judges:
        assert not cli("fit", "--features", tmp_path / "f", "--judge", judge, "--out", tmp_path / judge).code
        out = tmp_path / f"{judge}.jsonl"
        assert not cli("score", "--features", tmp_path / "f", "--judge", tmp_path / judge, "--out", out).code
        assert sum(row["score"] is not None for row in rows_of(out)) > 24


def test_learned_readers_are_compared_by_name(cli: Any, tmp_path: Path) -> None:
    words = ("", "Wait, again. ", "Hmm. ")  # LYNX reads where these end
    items = []
    for q, k in itertools.product(range(12), range(4)):
        end = q + 1 + k % 2
        items += [{"question_id": f"q{q}", "candidate_id": str(k), "prompt": f"{q}+1?", "correct": k % 2 == 0}]
        items[-1] |= {"answer": str(k % 3 if q % 2 else 0)}
        items[-1] |= {"response": f"<think>{q}+1={end}\n\n{words[k % 3]}So {k}.</think>{end}"}
    (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, items)), encoding="utf-8")
    names = "chunk-probe,lynx,inspector,token-probe,calibration-probe-given,hsrm,reprobe,eigenscore,sep"
    names += ",saplma,multimax,attention-probe,rolling-probe,swift"
    done = cli("compare", "--data", tmp_path / "items.jsonl", "--judges", names, "--out", tmp_path / "run")
    assert not done.code, done.err
    rows = rows_of(tmp_path / "run" / "verdicts.jsonl")
    assert not [row["judge"] for row in rows if "could not be fitted" in (row["unscored"] or "")]
    for name in names.split(","):
        own = [row for row in rows if row["judge"] == name]
        scored = [row["unscored"] is None for row in own]
        assert own, name
        assert sum(scored) == (len(own) // 2 if name == "lynx" else len(own)), name


@pytest.mark.parametrize("command", ["compare", "study", "extract", "score", "rank", "sample", "sweep", "fit", "serve"])
def test_ctrl_c_says_what_is_true(command: str, cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from innerjudge.experiments.cli import main

    def interrupted(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "app", interrupted)
    said = cli(command, "--out", "x")
    more = "" if command in ("fit", "serve") else "; type the same command again, and it goes on"
    assert (said.code, said.err) == (130, f"innerjudge: stopped{more}\n")


def test_the_help_names_every_prompt_that_is_shipped(cli) -> None:
    from innerjudge.experiments.cli.options import TABLE
    from innerjudge.experiments.reading.judge_prompt import NAMES

    said = TABLE["every"]["prompt"]["help"]
    assert said[said.index("(") + 1 : said.index(")")].split(", ") == list(NAMES)


@pytest.mark.parametrize(("command", "option"), [("fit", "--data"), ("sweep", "--data"), ("sweep", "--model")])
def test_commands_that_take_features_say_how_they_are_made(command: str, option: str, cli) -> None:
    said = cli(command, option, "x.jsonl")
    assert (said.code, said.err) == (
        2,
        f"innerjudge: given {option}, expected --features: `innerjudge extract` reads data once, into --out\n",
    )


def test_a_value_without_its_option_says_so(cli) -> None:
    said = cli("models", "gpt2")
    assert (said.code, said.err) == (
        2,
        "innerjudge: Got unexpected extra argument(s) (gpt2), expected its option in front, such as --data or --model. "
        "See `innerjudge models --help`.\n",
    )


def test_a_command_says_first_how_its_model_is_run(cli: Any, tmp_path: Path) -> None:
    line = f"reference: float32 on cpu, threads: {torch.get_num_threads()} (OMP_NUM_THREADS sets another number)"
    assert cli("models", "--model", "reference", "--device", "cpu").err.splitlines()[0].endswith(line)
    items = ("--data", "builtin:rate", "--limit", 4, "--log", "json")
    said = cli("extract", "--model", "reference", "--device", "cpu", *items, "--out", tmp_path / "f")
    assert json.loads(said.err.splitlines()[0])["event"] == line


def test_every_entry_of_the_table_of_options_is_one_of_a_command() -> None:
    from innerjudge.experiments.cli.main import app
    from innerjudge.experiments.cli.options import IDLE, TABLE
    from typer.main import get_command

    top: Any = get_command(app)
    commands = [one for group in (top, top.commands["store"]) for one in group.commands.values() if one.callback]
    had = {one.callback.__name__: {option.name for option in one.params} for one in commands}
    had |= {"every": set().union(*had.values()), "idle": set(IDLE)}
    for heads, options in TABLE.items():
        for head in heads.split():
            assert options.keys() <= had[head], head
