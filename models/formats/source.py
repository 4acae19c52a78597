"""Where the weights and the tokenizer of a model lie, whatever the format that its name stands for."""

from dataclasses import dataclass, replace
from pathlib import Path

from ..checkpoint import hub_options
from ..errors import InnerjudgeError
from ..precision import cpu_dtype
from .copies import copy_of
from .gguf import find_gguf, read_header
from .lora import base_of, is_adapter

#: Name that stands for the small model that comes with the package.
REFERENCE = "reference"
_REFERENCE_FOLDER = Path(__file__).parents[1] / "reference" / "weights"


@dataclass(frozen=True)
class Source:
    """What transformers is asked for.

    Args:
        weights: Folder or hub name of the whole model.
        tokenizer: Folder or hub name of its tokenizer.
        revision: Revision of both on the hub.
        adapter: LoRA folder that is put on the model, if any.
        origin: What the folder was made from, such as ``"GGUF Q4_K_M, SHA-256 ..."``; else empty.
        notes: What is odd in it, one sentence each.
    """

    weights: str
    tokenizer: str
    revision: str | None = None
    adapter: str | None = None
    origin: str = ""
    notes: tuple[str, ...] = ()


def find_source(name: str, revision: str | None = None, dtype: str = "auto") -> Source:
    """Where the model ``name`` lies; a GGUF file is converted first where it was not before.

    Args:
        name: Hub name, folder, ``"reference"``, GGUF file, folder that holds one, ``hub-name:file.gguf``, or folder
            of a LoRA adapter.
        revision: Revision on the hub.
        dtype: Type that a GGUF file is dequantised to; ``"auto"`` is float32 for one that is quantised.

    Raises:
        InnerjudgeError: If there is no such file, or it cannot be converted.

    Example:
        >>> find_source("you/model")
        Source(weights='you/model', tokenizer='you/model', revision=None, adapter=None, origin='', notes=())
    """
    if name == REFERENCE:
        return Source(str(_REFERENCE_FOLDER), str(_REFERENCE_FOLDER))
    if is_adapter(name):
        base = find_source(base_of(name), revision, dtype)
        own = any(Path(name, file).is_file() for file in ("tokenizer.json", "tokenizer_config.json"))
        origin = "; ".join(filter(None, (f"LoRA adapter on {base_of(name)}", base.origin)))
        return replace(base, adapter=name, tokenizer=name if own else base.tokenizer, origin=origin)
    place = hub_options(name.rpartition(":")[0] or name) if name.lower().endswith(".gguf") else {}
    found = find_gguf(name, revision, **place)
    if found is None:
        return Source(name, name, revision)
    file = read_header(found)
    if dtype == "auto":
        plain = {"F16": "float16", "BF16": "bfloat16"}.get(file.quantisation, "float32")
        dtype = cpu_dtype(plain)
    if dtype not in ("float32", "bfloat16", "float16"):
        raise InnerjudgeError(f"given the dtype {dtype!r}, expected auto, float32, bfloat16 or float16")
    folder = str(copy_of(file, dtype))
    return Source(folder, folder, origin=file.origin, notes=file.oddities)
