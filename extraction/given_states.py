"""Hidden states and log-probabilities from elsewhere, such as an inference engine, as features.

An engine gives, for each text, states of all tokens ``[tokens, layers, width]`` and the ids of those tokens. What it
calls the last layer is either the raw output of the last block (vLLM) or that after the final norm (Hugging Face's
``hidden_states[-1]``). Features hold both: the normed one is computed from the raw one, or the states are refused.
"""

import math
from collections.abc import Mapping, Sequence, Set
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from filelock import FileLock, Timeout
from torch import Tensor

from ..models.errors import InnerjudgeError, one_line, shown
from ..models.final_norm import FinalNorm
from ..models.positions import Encoding
from ..models.tensor_file import Piece, TensorFile
from ..models.tokens import shared_start
from .extract import lacking
from .feature_arrays import Array
from .features import Features
from .provenance import Provenance
from .ragged import Ragged
from .readouts import HiddenStates, ResponseLogProb, States, TokenStats
from .store.precision import decode_file
from .taps.residual import projection, reduce_tokens
from .token_statistics import token_values, written

Last = Literal["raw", "normed", "detect"]
#: Of a token: its log-probability, or token id -> that of this token in its place, a number or vLLM's ``Logprob``.
Given = float | Mapping[int, Any] | None
OfTokens = ResponseLogProb | TokenStats
#: How a reason begins that a pass of one's own would not have.
NOT_GIVEN = "the engine gave "
#: And those of items whose states are at fault, and not their texts.
OF_STATES = ("the engine ", "no states ")
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
    if absent := sorted((set(range(n_blocks + 2)) if rows is None else set(rows)) - available):
        raise InnerjudgeError(_lacking(absent, layers, n_blocks, held))

    def all_rows(states: npt.NDArray[Any]) -> Array:
        """Rows ``h[0..L], final-normed`` of some tokens, ``[P, L + 2, D]``."""
        rows = np.zeros((len(states), n_blocks + 2, width), dtype=np.float32)
        rows[:, own] = states
        if norm:
            rows[:, -1] = norm(states[:, -1])
        return rows

    values: dict[str, Array | Ragged] = {}
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
        values[readout.name] = Ragged.of(found, found[0].shape[1:]) if wanted.ragged else np.concatenate(found)
        missing[readout.name] = reasons
    return Features.of_items(items, provenance, values, missing=missing)


def features_of_log_probabilities(
    items: Sequence[Encoding], given: Sequence[Sequence[Given]], readouts: Sequence[OfTokens], provenance: Provenance
) -> Features:
    """Features as :func:`~.extract.extract` returns them, from the log-probabilities that an engine returned.

    ``given`` are, for each item, those of its tokens but the first, or of the first of these. A number does for
    log-probabilities; ``top(k)`` and ``probability(k)`` take the ``k`` highest of a mapping, in which the token's own
    stands beside at least the ``k`` likeliest. An item is missing if a token that is read has too few finite values.
    ``InnerjudgeError`` if there is not one list an item.
    """
    both, missing = _both(items, given), {readout.name: lacking(readout, items, None) for readout in readouts}
    for readout in readouts:
        role, k = ("response", 0) if isinstance(readout, ResponseLogProb) else (readout.role, readout.top)
        for i, held in both:
            few = min((np.isfinite(_values(held, i.ids, t, k)).sum() for t in written(i, role)), default=math.inf)
            if few < (k or 1):
                why = f"{NOT_GIVEN}{few} of the {k or 1} log-probabilities that {readout.name} needs of each token"
                missing[readout.name].setdefault(i.id, why + f" (vLLM: --max-logprobs {k})" * (k > 0))

    def find(tokens: Sequence[Sequence[int]], whats: Sequence[str]) -> Mapping[str, Tensor]:
        found = {}
        for what in whats:
            k = TokenStats(what=what).top
            rows = [_values(values, i.ids, t, k) for (i, values), own in zip(both, tokens, strict=True) for t in own]
            logs = torch.tensor(rows).reshape(-1, *([k] if k else []))
            found[what] = logs.exp() if what.startswith("probability") else logs
        return found

    return Features.of_items(items, provenance, token_values(items, readouts, missing, find), missing=missing)


def features_of_labels(
    items: Sequence[Encoding], given: Sequence[Mapping[int, Any]], names: Sequence[str], provenance: Provenance
) -> Features:
    """Features of questions from log-probabilities of their labels, which are logits less one constant a question.

    ``given`` are, for each, those of tokens that may come next, by id; ``names`` are of ``"logits/p-true"`` (``[n,
    M]``), ``"logits/score"`` (``[n, 2, 1, M]``: the last row alone) and ``"labels"``. A question is missing if a label
    has no finite value. ``InnerjudgeError`` if there is not one mapping an item.
    """
    counts = np.array([len(item.label_ids) for item in items], np.float32)
    logs, missing = np.zeros((len(items), int(counts.max(initial=0))), np.float32), dict[str, str]()
    for (item, values), into in zip(_both(items, given), logs, strict=True):
        row = [one for label in item.label_ids for one in _values([values], (0, label), 1, 0)]
        if row and np.isfinite(row).all():
            into[: len(row)] = row
        else:
            why = f"{NOT_GIVEN}log-probabilities of {np.isfinite(row).sum()} of the labels {item.label_ids}"
            missing[item.id] = item.missing.get("*") or item.missing.get("labels") or why
    own = {"labels": counts, "logits/p-true": logs, "logits/score": np.stack((logs, logs), 1)[:, :, None]}
    absent = dict.fromkeys({*names} - {"labels"}, missing)
    return Features.of_items(items, provenance, {name: own[name] for name in names}, missing=absent)


def _both(items: Sequence[Encoding], given: Sequence[Any]) -> list[tuple[Encoding, Any]]:
    if len(items) != len(given):
        raise InnerjudgeError.of("extraction.texts", len(given), len(items))
    return list(zip(items, given, strict=True))


def _values(given: Sequence[Given], ids: Sequence[int], token: int, k: int) -> list[float]:
    """The ``k`` highest log-probabilities in the place of a token, for 0 its own; NaN for those that are not there."""
    held = given[token - 1] if token <= len(given) else None
    known = held if isinstance(held, Mapping) else {} if held is None or k else {ids[token]: held}
    some = known.values() if k else [known[ids[token]]] if ids[token] in known else []
    numbers = (float(getattr(one, "logprob", one)) for one in some)
    return [*sorted(filter(math.isfinite, numbers), reverse=True), *[math.nan] * (k or 1)][: k or 1]


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
