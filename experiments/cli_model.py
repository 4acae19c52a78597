"""From options to a loaded model and the way it is run; heavy imports wait until a command needs them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.errors import InnerjudgeError
from .cli_options import bounds
from .progress import Steps

if TYPE_CHECKING:
    from ..models.loading import LanguageModel
    from .passes import Passes
    from .plugin.judge import Judge


def load_quietly(
    name: str, device: str, dtype: str, revision: str | None, modules: Mapping[Any, str], *, trust: bool = False
) -> LanguageModel:
    """:func:`innerjudge.load` without the notes and bars of transformers."""
    quieten()
    from ..models.loading import load

    return load(name, device=device, dtype=dtype, revision=revision, trust_remote_code=trust, **modules)


def load_judge(
    folder: Path,
    kind: str,
    model: str | None,
    device: str,
    dtype: str,
    revision: str | None,
    modules: Mapping[Any, str],
    *,
    trust: bool = False,
) -> Judge:
    """A saved judge with the model that was typed, else with its own.

    Raises:
        InnerjudgeError: If what belongs to a typed model is given without one, or as :meth:`.plugin.Judge.load` does.
    """
    quieten()
    from .plugin.judge import Judge

    if model is not None:
        lm = load_quietly(model, device, dtype, revision, modules, trust=trust)
        return Judge.load(folder, lm=lm, kind=kind)
    if revision is not None or modules:
        given = f"--revision {revision}" if revision is not None else "--module"
        raise InnerjudgeError(
            f"given {given} without --model, expected both: the judge's own model is loaded as it was"
        )
    return Judge.load(folder, kind=kind, device=device, dtype=dtype, trust_remote_code=trust)


def quieten() -> None:
    """Silence the notes and bars of transformers and of the hub, which would fight with ours."""
    # Before transformers is imported: it reads the variable once, and its bars would fight with ours.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging

    logging.set_verbosity_error()
    hub_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()


def make_passes(
    batch_size: int,
    scale: str,
    reasoning_tokens: int,
    steps: Steps,
    needs: frozenset[str] | None = None,
    *,
    abstain: bool = True,
) -> Passes:
    """Passes from what was typed."""
    from .passes import Passes

    return Passes(
        batch_size=batch_size,
        scale=bounds(scale),
        reasoning_tokens=reasoning_tokens,
        steps=steps,
        needs=needs,
        abstain=abstain,
    )
