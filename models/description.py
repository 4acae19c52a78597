"""What was detected of a model, and which ways of reading it work: data for a table or a file header."""

from typing import Any, Literal

import torch

from .arguments import checked
from .loading import LanguageModel
from .markers import THINK


@checked
def describe(lm: LanguageModel) -> dict[str, Any]:
    """Blocks, heads, norm, sizes, tokenizer facts and identity of a loaded model.

    Example:
        >>> from innerjudge.models.loading import load
        >>> describe(load("reference"))["reasoning markers"]
        '<think> and </think>, one token each'
    """
    anatomy = lm.anatomy
    scale, cap, bias = anatomy.post.scale, anatomy.post.softcap, getattr(anatomy.unembedding, "bias", None)
    post = [] if scale == 1.0 else [f"scale {scale:g}"]
    post += [] if cap is None else [f"soft-cap {cap:g}"]
    post += [] if bias is None else ["bias"]
    sizes = [len(lm.tokenizer(marker, add_special_tokens=False)["input_ids"]) for marker in THINK]
    told = ", one token each" if sizes == [1, 1] else f" as plain text ({sizes[0]} and {sizes[1]} tokens)"
    return {
        "name": lm.name,
        "revision": lm.revision,
        "made from": lm.origin or None,
        "architecture": type(lm.model).__name__,
        "parameters": sum(p.numel() for p in lm.model.parameters()),
        "blocks": anatomy.n_blocks,
        "width": anatomy.width,
        "query heads": anatomy.n_heads,
        "key heads": anatomy.n_kv_heads,
        "head size": anatomy.head_dim,
        "attention": _attention(lm),
        "final norm": type(anatomy.final_norm).__name__,
        "logit post-processing": ", ".join(post) or "none",
        "context": anatomy.context,
        "vocabulary": len(lm.tokenizer),
        "chat template": "yes" if lm.tokenizer.chat_template else "none (plain text)",
        "reasoning markers": f"{' and '.join(THINK)}{told}",
        "attention kernel": lm.attention,
        **open_paths(lm),
        "dtype": lm.dtype,
        "device": str(lm.device),
        "threads": torch.get_num_threads() if lm.device.type == "cpu" else None,
        "fingerprint": lm.fingerprint,
        "to know": " ".join(lm.notes) or None,
    }


def _attention(lm: LanguageModel) -> str:
    """Which blocks have heads, and what is particular about them."""
    blocks = lm.anatomy.heads
    every = [one for block in blocks for one in block]
    if not every:
        return "none (no query-key products, no attention rows)"
    parts = [f"{sum(bool(block) for block in blocks)} of {len(blocks)} blocks"]
    windows = sorted({one.window for one in every if one.window is not None})
    for what, count in (
        ("rotary", sum(one.rotary for one in every)),
        (f"window {', '.join(map(str, windows))}", sum(one.window is not None for one in every)),
        ("soft-cap", sum(one.softcap is not None for one in every)),
        ("sinks", sum(one.sinks for one in every)),
        ("no query-key product", sum(bool(one.unreadable) for one in every)),
    ):
        if count:
            parts.append(what if count == len(every) else f"{what} in {count}")
    return ", ".join(parts)


def refused(lm: LanguageModel, way: Literal["padding", "packing", "sharing", "writing"]) -> str | None:
    """Why texts of different lengths are read, or written after their prompts, one at a time; ``None`` if together.

    ``"packing"`` is for texts that lie end to end in one row, ``"sharing"`` for a prompt that is computed once for all
    of its texts.
    """
    match way:
        case "padding" if not lm.padding_sides:
            return "padding beside a text changes its states, on either side: it has no mask for all that it reads"
        case "writing" if "left" not in lm.padding_sides:
            return "it reads what stands behind padding on the left differently"
        case "sharing" if not lm.shares_prompts:
            return "a text that goes on after a cached prompt reads differently, or there is no such cache"
        case "packing" if not lm.reads_packed:
            if lm.anatomy.position_offset is None:
                return "it takes no position ids that would tell texts apart"
            if lm.anatomy.stream.layout.prefix:
                return "it puts tokens of its own before a text"
            return f"the states of texts that lie end to end are not those of the texts alone (kernel {lm.attention})"
    return None


def open_paths(lm: LanguageModel) -> dict[str, str]:
    """Name of a way of reading or writing -> "open", with its limits, or why it cannot be used."""
    sides = " or ".join(sorted(lm.padding_sides))
    batches = f"open, padded {sides}" if sides else f"closed, one text at a time: {refused(lm, 'padding')}"
    if sides and lm.mixing.until is not None:
        rule = "of one length" if lm.mixing.exact and lm.mixing.until else "apart"
        batches += f"; texts of more than {lm.mixing.until} tokens {rule} (rotary angles follow the longest)"
    closed = {"packing": refused(lm, "packing"), "shared prompts": refused(lm, "sharing")}
    closed |= {"writing": refused(lm, "writing")}
    return {
        "batches": batches,
        **{name: "open" if why is None else f"closed: {why}" for name, why in closed.items()},
        "early stop": f"open, after each of {lm.anatomy.n_blocks} blocks",
    }
