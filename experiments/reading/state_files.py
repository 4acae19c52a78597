"""Hidden states that other tools wrote, by the name of their format, as features in place of the model's pass."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, repeat
from pathlib import Path
from tokenize import TokenError  # of numpy's header
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ...extraction.features import Features
from ...extraction.given_states import OF_STATES, FileStates, GivenStates, features_of_states, read_vllm
from ...extraction.provenance import Provenance, provenance
from ...extraction.readout_names import roles_of, states_of
from ...extraction.readouts import Readout
from ...models.errors import InnerjudgeError, shown
from ...models.final_norm import find_final_norm
from ...models.foreign import parse_json, read_file, refusing, require_file
from ...models.items import Trace
from ...models.loading import LanguageModel
from ...models.positions import Encoding, encode_trace
from ...models.tensor_file import TensorFile
from .passes import GIVEN_NEEDS, TEXT_NEEDS, VERDICT_NEEDS, Passes
from .read import joined, of_layers, texts_of_traces

Last = Literal["raw", "normed"]
#: Bytes of a file of JSON that holds states.
_MOST = 1 << 28


class Text(NamedTuple):
    """States ``[T, layers, D]`` of one text, and its ``ids`` where the file holds them."""

    ids: tuple[int, ...] | None
    states: npt.NDArray[Any] | FileStates


class Format(NamedTuple):
    """How a tool writes states: its reader, what the ``last`` block's are, and which layers they are if so many.

    ``layers`` are ``"all"`` (``h[0..L]``), ``"outputs"`` of the blocks, or the ``"top"``.
    """

    read: Callable[[Path], Text | GivenStates]
    last: Last
    layers: Literal["all", "outputs", "top"] = "all"


def _array(path: Path) -> Text:
    """``[T, layers, D]``, or ``[T, D]`` of one layer: a ``.npy``, or the tensor of floats in a ``.safetensors``."""
    ids: tuple[int, ...] | None = None
    states: npt.NDArray[Any] | FileStates
    if path.suffix == ".npy":
        require_file(path)
        with refusing(path, "an array of numbers, as numpy.save writes it", TokenError, EOFError, SyntaxError):
            states = found = np.load(path, mmap_mode="r", allow_pickle=False)
            found.sum(initial=0, where=False)  # of numbers
    else:
        with refusing(path, "a safetensors file of hidden states"):
            file = TensorFile(path)
            [piece] = [piece for piece in file.pieces.values() if "F" in piece.kind]
            name = next((name for name in ("token_ids", "input_ids") if name in file.pieces), None)
            ids = None if name is None else tuple(np.asarray(file[name]).flatten().tolist())
        states = FileStates(path, piece)
    return Text(ids, states if len(states.shape) != 2 else np.asarray(states[:], np.float32)[:, None])


def _layers_first(path: Path) -> Text:
    text = _array(path)
    return Text(text.ids, np.asarray(text.states[:], np.float32).swapaxes(0, 1))


def _sglang(path: Path) -> Text:
    """A response of SGLang, as JSON: ``meta_info.hidden_states``, of the prompt, then a row each new token."""
    with refusing(path, "a response of SGLang with return_hidden_states, as JSON"):
        said = parse_json(read_file(path, _MOST))
        rows = [np.atleast_2d(np.asarray(one, np.float32)) for one in said["meta_info"]["hidden_states"]]
        return Text(None, np.concatenate(rows)[:, None])


#: Names of ``--states NAME:PATH``.
FORMATS = {
    "vllm": Format(read_vllm, "raw"),
    "speculators": Format(_array, "raw"),
    "vllm-lens": Format(_layers_first, "raw", "outputs"),
    "token_embed": Format(_array, "normed", "top"),
    "sglang": Format(_sglang, "normed", "top"),
    "arrays": Format(_array, "raw"),
}


@dataclass(frozen=True)
class StateFiles:
    """States in files of one format, a text each: ``StateFiles.of("vllm:FOLDER")``.

    ``layers`` are the ``h[l]`` on the second axis, ascending, where the format alone does not tell; ``last`` says what
    the last block's is. A text is found by its token ids, or by a file with the name of its item's id (``q1/a`` in
    ``q1_a.npy``).
    """

    format: str
    path: Path
    layers: tuple[int, ...] | None
    last: Last

    @classmethod
    def of(
        cls, spec: str, *, layers: Sequence[int] | None = None, last: Last | None = None, cleaned: bool = False
    ) -> "StateFiles":
        """From ``FORMAT:PATH``; ``InnerjudgeError`` if the format is not known or nothing is at the path.

        Files that may all have been ``cleaned`` need not be there.
        """
        name, _, path = spec.partition(":")
        one = FORMATS.get(name)
        found = one and cls(name, Path(path), tuple(layers) if layers else None, last or one.last)
        if not path or not found or not (found.files or (cleaned and found.path.parent.is_dir())):
            form = f"FORMAT:PATH, FORMAT one of {', '.join(FORMATS)}, PATH a file or a folder of files, one a text"
            raise InnerjudgeError(f"given the states {shown(spec)!r}, expected {form}")
        return found

    @cached_property
    def files(self) -> list[Path]:
        """The files, by name."""
        kinds = (".safetensors", ".npy", ".json")
        some = self.path.iterdir() if self.path.is_dir() else [self.path] if self.path.is_file() else []
        return sorted(one for one in some if one.suffix in kinds or one == self.path)

    def identity(self) -> list[Any]:
        """What tells a run over these files from another: how they are read, their names, sizes and times."""
        each = ((one.name, one.stat()) for one in self.files)
        layers = None if self.layers is None else [*self.layers]
        return [layers, self.last, [[name, of.st_size, of.st_mtime_ns] for name, of in each]]

    def clean(self, encoded: Sequence[Encoding], lacking: Mapping[str, Sequence[str]]) -> int:
        """Remove the files of these texts, and the locks that vLLM left beside them; how many files there were.

        Files stay whose states were at fault where a text is ``lacking`` something, by its id and for which reasons.
        """
        read = [one for one in encoded if not any(why.startswith(OF_STATES) for why in lacking[one.id])]
        paths = {path for one in read if (path := self._path_of(one)) is not None}
        for path in paths:
            path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
            path.unlink()
        return len(paths)

    def _read(self, path: Path) -> Text | GivenStates:
        text = FORMATS[self.format].read(path)
        if len(text.states.shape) != 3 or 0 in text.states.shape:
            given = f"given states of shape {text.states.shape} in {shown(path)}"
            raise InnerjudgeError(f"{given}, expected (tokens, layers, width)")
        return text

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Layers and width of the first file's states."""
        _, layers, width = self._read(self.files[0]).states.shape
        return layers, width

    @cached_property
    def _places(self) -> tuple[dict[Any, Path], list[int]]:
        """Files by the ids in them, or else by their names; and how many ids there are, most first."""
        ids = [self._read(one).ids if one.suffix == ".safetensors" else None for one in self.files]
        found = {own or path.stem: path for own, path in zip(ids, self.files, strict=True)}
        return found, sorted({len(one) for one in ids if one}, reverse=True)

    def text_of(self, one: Encoding) -> Text | GivenStates | None:
        """The text of these ids, or of the most of them, or of the item's name; ``None`` if there is none."""
        path = self._path_of(one)
        return None if path is None else self._read(path)

    def _path_of(self, one: Encoding) -> Path | None:
        places, lengths = self._places
        keys = chain((one.ids[:n] for n in lengths if n <= len(one.ids)), [one.id.replace("/", "_")])
        return next((places[key] for key in keys if key in places), None)

    def layers_of(self, lm: LanguageModel) -> list[int]:
        """Which ``h[l]`` of a model they are; ``InnerjudgeError`` if neither the format nor the user tells."""
        n = lm.anatomy.n_blocks
        kinds = {"all": range(n + 1), "outputs": range(1, n + 1), "top": [n]}
        told = [*(self.layers or kinds[FORMATS[self.format].layers])]
        if (self.files and len(told) != self.shape[0]) or told != sorted({*told} & {*range(n + 1)}):
            given = f"given states of {self.shape[0]} layers in {self.format}:{self.path}, for a model of {n} blocks"
            raise InnerjudgeError(f"{given}, expected which they are, ascending: --layers 0,{n // 2},{n}")
        return told

    def rows(self, lm: LanguageModel) -> tuple[int, ...]:
        """Which rows of ``h[0..L], final-normed`` features of them hold: a raw last block brings both of its."""
        n, layers = lm.anatomy.n_blocks, self.layers_of(lm)
        found = {layer + (layer == n and self.last == "normed") for layer in layers}
        return tuple(sorted(found | ({n + 1} if n in found and find_final_norm(lm) is not None else set())))

    def provenance(self, lm: LanguageModel) -> Provenance:
        """That of the features."""
        known, rows = Features(ids=(), groups=(), provenance=provenance(lm)), self.rows(lm)
        return (known if len(rows) == lm.anatomy.n_blocks + 2 else of_layers(known, rows)).provenance


