"""The type of weights and the number of threads that a CPU is given."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from innerjudge.models import precision
from innerjudge.models.loading import load


@pytest.fixture(autouse=True)
def _as_new() -> Iterator[None]:
    """What was said once is forgotten, and the threads are put back."""
    threads = torch.get_num_threads()
    for one in (precision.cpu_units, precision.cpu_dtype, precision.take_physical_cores):
        one.cache_clear()
    yield
    torch.set_num_threads(threads)
    for one in (precision.cpu_units, precision.cpu_dtype, precision.take_physical_cores):
        one.cache_clear()


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """The built-in model, stored as bfloat16."""
    lm = load("reference", device="cpu", dtype="bfloat16")
    lm.model.save_pretrained(tmp_path)
    lm.tokenizer.save_pretrained(tmp_path)
    return tmp_path


def test_auto_is_float32_where_the_cpu_has_no_units(
    half: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(precision, "cpu_units", lambda: frozenset({"avx2", "avx512f"}))
    with caplog.at_level(logging.WARNING, "innerjudge"):
        first, second = load(str(half), device="cpu"), load(str(half), device="cpu")
    assert (first.dtype, second.dtype) == ("float32", "float32")
    said = [one.getMessage() for one in caplog.records]
    assert len(said) == 1  # once, however many models are loaded
    assert "no units for bfloat16" in said[0]
    assert "--dtype bfloat16" in said[0]
    assert f"Threads: {torch.get_num_threads()}" in said[0]
    assert load(str(half), device="cpu", dtype="bfloat16").dtype == "bfloat16"  # what was asked for is kept


def test_auto_is_as_stored_where_it_has(half: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "cpu_units", lambda: frozenset({"avx512_bf16"}))
    assert load(str(half), device="cpu").dtype == "bfloat16"
    assert precision.cpu_dtype("float16") == "float32"
    assert precision.cpu_dtype("auto") == "auto"


def test_a_thread_for_each_physical_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"num_physical_cores": 1}, raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(2)
    assert precision.take_physical_cores() == precision.take_physical_cores() == 1
    assert torch.get_num_threads() == 1
    precision.take_physical_cores.cache_clear()
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    torch.set_num_threads(2)
    assert precision.take_physical_cores() == 2
