"""Judges on trial: agreement, calibration, reliability, biases and confounds, all read from one table of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...models.lazy import lazy_names

if TYPE_CHECKING:
    from .biases.confounds import length_matched_pairs
    from .intervals import cluster_interval, paired_difference
    from .metrics.auroc import auroc, within_question_auroc
    from .metrics.calibration import expected_calibration_error
    from .metrics.correlation import spearman

_HOMES = {
    "auroc": ".metrics.auroc",
    "cluster_interval": ".intervals",
    "expected_calibration_error": ".metrics.calibration",
    "length_matched_pairs": ".biases.confounds",
    "paired_difference": ".intervals",
    "spearman": ".metrics.correlation",
    "within_question_auroc": ".metrics.auroc",
}

__all__ = [
    "auroc",
    "cluster_interval",
    "expected_calibration_error",
    "length_matched_pairs",
    "paired_difference",
    "spearman",
    "within_question_auroc",
]

__getattr__ = lazy_names(__name__, _HOMES)
