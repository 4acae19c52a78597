"""`innerjudge look`, `--map` on every command, and wrong data that cost next to nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
from innerjudge.experiments.cli.options import TABLE, StoreDtype
from innerjudge.experiments.data.labels import scale_of
from innerjudge.experiments.data.loaders import LOADERS
from innerjudge.experiments.runs.look import look_at
from innerjudge.extraction.store.precision import DTYPES
from innerjudge.models.items import Choice, Pair, Rating, Trace

ROWS = [
    {"q": f"{k}+1?", "text": f"<think>{k}+1={k + c}</think>{k + c}", "ok": c == 1} for k in range(4) for c in (0, 1)
]
MAP = ("--map", "prompt=q", "--map", "response=text", "--map", "correct=ok")


def test_what_is_said_of_a_data_set(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    pd.DataFrame([*ROWS, {"q": "9+1?", "text": "10 \x1b[31m", "ok": None}]).to_parquet(tmp_path / "r.parquet")
    said = cli("look", tmp_path / "r.parquet", *MAP, "--items", 1)
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[:5] == [
        "kind: 9 traces",
        "questions: 5",
        "labels: 4 right, 4 wrong",
        "without a label: 1",
        "questions with right and wrong answers: 4",
    ]
    assert any(line.startswith("1 unscored where this is read: no reasoning end: no </think>") for line in lines)
    assert "[prompt_end]<think>[reasoning_start]0+1=0</think>[reasoning_end]0[response_end]" in said.out
    every = cli("look", tmp_path / "r.parquet", *MAP, "--items", 9)
    assert "\x1b" not in every.out


def test_every_kind_is_shown_with_its_positions() -> None:
    one = {"prompt": "?", "response": "!"}
    for item, marks, label in (
        (Rating(item_id="r", **one, scores=(4,)), ["[score]"], ("scores", "4 to 4, mean 4.00")),
        (
            Choice(question_id="c", question="?", options=("x", "y"), answer=1),
            ["[option_end]"] * 4,
            ("labels", "1 option 2"),
        ),
        (Pair(pair_id="p", prompt="?", response_a="x", response_b="y"), ["[score]"], ("labels", "none")),
        (Trace(question_id="t", candidate_id="0", prompt="?", response=""), ["[prompt_end]"], ("without a label", "1")),
    ):
        seen = look_at([item])  # type: ignore[list-item]
        assert seen.facts[label[0]] == label[1]
        assert seen.items[0].count(marks[0]) == len(marks)
    long = look_at([Rating(item_id="r", prompt="word " * 3000, response="!")])
    assert any("longer than the 1,024 tokens" in reason for reason in long.unscored)
    assert len(long.items[0]) < 3000


def test_the_help_names_every_loader() -> None:
    said = TABLE["every"]["data"]["help"].partition("public format (")[2]
    assert sorted(said[: said.index(")")].split(", ")) == sorted(LOADERS)


def test_the_options_know_every_type_of_stored_states() -> None:
    assert get_args(StoreDtype) == tuple(DTYPES)


#: Imports the command line, then types each command in a fork of it; says what was imported there, and how it ended.
TYPING = """
import json, os, sys
from innerjudge.experiments.cli import main
heavy = sys.argv[2:]
for at, typed in enumerate(json.loads(sys.argv[1])):
    child = os.fork()
    if not child:
        os.dup2(os.open(f"said-{at}", os.O_CREAT | os.O_WRONLY), 2)
        sys.argv, code = ["innerjudge", *typed], None
        try:
            main.main()
        except SystemExit as end:
            code = end.code
        print(json.dumps([sorted({*heavy} & sys.modules.keys()), code]), flush=True)
        sys.stderr.flush()
        os._exit(0)
    os.waitpid(child, 0)
