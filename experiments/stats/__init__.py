"""Figures of judges and how sure they are: agreement, calibration, reliability, biases and confounds.

``metrics/``, ``agreement/`` and ``biases/`` turn columns of labels, scores and verdicts into a ``statistic.py``
``Statistic``: the value, why it is undefined, and its value with questions left out. ``intervals.py`` makes intervals
and paired differences of it by leaving out each question in turn, ``evidence.py`` the ends and the p-value of a
standard error, ``multiple.py`` claims of "better" with Holm's correction. ``permutation.py`` tests a judge against
chance, ``selection_noise.py`` measures what picking the best of many adds by luck.

Nothing here draws at random but those two, which take a seed. Imports of the other rooms only ``data``.
"""
