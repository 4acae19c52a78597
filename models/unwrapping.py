"""The transformers model inside whatever it was wrapped in: compiled, adapted (PEFT), or a TransformerBridge."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from .errors import InnerjudgeError

#: Models that run eagerly in this context, by identity.
_open: ContextVar[frozenset[int]] = ContextVar("models that run eagerly", default=frozenset())


def unwrap(model: Any) -> PreTrainedModel:
    """The transformers model inside ``model``.

    These are unwrapped, however nested: ``torch.compile(model)``, PEFT models whose adapters are inside the modules
    (LoRA and the like), ``DataParallel``, and a TransformerLens ``TransformerBridge``. ``InnerjudgeError`` if there is
    none inside, or it reads virtual tokens (prompt and prefix tuning), whose states are not those of the text.
    """
    given = type(model).__name__
    while not isinstance(model, PreTrainedModel):
        virtual = [name for name, one in getattr(model, "peft_config", {}).items() if one.is_prompt_learning]
        if virtual:
            raise InnerjudgeError.of("models.virtual-tokens", given, virtual[0])
        inner = next((getattr(model, name) for name in ("_orig_mod", "original_model") if hasattr(model, name)), None)
        if inner is None and hasattr(model, "get_base_model"):
            inner = model.get_base_model()
        if inner is None and isinstance(model, nn.DataParallel):
            inner = model.module
        if inner is None:
            raise InnerjudgeError.of("models.unwrap", given)
        model = inner
    return model


@contextmanager
def eagerly(model: nn.Module) -> Iterator[None]:
    """While open, compiled modules of ``model`` run as they are written: compiled code calls no new hooks. May nest."""
    if id(model) in _open.get():
        yield
        return
    compiled = any(m._compiled_call_impl is not None for m in model.modules())
    token = _open.set(_open.get() | {id(model)})
    try:
        with torch.compiler.set_stance("force_eager") if compiled else nullcontext():
            yield
    finally:
        _open.reset(token)
