"""How far two rankings are apart."""

from __future__ import annotations

from collections.abc import Hashable, Sequence


def levenshtein_distance(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """Normalised Levenshtein distance between two rankings: edits over the longer length; lower is closer.

    Source:
        The batch-ranking measure of MLLM-as-a-Judge (arXiv 2402.04788).

    Example:
        >>> levenshtein_distance("ABC", "ACB")
        0.6666666666666666
    """
    row = list(range(len(second) + 1))
    for k, a in enumerate(first, start=1):
        held, row[0] = row[0], k
        for m, b in enumerate(second, start=1):
            held, row[m] = row[m], min(row[m] + 1, row[m - 1] + 1, held + (a != b))
    return row[-1] / max(len(first), len(second), 1)
