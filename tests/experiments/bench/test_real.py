"""Real models against naive definitions, the wheel that the model comes from, and the record of both."""

from __future__ import annotations

import json
import re
import time
import zipfile
from pathlib import Path

import pytest
import torch
from innerjudge.experiments.bench.real import costs, exactness, fetch, harness
from innerjudge.experiments.data.datasets import load_data
from innerjudge.experiments.reading.passes import Passes
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Choice, Trace
from innerjudge.models.loading import LanguageModel, load
from innerjudge.models.prompts import plain_prompt

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


def test_our_plain_words_are_those_of_the_harness() -> None:
    utils = pytest.importorskip("lm_eval.utils")
    template = Path(utils.__file__).parent / "tasks" / "mmlu" / "default" / "_default_template_yaml"
    (words,) = re.findall(r'doc_to_text: "(.*)"', template.read_text(encoding="utf-8"))
    question, options = " Which is a fruit? ", ("iron", "pear", "tin", "zinc")
    theirs = utils.apply_template(words.replace("\\n", "\n"), {"question": question, "choices": list(options)})
    assert plain_prompt(Choice(question_id="q", question=question, options=options)).user == theirs


@pytest.mark.parametrize(("data", "ways"), [("builtin:choose", 3), ("builtin:solve", 2)])
def test_the_harness_gets_the_same_answers_of_the_built_in_model(
    reference: LanguageModel, data: str, ways: int
) -> None:
    """The built-in model has no yes and no without a space before them: that way of asking has no answers here."""
    pytest.importorskip("lm_eval")
    from lm_eval.models.huggingface import HFLM

    items = solutions() if data == "builtin:solve" else load_data(data, limit=12).items
    model = HFLM(pretrained=reference.model, tokenizer=reference.tokenizer, batch_size=4)
    lines = harness.compared(reference, model, items, Passes(batch_size=4), text=False)
    held = [line for line in lines if "harness" in line]
    assert [line["way"] for line in held] == [way.name for way in harness.HELD]
    held = [line for line in held if not line["without an answer"]]
    assert [line["same answer"] for line in held] == [len(items)] * ways
    assert all(line["ours"] == line["harness"] for line in held)


def solutions() -> list[Trace]:
    """Six sums with a right and a wrong result each."""
    asked = [f"Start with {k}. Add 5." for k in range(6)]
    return [
        Trace(question_id=f"q{k}", candidate_id=str(ok), prompt=asked[k], response=str(k + 5 + (not ok)), correct=ok)
        for k in range(6)
        for ok in (True, False)
    ]


@pytest.mark.parametrize("data", ["sample:mmlu", "sample:gsm8k-solutions"])
def test_a_real_model_is_as_accurate_here_as_in_the_harness(data: str, real_models: Path) -> None:
    pytest.importorskip("lm_eval")
    from lm_eval.models.huggingface import HFLM

    folder = str(real_models / "smollm2-135m")
    lm = load(folder, device="cpu", dtype="float32")
    model = HFLM(pretrained=folder, dtype="float32", device="cpu", batch_size=4)
    lines = harness.compared(lm, model, load_data(data, limit=12, seed=2).items, Passes(batch_size=4), text=False)
    assert all(line["within two standard errors"] for line in lines if "harness" in line)


def test_the_record_of_the_harness() -> None:
    record = json.loads(harness.RECORD.read_text(encoding="utf-8"))
    lines = [line for one in record for line in one["ways"] if "harness" in line]
    assert lines
    assert all(line["within two standard errors"] for line in lines)
    for line in lines:  # sqrt(p (1 - p) / n) of whichever of the two accuracies gives more
        spread = max(p * (1 - p) for p in (line["ours"], line["harness"]))
        assert line["standard error"] == pytest.approx((spread / line["items"]) ** 0.5, abs=1e-3)
    assert harness.document(record) == harness.RECORD.with_suffix(".md").read_text(encoding="utf-8")


def test_costs_are_counted(reference: LanguageModel) -> None:
    with costs.peak() as grown:
        held = bytearray(b"1" * 64_000_000)
        time.sleep(0.1)  # the watcher looks every 5 ms, when it may
        del held
        assert all(60e6 < most < 200e6 for most in grown())
    with costs.read_by(reference) as seen, torch.inference_mode():
        reference.model(torch.tensor([[5, 6, 7], [5, 6, 8]]))
        reference.model(torch.tensor([[5], [6]]))
    assert (seen.tokens, seen.steps, len(seen.passes)) == (6, 2, 1)
    asked = costs.Asked()
    for step, done in (("asking", (3, 1)), ("reading", (2,))):
        for n in done:
            asked(step, 4)(n)
    assert asked.prompts == 3 + 1 + 2
    assert costs.bare(reference, seen.passes) > 0
    assert costs.weight_bytes(reference) == sum(p.numel() for p in reference.model.parameters()) * 4
