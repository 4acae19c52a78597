"""Hidden states from elsewhere, such as an inference engine, as features.

An engine gives, for each text, states of all tokens ``[tokens, layers, width]`` and the ids of those tokens. What it
calls the last layer is either the raw output of the last block (vLLM) or that after the final norm (Hugging Face's
``hidden_states[-1]``). Features hold both: the normed one is computed from the raw one, or the states are refused.
"""

from collections.abc import Sequence, Set
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from filelock import FileLock, Timeout

from ..models.errors import InnerjudgeError, one_line, shown
from ..models.final_norm import FinalNorm
from ..models.positions import Encoding
from ..models.tensor_file import Piece, TensorFile
from ..models.tokens import shared_start
from .feature_arrays import Array
from .features import Features
from .provenance import Provenance
from .ragged import Ragged
from .readouts import HiddenStates, ResponseLogProb, States, TokenStats
from .store.precision import decode_file
from .taps.residual import projection, reduce_tokens

Last = Literal["raw", "normed", "detect"]
#: Last tokens of a text by which the norm convention is told.
_TELLING = 16


class FileStates:
    """States in a safetensors file, ``[T, layers, D]``: tokens are read, as float32, when they are indexed."""

    def __init__(self, path: Path, piece: Piece) -> None:
        self._path, self._piece = path, piece

    @property
    def shape(self) -> tuple[int, ...]:
        """``(T, layers, D)``."""
        return self._piece.shape

    def __getitem__(self, tokens: Any) -> Array:
        # Opened each time: of thousands of texts, that many files would be open, and mapped while an engine writes.
        return np.array(decode_file(TensorFile(self._path).view(self._piece)[tokens]))


@dataclass(frozen=True, slots=True)
class GivenStates:
    """States ``[T, layers, D]`` of one text, and the ids of its ``T`` tokens."""

    ids: tuple[int, ...]
    states: npt.NDArray[Any] | FileStates

    def __post_init__(self) -> None:
        shape = self.states.shape
        if len(shape) != 3 or shape[0] != len(self.ids):
            raise InnerjudgeError.of("extraction.states-shape", shape, len(self.ids))


def read_vllm(path: str | Path, *, wait: float = 30.0) -> GivenStates:
    """Read what vLLM's ``extract_hidden_states`` wrote: safetensors with ``hidden_states`` and ``token_ids``.

    Its layers are in ascending order, whatever the order of ``eagle_aux_hidden_state_layer_ids``: ``0`` is the input of
    the first block, ``num_hidden_layers`` the raw output of the last. Only the tokens that a judge needs are read. vLLM
    locks a file that it is still writing; this waits for the lock at most ``wait`` seconds.
    """
    lock = Path(f"{path}.lock")
    try:
        with FileLock(lock, timeout=wait) if lock.exists() else nullcontext():
            file = TensorFile(Path(path))
        for name in ("token_ids", "hidden_states"):
            if name not in file.pieces or ("F" in file.pieces[name].kind) != (name == "hidden_states"):
                raise ValueError(f"no {name}, or of another type")
        ids = file["token_ids"].flatten().tolist()
    except Timeout:
        raise InnerjudgeError.of("extraction.half-written", shown(path), wait, lock.name) from None
    except (OSError, ValueError, InnerjudgeError) as error:
        raise InnerjudgeError.of("extraction.no-safetensors", shown(path), one_line(error)) from None
    return GivenStates(tuple(ids), FileStates(Path(path), file.pieces["hidden_states"]))


