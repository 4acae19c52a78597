"""For tests of whole studies that look at no plot."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from innerjudge.experiments.compare.report import page
from matplotlib.figure import Figure


@pytest.fixture(scope="module")
def no_pixels() -> Iterator[None]:
    """Plots are made, but not turned into pixels, which takes a third of a small study; ``test_study.py`` does it."""
    blank = io.BytesIO()
    Figure(figsize=(1, 1)).savefig(blank, format="png", dpi=10)

    def unpainted(drawing: Figure) -> bytes:
        assert drawing.axes
        return blank.getvalue()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "png", unpainted)
        yield
