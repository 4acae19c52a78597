"""Results on disk that a later run would believe: verdicts and samples, whole or made again; YAML within its limits."""

from __future__ import annotations

from pathlib import Path

import pytest
from innerjudge.experiments.runs.part_file import PartFile
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.foreign import parse_yaml

TRACES = "".join(
    f'{{"question_id": "q{k // 2}", "candidate_id": "{k % 2}", "prompt": "?", '
    f'"response": "<think>{k}</think>{k}", "correct": {str(k % 2 == 0).lower()}}}\n'
    for k in range(6)
)


def test_a_flipped_verdict_is_made_again(cli, tmp_path: Path) -> None:
    data, features, judge, out = (tmp_path / name for name in ("t.jsonl", "f", "j", "v.jsonl"))
    data.write_text(TRACES, "utf-8")
    assert cli("extract", "--data", data, "--out", features).code == 0
    assert cli("fit", "--features", features, "--judge", "clue", "--out", judge).code == 0
    for source in (("--features", features), ("--data", data)):
        command = ("score", "--judge", judge, *source, "--out", out)
        assert cli(*command).code == 0
        whole = out.read_bytes()
        assert "complete already" in cli(*command).out
        for place in range(0, len(whole), len(whole) // 9):
            raw = bytearray(whole)
            raw[place] ^= 1
            out.write_bytes(bytes(raw))
            said = cli(*command)
            assert said.code == 0, said.err
            assert "What was there was damaged" in said.out
            assert out.read_bytes() == whole
        out.unlink()
        out.with_name("v.jsonl.sha256").unlink()


def test_a_part_goes_on_after_its_last_whole_row(tmp_path: Path) -> None:
    out = tmp_path / "v.jsonl"
    part = PartFile(out, "job", 1)
    part.add([{"k": k} for k in range(4)])
    path = tmp_path / "v.jsonl.part"
    path.write_bytes(path.read_bytes().replace(b'"k": 2', b'"k": 3'))
    assert PartFile(out, "job", 1).rows == [{"k": 0}, {"k": 1}]


@pytest.mark.parametrize(
    "text",
    [
        "a: &x [1]\nb: *x",
        "a: " + "[" * 100 + "]" * 100,
        "n: " + "9" * 6000,
        "n: 0x" + "f" * 5000,
        "n: " + "1:" * 5000 + "1",
        "a: [",
        "a: !!python/object:os.system x",
        "a: \x00",
        "x" * (1 << 20) + ": 1",
    ],
)
def test_yaml_that_is_refused(text: str) -> None:
    with pytest.raises(InnerjudgeError, match="given"):
        parse_yaml(text)


def test_yaml_that_is_read() -> None:
    assert parse_yaml("name: 'a very long name of more than 20 characters'\nseed: 12\nok: [1, 2.5, ~]") == {
        "name": "a very long name of more than 20 characters",
        "seed": 12,
        "ok": [1, 2.5, None],
    }
