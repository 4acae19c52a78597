"""Figures of judges and how sure they are: agreement, calibration, reliability, biases and confounds.

``metrics/``, ``agreement/`` and ``biases/`` turn columns of labels, scores and verdicts into a ``Statistic``
(``statistic.py``): the value, why it is undefined, and its value with questions left out. ``intervals.py`` makes
intervals of it by leaving out each question in turn, and claims of "better" of paired differences with Holm's
correction, ``evidence.py`` the ends and the p-value of a standard error, ``selection_noise.py`` what picking the best
of many adds by luck.

Nothing here draws at random but the last, which takes a seed. Imports of the other rooms ``data``, and
from ``drawing`` how numbers are spelt.
"""

from typing import TYPE_CHECKING

from ...models.extra import lazy_names

if TYPE_CHECKING:
    from .agreement.aggregate import aggregate as aggregate, wording_labels as wording_labels
    from .agreement.checked import check_labels as check_labels
    from .agreement.log_ratios import log_ratio_preferences as log_ratio_preferences
    from .biases.confounds import length_matched_pairs as length_matched_pairs
    from .intervals import cluster_interval as cluster_interval, paired_difference as paired_difference
    from .metrics.accuracy import (
        auroc as auroc,
        decomposition as decomposition,
        within_question_auroc as within_question_auroc,
    )
    from .metrics.calibration import expected_calibration_error as expected_calibration_error
    from .metrics.correlation import spearman as spearman

__all__, __getattr__ = lazy_names(__name__)
