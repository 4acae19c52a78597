"""Readouts by their names, and what they ask of a pass."""

import re
from collections.abc import Iterable
from typing import Any, cast

from .readouts import (
    AttentionSpans,
    AttentionWeights,
    HiddenStates,
    LabelLogits,
    Lens,
    Paired,
    QueryKey,
    Ranged,
    Reduce,
    ResponseLogProb,
    States,
    TokenStats,
)

_NAMED = r"(hidden|tokens|attention|lens|qk)/(.+)\.(\w+(?:\([\w()]+\))?)(?:\[(.+)\])?(?:~([1-9]\d{0,5}))?"
_ROWS = re.compile(r"-?\d+(?:,-?\d+)*")


def range_readout(name: str) -> "Ranged | Paired | None":
    """The readout of roles with this name, unless it is of one position; ``None`` if there is none."""
    match = re.fullmatch(_NAMED, name, re.DOTALL)
    kind, role, how, more, columns = match.groups() if match else [""] * 5
    found: Ranged | Paired | None = None
    if kind == "attention" and how == "weights":
        found = AttentionWeights(role, more or "option_end")
    elif kind == "attention":
        found = AttentionSpans(role, tuple(more.split("|")) if more else (), how)
    elif kind == "hidden" and (not more or _ROWS.fullmatch(more)):
        rows = tuple(map(int, more.split(","))) if more else None
        found = States(role, cast(Reduce, how), rows, int(columns or 0))
    elif kind == "lens":
        found = Lens(role, cast(Any, how), cast(Any, more or "entropy"))
    elif kind == "qk":
        found = QueryKey(cast(Any, how), role, more or "option_end")
    elif kind == "tokens":
        found = TokenStats(role, how)
    return found if found is not None and found.name == name else None


def reads_end(readout: object) -> bool:
    """Whether a readout needs what leaves the last block at every token."""
    late = isinstance(readout, AttentionSpans | Lens) and readout.what in ("copied", "divergence_to_last")
    return late or isinstance(readout, ResponseLogProb | TokenStats)


def states_of(name: str) -> HiddenStates | States:
    """The readout of hidden states with the name ``hidden/...``."""
    found = range_readout(name)
    return found if isinstance(found, States) else HiddenStates(name.removeprefix("hidden/"))


def roles_of(readouts: Iterable[object]) -> tuple[str, ...]:
    """Roles of the readouts that read ranges, each once."""
    return tuple(dict.fromkeys(role for r in readouts if isinstance(r, Ranged | Paired) for role in r.roles))


def reads_labels(readout: object) -> bool:
    """Whether a readout reads verdict labels or options, so that the array ``labels`` comes with it."""
    of_labels = isinstance(readout, LabelLogits) or (isinstance(readout, Lens) and readout.what == "labels")
    return of_labels or (isinstance(readout, Paired) and readout.keys == "option_end")
