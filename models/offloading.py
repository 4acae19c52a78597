"""Weights that are not on any device while they are not used: accelerate keeps them in memory or on disk."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from .errors import InnerjudgeError


def stored(model: nn.Module, name: str) -> Tensor:
    """The tensor that ``name`` of the model's state stands for, fetched from where it is kept.

    Raises:
        InnerjudgeError: If it is nowhere: the model was made on the meta device and never filled.
    """
    path, _, own = name.rpartition(".")
    hook: Any = getattr(model.get_submodule(path), "_hf_hook", None)
    for one in getattr(hook, "hooks", (hook,)):
        kept = getattr(one, "weights_map", None)
        if kept is not None:
            return kept[own]  # type: ignore[no-any-return]
    raise InnerjudgeError(
        f"given a model whose {name} has no values (it is on the meta device), expected weights: load the model with "
        "from_pretrained"
    )
