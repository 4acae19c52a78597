"""Real models against a naive definition: ``python -m innerjudge.experiments.bench.real.exactness MODEL...``.

Naive is: one text at a time, no padding, no cache, ``output_hidden_states`` and ``output_attentions`` of transformers'
eager kernel, queries and keys as the projections give them, and each formula in one line. Ours is what every command
runs: batches of texts of several lengths, padded, prompts shared, only the wanted rows kept.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from scipy.special import softmax

from ....extraction.extract import extract
from ....extraction.features import Features
from ....extraction.provenance import versions
from ....extraction.readouts import AttentionWeights, HiddenStates, LabelLogits, QueryKey, Readout
from ....models.items import Choice, Item, Rating, Trace
from ....models.loading import LanguageModel, load
from ....models.positions import Encoding, encode_prompt, encode_trace
from ....models.prompts import choice_prompt, rating_prompt
from ....probes import LAGER
from ...data.datasets import load_data

Array = np.ndarray[Any, np.dtype[np.float64]]

#: The most that a value may differ by, relative to the largest of its row (or to 1, where that is smaller); a
#: query-key product relative to the lengths of its query and key.
BOUND = 1e-5
#: Where the committed record lies.
RECORD = Path(__file__).with_name("exactness.json")
SAMPLES = ("sample:mmlu", "sample:topical-chat", "sample:gsm8k-solutions")


def differences(lm: LanguageModel, items: Sequence[Item]) -> dict[str, float]:
    """Largest relative difference to the naive definition, by what is compared.

    Args:
        lm: A float32 model whose blocks have ``self_attn.q_proj`` and ``self_attn.k_proj`` (Llama, Qwen 2 and kin).
        items: Choices, ratings and traces.
    """
    found: dict[str, float] = {}
    kernel = lm.attention
    wanted: dict[type[Item], list[Readout]] = {
        Trace: [HiddenStates("prompt_end"), HiddenStates("response_end")],
        Rating: [HiddenStates("score"), LabelLogits()],
        Choice: [LabelLogits(), QueryKey("before"), AttentionWeights()],
    }
    for kind, readouts in wanted.items():
        texts = [encoded(lm, item) for item in items if isinstance(item, kind)]
        if not texts:
            continue
        ours = extract(lm, texts, readouts, batch_size=4)
        lm.model.set_attn_implementation("eager")
        try:
            theirs = [naive(lm, text) for text in texts]
        finally:
            lm.model.set_attn_implementation(kernel)
        for name, error in _errors(ours, theirs, kind):
            found[name] = max(error, found.get(name, 0.0))
    return found


def encoded(lm: LanguageModel, item: Item) -> Encoding:
    """The text in which the model is asked about an item."""
    if isinstance(item, Trace):
        return encode_trace(lm.tokenizer, item)
    assert isinstance(item, Rating | Choice)
    prompt = (
        choice_prompt(item.question, item.options)
        if isinstance(item, Choice)
        else rating_prompt(item.prompt, item.response, criterion=item.criterion)
    )
    return encode_prompt(lm.tokenizer, item.id, item.group, prompt)


@torch.no_grad()
def naive(lm: LanguageModel, text: Encoding) -> dict[str, Array]:
    """Every value of one text, by its definition."""
    model: Any = lm.model
    rows: dict[tuple[int, str], torch.Tensor] = {}
    hooks = [
        getattr(block.self_attn, f"{x}_proj").register_forward_hook(
            lambda _module, _given, out, key=(number, x): rows.__setitem__(key, out[0])
        )
        for number, block in enumerate(lm.anatomy.blocks)
        for x in "qk"
    ]
    said = model(torch.tensor([text.ids]), output_hidden_states=True, output_attentions=True, use_cache=False)
    for hook in hooks:
        hook.remove()
    states = [h[0] for h in said.hidden_states]  # h[0..L-1], then final_norm(h[L])
    values = {f"hidden/{role}": _stack(states, at[0]) for role, at in text.positions.items() if len(at) == 1}
    if not text.label_ids:
        return values
    at, labels = text.positions["score"][0], list(text.label_ids)
    # The entries of LAGER: the head on h[0..L-1] as they are, and the model's own logits.
    entries = [model.lm_head(h[at])[labels] for h in states[:-1]] + [said.logits[0, at][labels]]
    values["logits"] = torch.stack(entries).double().numpy()
    scale = np.arange(1, len(labels) + 1)
    values["lager"] = np.array([softmax(values["logits"].mean(axis=0)) @ scale])
    keys = text.positions.get("option_end")
    if keys:
        a = lm.anatomy
        share = a.n_heads // a.n_kv_heads
        queries = torch.stack([rows[n, "q"].view(-1, a.n_heads, a.head_dim)[at] for n in range(a.n_blocks)])
        of_keys = torch.stack([rows[n, "k"].view(-1, a.n_kv_heads, a.head_dim)[list(keys)] for n in range(a.n_blocks)])
        products = torch.einsum("lhd,lkhd->lhk", queries.double(), of_keys.double().repeat_interleave(share, dim=2))
        values["qk"] = products.numpy()
        lengths = of_keys.double().norm(dim=-1).repeat_interleave(share, dim=2).transpose(1, 2)
        values["qk size"] = (queries.double().norm(dim=-1)[..., None] * lengths).numpy()
        values["attention"] = np.stack([w[0, :, at, list(keys)].double().numpy() for w in said.attentions])
    return values


def _stack(states: Sequence[torch.Tensor], at: int) -> Array:
    return torch.stack([h[at] for h in states]).double().numpy()


def _errors(ours: Features, theirs: Sequence[dict[str, Array]], kind: type[Item]) -> Iterator[tuple[str, float]]:
    """Name and largest relative difference of each value that both have."""
    for row, naively in enumerate(theirs):
        for name in (name for name in ours.arrays if name.startswith("hidden/")):
            mine = np.delete(ours[name][row], -2, axis=0)  # raw h[L] is not in Hugging Face's tuple
            yield "hidden states", _relative(mine, naively[name])
        if "logits" not in naively:
            continue
        logits = ours["logits/score"][row][..., : naively["logits"].shape[1]]
        yield "verdict logits", _relative(np.concatenate([logits[0, :-1], logits[1, -1:]]), naively["logits"])
        if kind is Rating:
            score = LAGER(values=range(1, 6)).decision_function(ours.take([row]))
            yield "LAGER score", _relative(score, naively["lager"])
        if "qk" in naively:
            n = naively["qk"].shape[-1]
            # A product rounds relative to its terms, which may cancel: to the lengths of query and key.
            off = np.abs(ours["qk/before"][row][..., :n] - naively["qk"]) / np.maximum(1.0, naively["qk size"])
            yield "query-key products", float(off.max())
            yield "attention weights", _relative(ours["attention"][row][..., :n], naively["attention"])


def _relative(mine: Any, theirs: Array) -> float:
    """Largest difference in a row, relative to the largest value of the row or to 1."""
    return float((np.abs(mine - theirs).max(axis=-1) / np.maximum(1.0, np.abs(theirs).max(axis=-1))).max())


def record(model: str, n_items: int) -> dict[str, Any]:
    """What is committed of one model."""
    lm = load(model, device="cpu", dtype="float32")
    items = [item for spec in SAMPLES for item in load_data(spec, limit=n_items, seed=0).items]
    found = differences(lm, items)
    return {
        "model": Path(model).name,
        "made from": lm.origin or None,
        "parameters": sum(p.numel() for p in lm.model.parameters()),
        "items": len(items),
        "largest relative difference": {name: float(f"{value:.2g}") for name, value in sorted(found.items())},
        "bound": BOUND,
        "within": max(found.values()) <= BOUND,
        "versions": dict(versions()),
    }


def main(
    models: Annotated[list[str], typer.Argument(help="GGUF files or folders.")],
    out: Annotated[Path, typer.Option(help="JSON file to write.")] = RECORD,
    items: Annotated[int, typer.Option(help="Items of each kind.")] = 12,
) -> None:
    """Compare, and write the record."""
    found = [record(model, items) for model in models]
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))  # noqa: T201


if __name__ == "__main__":
    typer.run(main)
