"""While a model is loaded no garbage is looked for, and after it as before."""

from __future__ import annotations

import gc

import pytest
from innerjudge.experiments.runs.loading import uncollected


def _fails() -> None:
    with uncollected():
        assert not gc.isenabled()
        raise ValueError("no such model")


@pytest.mark.parametrize("before", [True, False])
def test_the_collector_is_as_it_was(before: bool) -> None:
    was = gc.isenabled()
    (gc.enable if before else gc.disable)()
    try:
        with uncollected():
            assert not gc.isenabled()
        assert gc.isenabled() is before
        failing = uncollected()(int)
        with pytest.raises(ValueError, match="no number"):
            failing("no number")
        assert gc.isenabled() is before
    finally:
        (gc.enable if was else gc.disable)()
