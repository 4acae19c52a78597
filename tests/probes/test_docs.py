"""The examples in the documentation run, and no module with a public name is without one."""

import doctest
import importlib
import pkgutil

import innerjudge.probes
import pytest


@pytest.mark.parametrize("module", [m.name for m in pkgutil.iter_modules(innerjudge.probes.__path__)])
def test_examples(module):
    named = f"innerjudge.probes.{module}"
    found = doctest.testmod(importlib.import_module(named))
    assert found.failed == 0
    public = [name for name in innerjudge.probes.__all__ if getattr(innerjudge.probes, name).__module__ == named]
    assert found.attempted > 0 or not public
