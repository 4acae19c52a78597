"""What tests of statistics share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from innerjudge.experiments.stats.statistic import Statistic


@pytest.fixture
def resamples_are_repeated_rows() -> Callable[..., None]:
    """Check that a statistic's word on a resample is the same statistic made of the repeated rows."""

    def check(made: Statistic, build: Callable[..., Statistic], *columns: Sequence[Any]) -> None:
        n = len(columns[0])
        counts = np.random.default_rng(1).multinomial(n, np.full(n, 1 / n), size=8).astype(float)
        for weights, value in zip(counts, made.over(counts), strict=True):
            rows = np.repeat(np.arange(len(weights)), weights.astype(int))
            assert value == pytest.approx(build(*[[c[k] for k in rows] for c in columns]).value, abs=1e-9)

    return check
