"""Features of one block alone, so that every judge that is fitted on them or asked about them reads that block."""

from collections.abc import Iterator
from dataclasses import replace

from ..extraction.features import Features


def each_row(features: Features, *names: str) -> Iterator[Features]:
    """Features of one row of hidden states after another, ``h[0]`` first and the final-normed one last.

    Args:
        features: Of a whole pass.
        names: Arrays ``[n, rows, D]``, such as ``"hidden/response_end"``; the others are left out.

    Example:
        >>> import numpy as np
        >>> f = Features.from_arrays({"hidden/score": np.arange(3.0)[None, :, None]}, provenance="m")
        >>> [part["hidden/score"].ravel().tolist() for part in each_row(f, "hidden/score")]
        [[0.0], [1.0], [2.0]]
    """
    for row in range(features[names[0]].shape[1]):
        yield replace(features, arrays={name: features[name][:, row : row + 1] for name in names})


def each_entry(features: Features, *, normed: bool) -> Iterator[Features]:
    """Features with the verdict logits of one block after another in place of the model's own.

    Args:
        features: With ``"logits/score"``.
        normed: Logits through the final norm, or of the raw states.

    Example:
        >>> import numpy as np
        >>> from innerjudge import EScore
        >>> logits = np.zeros((1, 2, 2, 2))
        >>> logits[0, 1, 0] = [0, np.log(3)]  # h[0] through the norm says yes, three to one
        >>> f = Features.from_arrays({"logits/score": logits, "labels": [2]}, provenance="m")
        >>> [EScore(values=(0, 1)).decision_function(part).round(2).item() for part in each_entry(f, normed=True)]
        [0.75, 0.5]
    """
    logits = features["logits/score"]
    for block in range(logits.shape[2]):
        # The model's own logits are the last entry of (raw, normed); every judge of them reads that place.
        alone = logits[:, [int(normed)] * 2, block : block + 1]
        yield replace(features, arrays={**features.arrays, "logits/score": alone})
