"""The tensors of a model's state, also those that are not on any device: accelerate keeps them in memory or on disk."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from .errors import InnerjudgeError


def named_state(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Names and tensors in the order of ``state_dict``, without what quantised modules add.

    ``state_dict`` itself is not called: bitsandbytes repacks its 4-bit weights there, after which the model computes
    something else (0.50, on the CPU).

    Example:
        >>> [name for name, _ in named_state(nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1, affine=False)))]
        ['0.weight', '0.bias', '1.running_mean', '1.running_var', '1.num_batches_tracked']
    """
    for path, module in model.named_modules(remove_duplicate=False):
        passing = module._non_persistent_buffers_set
        own = [*module._parameters.items(), *((n, b) for n, b in module._buffers.items() if n not in passing)]
        yield from ((f"{path}.{name}".lstrip("."), tensor) for name, tensor in own if tensor is not None)


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
