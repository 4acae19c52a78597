"""Files of hidden states that other tools wrote, by the name of their format: :data:`FORMATS`.

Each reader gives a :class:`Text`: states ``[T, layers, D]``, and token ids where the file holds them. What the layers
are, and whether the last is raw or final-normed, the format says (:class:`Format`), or the user.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tokenize import TokenError  # of numpy's header
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ....extraction.given_states import FileStates, read_vllm
from ....models.errors import InnerjudgeError, shown
from ....models.foreign import parse_json, read_file, refusing, require_file
from ....models.tensor_file import TensorFile

Last = Literal["raw", "normed"]
#: Bytes of a file of JSON that holds states.
_MOST = 1 << 28


@dataclass(frozen=True, slots=True)
class Text:
    """States ``[T, layers, D]`` of one text: the file's ``name``, and ``ids`` where it holds them."""

    name: str
    ids: tuple[int, ...] | None
    states: npt.NDArray[Any] | FileStates

    def __post_init__(self) -> None:
        if len(self.states.shape) != 3 or 0 in self.states.shape:
            raise InnerjudgeError(
                f"given states of shape {self.states.shape} in {shown(self.name)}, expected (tokens, layers, width)"
            )


@dataclass(frozen=True, slots=True)
class Format:
    """How a tool writes states: what the ``last`` block's are, and which layers they are if they are so many.

    ``layers`` are ``"all"`` (``h[0..L]``), ``"outputs"`` of the blocks, or the ``"top"``.
    """

    read: Callable[[Path], Text]
    last: Last
    layers: Literal["all", "outputs", "top"] = "all"


def _vllm(path: Path) -> Text:
    given = read_vllm(path)
    return Text(path.stem, given.ids, given.states)


def _array(path: Path) -> Text:
    """``[T, layers, D]``, or ``[T, D]`` of one layer: a ``.npy``, or the tensor of floats in a ``.safetensors``."""
    ids: tuple[int, ...] | None = None
    states: npt.NDArray[Any] | FileStates
    if path.suffix == ".npy":
        require_file(path)
        with refusing(path, "an array of numbers, as numpy.save writes it", TokenError, EOFError, SyntaxError):
            found = np.load(path, mmap_mode="r", allow_pickle=False)
            found.sum(initial=0, where=False)  # of numbers
        states = found
    else:
        with refusing(path, "a safetensors file of hidden states"):
            file = TensorFile(path)
            [piece] = [piece for piece in file.pieces.values() if "F" in piece.kind]
            name = next((name for name in ("token_ids", "input_ids") if name in file.pieces), None)
            ids = None if name is None else tuple(np.asarray(file[name]).flatten().tolist())
        states = FileStates(path, piece)
    return Text(path.stem, ids, states if len(states.shape) != 2 else np.asarray(states[:], np.float32)[:, None])


def _layers_first(path: Path) -> Text:
    text = _array(path)
    return replace(text, states=np.asarray(text.states[:], np.float32).swapaxes(0, 1))


def _sglang(path: Path) -> Text:
    """A response of SGLang, as JSON: ``meta_info.hidden_states``, of the prompt, then a row each new token."""
    with refusing(path, "a response of SGLang with return_hidden_states, as JSON"):
        said = parse_json(read_file(path, _MOST))
        rows = [np.atleast_2d(np.asarray(one, np.float32)) for one in said["meta_info"]["hidden_states"]]
        return Text(path.stem, None, np.concatenate(rows)[:, None])


#: Names of ``--states NAME:PATH``.
FORMATS = {
    "vllm": Format(_vllm, "raw"),
    "speculators": Format(_array, "raw"),
    "vllm-lens": Format(_layers_first, "raw", "outputs"),
    "token_embed": Format(_array, "normed", "top"),
    "sglang": Format(_sglang, "normed", "top"),
    "arrays": Format(_array, "raw"),
}


@dataclass(frozen=True, slots=True)
class StateFiles:
    """States in files of one format: ``StateFiles.of("vllm:FOLDER")``.

    ``layers`` are the ``h[l]`` on the second axis, ascending, where the format alone does not tell; ``last`` says what
    the last block's is.
    """

    format: str
    path: Path
    layers: tuple[int, ...] | None
    last: Last

    @classmethod
    def of(cls, spec: str, *, layers: tuple[int, ...] | None = None, last: Last | None = None) -> "StateFiles":
        """From ``FORMAT:PATH``; ``InnerjudgeError`` if the format is not known or nothing is at the path."""
        name, _, path = spec.partition(":")
        if name not in FORMATS or not path:
            raise InnerjudgeError(
                f"given the states {spec!r}, expected FORMAT:PATH, FORMAT one of {', '.join(FORMATS)}"
            )
        found = cls(name, Path(path), layers, last or FORMATS[name].last)
        if not found.files():
            raise InnerjudgeError(f"given {spec!r}, expected a file, or a folder of files, of states")
        return found

    def files(self) -> list[Path]:
        """The files, by name."""
        if not self.path.is_dir():
            return [self.path] if self.path.is_file() else []
        return sorted(one for one in self.path.iterdir() if one.suffix in (".safetensors", ".npy", ".json"))

    def texts(self) -> Iterator[Text]:
        """The texts of the files, one a file."""
        return map(FORMATS[self.format].read, self.files())

    def rows(self, n_blocks: int, held: int) -> list[int]:
        """Which ``h[l]`` of ``n_blocks`` blocks the ``held`` layers are; ``InnerjudgeError`` if that is not told."""
        kinds = {"all": range(n_blocks + 1), "outputs": range(1, n_blocks + 1), "top": [n_blocks]}
        told = [*(self.layers or kinds[FORMATS[self.format].layers])]
        if len(told) != held:
            raise InnerjudgeError(
                f"given states of {held} layers in {self.format}:{self.path}, for a model of {n_blocks} blocks, "
                f"expected which they are, ascending: --layers 0,{n_blocks // 2},{n_blocks}"
            )
        return told