def features_of_states(
    items: Sequence[Encoding], given: Sequence[GivenStates], readouts: Sequence[HiddenStates | States], *,
    layers: Sequence[int], n_blocks: int, provenance: Provenance, last: Last, final_norm: FinalNorm | None = None,
    rows: Set[int] | None = None
) -> Features:  # fmt: skip
    """Features as :func:`~.extract.extract` returns them, from states that were computed elsewhere.

    ``given`` are the states of each item, from a pass over its tokens or the first of them (an engine makes no states
    for the last token that it writes). An item is missing if its tokens differ, or it needs one that is not there.
    ``layers`` are the ``h[l]`` on axis 1, ascending, from ``0..n_blocks``. ``last`` says what layer ``n_blocks`` is:
    ``"raw"``, ``"normed"``, or ``"detect"``; ``final_norm`` checks or detects it, and computes the final-normed row
    from a raw one. ``rows`` are those of ``h[0..L], final-normed`` that will be read (``None``: all); the others may be
    zero. ``InnerjudgeError`` if such a row cannot be had, ``last`` is wrong, or sizes differ.
    """
    width = _checked(items, given, layers, n_blocks)
    kept = [k for k, item in enumerate(items) if _reason(item, given[k]) is None]
    # A few tokens tell which norm convention it is.
    tops = [given[k].states[-_TELLING:, layers.index(n_blocks)] for k in kept] if n_blocks in layers else []
    held = _convention(tops, last, final_norm)
    norm = final_norm if held == "raw" and n_blocks in layers else None
    own = [layer + (layer == n_blocks and held == "normed") for layer in layers]  # the row of each layer
    available = {*own, n_blocks + 1} if norm else {*own}
    if lacking := sorted((set(range(n_blocks + 2)) if rows is None else set(rows)) - available):
        raise InnerjudgeError(_lacking(lacking, layers, n_blocks, held))

    def all_rows(states: npt.NDArray[Any]) -> Array:
        """Rows ``h[0..L], final-normed`` of some tokens, ``[P, L + 2, D]``."""
        rows = np.zeros((len(states), n_blocks + 2, width), dtype=np.float32)
        rows[:, own] = states
        if norm:
            rows[:, -1] = norm(states[:, -1])
        return rows

    arrays: dict[str, Array] = {}
    ragged: dict[str, Ragged] = {}
    missing: dict[str, dict[str, str]] = {}
    for readout in readouts:
        wanted = States(readout.position, "last") if isinstance(readout, HiddenStates) else readout
        reasons = {i.id: why for i, one in zip(items, given, strict=True) if (why := _reason(i, one, wanted.role))}
        which, size = wanted.chosen(n_blocks + 2), () if wanted.reduce == "logdet" else (wanted.project or width,)
        none = np.zeros((1, n_blocks + 2, *size), np.float32)
        found = [none[:, which]] * len(items) if not wanted.ragged else [none[:0, which]] * len(items)
        for k, item in enumerate(items):
            if item.id not in reasons:
                pieces = (all_rows(given[k].states[a:b]) for a, b in wanted.pieces(item.places(wanted.role)))
                reduced = [reduce_tokens(torch.from_numpy(one).transpose(0, 1), wanted.reduce)[which] for one in pieces]
                states = (
                    torch.stack(reduced) @ projection(width, wanted.project) if wanted.project else torch.stack(reduced)
                )
                found[k] = states.numpy().reshape(-1, len(which), *size)
        if wanted.ragged:
            ragged[readout.name] = Ragged.of(found, found[0].shape[1:])
        else:
            arrays[readout.name] = np.concatenate(found)
        missing[readout.name] = reasons
    return Features.of_items(items, provenance, arrays=arrays, ragged=ragged, missing=missing)


