"""A judge as one folder: there and back, in a fresh process, from `innerjudge fit` and `save_judge`, damaged, moved."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import yaml
from innerjudge import (
    LAGER,
    InnerjudgeError,
    Judge,
    LanguageModel,
    LetterLogits,
    Passes,
    TextJudge,
    TokenLogProb,
    load_judge,
    save_judge,
)
from innerjudge.experiments.judges import pair_judge
from innerjudge.models.foreign import digest_of_file, dump_sealed

from .conftest import PROMPT, RIGHT, WRONG

PAIRS = [(PROMPT, RIGHT), (PROMPT, WRONG)]


def test_there_and_back(clue: Judge, rater: Judge, chooser: Judge, asker: Judge, tmp_path: Path) -> None:
    for name, judge in {"clue": clue, "rater": rater, "chooser": chooser, "asker": asker}.items():
        judge.save(tmp_path / name)
        for back in (Judge.load(tmp_path / name), Judge.from_pretrained(str(tmp_path / name), lm=judge.lm)):
            assert (back.kind, back.name, back.passes) == (judge.kind, judge.name, judge.passes)
            if judge is chooser:
                assert back.rank("Which is a fruit?", ["iron", "pear"]) == judge.rank(
                    "Which is a fruit?", ["iron", "pear"]
                )
            else:
                np.testing.assert_array_equal(back.scores(PAIRS), judge.scores(PAIRS))


def test_a_fresh_process_says_the_same(clue: Judge, tmp_path: Path) -> None:
    clue.save(tmp_path)
    code = f"from innerjudge import Judge; print(Judge.load({str(tmp_path)!r}).scores({PAIRS!r}).tolist())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    np.testing.assert_allclose(json.loads(said.stdout), clue.scores(PAIRS), rtol=1e-4)


def test_how_it_is_asked_is_kept(reference: LanguageModel, tmp_path: Path) -> None:
    passes = Passes(scale=(0, 3), markers=("<a>", "</a>"), reasoning_tokens=17)
    judge = TextJudge.rating(generation="reasoned", scale=(0, 3))
    Judge(judge, reference, passes=passes, name="mine", criterion="short").save(tmp_path)
    back = Judge.load(tmp_path)
    assert (back.name, back.kind, back.passes.scale) == ("mine", "rating", (0, 3))
    assert (back.passes.markers, back.passes.reasoning_tokens) == (("<a>", "</a>"), 17)
    assert back.criterion == "short"
    Judge(LetterLogits(), reference, passes=Passes(abstain=False)).save(tmp_path / "letters")
    assert not Judge.load(tmp_path / "letters").passes.abstain


def test_judges_of_one_model_share_it(
    clue: Judge, rater: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clue.save(tmp_path / "clue")
    rater.save(tmp_path / "rater")
    loads = []
    monkeypatch.setattr(pair_judge, "load", lambda *a, **k: loads.append(a) or load(*a, **k))
    from innerjudge import load

    gc.collect()
    pair_judge._loaded.clear()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(Judge.load, [tmp_path / "clue", tmp_path / "rater"] * 3))
    assert len({id(judge.lm) for judge in found}) == 1
    assert loads == [("reference",)]
    del found
    gc.collect()
    assert not pair_judge._loaded  # nobody holds it: it is not kept


def test_folders_of_the_command_line_and_of_save_judge(
    cli, clue: Judge, reference: LanguageModel, tmp_path: Path
) -> None:
    assert cli("extract", "--data", "builtin:rate", "--limit", 30, "--scale", "1-5", "--out", tmp_path / "f").code == 0
    assert cli("fit", "--features", tmp_path / "f", "--judge", "ridge-probe", "--out", tmp_path / "j").code == 0
    fitted = Judge.load(tmp_path / "j")
    assert (fitted.name, fitted.kind) == ("ridge-probe", "rating")
    assert fitted.scores(PAIRS).shape == (2,)
    assert (
        cli("score", "--judge", tmp_path / "j", "--data", "builtin:rate", "--limit", 5, "--out", tmp_path / "v").code
        == 0
    )
    save_judge(clue.judge, tmp_path / "alone")
    np.testing.assert_array_equal(Judge.load(tmp_path / "alone").scores(PAIRS), clue.scores(PAIRS))
    save_judge(LAGER(values=(0, 1, 2)), tmp_path / "bare")  # does not say of which model
    with pytest.raises(InnerjudgeError, match=r"does not say its model.*pass the model as lm"):
        Judge.load(tmp_path / "bare")
    bare = Judge.load(tmp_path / "bare", lm=reference)
    assert (bare.kind, bare.passes.scale) == ("rating", (0, 2))
    save_judge(TokenLogProb(), tmp_path / "any")  # reads traces and ratings alike: it goes by the data
    args = ("score", "--judge", tmp_path / "any", "--data", "builtin:rate", "--limit", 5, "--out", tmp_path / "w")
    assert "--model" in cli(*args).err
    assert cli(*args, "--model", "reference").code == 0
    assert "--revision main without --model, expected both" in cli(*args, "--revision", "main").err


def test_saving_leaves_the_judge_as_it_was(reference: LanguageModel, tmp_path: Path) -> None:
    judge = TokenLogProb()
    Judge(judge, reference).save(tmp_path)
    assert judge.provenance_ is None
    held = load_judge(tmp_path).provenance_
    assert held is not None
    assert held.fingerprint == reference.fingerprint


def seal_again(folder: Path) -> None:
    """Make the checksums fit the files, as somebody would who changes them on purpose."""
    header = json.loads((folder / "judge.json").read_text("utf-8"))
    header["files"] = {name: digest_of_file(folder / name) for name in header["files"]}
    (folder / "judge.json").write_bytes(dump_sealed(header))


def test_what_cannot_be_loaded(
    clue: Judge, tinystories: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clue.save(tmp_path / "clue")
    with pytest.raises(InnerjudgeError, match="fingerprint"):
        Judge.load(tmp_path / "clue", lm=tinystories)
    with pytest.raises(InnerjudgeError, match="dtype 'bfloat16' instead of 'float32'"):
        Judge.load(tmp_path / "clue", dtype="bfloat16")
    with pytest.raises(InnerjudgeError, match="revision='main' with the folder"):
        Judge.load(tmp_path / "clue", revision="main")
    with pytest.raises(InnerjudgeError, match=r"expected a folder with judge.json"):
        Judge.load(tmp_path)
    for name in ("no such name!", "../nowhere", tmp_path / "nothing"):
        with pytest.raises(InnerjudgeError, match="expected a folder that `innerjudge fit` or Judge"):
            Judge.load(name)
    made = json.loads((tmp_path / "clue" / "made.json").read_text("utf-8"))
    for broken in ({"markers": 3}, {"kind": "song"}, {"scale": [1]}):
        (tmp_path / "clue" / "made.json").write_text(json.dumps(made | broken), "utf-8")
        with pytest.raises(InnerjudgeError, match=r"made.json is not the file that judge.json was written with"):
            Judge.load(tmp_path / "clue")
        seal_again(tmp_path / "clue")
        with pytest.raises(InnerjudgeError, match=r"made.json, which is damaged|expected one of trace"):
            Judge.load(tmp_path / "clue")
    (tmp_path / "clue" / "made.json").write_text(json.dumps(made), "utf-8")
    header = (tmp_path / "clue" / "judge.json").read_text("utf-8")
    (tmp_path / "clue" / "judge.json").write_text(header.replace('"reference"', '"/gone/away"'), "utf-8")
    seal_again(tmp_path / "clue")
    with pytest.raises(InnerjudgeError, match=r"of the model '/gone/away', which cannot be loaded.*pass it as lm"):
        Judge.load(tmp_path / "clue")


def test_the_card_says_what_the_judge_is(clue: Judge, tmp_path: Path) -> None:
    clue.save(tmp_path)
    card = (tmp_path / "README.md").read_text("utf-8")
    _, header, body = card.split("---\n", 2)
    assert yaml.safe_load(header) == {
        "library_name": "innerjudge",
        "tags": ["innerjudge", "judge", "reranking"],
        "pipeline_tag": "text-ranking",
    }
    for said in ("CLUE(rank_by='margin')", clue.lm.fingerprint, "float32", "`<think>` `</think>`", "Judge.load("):
        assert said in body


def test_a_judge_saved_over_another_leaves_nothing_of_it(clue: Judge, rater: Judge, tmp_path: Path) -> None:
    clue.save(tmp_path)
    assert (tmp_path / "final_norm.safetensors").is_file()
    rater.save(tmp_path)
    assert not (tmp_path / "final_norm.safetensors").exists()
    assert Judge.load(tmp_path).name == "LAGER"
    (tmp_path / "file").write_text("")
    with pytest.raises(InnerjudgeError, match="could not be written"):
        clue.save(tmp_path / "file")
