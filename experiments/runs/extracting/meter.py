"""The tokens of a run's passes, and what the same batches cost when nothing is read."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import torch

from ....models.blocks import StopAfter
from ....models.loading import LanguageModel

#: Batches that are kept to be passed again, bare; of a long run every second, fourth ... one.
_KEPT = 8


@dataclass
class Meter(AbstractContextManager["Meter"]):
    """Counts the tokens that pass through a model while it is open.

    Args:
        lm: The model.

    Example:
        >>> from innerjudge.models.loading import load
        >>> lm = load("reference")
        >>> with Meter(lm) as meter:
        ...     _ = lm.model(input_ids=torch.ones(2, 3, dtype=torch.long))
        >>> meter.tokens, meter.floor() > 0
        (6, True)
    """

    lm: LanguageModel
    tokens: int = 0
    _batches: list[dict[str, Any]] = field(default_factory=list)
    _seen: int = 0
    _step: int = 1

    def __enter__(self) -> Meter:
        self._handle = self.lm.model.register_forward_pre_hook(self._count, with_kwargs=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.remove()

    @torch.inference_mode()
    def floor(self) -> float:
        """Seconds a token of the bare model, measured on some of the batches that passed; 0 if none did."""
        tokens, seconds = 0, 0.0
        for kwargs in self._batches:
            self._pass(kwargs)  # once to warm up
            started = time.perf_counter()
            self._pass(kwargs)
            seconds += time.perf_counter() - started
            tokens += _tokens(kwargs)
        return seconds / tokens if tokens else 0.0

    def _pass(self, kwargs: dict[str, Any]) -> None:
        with self.lm.uncompiled(), StopAfter(self.lm.anatomy.stream):
            self.lm.model(**kwargs)
        if self.lm.device.type == "cuda":
            torch.cuda.synchronize(self.lm.device)

    def _count(self, _module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        self.tokens += _tokens(kwargs)
        past = kwargs.get("past_key_values")
        if (past is not None and past.get_seq_length()) or "input_ids" not in kwargs:
            return  # it goes on from an earlier pass: it cannot be passed again on its own
        if self._seen % self._step == 0:
            self._batches.append({k: v for k, v in kwargs.items() if isinstance(v, torch.Tensor | bool)})
            if len(self._batches) > _KEPT:
                self._batches, self._step = self._batches[::2], 2 * self._step
        self._seen += 1


def _tokens(kwargs: dict[str, Any]) -> int:
    ids, mask = kwargs.get("input_ids"), kwargs.get("attention_mask")
    if ids is None:
        return 0
    return int(mask.sum()) if mask is not None and mask.shape == ids.shape else int(ids.numel())
