"""Statistics of next-token distributions, held to the logits that a model itself returns."""

import numpy as np
import torch

from ....extraction import Features, TokenStats
from ....extraction.readouts import STATISTICS
from ....models.loading import LanguageModel
from ....models.positions import Encoding
from .oracle import TOLERANCE, Truth

TOKENS = tuple(TokenStats("response", what) for what in (*STATISTICS, "top(3)"))


def tokens(_lm: LanguageModel, features: Features, items: list[Encoding], truths: list[Truth]) -> str:
    """Every statistic of every token of the response held to ``log_softmax`` of the logits before it."""
    for k, (item, own) in enumerate(zip(items, truths, strict=True)):
        start, stop = item.places("response")[0]
        logits, drawn = own.logits[start - 1 : stop - 1].double(), torch.tensor(item.ids[start:stop])[:, None]
        finite, logs = logits.isfinite(), logits.log_softmax(-1)
        count, zeros = finite.sum(-1), torch.zeros_like(logits)
        mean = torch.where(finite, logits, zeros).sum(-1) / count
        right = {
            "log_probability": logs.gather(1, drawn)[:, 0],
            "entropy": -torch.where(finite, logs.exp() * logs, zeros).sum(-1),
            "logsumexp": logits.logsumexp(-1),
            "mean_logit": mean,
            "certainty": logits.logsumexp(-1) - mean - count.log(),
            "top(3)": logs.topk(3).values,
        }
        # Sums of numbers of this size: what is left of them may be small.
        size = float(logits[finite].abs().max())
        for what, values in right.items():
            ours = features.ragged[f"tokens/response.{what}"][k]
            if ours.shape != values.shape or np.abs(ours - values.numpy()).max() > TOLERANCE * max(size, 1.0):
                return f"WRONG: {what} of tokens differs"
        near, own_logits = TOLERANCE * max(size, 1.0), logits.gather(1, drawn)
        # Of logits that are so near, which one is larger is open.
        least, most = 1 + (logits > own_logits + near).sum(-1), (logits > own_logits - near).sum(-1)
        ranks = torch.tensor(features.ragged["tokens/response.rank"][k])
        if bool(((ranks < least) | (ranks > most)).any()):
            return "WRONG: rank of tokens differs"
    return "pass"