"""


def typed_lightly(folder: Path, *typed: list[str], heavy: tuple[str, ...]) -> list[str]:
    """What each of some wrong commands says, which imports nothing ``heavy`` to say so, and ends with 2."""
    command = [sys.executable, "-c", TYPING, json.dumps(typed), *heavy]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert ran.stdout.splitlines() == ["[[], 2]"] * len(typed), ran.stderr
    return [(folder / f"said-{at}").read_text("utf-8") for at in range(len(typed))]


@pytest.mark.skipif(sys.platform == "win32", reason="runs are forks")
def test_wrong_data_are_told_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    judge, out = ["--judge", "."], ["--out", "out"]
    commands = {"compare": out, "extract": out, "plan": out, "look": []}
    commands |= {"score": judge + out, "rank": judge + out, "sample": judge + out}
    wrong = {
        "given 'no.jsonl', expected a file": ("no.jsonl",),
        "did you mean 'q'": ("r.jsonl", "--map", "prompt=qq"),
        "expected FIELD=COLUMN": ("r.jsonl", "--map", "prompt"),
    }
    every = [
        (said, [command, *["--data"] * (command != "look"), *data, *more])
        for command, more in commands.items()
        for said, data in wrong.items()
    ]
    assert len(every) == 21
    heavy = ("torch", "transformers", "sklearn", "pandas")
    found = typed_lightly(tmp_path, *(typed for _, typed in every), heavy=heavy)
    for (said, typed), told in zip(every, found, strict=True):
        assert said in told, typed


@pytest.mark.skipif(sys.platform == "win32", reason="runs are forks")
def test_a_typo_in_a_study_is_told_before_torch_is_imported(tmp_path: Path) -> None:
    wrong = {"{source: 'builtin:rate', limt: 4}": "data.0.limt", "{source: 'builtin:rat'}": "builtin:rate"}
    for at, data in enumerate(wrong):
        (tmp_path / f"{at}.yaml").write_text(f"data: [{data}]\njudges: [lager]\n")
    typed = [["study", f"{at}.yaml"] for at in range(len(wrong))]
    told = typed_lightly(tmp_path, *typed, heavy=("torch", "sklearn", "pandas"))
    for said, words in zip(told, wrong.values(), strict=True):
        assert words in said


def test_mapped_rows_go_through_the_commands(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    pd.DataFrame(ROWS).to_csv(tmp_path / "r.csv", index=False)
    data = ("--data", tmp_path / "r.csv", *MAP)
    assert cli("extract", *data, "--out", tmp_path / "f").code == 0
    again = cli("extract", *data, "--out", tmp_path / "f")
    assert again.code == 0, "the same command goes on"
    other = cli("extract", "--data", tmp_path / "r.csv", *MAP[:4], "--out", tmp_path / "f")
    assert other.code == 2, "other columns are another job"
    fitted = cli("fit", "--features", tmp_path / "f", "--judge", "difference-of-means", "--out", tmp_path / "j")
    assert fitted.code == 0, fitted.err
    scored = cli("score", "--judge", tmp_path / "j", *data, "--out", tmp_path / "v.jsonl")
    assert scored.code == 0, scored.err
    assert len((tmp_path / "v.jsonl").read_text().splitlines()) == 8
    sampled = cli(
        "sample", "--judge", tmp_path / "j", *data[:4], "--n", 1, "--max-new-tokens", 2, "--out", tmp_path / "s.jsonl"
    )
    assert sampled.code == 0, sampled.err


def ratings(*scales: list[float] | None) -> list[Rating]:
    return [
        Rating(item_id=str(k), prompt="Say hi.", response="hi", scores=(2.0,), extra={"scale": one} if one else {})
        for k, one in enumerate(scales)
    ]


def test_the_scale_of_the_data_is_what_items_are_asked_on() -> None:
    seen = look_at(ratings([0, 3], [0, 3]))
    assert seen.facts["scores"] == "2 to 2, mean 2.00; their scale is 0 to 3; they are asked for as with --scale 0-3"
    assert all("from 0 to 3" in one for one in seen.items)
    assert not seen.unscored
    named = look_at(ratings([0, 3]), scale=(1, 7))
    assert "from 1 to 7" in named.items[0]
    assert named.facts["scores"].endswith("their scale is 0 to 3; they are asked for as with --scale 1-7")


@pytest.mark.parametrize("scales", [([0, 3], [1, 5]), ([0, 3], None), (None, None), ([0, 0.5],)])
def test_without_one_scale_of_whole_numbers_it_is_1_to_5(scales: tuple[list[float] | None, ...]) -> None:
    seen = look_at(ratings(*scales))
    assert scale_of(ratings(*scales)) is None
    assert all("from 1 to 5" in one for one in seen.items)
    assert "scale" not in seen.facts["scores"]


def test_a_scale_with_labels_of_two_digits_is_told_and_not_asked_on() -> None:
    seen = look_at(ratings([0, 100]))
    assert seen.facts["scores"].endswith("their scale is 0 to 100; they are asked for as with --scale 1-5")
    assert "from 1 to 5" in seen.items[0]


def test_the_scale_on_the_command_line(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    row = {"item_id": "r", "prompt": "Say hi.", "response": "hi", "scores": [2], "scale": [0, 3]}
    (tmp_path / "r.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    said = cli("look", tmp_path / "r.jsonl", "--items", 1).out
    assert "Rate the response from 0 to 3" in said
    said = cli("look", tmp_path / "r.jsonl", "--items", 1, "--scale", "1-5").out
    assert "Rate the response from 1 to 5" in said


@pytest.mark.parametrize("scale", [[1, 5], ["a", 2], [["a"], "b"]])
def test_a_field_called_scale_of_another_kind_of_item_is_the_users_own(scale: list[object]) -> None:
    item = Trace(question_id="q", candidate_id="0", prompt="Hi?", response="hi", correct=True, extra={"scale": scale})
    assert "scores" not in look_at([item]).facts


def test_an_id_forges_no_line(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    row = {"question_id": "q\nkind: 9 pairs", "candidate_id": "\x1b[2J", "prompt": "?", "response": "!"}
    (tmp_path / "r.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    said = cli("look", tmp_path / "r.jsonl", "--items", 1).out
    assert "--- q\\nkind: 9 pairs/\\x1b[2J, " in said
