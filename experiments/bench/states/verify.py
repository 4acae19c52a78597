"""Whether states that another tool wrote are what they are said to be: some texts are read again, and compared.

``python -m innerjudge.experiments.bench.states.verify --states vllm:FOLDER --layers 0,15,30 --model M --data FILE``
prints what each row is, and ends with 1 unless all are the same.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer
from rich.table import Table

from ....extraction.extract import extract
from ....extraction.readouts import States
from ....models.errors import InnerjudgeError, readable
from ....models.items import Trace
from ....models.loading import LanguageModel, load
from ....models.positions import Encoding
from ...data.datasets import load_data
from ...reading.passes import Passes
from ...reading.progress import PlainConsole
from .formats import Last, StateFiles, Text
from .given import encoded_traces, paired

#: Relative distances: up to the first, states are the same (of 16 bits: up to the second); up to the third, the same
#: but rounded; from there on, of another model. Blocks of one model are further apart than that from one another.
_SAME, _SAME_HALF, _ROUNDED = 1e-3, 3e-2, 0.1
#: Tokens of a text that are compared.
_MOST = 64
_Rows = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one row of one text: ``said`` is ``"same"`` or what is wrong, ``apart`` how far it is."""

    text: str
    row: str
    said: str
    apart: float | None = None

    @property
    def well(self) -> bool:
        """Whether nothing is wrong."""
        return self.said == "same"


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
        apart = {
            (other, shift): float(
                np.median(np.linalg.norm(given[inner, k] - states[:, other], axis=-1) / size[:, other])
            )
            for shift, states in shifts.items()
            for other in range(n + 2)
        }
        least = min(apart, key=lambda one: (apart[one] > same, apart[one], one != (row, 0)))
        if apart[row, 0] <= same:
            least = (row, 0)
        found.append((_said(*least, row, apart[least], same, n), apart[least]))
    return found


def _said(other: int, shift: int, row: int, apart: float, same: float, n: int) -> str:
    if apart > _ROUNDED:
        return "of another model, or of other text: no state of the model is near"
    wrong = []
    if shift:
        wrong.append(f"shifted by one: the state of the token {'before' if shift < 0 else 'behind'}")
    if other != row:
        ends = {n: "raw", n + 1: "normed"}
        both = {other, row} == set(ends)
        wrong.append(f"{ends[other]} where {ends[row]} was said" if both else f"permuted: it is {name_of(other, n)}")
    if apart > same:
        wrong.append("of another dtype: it is rounded")
    return "; ".join(wrong) or "same"


def name_of(row: int, n_blocks: int) -> str:
    """A row of ``h[0..L], final-normed`` in words."""
    return f"h[{row}]" if row <= n_blocks else "the final-normed state"


def verify_states(
    lm: LanguageModel, traces: Sequence[Trace], files: StateFiles, passes: Passes | None = None
) -> list[Finding]:
    """Read ``traces`` in one pass of ``lm``, and say of each row of their states in ``files`` what it is.

    One finding a text and row: same, shifted by one, normed where raw was said, permuted, of another dtype, of another
    model; and one of the text's tokens where they are truncated. ``InnerjudgeError`` if none of the traces has states
    in the files, or the layers are not told.
    """
    parts = [States(part, "none") for part in ("prompt", "response")]
    encoded = encoded_traces(lm, traces, passes or Passes(), *parts)
    texts = paired(encoded, list(files.texts()))
    both = [(one, text) for one, text in zip(encoded, texts, strict=True) if text is not None]
    if not both:
        raise InnerjudgeError(
            f"given {files.path} without states of any of {len(traces)} items, expected some: states are found by "
            "their token ids, or by a file with the name of the item's id"
        )
    features = extract(lm, [one for one, _ in both], parts)
    kept = [features.ragged[part.name] for part in parts]
    found: list[Finding] = []
    for k, (one, text) in enumerate(both):
        own = np.concatenate([states.values[states.offsets[k] : states.offsets[k + 1]] for states in kept])
        at = [t for part in parts for start, end in one.places(part.role) for t in range(start, end)]
        found += _of_text(lm, one, text, own, at, files)
    return found


def _of_text(
    lm: LanguageModel, one: Encoding, text: Text, own: _Rows, at: Sequence[int], files: StateFiles
) -> list[Finding]:
    """Findings of one text, whose own states are of the tokens ``at``."""
    found, tokens = [], text.states.shape[0]
    if tokens < len(one.ids) - 1:  # an engine makes no states for the token that it writes last
        found.append(Finding(one.id, "tokens", "truncated: more of them than the last have no states"))
    there = [k for k, t in enumerate(at) if t < tokens][-_MOST:]
    run = [k for k in there if at[k] - k == at[there[-1]] - there[-1]]  # neighbours in the text
    if len(run) < 3:
        return [*found, Finding(one.id, "tokens", "too few to compare")]
    given = np.asarray(text.states[at[run[0]] : at[run[-1]] + 1], np.float32)
    n = lm.anatomy.n_blocks
    if given.shape[2] != own.shape[2]:
        said = f"of another model: {given.shape[2]} numbers wide, not {own.shape[2]}"
        return [*found, Finding(one.id, "width", said)]
    layers = files.rows(n, given.shape[1])
    rows = [layer + (layer == n and files.last == "normed") for layer in layers]
    same = _SAME if lm.dtype == "float32" else _SAME_HALF
    for row, (said, apart) in zip(rows, compare_rows(given, own[run[0] : run[-1] + 1], rows, same=same), strict=True):
        found.append(Finding(one.id, name_of(row, n), said, apart))
    return found


def main(
    data: Annotated[str, typer.Option(help="The texts, as `innerjudge --data` takes them.")],
    states: Annotated[str, typer.Option(help="FORMAT:PATH, a file or a folder of one text a file.")],
    model: Annotated[str, typer.Option(help="The model that they are said to be of.")] = "reference",
    layers: Annotated[str, typer.Option(help="Which h[l] they are, such as 0,15,30, if the format does not say.")] = "",
    last: Annotated[Last | None, typer.Option(help="What the last block's is, if not as the format has it.")] = None,
    limit: Annotated[int, typer.Option(help="At most this many texts.")] = 8,
    seed: Annotated[int, typer.Option(help="Of the choice of texts.")] = 0,
) -> None:
    """Read some texts again, and say of each row of their states what it is."""
    try:
        rows = tuple(map(int, layers.split(","))) if layers else None
        files = StateFiles.of(states, layers=rows, last=last)
        items = load_data(data, limit=limit, seed=seed).items
        found = verify_states(load(model), items, files)  # type: ignore[arg-type]  # checked there
    except (InnerjudgeError, ValueError) as error:
        typer.echo(readable(str(error)), err=True)
        raise typer.Exit(2) from None
    table = Table("row", "texts", "what it is", "apart", box=None)
    for (row, said), count in Counter((one.row, one.said) for one in found).items():
        apart = [one.apart for one in found if (one.row, one.said) == (row, said) and one.apart is not None]
        table.add_row(row, str(count), said, f"{max(apart):.1e}" if apart else "-")
    PlainConsole().print(table)
    raise typer.Exit(int(not all(one.well for one in found)))


if __name__ == "__main__":
    typer.run(main)
