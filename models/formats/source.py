"""Where the weights, the tokenizer and the LoRA adapter of a model lie, whatever format its name stands for."""

import warnings
from dataclasses import dataclass, replace
from importlib.util import find_spec
from os.path import exists, isfile, realpath
from pathlib import Path

from transformers import PreTrainedModel

from ..checkpoint import hub_options
from ..errors import InnerjudgeError, one_line
from ..foreign import HEADER_LIMIT, parse_json, read_file, refusing
from ..precision import cpu_dtype
from ..unwrapping import unwrap
from .copies import copy_of
from .gguf import find_gguf, read_header

#: Name that stands for the small model that comes with the package.
REFERENCE = "reference"
_REFERENCE_FOLDER = Path(__file__).parents[1] / "reference" / "weights"
_CONFIG = "adapter_config.json"


@dataclass(frozen=True)
class Source:
    """What transformers is told to load: folders or hub names, and the LoRA ``adapter`` to put on the model, if any.

    ``origin`` is what the folder was made from, such as ``"GGUF Q4_K_M, SHA-256 ..."``; ``notes`` what is odd in it.
    """

    weights: str
    tokenizer: str
    revision: str | None = None
    adapter: str | None = None
    origin: str = ""
    notes: tuple[str, ...] = ()


def find_source(name: str, revision: str | None = None, dtype: str = "auto") -> Source:
    """Find the model ``name``; a GGUF file is converted first if it has not been before.

    A name is a hub name, a folder, ``"reference"``, a GGUF file, a folder that holds one, ``hub-name:file.gguf``, or
    the folder of a LoRA adapter. ``dtype`` is what a GGUF file is dequantised to; ``"auto"`` means float32 if the file
    is quantised. ``InnerjudgeError`` if there is no such file, or it cannot be converted.
    """
    if dtype not in ("auto", "float32", "bfloat16", "float16"):
        raise InnerjudgeError(f"given the dtype {dtype!r}, expected auto, float32, bfloat16 or float16")
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
        dtype = cpu_dtype({"F16": "float16", "BF16": "bfloat16"}.get(file.quantisation, "float32"))
    folder = str(copy_of(file, dtype))
    return Source(folder, folder, origin=file.origin, notes=file.oddities)


def is_adapter(name: str) -> bool:
    """Whether a name is a folder with an adapter and no model of its own."""
    return isfile(Path(name, _CONFIG)) and not isfile(Path(name, "config.json"))


def base_of(name: str) -> str:
    """Name or path of the adapter's base model; relative to the working folder, as in PEFT, else to the adapter's."""
    path = Path(name, _CONFIG)
    with refusing(path, "JSON: copy it again from where the adapter came from"):
        base = parse_json(read_file(path, HEADER_LIMIT)).get("base_model_name_or_path")
    if not isinstance(base, str) or not base or not base.isprintable() or realpath(base) == realpath(name):
        raise InnerjudgeError.of("models.adapter-no-base", name, str(path))
    if find_spec("peft") is None:
        raise InnerjudgeError.of("models.peft-missing", name)
    beside = Path(name, base)
    return str(beside) if exists(beside) and not exists(base) else base


def adapted(model: PreTrainedModel, folder: str) -> PreTrainedModel:
    """The model with the adapter of ``folder`` inside its modules; refuses one that does not fit or lacks weights."""
    from peft import PeftModel

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            whole = PeftModel.from_pretrained(model, folder)
        except Exception as error:  # anybody's file: shapes, names and kinds that do not fit
            raise InnerjudgeError.of("models.adapter", folder, type(model).__name__, one_line(error), _CONFIG) from None
    lacking = [" ".join(str(one.message).split())[:200] for one in said if "missing adapter keys" in str(one.message)]
    if lacking:
        raise InnerjudgeError.of("models.adapter-lacks", folder, lacking[0], _CONFIG)
    return unwrap(whole)
