"""Folders of LoRA adapters: which base model they belong to, and the adapter put on it by PEFT."""

import json
import warnings
from importlib.util import find_spec
from pathlib import Path

from transformers import PreTrainedModel

from ..errors import InnerjudgeError, one_line
from ..unwrapping import unwrap

_CONFIG = "adapter_config.json"


def is_adapter(name: str) -> bool:
    """Whether a name is a folder with an adapter and no model of its own.

    Example:
        >>> is_adapter("reference")
        False
    """
    return Path(name, _CONFIG).is_file() and not Path(name, "config.json").is_file()


def base_of(name: str) -> str:
    """Hub name, folder or file of the model that the adapter ``name`` was trained on.

    A relative path is one of the working folder, as in PEFT, else of the adapter's own.

    Raises:
        InnerjudgeError: If the adapter does not say, or PEFT is not installed.
    """
    path = Path(name, _CONFIG)
    try:
        base = json.loads(path.read_text(encoding="utf-8")).get("base_model_name_or_path")
    except (ValueError, AttributeError) as error:
        raise InnerjudgeError(f"given {str(path)!r}, which cannot be read ({one_line(error)}), expected JSON") from None
    if not isinstance(base, str) or not base or Path(base).resolve() == Path(name).resolve():
        raise InnerjudgeError(
            f"given the adapter {name!r}, which names no base model, expected one: write its folder or hub name into "
            f'{str(path)!r}, as "base_model_name_or_path": "owner/model"'
        )
    if find_spec("peft") is None:
        raise InnerjudgeError(
            f"given the adapter {name!r} without the package peft, expected the extra lora: "
            "pip install 'innerjudge[lora]'"
        )
    beside = Path(name, base)
    return str(beside) if beside.exists() and not Path(base).exists() else base


def adapted(model: PreTrainedModel, folder: str) -> PreTrainedModel:
    """The model with the adapter of ``folder`` inside its modules.

    Raises:
        InnerjudgeError: If the adapter does not fit the model, lacks weights, or is no kind that stays in the modules.
    """
    from peft import PeftModel

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            whole = PeftModel.from_pretrained(model, folder)
        except Exception as error:  # anybody's file: shapes, names and kinds that do not fit
            raise InnerjudgeError(
                f"given the adapter {folder!r}, which PEFT cannot put on {type(model).__name__} ({one_line(error)}), "
                f"expected one of this model: check base_model_name_or_path in {_CONFIG}"
            ) from None
    lacking = [" ".join(str(one.message).split())[:200] for one in said if "missing adapter keys" in str(one.message)]
    if lacking:
        raise InnerjudgeError(
            f"given the adapter {folder!r}, which lacks weights ({lacking[0]}), expected a whole one of this model: "
            f"check base_model_name_or_path in {_CONFIG}"
        )
    return unwrap(whole)
