"""Items that lie end to end in one row: what one attention holds of each of them, apart from the others."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..models.attention_calls import AttentionCall


class Packing:
    """Where the items of a packed row lie.

    Args:
        starts: Place of the first token of each item, ``[B]``.
        lengths: Tokens of each item.
    """

    def __init__(self, starts: Tensor, lengths: tuple[int, ...]) -> None:
        self.starts = starts
        self._longest = max(lengths)

    def apart(self, call: AttentionCall, at: Tensor) -> AttentionCall:
        """One query of each item over the keys of its own, as if it had a row: query ``[B, H, 1, hd]``.

        Rows are as long as the longest item. What follows a shorter one there are tokens of others, which the mask
        hides from its query as it hid them in the pass; behind the last item the first one follows.

        Args:
            call: An attention of the packed row: query ``[1, H, total, hd]``.
            at: Place of each item's query in that row, ``[B]``.
        """
        total = call.query.shape[2]
        own = torch.arange(self._longest, device=at.device)
        places = (self.starts.to(at.device)[:, None] + own) % total

        def line(value: Any) -> Any:
            """``[1, H, total, total]`` at the queries and the keys of each: ``[B, H, 1, T]``; others unchanged."""
            if not isinstance(value, Tensor) or value.ndim != 4 or value.shape[2:] != (total, total):
                return value
            heads = torch.arange(value.shape[1], device=at.device)
            return value[0][heads[None, :, None], at[:, None, None], places[:, None]][:, :, None]

        def rows(states: Tensor | None) -> Tensor | None:
            """``[1, H, total, hd]`` at the keys of each: ``[B, H, T, hd]``."""
            return None if states is None else states[0][:, places].movedim(1, 0)

        mask = line(call.mask)
        if mask is None:
            mask = (own <= (at - self.starts.to(at.device))[:, None])[:, None, None]
        extra = {name: line(value) for name, value in call.extra.items() if name != "value"}
        return replace(
            call,
            query=call.query[0][:, at].movedim(1, 0)[:, :, None],
            key=rows(call.key),
            mask=mask,
            weights=line(call.weights),
            extra=extra | {"value": rows(call.extra.get("value"))},
        )
