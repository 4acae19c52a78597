"""Config, weights, tokenizer and own code of a checkpoint, from the hub or a folder; each failure is one clear line."""

import logging
import os
import re
from typing import Any

import transformers
from huggingface_hub import constants, get_session
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerFast
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
from transformers.utils.peft_utils import find_adapter_config_file

from .errors import InnerjudgeError, one_line, shown

#: Seconds in which the hub must answer before a checkpoint is looked for on this machine only.
HUB_PATIENCE = 5.0
#: Blocks or experts that a model may have: each is made before any weight is read.
_PARTS, _MOST_PARTS = re.compile(r"(num|n)_(\w+_)?(layers?|blocks?|experts?)"), 10_000
log = logging.getLogger("innerjudge")


def require_causal(source: str, name: str, revision: str | None, *, trust: bool = False) -> PreTrainedConfig:
    """The config of ``source``; raises unless it names a causal LM. Nothing but the config is read."""
    if os.path.isdir(source) and not os.path.isfile(os.path.join(source, "config.json")):
        raise InnerjudgeError(
            f"given the folder {name!r} without config.json, expected a Hugging Face model folder, or one that holds "
            "a GGUF file or a LoRA adapter"
        )
    place = hub_options(source)
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(
            source, revision=revision, trust_remote_code=trust, **place
        )
    except Exception as error:  # a config is anybody's file, and transformers has no one class for what is wrong in it
        require_trust(error, name, trust=trust)
        if os.path.isdir(source):
            raise InnerjudgeError(
                f"given the folder {name!r}, whose config.json cannot be read ({one_line(error)}), expected that of a "
                "causal LM: copy it again from where the model came from"
            ) from None
        if _is_adapter_on_hub(source, revision, place):
            raise InnerjudgeError(
                f"given the hub name {name!r}, which is a LoRA adapter without a model, expected its folder: download "
                f"it with `hf download {name} --local-dir FOLDER`, and give that folder"
            ) from None
        away = f"; the hub at {constants.ENDPOINT} cannot be reached, and no copy is on this machine" if place else ""
        raise InnerjudgeError(
            f"given the model {name!r}, expected a local folder, a hub name that can be reached, or 'reference': "
            f"check the spelling and the network ({one_line(error)}{away})"
        ) from None
    for field, given in config.get_text_config().to_dict().items():
        if _PARTS.fullmatch(field) and type(given) is int and given > _MOST_PARTS:
            raise InnerjudgeError(
                f"given {name!r}, whose config.json says {field} {given:.3g}, expected at most {_MOST_PARTS}: copy it "
                "again from where the model came from"
            )
    causal = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()
    listed = config.architectures if isinstance(config.architectures, list) else ()
    architectures = [shown(one, 80) for one in listed] or [
        str(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(config.model_type, config.model_type))
    ]
    known = {a for entry in causal for a in (entry if isinstance(entry, tuple) else (entry,))}
    if not getattr(config, "auto_map", None) and not known.intersection(architectures):
        raise InnerjudgeError(
            f"given {name!r}, which is a {architectures[0]}, expected a causal language model (...ForCausalLM): "
            "choose a model that generates text left to right"
        )
    left = getattr(config, "quantization_config", None)
    if isinstance(left, dict) and left.get("quant_method") == "gguf":
        raise InnerjudgeError(
            f"given {name!r}, a converted GGUF file whose config.json still says quantization_config gguf, expected "
            "plain weights: delete that entry, or load the GGUF file itself"
        )
    return config


def _is_adapter_on_hub(source: str, revision: str | None, place: dict[str, Any]) -> bool:
    try:
        return find_adapter_config_file(source, revision=revision, **place) is not None
    except Exception:  # a name that the hub does not have, or that is none
        return False


def read_weights(
    source: str, name: str, revision: str | None, dtype: str, options: dict[str, Any], *, trust: bool = False
) -> transformers.PreTrainedModel:
    """Load the model; a checkpoint that lacks tensors is refused, as they would be random."""
    required: dict[str, Any] = {"revision": revision, "dtype": dtype, "trust_remote_code": trust}
    required |= {"output_loading_info": True, "ignore_mismatched_sizes": True}
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(source, **required, **(hub_options(source) | options))
    except Exception as error:  # as above: weights that do not fit their config fail in many ways
        require_trust(error, name, trust=trust)
        raise InnerjudgeError(
            f"given {name!r}, expected a folder or hub model with weights (model.safetensors) that transformers "
            f"{transformers.__version__} can load: {one_line(error)}"
        ) from None
    model, info = loaded
    if missing := sorted(info["missing_keys"]):
        raise InnerjudgeError(
            f"given {name!r}, whose weights lack {len(missing)} tensors (first: {missing[0]}), expected a complete "
            "checkpoint: such parts would be random; use a checkpoint saved from the causal LM"
        )
    if odd := sorted(str(entry[0]) for entry in info["mismatched_keys"]):
        raise InnerjudgeError(
            f"given {name!r}, whose config asks for other shapes than {len(odd)} tensors have (first: {odd[0]}), "
            "expected config.json and weights of one model: copy both from one place"
        )
    return model  # type: ignore[no-any-return]


def read_tokenizer(source: str, name: str, revision: str | None, *, trust: bool = False) -> PreTrainedTokenizerFast:
    """Load the fast tokenizer; one without a vocabulary is refused (transformers makes it if files are missing)."""
    try:
        place = hub_options(source) | {"revision": revision, "trust_remote_code": trust}
        tokenizer: Any = AutoTokenizer.from_pretrained(source, **place)
        tokenizer("a")  # which looks at settings that nothing has looked at yet
    except Exception as error:  # as above
        require_trust(error, name, trust=trust)
        raise InnerjudgeError(
            f"given {name!r} without a loadable tokenizer, expected tokenizer.json: {one_line(error)}"
        ) from None
    if not tokenizer.is_fast:
        raise InnerjudgeError(
            f"given {name!r} with a slow tokenizer, expected a fast one (tokenizer.json): token positions are found by "
            "character offsets; load it with use_fast=True and save_pretrained(folder)"
        )
    if not set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens) - {" ", "▁"}:
        raise InnerjudgeError(
            f"given {name!r}, whose tokenizer has no tokens but special ones, expected tokenizer.json (or the "
            "vocabulary files that it is made from): copy it from where the model came from"
        )
    return tokenizer  # type: ignore[no-any-return]


def hub_options(source: str) -> dict[str, Any]:
    """Options to look on this machine only, where the hub does not answer: else libraries retry for minutes."""
    if os.path.isdir(source) or constants.is_offline_mode():
        return {}
    try:
        get_session().head(constants.ENDPOINT, timeout=HUB_PATIENCE)
    except Exception:  # of whichever HTTP client the hub's library has; its answer, good or bad, raises nothing
        return {"local_files_only": True}
    return {}


def say_meaning(name: str) -> None:
    """Log what it means to trust the code of the model ``name``."""
    log.warning(
        f"trust_remote_code runs the Python files that come with the model {name!r}, with all your rights: they can "
        "read, change and send whatever you can, so read them first, and pin the revision that you read"
    )


def require_trust(error: BaseException, name: str, *, trust: bool) -> None:
    """Refuse a model where transformers failed for want of trust in its code."""
    if not trust and "trust_remote_code" in str(error):
        raise InnerjudgeError(
            f"given {name!r}, which brings Python code of its own, expected a model that transformers knows by itself: "
            "read that code, and if you would run it with your rights, pass trust_remote_code=True (on the command "
            "line --trust-remote-code, in a study model.trust_remote_code)"
        ) from None
