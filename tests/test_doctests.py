"""Every example in a docstring runs and prints what it says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import innerjudge
import pytest

MODULES = [
    m.name
    for m in pkgutil.walk_packages(innerjudge.__path__, "innerjudge.")
    if m.name.split(".")[1] in {"models", "extraction", "probes", "experiments"}
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    if name.endswith(("adapters.vllm", "bench.engine.files")):
        pytest.importorskip("vllm", reason="vLLM has an environment of its own, see `make engine`")
    found = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert found.failed == 0


def test_all_floors_are_covered() -> None:
    assert {name.split(".")[1] for name in MODULES} == {"models", "extraction", "probes", "experiments"}
