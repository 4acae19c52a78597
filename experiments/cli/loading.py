"""From options to a loaded model and the way it is run; heavy imports wait until a command needs them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...models.errors import InnerjudgeError
from ..reading.progress import Steps
from ..runs.log import load_quietly, quieten
from .options import bounds

if TYPE_CHECKING:
    from ..judges.judge import Judge
    from ..reading.passes import Passes


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
    from ..judges.judge import Judge

    if model is not None:
        lm = load_quietly(model, device, dtype, revision, modules, trust=trust)
        return Judge.load(folder, lm=lm, kind=kind)
    if revision is not None or modules:
        given = f"--revision {revision}" if revision is not None else "--module"
        raise InnerjudgeError(
            f"given {given} without --model, expected both: the judge's own model is loaded as it was"
        )
    return Judge.load(folder, kind=kind, device=device, dtype=dtype, trust_remote_code=trust)


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
    from ..reading.passes import Passes

    return Passes(
        batch_size=batch_size,
        scale=bounds(scale),
        reasoning_tokens=reasoning_tokens,
        steps=steps,
        needs=needs,
        abstain=abstain,
    )
