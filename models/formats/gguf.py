"""GGUF files: which one a name stands for, what its header says, and what is odd in it; no weights are read.

The header is read within bounds: a file that is cut short, or gives wrong lengths, is an error at once.
"""

import math
import mmap
import re
import struct
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from os.path import isdir, isfile
from pathlib import Path
from typing import Any, NamedTuple

import transformers
from huggingface_hub import hf_hub_download, try_to_load_from_cache

from ..errors import InnerjudgeError, one_line, shown
from ..foreign import digest_of_file, parse_json, read_file, require_file

#: Formats of the fixed-size value types, by number in the file.
_FIXED = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
#: Entries, tensors and strings of an array that a header may have: each is read one by one.
_MOST = 1 << 22
#: How the parts of a split file are named.
_PART = re.compile(r"-\d{5}-of-(\d{5})\.gguf$", re.IGNORECASE)


class Tensor(NamedTuple):
    """Entry of the tensor table; ``kind`` is the number of its type (2 for Q4_0), ``offset`` its first byte."""

    name: str
    values: int
    kind: int
    offset: int


class Header(NamedTuple):
    """A GGUF file without its weights, which begin at byte ``data`` of ``size``; of arrays only the length is kept."""

    entries: dict[str, Any]
    tensors: tuple[Tensor, ...]
    data: int
    size: int


def read(path: Path) -> Header:
    """Read the header of a GGUF file of version 2 or 3; ``ValueError`` if it is something else, or is cut short."""
    require_file(path)
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise ValueError("it does not begin with GGUF")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as blob:
            return _Reader(blob).header()


