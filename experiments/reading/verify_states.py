"""Whether states that another tool wrote are what they are said to be: some texts are read again, and compared."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...extraction.extract import extract
from ...extraction.given_states import GivenStates
from ...extraction.readouts import States
from ...models.errors import InnerjudgeError
from ...models.items import Item
from ...models.loading import LanguageModel
from ...models.positions import Encoding
from .passes import Passes
from .state_files import StateFiles, Text, encoded_traces

#: Relative distances: up to the first, states are the same (of 16 bits: up to the second); up to the third, the same
#: but rounded; from there on, of another model. Blocks of one model are further apart than that from one another.
_SAME, _SAME_HALF, _ROUNDED = 1e-3, 3e-2, 0.1
#: Tokens of a text that are compared.
_MOST = 64
_ALL = States("text", "none")
_Rows = npt.NDArray[np.float32]


class Finding(NamedTuple):
    """What was found of one row of one text: ``said`` is ``"same"`` or what is wrong, ``apart`` how far it is."""

    text: str
    row: str
    said: str
    apart: float | None = None


def compare_rows(given: _Rows, own: _Rows, rows: Sequence[int], *, same: float = _SAME) -> list[tuple[str, float]]:
    """Of each given row, what it is, and its relative distance (the median over tokens) from the nearest own state.

    Args:
        given: ``[T, n, D]``, states in which the rows are said to be ``rows``.
        own: ``[T, L + 2, D]``, the same tokens' ``h[0..L]`` and final-normed state.
        rows: Indices into ``own``'s second axis.
        same: Up to which distance states are the same.

    Example:
        >>> own = np.random.default_rng(0).normal(size=(9, 4, 8)).astype(np.float32)
        >>> compare_rows(own[:, [0, 2]], own, [0, 1])[1]
        ('permuted: it is h[2]', 0.0)
        >>> compare_rows(np.roll(own[:, [1]], 1, axis=0), own, [1])[0][0]
        'shifted by one: the state of the token before'
    """
    n, inner = own.shape[1] - 2, slice(1, len(own) - 1)
    shifts = {0: own[inner], -1: own[:-2], 1: own[2:]}
    size = np.linalg.norm(own[inner], axis=-1).clip(1e-9)
    found = []
    for k, row in enumerate(rows):
        far = {shift: np.linalg.norm(given[inner, k, None] - near, axis=-1) / size for shift, near in shifts.items()}
        apart = {(o, shift): float(one) for shift, some in far.items() for o, one in enumerate(np.median(some, axis=0))}
        least = min(apart, key=lambda one: (apart[one] > same, one != (row, 0) or apart[one] > same, apart[one]))
        found.append((_said(*least, row, apart[least], same, n), apart[least]))
    return found


def _said(other: int, shift: int, row: int, apart: float, same: float, n: int) -> str:
    if not apart <= _ROUNDED:
        return "of another model, or of other text: no state of the model is near"
    ends = {n: "raw", n + 1: "normed"}
    both = {other, row} == set(ends)
    wrong = {
        f"shifted by one: the state of the token {'before' if shift < 0 else 'behind'}": shift != 0,
        f"{ends[other]} where {ends[row]} was said" if both else f"permuted: it is {name_of(other, n)}": other != row,
        "of another dtype: it is rounded": apart > same,
    }
    return "; ".join(said for said, found in wrong.items() if found) or "same"


def name_of(row: int, n_blocks: int) -> str:
    """A row of ``h[0..L], final-normed`` in words."""
    return f"h[{row}]" if row <= n_blocks else "the final-normed state"


def verify_states(lm: LanguageModel, traces: Sequence[Item], files: StateFiles) -> list[Finding]:
    """Read ``traces`` in passes of ``lm``, and say of each row of their states in ``files`` what it is.

    One finding a text and row: same, shifted by one, normed where raw was said, permuted, of another dtype, of another
    model; and one of the text's tokens where they are truncated. ``InnerjudgeError`` if none of the traces has states
    in the files, or the layers are not told.
    """
    encoded = encoded_traces(lm, traces, Passes())
    both = [(one, text) for one in encoded if one.ids and (text := files.text_of(one)) is not None]
    if not both:
        expected = "some, found by their token ids or by a file with the name of the item's id"
        raise InnerjudgeError(f"given {files.path} without states of any of {len(traces)} items, expected {expected}")
    return [finding for one, text in both for finding in _of_text(lm, one, text, files)]


def _of_text(lm: LanguageModel, one: Encoding, text: Text | GivenStates, files: StateFiles) -> list[Finding]:
    held, tokens = text.states.shape[0], len(one.ids)
    found, end = list[Finding](), min(held, tokens)
    if not tokens - 1 <= held <= tokens:  # an engine makes no states for the token that it writes last
        short = "truncated: more of the tokens than the last have no states"
        found = [Finding(one.id, "tokens", short if held < tokens else "of other text: more states than tokens")]
    start = max(end - _MOST, 0)
    n, same = lm.anatomy.n_blocks, _SAME if lm.dtype == "float32" else _SAME_HALF
    rows = [layer + (layer == n and files.last == "normed") for layer in files.layers_of(lm)]
    own = extract(lm, [replace(one, ranges={"text": ((start, end),)})], [_ALL]).ragged[_ALL.name].values
    given = np.asarray(text.states[start:end], np.float32)
    if given.shape != (len(own), len(rows), own.shape[2]) or end < 3:
        said = f"of another model, or too few: {given.shape}, not {(len(own), len(rows), own.shape[2])}"
        return [*found, Finding(one.id, "shape", said)]
    told = zip(rows, compare_rows(given, own, rows, same=same), strict=True)
    return [*found, *(Finding(one.id, name_of(row, n), *said) for row, said in told)]