def features_of_log_probabilities(
    items: Sequence[Encoding],
    given: Sequence[Sequence[float]],
    readouts: Sequence[ResponseLogProb | TokenStats],
    *,
    provenance: Provenance,
) -> Features:
    """Features as :func:`~.extract.extract` returns them, from the log-probabilities that an engine returned.

    ``given`` are, for each item, those of its tokens but the first, each given all before it; or those of the first of
    them. An item is missing if its answer has more tokens, or a log-probability is no number. ``InnerjudgeError`` if
    there is not one list an item.
    """
    if len(items) != len(given):
        raise InnerjudgeError.of("extraction.texts", len(given), len(items))
    found: list[npt.NDArray[np.float32]] = []
    reasons = {}
    for item, values in zip(items, given, strict=True):
        places = item.places("response")
        [(start, end)] = places or [(1, 1)]
        own = np.asarray(values[start - 1 : end - 1], np.float32)
        broken = end > len(values) + 1 or not np.isfinite(own).all()
        if "*" in item.missing or broken or not places:
            why = f"the engine gave {len(values)} finite log-probabilities or fewer, and its end needs {end - 1}"
            reasons[item.id] = item.missing.get("*") or (why if broken else item.missing["response_end"])
        found.append(own[:0] if item.id in reasons else own)
    sums = np.array([[one.sum(), len(one)] for one in found], np.float32)
    names = {readout.name: isinstance(readout, ResponseLogProb) for readout in readouts}
    return Features.of_items(
        items,
        provenance,
        arrays={name: sums for name, summed in names.items() if summed},
        ragged={name: Ragged.of(found, ()) for name, summed in names.items() if not summed},
        missing=dict.fromkeys(names, reasons),
    )


def _checked(items: Sequence[Encoding], given: Sequence[GivenStates], layers: Sequence[int], n_blocks: int) -> int:
    """The width of the states."""
    widths = {one.states.shape[2] for one in given}
    depths = {one.states.shape[1] for one in given}
    if len(items) != len(given) or len(widths) != 1 or depths != {len(layers)}:
        raise InnerjudgeError.of(
            "extraction.given-shapes", len(given), sorted(depths), sorted(widths), len(items), list(layers), len(layers)
        )
    if list(layers) != sorted(set(layers)) or not set(layers) <= set(range(n_blocks + 1)):
        raise InnerjudgeError.of("extraction.layers", list(layers), n_blocks)
    return int(widths.pop())


def _convention(tops: Sequence[npt.NDArray[Any]], last: Last, norm: FinalNorm | None) -> str:
    """``"raw"`` or ``"normed"``: as said, and as the states look where the norm is at hand to tell."""
    if last not in ("raw", "normed", "detect"):
        raise InnerjudgeError(f"given last={last!r}, expected 'raw', 'normed' or 'detect'")
    if norm is None or not tops:
        if last == "detect" and tops:
            raise InnerjudgeError.of("extraction.no-norm")
        return "raw" if last == "detect" else last
    looks = "normed" if norm.is_normed(np.concatenate(tops)) else "raw"
    if last not in ("detect", looks):
        raise InnerjudgeError.of("extraction.convention", last, looks)
    return looks


def _reason(item: Encoding, given: GivenStates, role: str | None = None) -> str | None:
    if "*" in item.missing:
        return item.missing["*"]
    if not given.ids:
        return "no states of its text were given"
    if item.ids[: len(given.ids)] != given.ids:
        at = shared_start(item.ids, given.ids)
        return f"the engine read other tokens ({len(given.ids)}, not {len(item.ids)}; the first that differs is {at})"
    if role is None:
        return None
    if not item.places(role):
        return item.missing.get(role, f"no position {role!r}")
    needed = max(end for _, end in item.places(role))
    if needed > len(given.ids):
        return (
            f"the engine wrote states of {len(given.ids)} of {len(item.ids)} tokens, and {role!r} needs {needed}: the "
            "token that it writes last has none, and those of an answer need include_output_tokens in vLLM"
        )
    if not all(np.isfinite(given.states[start:end]).all() for start, end in item.places(role)):
        return "the engine wrote infinite values or NaN"
    return None


def _lacking(rows: Sequence[int], layers: Sequence[int], n_blocks: int, held: str) -> str:
    names = {n_blocks: "the raw output of the last block", n_blocks + 1: "the final-normed state"}
    wanted = ", ".join(names.get(row, f"h[{row}]") for row in rows)
    do = "let the engine write those layers"
    if n_blocks + 1 in rows and n_blocks in layers and held == "raw":
        do = "pass the model's final norm"
    elif n_blocks in rows and held == "normed":
        do = "no norm can be undone: let the engine write the last layer before its norm"
    return f"given layers {list(layers)}, the last of them {held}, expected also {wanted}, which the judge reads: {do}"