class _Reader:
    """A place in the bytes of a file, which moves on as values are read."""

    def __init__(self, blob: mmap.mmap) -> None:
        self.blob, self.at = blob, 4

    def header(self) -> Header:
        if (version := self.number("I")) not in (2, 3):  # the first had other counts and is not in use
            raise ValueError(f"its version is {version}, not 2 or 3")
        n_tensors, n_entries = self.number("Q"), self.number("Q")
        if max(n_tensors, n_entries) > _MOST:
            raise ValueError(f"it says that it has {n_tensors} tensors and {n_entries} entries")
        entries = {self.string(): self.value(self.number("I")) for _ in range(n_entries)}
        tensors = tuple(self.tensor() for _ in range(n_tensors))
        alignment = entries.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 1:
            raise ValueError(f"its alignment is {alignment!r}")
        return Header(entries, tensors, -(-self.at // alignment) * alignment, len(self.blob))

    def skip(self, size: int) -> int:
        """Move on by ``size`` bytes; where they begin."""
        begin = self.at
        if size > len(self.blob) - begin:
            raise ValueError(f"it ends after {len(self.blob):,} bytes, within its header")
        self.at += size
        return begin

    def number(self, kind: str) -> Any:
        return struct.unpack_from(f"<{kind}", self.blob, self.skip(struct.calcsize(f"<{kind}")))[0]

    def string(self) -> str:
        begin = self.skip(self.number("Q"))
        return self.blob[begin : self.at].decode("utf-8")

    def value(self, kind: int) -> Any:
        """One value of a key; of an array its length."""
        if kind in _FIXED:
            return self.number(_FIXED[kind])
        if kind == _STRING:
            return self.string()
        if kind != _ARRAY:
            raise ValueError(f"it holds a value of the unknown type {kind}")
        inner, count = self.number("I"), self.number("Q")
        if inner in _FIXED:
            self.skip(count * struct.calcsize(f"<{_FIXED[inner]}"))
        elif inner == _STRING and count <= _MOST:
            for _ in range(count):
                self.skip(self.number("Q"))
        else:
            raise ValueError(f"it holds an array of the type {inner} and the length {count}, which none has")
        return count

    def tensor(self) -> Tensor:
        name = self.string()
        n_dimensions = self.number("I")
        if n_dimensions > 8:
            raise ValueError(f"its tensor {shown(name)!r} has {n_dimensions} dimensions")
        values = math.prod(self.number("Q") for _ in range(n_dimensions))
        return Tensor(name, values, self.number("I"), self.number("Q"))


@dataclass(frozen=True)
class GgufFile:
    """A GGUF file that transformers can read.

    ``sha256`` is that of the whole file, ``quantisation`` a name such as ``"Q4_K_M"``, or a type such as ``"F16"``
    where nothing is quantised; ``oddities`` are common conversion faults that this file has, one sentence each.
    """

    path: Path
    sha256: str
    quantisation: str
    values: int
    oddities: tuple[str, ...]

    @property
    def origin(self) -> str:
        """Quantisation and hash in one line, for provenances."""
        return f"GGUF {self.quantisation}, SHA-256 {self.sha256[:16]}"


def find_gguf(name: str, revision: str | None = None, **place: Any) -> Path | None:
    """The GGUF file that a name stands for; ``None`` where it stands for something else.

    A name is a file, a folder that holds one and no ``config.json``, or ``hub-name:file.gguf``; ``place`` is passed to
    the hub's download. ``InnerjudgeError`` if the file is missing, or a folder holds several.
    """
    path = Path(name)
    if isdir(path):
        files = sorted(path.glob("*.gguf"))
        if not files or (path / "config.json").is_file():
            return None
        if len(files) > 1 and not _PART.search(files[0].name):
            raise InnerjudgeError.of("models.gguf-several", name, len(files), str(files[0]))
        return files[0]
    if not name.lower().endswith(".gguf"):
        return None
    if isfile(path):
        return path
    repository, colon, file = name.rpartition(":")
    if not colon or "/" not in repository:
        raise InnerjudgeError(f"given {name!r}, which does not exist, expected a GGUF file or hub-name:file.gguf")
    try:
        return Path(hf_hub_download(repository, file, revision=revision, **place))
    except Exception as error:  # of the hub's library or of its HTTP client
        raise InnerjudgeError.of("models.gguf-not-found", name, one_line(error)) from None


def read_header(path: Path) -> GgufFile:
    """What a GGUF file says of itself, after a check for what would fail later.

    ``InnerjudgeError`` if a package is missing, or the file is split, cut short, not GGUF, without a tokenizer, or of
    an architecture that transformers cannot read from GGUF.
    """
    if missing := next((name for name in ("gguf", "accelerate") if find_spec(name) is None), None):
        raise InnerjudgeError.of("models.gguf-missing", str(path), missing)
    if part := _PART.search(path.name):
        raise InnerjudgeError.of("models.gguf-part", str(path), int(part[1]))
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, LlamaFileType

    try:
        header = read(path)
        if not header.tensors:
            raise ValueError("it holds no weights")
        for tensor in header.tensors:
            block, size = GGML_QUANT_SIZES[GGMLQuantizationType(tensor.kind)]
            if header.data + tensor.offset + tensor.values // block * size > header.size:
                raise ValueError(f"it ends after {header.size:,} bytes, within the tensor {shown(tensor.name)!r}")
    except Exception as error:  # anybody's bytes: lengths that lie, text that is none, types that do not exist
        raise InnerjudgeError.of("models.gguf-damaged", str(path), one_line(error)) from None
    _require_known(path, header.entries)
    kinds = Counter[int]()
    for tensor in header.tensors:
        kinds[tensor.kind] += tensor.values
    try:
        name = LlamaFileType(header.entries["general.file_type"]).name.removeprefix("MOSTLY_").removeprefix("ALL_")
    except (KeyError, ValueError):  # then the type that most weights have
        name = GGMLQuantizationType(kinds.most_common(1)[0][0]).name
    return GgufFile(path, digest_of_file(path), name, kinds.total(), _oddities(header))


def _oddities(header: Header) -> tuple[str, ...]:
    """Padding token, first token, cutting of text, rotary factors, and the chat template against the original's."""
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    entries = {key.removeprefix("tokenizer."): value for key, value in header.entries.items()}
    said = []
    pad, end = entries.get("ggml.padding_token_id"), entries.get("ggml.eos_token_id")
    if pad is None or pad == end:
        named = "no padding token" if pad is None else f"the end token {end} as padding token"
        said.append(f"The file names {named}; padding is masked, so no figure depends on it.")
    if "ggml.bos_token_id" in entries and "ggml.add_bos_token" not in entries:
        rule = "one is put" if entries.get("ggml.model") == "llama" else "none is put"
        said.append(f"The file does not say whether texts begin with a first token (BOS); {rule}.")
    cut = entries.get("ggml.pre")
    if entries.get("ggml.model") == "gpt2" and cut not in (*GGUF_PRE_TOKENIZER_SPLITS, "gpt-2", "default"):
        said.append(
            f"Text is cut before merging in a way ({shown(cut)!r}) that transformers does not know; it cuts like "
            "GPT-2, so token ids, of numbers above all, may differ from the original's."
        )
    if any(tensor.name.startswith("rope_fac") or tensor.name == "rope_freqs.weight" for tensor in header.tensors):
        said.append("transformers leaves out the file's rotary factors (rope_freqs): long texts are read otherwise.")
    template = entries.get("chat_template")
    original = _original_template(header.entries)
    if template and original is None:
        said.append("The chat template is the file's own; the original's is not on this machine to be compared.")
    elif original is not None and str(template or "").strip() != original.strip():
        said.append("The chat template differs from the original model's; the file's own is used.")
    return tuple(said)


def _require_known(path: Path, entries: dict[str, Any]) -> None:
    from transformers.integrations.gguf.gguf_config_mapping import GGUF_CONFIG_ARCHS
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    plain = {re.sub("[_-]", "", one): one for one in (*GGUF_SUPPORTED_ARCHITECTURES, *GGUF_CONFIG_ARCHS)}
    known = {own for one, own in plain.items() if one not in ("general", "tokenizer", "t5", "umt5")}
    architecture = entries.get("general.architecture")
    if plain.get(re.sub("[_-]", "", str(architecture))) not in known:
        names, version = ", ".join(sorted(known)), transformers.__version__
        raise InnerjudgeError.of("models.gguf-architecture", str(path), shown(architecture), version, names)
    if not entries.get("tokenizer.ggml.tokens") or not entries.get("tokenizer.ggml.model"):
        raise InnerjudgeError.of("models.gguf-no-tokens", str(path))


def _original_template(entries: dict[str, Any]) -> str | None:
    """Chat template of the model that the file was made from, where the hub's cache on this machine has it."""
    address = str(entries.get("general.source.huggingface.repository") or entries.get("general.source.repo_url") or "")
    repository = address.removeprefix("https://huggingface.co/").strip("/")
    if repository.count("/") != 1:
        return None
    for file in ("chat_template.jinja", "tokenizer_config.json"):
        found = try_to_load_from_cache(repository, file)
        if not isinstance(found, str):
            continue
        with suppress(InnerjudgeError, ValueError, AttributeError):  # one that is damaged is not there
            text = read_file(Path(found)).decode()
            template = text if file.endswith(".jinja") else parse_json(text).get("chat_template")
            if isinstance(template, str):
                return template
    return None
