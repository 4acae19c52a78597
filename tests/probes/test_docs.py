"""The examples in the documentation run."""

import doctest
import importlib
import pkgutil

import innerjudge.probes
import pytest


@pytest.mark.parametrize("module", [m.name for m in pkgutil.iter_modules(innerjudge.probes.__path__)])
def test_examples(module):
    found = doctest.testmod(importlib.import_module(f"innerjudge.probes.{module}"))
    assert found.failed == 0
    assert found.attempted > 0
