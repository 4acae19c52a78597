"""Attention to spans held to the model's own weights."""

import torch

from ....extraction import AttentionSpans, Features
from ....models.loading import LanguageModel
from ....models.positions import Encoding
from .oracle import Truth, by_block, off

MASS, OWN = AttentionSpans("response", ("prompt", "response")), AttentionSpans("response", what="diagonal")


def spans(lm: LanguageModel, features: Features, items: list[Encoding], truths: list[Truth]) -> str:
    """Masses on prompt and response, and weights of tokens on themselves, held to the model's own weights."""
    for k, (item, own) in enumerate(zip(items, truths, strict=True)):
        length, begin, theirs = len(item.ids), item.places("response")[0][0], by_block(lm, own)
        if not theirs:
            return f"no oracle: the model returns {len(own.attentions)} attentions"
        for block, attentions in theirs.items():
            weights = torch.cat(attentions)[:, :length, :length].float()
            rows, heads = weights[:, begin:], len(weights)
            mass = torch.stack((rows[..., :begin].sum(-1), rows[..., begin:].sum(-1)), dim=-1).mean(1)
            itself = weights.diagonal(dim1=1, dim2=2)[:, begin:].clamp(min=1e-12).log().mean(1)
            for readout, right in ((MASS, mass), (OWN, itself)):
                if (odd := off(features[readout.name][k, block, :heads], right)) is not None:
                    return f"WRONG: {readout.what} of block {block + 1} differs by {odd:.1g}"
    return "pass"