def encoded_traces(lm: LanguageModel, traces: Sequence[Any], passes: Passes, *readouts: Readout) -> list[Encoding]:
    """The ids and places of traces, as a pass would read them; ``InnerjudgeError`` for other items."""
    if not traces or not all(isinstance(one, Trace) for one in traces):
        kinds = sorted({type(one).__name__ for one in traces}) or "nothing"
        raise InnerjudgeError(f"given {kinds} with states of another tool, expected traces: of others more is read")
    how: Any = {"markers": passes.markers, "sampled_by": lm.fingerprint, "roles": roles_of(readouts)}
    return [encode_trace(lm.tokenizer, one, **how) for one in traces]


def features_from(
    lm: LanguageModel, traces: Sequence[Any], passes: Passes | None = None, *, states: StateFiles | str
) -> Features:
    """Features of traces from hidden states in files, as :func:`.read` returns them from a pass of ``lm``.

    ``states`` are ``"vllm:FOLDER"``, a format of :data:`FORMATS`, or ``StateFiles``; ``lm`` is the model that they are
    of, for its tokenizer, final norm and fingerprint: no pass is run, and :func:`.verify_states.verify_states` says
    whether it is true. ``passes`` says what is kept; without it the texts, and the states at the ends of prompt,
    response and reasoning. A text whose states are not there, or of other tokens, is missing with its reason; where
    files hold some layers alone, so do the features. ``InnerjudgeError`` if the items are no traces, something other
    than hidden states is wanted, or layers and model do not fit.
    """
    files = StateFiles.of(states) if isinstance(states, str) else states
    passes = passes or Passes(needs=GIVEN_NEEDS)
    wanted = sorted((GIVEN_NEEDS if passes.needs is None else passes.needs) - TEXT_NEEDS)
    others = [one for one in wanted if one[:7] != "hidden/" or one in VERDICT_NEEDS or "own_text(" in one]
    if others or not wanted:
        raise InnerjudgeError(f"given states of another tool, expected a judge of hidden states: {others} needs a pass")
    readouts = [states_of(one) for one in wanted]
    encoded = encoded_traces(lm, traces, passes, *readouts)
    layers, rows = files.layers_of(lm), files.rows(lm)
    none, given = Text((), np.zeros((0, *files.shape), np.float32)), []
    for one in encoded:
        text = files.text_of(one) or none
        size = text.states.shape[0]
        given.append(GivenStates(text.ids or (*one.ids, *repeat(-1, size))[:size], text.states))
    found = features_of_states(
        encoded, given, readouts, layers=layers, n_blocks=lm.anatomy.n_blocks, provenance=files.provenance(lm),
        last=files.last, final_norm=find_final_norm(lm), rows={*rows},
    )  # fmt: skip
    found = found if len(rows) == lm.anatomy.n_blocks + 2 else of_layers(found, rows)
    return joined(lm, traces, [found], texts_of_traces(lm, traces, passes), passes, "trace")
