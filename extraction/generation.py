"""Text written by the model, for the judges that read text: new tokens only, batched, reproducible."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig

from ..models.errors import InnerjudgeError
from ..models.loading import LanguageModel
from ..models.positions import Encoded
from .batching import by_length, collate
from .features import Features
from .provenance import provenance


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model wrote after one prompt.

    Args:
        ids: New token ids, without the end token.
        text: The same, decoded.
        finished: Whether the model ended by itself, and not by ``max_new_tokens``.
    """

    ids: tuple[int, ...]
    text: str
    finished: bool


def complete(
    lm: LanguageModel,
    items: Sequence[Encoded],
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
    batch_size: int = 8,
    on_batch: Callable[[int], None] | None = None,
) -> list[Completion | str]:
    """Let the model go on after each item.

    Args:
        lm: The model.
        items: Encoded prompts; ids need not be unique: a prompt may be sampled many times.
        max_new_tokens: Most tokens to write.
        temperature: 0 is greedy; else plain sampling at that temperature. What the model's own generation config says
            of top-k, top-p or repetition penalties does not count.
        seed: Of the sampling. Same seed, batch size and items: same text. The caller's random state is kept.
        batch_size: Prompts a batch. Greedy text does not depend on it beyond float error.
        on_batch: Called with the number of items after each batch.

    Returns:
        One completion an item, in order; or the reason (a string) why there is none.
    """
    if max_new_tokens < 1 or temperature < 0:
        raise InnerjudgeError(
            f"given max_new_tokens={max_new_tokens} and temperature={temperature}, expected at least 1 and at least 0"
        )
    found: list[Completion | str] = [_no_room(lm, item, max_new_tokens) or "" for item in items]
    open_rows = [k for k, reason in enumerate(found) if not reason]
    if on_batch is not None and len(open_rows) < len(items):
        on_batch(len(items) - len(open_rows))
    ragged = len({len(items[k].ids) for k in open_rows}) > 1
    if ragged and batch_size > 1 and "left" not in lm.padding_sides:
        batch_size = 1  # generation pads on the left, and this model would read the text behind it differently
    with torch.random.fork_rng(devices=[lm.device] if lm.device.type == "cuda" else []):
        torch.manual_seed(seed)
        for rows in by_length([items[k] for k in open_rows], batch_size):
            chosen = [open_rows[k] for k in rows]
            for k, completion in zip(
                chosen, _generate(lm, [items[k] for k in chosen], max_new_tokens, temperature), strict=True
            ):
                found[k] = completion
            if on_batch is not None:
                on_batch(len(chosen))
    return found


def generate(
    lm: LanguageModel,
    items: Sequence[Encoded],
    *,
    name: str,
    max_new_tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
    batch_size: int = 8,
    on_batch: Callable[[int], None] | None = None,
) -> Features:
    """:func:`complete` as features: ``texts[name]``, with reasons in ``missing``, for a text judge to read.

    Example:
        >>> from innerjudge.models.loading import load
        >>> from innerjudge.models.positions import encode_prompt
        >>> from innerjudge.models.prompts import rating_prompt
        >>> lm = load("reference")
        >>> item = encode_prompt(lm.tokenizer, "r1", "r1", rating_prompt("Say hi.", "hi"))
        >>> len(generate(lm, [item], name="direct", max_new_tokens=4).texts["direct"])
        1
    """
    started = time.perf_counter()
    found = complete(
        lm,
        items,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        seed=seed,
        batch_size=batch_size,
        on_batch=on_batch,
    )
    reasons = {item.id: why for item, why in zip(items, found, strict=True) if isinstance(why, str)}
    return Features(
        ids=tuple(item.id for item in items),
        groups=tuple(item.group for item in items),
        provenance=provenance(lm),
        texts={name: tuple("" if isinstance(one, str) else one.text for one in found)},
        missing={name: reasons} if reasons else {},
        seconds={name: time.perf_counter() - started},
    )


def _no_room(lm: LanguageModel, item: Encoded, max_new_tokens: int) -> str | None:
    context = lm.anatomy.context
    if "*" in item.missing:
        return item.missing["*"]
    if context is None or len(item.ids) + max_new_tokens <= context:
        return None
    return (
        f"{len(item.ids)} prompt tokens leave no room for {max_new_tokens} new ones in the model's context of {context}"
    )


@torch.inference_mode()
def _generate(lm: LanguageModel, items: Sequence[Encoded], max_new_tokens: int, temperature: float) -> list[Completion]:
    batch = collate(items, pad_id=lm.pad_id, side="left", device=lm.device)
    ends = _end_ids(lm)
    sampling = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0} if temperature else {}
    # What the model's own config sets (a repetition penalty, say) would fill in for whatever is not named here.
    own, lm.model.generation_config = lm.model.generation_config, GenerationConfig()
    try:
        run: Any = lm.model.generate  # its decorators hide the signature
        output = run(
            input_ids=batch.ids,
            attention_mask=batch.mask,
            max_new_tokens=max_new_tokens,
            pad_token_id=lm.pad_id,
            eos_token_id=sorted(ends) or None,
            **(sampling or {"do_sample": False}),
        )
    finally:
        lm.model.generation_config = own
    completions = []
    for row in output[:, batch.ids.shape[1] :].tolist():
        end = next((k for k, token in enumerate(row) if token in ends), None)
        kept = row if end is None else row[:end]
        completions.append(Completion(tuple(kept), str(lm.tokenizer.decode(kept)), end is not None))
    return completions


def _end_ids(lm: LanguageModel) -> set[int]:
    configured = getattr(lm.model.generation_config, "eos_token_id", None)
    ids = configured if isinstance(configured, list) else [configured]
    return {i for i in (*ids, lm.tokenizer.eos_token_id) if isinstance(i, int)}
