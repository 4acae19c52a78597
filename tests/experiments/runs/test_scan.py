"""A long run reads its items when it needs them: checked in one pass, not kept, not parsed again where it goes on."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from innerjudge.experiments.data import item_lines as scanning, jsonl
from innerjudge.experiments.data.datasets import Dataset, load_data, open_data
from innerjudge.experiments.data.item_lines import ItemLines, scan
from innerjudge.experiments.data.kinds import hash_items
from innerjudge.experiments.data.variants import permuted
from innerjudge.experiments.runs import job as jobs
from innerjudge.experiments.runs.job import claim, pointwise
from innerjudge.extraction.store import FeatureStore
from innerjudge.extraction.store.place import place
from innerjudge.models.errors import InnerjudgeError


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rating(k: int, **more: object) -> dict[str, object]:
    return {"item_id": f"r{k}", "prompt": "Say hi.", "response": "hi " * (1 + k % 5), **more}


lines = st.lists(
    st.one_of(
        st.builds(lambda k, q: json.dumps(rating(k, question_id=q)), st.integers(0, 40), st.sampled_from("abc")),
        st.sampled_from(["", "  ", "{", '{"question_id": "q", "question": "?", "options": ["x", "y"]}', '{"a": 1}']),
    ),
    max_size=12,
)


def told(read: Callable[..., Dataset], path: Path, limit: int | None) -> Dataset | str:
    """The data, or what is said of them."""
    try:
        return read(str(path), limit=limit, seed=3)
    except InnerjudgeError as error:
        return str(error)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines, st.none() | st.integers(1, 6))
def test_a_scan_finds_what_a_list_holds(tmp_path: Path, rows: list[str], limit: int | None) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text("\n".join(rows))
    held, found = (told(read, path, limit) for read in (load_data, open_data))
    if isinstance(held, str) or isinstance(found, str):
        assert held == found
        return
    assert (found.kind, found.name, tuple(found.items)) == (held.kind, held.name, held.items)
    assert [found.items[k] for k in range(-len(held.items), 0)] == list(held.items)
    assert found.items[1:3] == list(held.items[1:3])


def test_ids_whose_hashes_agree_are_compared_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "_short", lambda _text: 7)
    assert len(scan(write(tmp_path / "a.jsonl", [rating(0), rating(1)])).items) == 2
    with pytest.raises(InnerjudgeError, match=r"b\.jsonl line 3: .* 'r0' that stands in b\.jsonl line 1"):
        scan(write(tmp_path / "b.jsonl", [rating(0), rating(1), rating(0)]))


def test_an_item_that_was_changed_meanwhile_is_named(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text("\n" + json.dumps(rating(0)) + "\n\n" + json.dumps(rating(1)) + "\n")
    items = scan(path).items
    path.write_bytes(path.read_bytes().replace(b'"r1"', b'"r1 '))
    assert items[0].id == "r0"
    with pytest.raises(InnerjudgeError, match=r"d\.jsonl line 4: given broken JSON"):
        items[1]


def peak(path: Path) -> int:
    """Most bytes that Python held while a run of the file was prepared."""
    tracemalloc.start()
    try:
        data = pointwise(open_data(str(path)))
        job = {"kind": data.kind, "items": hash_items(data.items), "seed": 0, "scale": [1, 5]}
        assert len(claim(place(path.with_suffix("")), job, lambda: data.items).items) == len(data.items)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_items(tmp_path: Path) -> None:
    filler = {"criterion": "x" * 2000}
    few = write(tmp_path / "few.jsonl", [rating(k, **filler) for k in range(100)])
    many = write(tmp_path / "many.jsonl", [rating(k, **filler) for k in range(4000)])
    peak(few)  # whatever is imported or cached at the first time
    # 4,000 items of 2 kB are 8 MB. A scan keeps 4 numbers of 8 bytes of each, twice while they are put into arrays, and
    # sorts one: 100 bytes are more than that.
    assert peak(many) - peak(few) < 100 * 4000


def test_a_run_that_goes_on_parses_only_what_it_reads(cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, out = write(tmp_path / "r.jsonl", [rating(k) for k in range(40)]), tmp_path / "out"
    args = ("extract", "--data", data, "--shard-items", 4, "--out", out)
    assert cli(*args).code == 0
    whole = FeatureStore.open(out).content_hash
    for path in out.glob("*/000007*"):
        path.unlink()
    parsed: list[str] = []
    parse = jsonl._parse
    monkeypatch.setattr(jsonl, "_parse", lambda raw, where: parsed.append(where) or parse(raw, where))
    again = cli(*args)
    assert again.code == 0, again.err
    looked_at = "r.jsonl line 1"  # what data it is, before anything heavy is imported
    assert parsed == [looked_at, *(f"items.jsonl line {k}" for k in (29, 30, 31, 32))]  # 7 * 4 = 28 stand before them
    assert FeatureStore.open(out, check="checksums").content_hash == whole
    data.write_text(data.read_text().replace("Say hi.", "Say ho."))
    edited = cli(*args)
    assert edited.code == 2
    assert "the data were edited" in edited.err


def test_permuted_choices_lie_beside_the_others(tmp_path: Path) -> None:
    rows = [{"question_id": f"c{k}", "question": "?", "options": ["x", "y", "z"][: 2 + k % 2]} for k in range(9)]
    data = open_data(str(write(tmp_path / "c.jsonl", rows)))
    job = claim(place(tmp_path / "out"), {"kind": "choice", "seed": 5}, lambda: data.items)
    assert list(job.stores) == ["permuted", ""]
    assert list(job.items) == list(data.items)
    assert list(job.stores["permuted"]) == permuted(list(data.items), seed=5)[0]


def test_both_responses_of_pairs_one_by_one(tmp_path: Path) -> None:
    rows = [{"pair_id": f"p{k}", "prompt": "?", "response_a": f"a{k}", "response_b": f"b{k}"} for k in range(5)]
    found = pointwise(open_data(str(write(tmp_path / "p.jsonl", rows)))).items
    ids = [f"p{k}/{side}" for k in range(5) for side in "ab"]
    assert [one.id for one in found] == ids
    assert [found[k].id for k in range(-10, 0)] == [one.id for one in found[:]] == ids
    assert [one.response for one in found[3:6]] == ["b1", "a2", "b2"]
    with pytest.raises(IndexError, match="given item 10 of 10"):
        found[10]


def test_lines_are_found_without_parsing(tmp_path: Path) -> None:
    path = tmp_path / "i.jsonl"
    path.write_bytes(b"{}\n\xff\nlast")
    np.testing.assert_array_equal(ItemLines(path).starts, [0, 3, 5])
    (tmp_path / "none.jsonl").write_bytes(b"")
    with pytest.raises(InnerjudgeError, match="without items"):
        ItemLines(tmp_path / "none.jsonl")


def test_the_hash_of_the_file_does_not_tell_jobs_apart(tmp_path: Path) -> None:
    job = {"kind": "rating", "items": "x", "scale": [1, 5], "seed": 0}
    data = load_data(str(write(tmp_path / "r.jsonl", [rating(0)])))
    at = place(tmp_path / "out")
    claim(at, job | {jobs.FILE_HASH: "1"}, lambda: data.items)
    claim(at, job | {jobs.FILE_HASH: "2"}, lambda: data.items)
    with pytest.raises(InnerjudgeError, match="the data were edited"):
        claim(at, job | {"items": "y"}, lambda: data.items)
