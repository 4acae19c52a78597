"""Every file of an extraction is covered by a checksum: a change is named, and the same command makes it good."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

CHOICES = [{"question_id": f"c{k}", "question": "?", "options": ["x", "y", f"z{k}"], "answer": k % 3} for k in range(6)]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def extracted(cli, tmp_path: Path) -> tuple[Path, tuple[Any, ...]]:
    data = tmp_path / "c.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in CHOICES), "utf-8")
    command = ("extract", "--data", data, "--shard-items", 4, "--out", tmp_path / "f")
    assert cli(*command).code == 0
    return tmp_path / "f", command


def test_a_flip_in_any_file_is_named_and_healed(cli, extracted: tuple[Path, tuple[Any, ...]], tmp_path: Path) -> None:
    folder, command = extracted
    names = [name for name in tree(folder) if not name.endswith("lock")]
    assert {"job.json", "items.jsonl", "store.json", "permuted/items.jsonl", "permuted/store.json"} < set(names)
    for place in range(len(names)):
        whole = tree(folder)
        name = [name for name in whole if not name.endswith("lock")][place]  # an index is named by its content
        raw = bytearray(whole[name])
        raw[len(raw) // 3] ^= 1
        (folder / name).write_bytes(bytes(raw))
        said = cli("store", "verify", folder)
        assert (said.code, len(said.err.splitlines())) == (2, 1), name
        shard = Path(name).stem[:6] if name.endswith((".parquet", ".safetensors")) else Path(name).name
        assert shard.lstrip("0") in said.err, (name, said.err)
        if name != "permuted/items.jsonl":  # which a fit does not read: it permutes the items itself
            fit = cli("fit", "--features", folder, "--judge", "qk-score", "--out", tmp_path / "judge")
            assert fit.code == 2, name  # nothing is learned from what is damaged
        said = cli(*command)
        assert said.code == 0, (name, said.err)
        healed = tree(folder)
        assert len(healed) == len(whole)
        assert {k: v for k, v in healed.items() if "index/" not in k} == {
            k: v
            for k, v in whole.items()
            if "index/" not in k  # which holds times
        }
        assert cli("store", "verify", folder).code == 0
    assert not (tmp_path / "judge").exists()


def test_labels_that_were_flipped(cli, extracted: tuple[Path, tuple[Any, ...]], tmp_path: Path) -> None:
    folder, command = extracted
    items = folder / "items.jsonl"
    before = items.read_bytes()
    items.write_bytes(before.replace(b'"answer": 0', b'"answer": 1'))  # plausible in every line
    for asked in (
        ("store", "verify", folder),
        ("fit", "--features", folder, "--judge", "qk-score", "--out", tmp_path / "j"),
        ("sweep", "--features", folder, "--out", tmp_path / "s"),
        ("store", "merge", folder, "--out", tmp_path / "m"),
    ):
        said = cli(*asked)
        assert said.code == 2, asked
    assert "items.jsonl" in cli("store", "verify", folder).err
    assert cli(*command).code == 0
    assert items.read_bytes() == before


def test_a_shard_of_another_store_is_no_shard_of_this_one(cli, extracted, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder, command = extracted
    other = tmp_path / "other"
    assert cli(*command[:-1], other, "--no-abstain").code == 0
    for name in ("index", "shards"):
        for path in (folder / name).iterdir():
            path.unlink()
        for path in (other / name).iterdir():
            (folder / name / path.name).write_bytes(path.read_bytes())
    said = cli("store", "verify", folder)
    assert said.code == 2
    assert "of another store" in said.err
