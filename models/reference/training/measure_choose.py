"""The *choose* figures: the option's text, the letter, and the best head's query-key product."""

from collections.abc import Callable, Sequence

import torch
from torch import nn
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from ...items import Choice
from ...prompts import choice_prompt
from ..choose import choices, synthetic
from .passes import label_ids
from .sampling import replies
from .tokenizer import render


def query_key(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, items: Sequence[Choice]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Read ``(products [items, heads, options], letter logits [items, letters])`` from one pass per item.

    The query is that of the last token of ``Answer:``, the keys those of the tokens that end the option lines, both
    before rotary positions; query head ``h`` looks at key head ``h // group``.
    """
    kept: dict[str, list[torch.Tensor]] = {"q": [], "k": []}

    def keep(name: str) -> Callable[..., None]:
        return lambda module, args, out: kept[name].append(out[0].clone())

    handles = []
    for block in model.model.layers:
        for name, layer in (("q", block.self_attn.q_proj), ("k", block.self_attn.k_proj)):
            assert isinstance(layer, nn.Linear)
            handles.append(layer.register_forward_hook(keep(name)))
    size = int(model.config.head_dim or 0)
    products, letters = [], []
    for item in items:
        prompt = choice_prompt(item.question, item.options)
        text = render(prompt.user, prompt.cue)
        coded = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
        shift = text.index(prompt.user)
        ends = [
            next(t for t, (_, stop) in enumerate(coded["offset_mapping"]) if stop == shift + end)
            for _, end in prompt.option_spans
        ]
        kept["q"].clear()
        kept["k"].clear()
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([coded["input_ids"]]), use_cache=False, logits_to_keep=1).logits
        queries = torch.stack([q[-1].view(-1, size) for q in kept["q"]])
        keys = torch.stack([k[ends].view(len(ends), -1, size) for k in kept["k"]])
        keys = keys.repeat_interleave(queries.shape[1] // keys.shape[2], dim=2)
        products.append(torch.einsum("lhd,lohd->lho", queries, keys).flatten(0, 1))
        letters.append(logits[0, -1, label_ids(tokenizer, prompt.labels)])
    for handle in handles:
        handle.remove()
    return torch.stack(products), torch.stack(letters)


def measure_choose(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, seed: int, scale: float
) -> dict[str, dict[str, float]]:
    """Choose the best head on validation questions and report it on others, along with text and letters."""
    n = max(16, round(300 * scale))
    sets = {
        "knowledge": (choices(n, seed=seed, synthetic_share=0.0), choices(n, seed=seed + 1, synthetic_share=0.0)),
        "synthetic": (synthetic(n, seed=seed + 2), synthetic(n, seed=seed + 3)),
    }
    figures = {}
    for name, (validation, test) in sets.items():
        known, _ = query_key(model, tokenizer, validation)
        products, letters = query_key(model, tokenizer, test)
        truth = torch.tensor([item.answer for item in test])
        options = len(test[0].options)
        by_head = (known[..., :options].argmax(-1) == torch.tensor([i.answer for i in validation])[:, None]).float()
        best = int(by_head.mean(0).argmax())
        chosen = products[:, best]
        asked = [choice_prompt(i.question, i.options, reply="option").user for i in test]
        texts = replies(model, tokenizer, [render(user, "Answer:") for user in asked], longest=16)
        said = [t.strip() == i.options[i.answer or 0] for t, i in zip(texts, test, strict=True)]
        figures[name] = {
            "n": float(n),
            "option_text": sum(said) / n,
            "letter": float((letters.argmax(-1) == truth).float().mean()),
            "letter_without_abstaining": float((letters[:, :options].argmax(-1) == truth).float().mean()),
            "best_head": float((chosen.argmax(-1) == truth).float().mean()),
            "best_head_without_abstaining": float((chosen[:, :options].argmax(-1) == truth).float().mean()),
            "best_head_block": float(best // model.config.num_attention_heads + 1),
            "best_head_number": float(best % model.config.num_attention_heads),
            "heads_above_letter": float(
                ((products[..., :options].argmax(-1) == truth[:, None]).float().mean(0)
                 > (letters[:, :options].argmax(-1) == truth).float().mean()).sum()
            ),
        }  # fmt: skip
    return {name: {k: round(v, 4) for k, v in row.items()} for name, row in figures.items()}
