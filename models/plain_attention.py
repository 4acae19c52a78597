"""Whether a family's eager attention is the plain one, so that a row of it needs no repeated keys and no values."""

from typing import Any

from transformers.models.llama import modeling_llama


def is_plain(eager: Any) -> bool:
    """Whether a function does what Llama's does, line by line: ``softmax(scaling * query @ key + mask)``, in fp32.

    Most families have a copy of it, whose compiled code is the same. One with a soft-cap, sinks or biases of its own is
    another function, whatever it gives for one input.

    Example:
        >>> from transformers.models.gemma2 import modeling_gemma2
        >>> from transformers.models.qwen3 import modeling_qwen3
        >>> is_plain(modeling_qwen3.eager_attention_forward), is_plain(modeling_gemma2.eager_attention_forward)
        (True, False)
    """
    plain = modeling_llama.eager_attention_forward
    repeat = getattr(eager, "__globals__", {}).get("repeat_kv")
    return _code(eager) == _code(plain) and _code(repeat) == _code(modeling_llama.repeat_kv)


def _code(function: Any) -> tuple[Any, ...] | None:
    code = getattr(function, "__code__", None)
    return None if code is None else (code.co_code, code.co_consts, code.co_names, code.co_varnames)
