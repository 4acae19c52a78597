"""The features of texts that are being written, of what was kept of them so far."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...models.loading import LanguageModel
from ...models.positions import Encoding
from ..arrays import Array
from ..extract import lacking
from ..features import Features
from ..one_pass import with_normed
from ..provenance import provenance
from ..readouts import HiddenStates, ResponseLogProb
from .watch import Watch

#: Why a feature is missing that a pass over the finished text can still give.
UNNOTICED = "its token was not noticed while the text was written"


def watched_features(
    lm: LanguageModel,
    readouts: Sequence[HiddenStates | ResponseLogProb],
    items: Sequence[Encoding],
    watch: Watch,
    places: Sequence[int],
) -> Features:
    """The features of some texts as far as they are written.

    Args:
        lm: The model.
        readouts: What to read.
        items: The texts.
        watch: What was kept of their batch.
        places: Place of each text in the batch.
    """
    missing = {r.name: lacking(r, items, lm) for r in readouts}
    arrays: dict[str, Array] = {}
    for readout in readouts:
        reasons = missing[readout.name]
        if isinstance(readout, ResponseLogProb):
            values = watch.log_probs(places).numpy()
        else:
            at = {item.id: item.positions[readout.position][0] for item in items if item.id not in reasons}
            kept = [watch.record.states[p].get(at.get(item.id, -1)) for p, item in zip(places, items, strict=True)]
            for item, states in zip(items, kept, strict=True):
                if states is None:
                    reasons.setdefault(item.id, UNNOTICED)
            values = _rows(lm, kept).numpy()
        values[[item.id in reasons for item in items]] = 0
        arrays[readout.name] = values
    return Features(
        ids=tuple(item.id for item in items),
        groups=tuple(item.group for item in items),
        provenance=provenance(lm),
        arrays=arrays,
        missing={name: reasons for name, reasons in missing.items() if reasons},
    )


@torch.inference_mode()
def _rows(lm: LanguageModel, kept: Sequence[Tensor | None]) -> Tensor:
    """``h[0..L]`` and the final-normed state of each text, ``[n, L + 2, W]`` in fp32; zeros where there is none."""
    values = torch.zeros(len(kept), lm.anatomy.n_blocks + 2, lm.anatomy.width)
    there = [k for k, states in enumerate(kept) if states is not None]
    if there:
        found = torch.stack([states for states in kept if states is not None])
        values[there] = with_normed(lm, found).float().cpu()
    return values
