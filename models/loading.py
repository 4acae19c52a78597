"""Load a causal LM by hub name or folder, with its tokenizer and anatomy; every failure is one clear line."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from .anatomy import Anatomy, find_anatomy
from .errors import InnerjudgeError

#: Name that stands for the small model that comes with the package.
REFERENCE = "reference"
_REFERENCE_FOLDER = Path(__file__).parent / "reference" / "weights"


@dataclass(frozen=True)
class LanguageModel:
    """A causal LM ready to be read.

    Args:
        name: Hub name, folder or ``"reference"``, as given.
        revision: Revision on the hub, if one was asked for.
        model: The transformers model, in evaluation mode.
        tokenizer: Its fast tokenizer.
        anatomy: Its parts.
    """

    name: str
    revision: str | None
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    anatomy: Anatomy

    @property
    def device(self) -> torch.device:
        """Where inputs go: the device of the input embedding."""
        weight: torch.Tensor = self.model.get_input_embeddings().weight
        return weight.device

    @property
    def dtype(self) -> str:
        """Type of the weights, such as ``"float32"``."""
        return str(self.model.dtype).removeprefix("torch.")

    @property
    def attention(self) -> str:
        """Attention kernel, such as ``"sdpa"``."""
        return str(self.model.config._attn_implementation)

    @property
    def pad_id(self) -> int:
        """A token to pad with; the attention mask alone says what is padding."""
        for candidate in (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id):
            if isinstance(candidate, int):
                return candidate
        return 0

    @cached_property
    def fingerprint(self) -> str:
        """Hash of sizes, tokenizer and a sample of every weight: the same model in two folders agrees."""
        digest = hashlib.sha256()
        digest.update(f"{type(self.model).__name__} {len(self.tokenizer)}".encode())
        digest.update(" ".join(self.tokenizer.convert_ids_to_tokens(range(0, len(self.tokenizer), 97))).encode())
        for name, weight in self.model.state_dict().items():
            sample = weight.detach().flatten()[:: max(1, weight.numel() // 64)][:64]
            # One dtype for all, so that the dtype is judged by its own field.
            digest.update(name.encode() + str(tuple(weight.shape)).encode())
            digest.update(sample.to("cpu", torch.bfloat16).view(torch.int16).numpy().tobytes())
        return digest.hexdigest()[:16]

    @property
    def chat_template_hash(self) -> str:
        """Hash of the chat template; ``"none"`` without one."""
        template = self.tokenizer.chat_template
        return hashlib.sha256(str(template).encode()).hexdigest()[:12] if template else "none"


def load(
    name: str,
    *,
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
    blocks: str | None = None,
    final_norm: str | None = None,
    **options: Any,
) -> LanguageModel:
    """Load a model to be read.

    Args:
        name: Name on the Hugging Face hub, local folder, or ``"reference"`` for the built-in model.
        device: ``"auto"`` (CUDA if there is one, else the CPU) or a torch device such as ``"cuda:1"``.
        dtype: ``"auto"`` (as stored), ``"float32"``, ``"bfloat16"`` or ``"float16"``.
        revision: Branch, tag or commit on the hub.
        blocks: Module path of the block list, for a model that is not recognised.
        final_norm: Module path of the final norm, likewise.
        **options: Passed to ``from_pretrained``, such as ``device_map="auto"`` or ``attn_implementation="eager"``.

    Raises:
        InnerjudgeError: If there are no weights, no network, no causal LM, no fast tokenizer, or an unknown anatomy.

    Example:
        >>> lm = load("reference")
        >>> lm.anatomy.n_blocks >= 6
        True
    """
    source = str(_REFERENCE_FOLDER) if name == REFERENCE else name
    _require_causal(source, name, revision)
    model = _from_pretrained(source, name, revision, dtype, options)
    if "device_map" not in options:
        target = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        try:
            model.to(target)  # type: ignore[arg-type]
        except (RuntimeError, AssertionError) as error:
            raise InnerjudgeError(
                f"given the device {device!r}, expected one of this machine's: {_line(error)}"
            ) from None
    model.eval()
    tokenizer = _tokenizer(source, name, revision)
    return LanguageModel(name, revision, model, tokenizer, find_anatomy(model, blocks=blocks, final_norm=final_norm))


def wrap(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, *, name: str = "model") -> LanguageModel:
    """Read a model that is already in memory; it is put into evaluation mode."""
    model.eval()
    return LanguageModel(name, None, model, tokenizer, find_anatomy(model))


def _require_causal(source: str, name: str, revision: str | None) -> None:
    if os.path.isdir(source) and not os.path.isfile(os.path.join(source, "config.json")):
        raise InnerjudgeError(f"given the folder {name!r} without config.json, expected a Hugging Face model folder")
    try:
        config = AutoConfig.from_pretrained(source, revision=revision)
    except (OSError, ValueError) as error:
        raise InnerjudgeError(
            f"given the model {name!r}, expected a local folder, a hub name that can be reached, or {REFERENCE!r}: "
            f"check the spelling and the network ({_line(error)})"
        ) from None
    causal = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()
    architectures = config.architectures or [
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(config.model_type, config.model_type)
    ]
    known = {a for entry in causal for a in (entry if isinstance(entry, tuple) else (entry,))}
    remote = getattr(config, "auto_map", None)
    if not remote and not known.intersection(architectures):
        raise InnerjudgeError(
            f"given {name!r}, which is a {architectures[0]}, expected a causal language model (...ForCausalLM): "
            "choose a model that generates text left to right"
        )


def _from_pretrained(
    source: str, name: str, revision: str | None, dtype: str, options: dict[str, Any]
) -> PreTrainedModel:
    if dtype not in ("auto", "float32", "bfloat16", "float16"):
        raise InnerjudgeError(f"given the dtype {dtype!r}, expected auto, float32, bfloat16 or float16")
    try:
        model, info = AutoModelForCausalLM.from_pretrained(
            source, revision=revision, dtype=dtype, output_loading_info=True, **options
        )
    except (OSError, ValueError, KeyError) as error:
        raise InnerjudgeError(
            f"given {name!r}, expected a folder or hub model with weights (model.safetensors) that transformers "
            f"{transformers.__version__} can load: {_line(error)}"
        ) from None
    missing = sorted(info["missing_keys"])
    if missing:
        raise InnerjudgeError(
            f"given {name!r}, whose weights lack {len(missing)} tensors (first: {missing[0]}), expected a complete "
            "checkpoint: such parts would be random; use a checkpoint saved from the causal LM"
        )
    return model  # type: ignore[no-any-return]


def _tokenizer(source: str, name: str, revision: str | None) -> PreTrainedTokenizerFast:
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, revision=revision)
    except (OSError, ValueError, KeyError) as error:
        raise InnerjudgeError(
            f"given {name!r} without a loadable tokenizer, expected tokenizer.json: {_line(error)}"
        ) from None
    if not tokenizer.is_fast:
        raise InnerjudgeError(
            f"given {name!r} with a slow tokenizer, expected a fast one (tokenizer.json): token positions are found by "
            "character offsets; load it with use_fast=True and save_pretrained(folder)"
        )
    return tokenizer  # type: ignore[no-any-return]


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
