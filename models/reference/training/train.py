"""Training of the reference model: ``python -m innerjudge.models.reference.training.train --out DIR --seed 0``."""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast, set_seed

from .architecture import build_model
from .batches import Batch, batches, loss_of
from .corpus import examples
from .mixtures import EARLY_MIXTURE, EARLY_SHARE, MIXTURE
from .pointing import POINTING_WEIGHT, Pointer
from .tokenizer import render, train_tokenizer


def optimizers(model: LlamaForCausalLM, peak: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, AdamW for embeddings and norms.

    Example:
        >>> from innerjudge.models.reference.training.measure import load
        >>> [type(o).__name__ for o in optimizers(load()[0], 1e-3)]
        ['Muon', 'AdamW']
    """
    matrices = [p for p in model.model.layers.parameters() if p.ndim == 2]
    inside = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in inside]
    return [
        torch.optim.Muon(matrices, lr=peak, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=peak, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def rate_at(step: int, steps: int, warm: int = 100) -> float:
    """Share of the peak learning rate: a warm-up, then a straight fall to 1 %.

    Example:
        >>> [round(rate_at(step, 1000), 2) for step in (50, 100, 1000)]
        [0.5, 1.0, 0.01]
    """
    warm = min(warm, max(1, steps // 10))
    return step / warm if step < warm else 0.01 + 0.99 * (steps - step) / max(1, steps - warm)


def _stream(tokenizer: PreTrainedTokenizerFast, seed: int, tokens: int, early: int) -> Iterator[Batch]:
    """Batches of the early mixture, where verdicts weigh no more than other words, then those of the whole one."""
    first = batches(tokenizer, 2 * seed, tokens, EARLY_MIXTURE, verdict=1.0)
    for _, batch in zip(range(early), first, strict=False):
        yield batch
    yield from batches(tokenizer, 2 * seed + 1, tokens, MIXTURE)


def train(out: Path, *, seed: int = 0, steps: int = 6600, tokens: int = 4096, peak: float = 3e-3) -> None:
    """Train tokenizer and model and write them with ``training.json`` into ``out``.

    Args:
        out: Folder to write.
        seed: Seed of weights and data.
        steps: Number of updates; the first :data:`.mixtures.EARLY_SHARE` of them are of the early mixture.
        tokens: Tokens in a batch, padding included.
        peak: Highest learning rate.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     train(Path(folder), steps=1, tokens=512)  # doctest: +ELLIPSIS
        ...     (Path(folder) / "model.safetensors").exists()
        step 1/1 ...
        True
    """
    set_seed(seed)
    tokenizer = train_tokenizer([render(e.user, e.assistant) for e in examples(4000, seed=seed)])
    model = build_model(tokenizer)
    pointer = Pointer(model)
    stepping = optimizers(model, peak)
    early = round(steps * EARLY_SHARE)
    curve: list[dict[str, float]] = []
    begun, used, seen, total, every = time.time(), time.process_time(), 0, 0.0, max(1, steps // 70)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(out)
    model.train()
    for step, batch in zip(range(1, steps + 1), _stream(tokenizer, seed, tokens, early), strict=False):
        for optimizer in stepping:
            optimizer.zero_grad(set_to_none=True)
            for group in optimizer.param_groups:
                group["lr"] = peak * rate_at(step, steps)
        loss = loss_of(model, batch)
        whole: Any = loss + POINTING_WEIGHT * pointer.loss(batch.pointers) if step <= early else loss
        whole.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in stepping:
            optimizer.step()
        total, seen = total + loss.item(), seen + batch.ids.numel()
        if step % every == 0 or step == steps:
            with torch.no_grad():
                looking = pointer.loss(batch.pointers).neg().exp().item()
            mean = total / (step - (curve[-1]["step"] if curve else 0))
            total = 0.0
            spent = time.time() - begun
            curve.append({"step": step, "loss": round(mean, 4), "pointing": round(looking, 4), "seconds": round(spent)})
            if len(curve) % 5 == 0 or step == steps:
                model.save_pretrained(out)
            print(f"step {step}/{steps} loss {mean:.3f} pointing {looking:.2f} {seen / spent:.0f} tokens/s", flush=True)  # noqa: T201
    record = {
        "seed": seed, "steps": steps, "tokens_per_step": tokens, "peak": peak, "seen": seen,
        "seconds": round(time.time() - begun), "cpu_seconds": round(time.process_time() - used),
        "threads": torch.get_num_threads(), "parameters": model.num_parameters(),
        "early_mixture": EARLY_MIXTURE, "mixture": MIXTURE, "curve": curve,
    }  # fmt: skip
    (out / "training.json").write_text(json.dumps(record, indent=1) + "\n")


def main() -> None:
    """Command line of the training script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=6600)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--peak", type=float, default=3e-3)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    train(given.out, seed=given.seed, steps=given.steps, tokens=given.tokens, peak=given.peak)


if __name__ == "__main__":
    main()
