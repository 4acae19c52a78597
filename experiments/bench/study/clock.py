"""A clock on everything that a model computes."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from ....models.loading import LanguageModel


class Clock:
    """Processor seconds inside a model: passes, generations, and its norm and unembedding where they run by themselves.

    A pass that stops early ends by an exception, which no forward hook sees: the functions themselves are wrapped. What
    hooks do within a pass counts as the model's.
    """

    def __init__(self, lm: LanguageModel) -> None:
        self.spent, self._depth = 0.0, 0
        parts = {id(part): part for part in (lm.model, lm.anatomy.final_norm, lm.anatomy.unembedding)}
        for part in parts.values():
            self._watch(part, "forward")
        self._watch(lm.model, "generate")

    @property
    def runs(self) -> bool:
        """Whether the model computes at this moment."""
        return self._depth > 0

    def _watch(self, owner: Any, name: str) -> None:
        run: Callable[..., Any] = getattr(owner, name)

        @wraps(run)  # transformers looks at the signature of forward
        def timed(*args: Any, **more: Any) -> Any:
            began, self._depth = time.process_time(), self._depth + 1
            try:
                return run(*args, **more)
            finally:
                self._depth -= 1
                if not self._depth:  # a pass inside a generation is the generation's
                    self.spent += time.process_time() - began

        setattr(owner, name, timed)
