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
        raise InnerjudgeError.of("models.no-config", name)
    place = hub_options(source)
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(
            source, revision=revision, trust_remote_code=trust, **place
        )
    except Exception as error:  # a config is anybody's file, and transformers has no one class for what is wrong in it
        require_trust(error, name, trust=trust)
        if os.path.isdir(source):
            raise InnerjudgeError.of("models.bad-config", name, one_line(error)) from None
        if _is_adapter_on_hub(source, revision, place):
            raise InnerjudgeError.of("models.hub-adapter", name) from None
        away = f"; the hub at {constants.ENDPOINT} cannot be reached, and no copy is on this machine" if place else ""
        raise InnerjudgeError.of("models.not-found", name, one_line(error), away) from None
    for field, given in config.get_text_config().to_dict().items():
        if _PARTS.fullmatch(field) and type(given) is int and given > _MOST_PARTS:
            raise InnerjudgeError.of("models.config-number", name, field, given, _MOST_PARTS)
    causal = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()
    listed = config.architectures if isinstance(config.architectures, list) else ()
    architectures = [shown(one, 80) for one in listed] or [
        str(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(config.model_type, config.model_type))
    ]
    known = {a for entry in causal for a in (entry if isinstance(entry, tuple) else (entry,))}
    if not getattr(config, "auto_map", None) and not known.intersection(architectures):
        raise InnerjudgeError.of("models.not-causal", name, architectures[0])
    left = getattr(config, "quantization_config", None)
    if isinstance(left, dict) and left.get("quant_method") == "gguf":
        raise InnerjudgeError.of("models.converted", name)
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
        raise InnerjudgeError.of("models.no-weights", name, transformers.__version__, one_line(error)) from None
    model, info = loaded
    if missing := sorted(info["missing_keys"]):
        raise InnerjudgeError.of("models.lacks-weights", name, len(missing), missing[0])
    if odd := sorted(str(entry[0]) for entry in info["mismatched_keys"]):
        raise InnerjudgeError.of("models.other-shapes", name, len(odd), odd[0])
    return model  # type: ignore[no-any-return]


def read_tokenizer(source: str, name: str, revision: str | None, *, trust: bool = False) -> PreTrainedTokenizerFast:
    """Load the fast tokenizer; one without a vocabulary is refused (transformers makes it if files are missing)."""
    try:
        place = hub_options(source) | {"revision": revision, "trust_remote_code": trust}
        tokenizer: Any = AutoTokenizer.from_pretrained(source, **place)
        tokenizer("a")  # which looks at settings that nothing has looked at yet
    except Exception as error:  # as above
        require_trust(error, name, trust=trust)
        raise InnerjudgeError.of("models.no-tokenizer", name, one_line(error)) from None
    if not tokenizer.is_fast:
        raise InnerjudgeError.of("models.slow-tokenizer", name)
    if not set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens) - {" ", "▁"}:
        raise InnerjudgeError.of("models.no-tokens", name)
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
        raise InnerjudgeError.of("models.own-code", name) from None
