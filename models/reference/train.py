"""Training of the reference model: ``python -m innerjudge.models.reference.train --out DIR --seed 0``."""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

from .architecture import build_model
from .batches import batches, loss_of
from .corpus import examples
from .mixtures import EARLY_MIXTURE, JUDGING_MIXTURE, MIXTURE, STAGES
from .tokenizer import render, train_tokenizer

#: Share of the tokens that come from the early mixture, and the rough size of a chunk in tokens.
EARLY_SHARE, TOKENS_PER_CHUNK = 0.25, 500_000


def train(
    out: Path,
    *,
    seed: int = 0,
    steps: int = 4000,
    tokens: int = 4096,
    peak: float = 2e-3,
    bf16: bool = False,
    judging: Path | None = None,
    mixture: Mapping[str, float] | None = None,
) -> None:
    """Train tokenizer and model and write them with ``training.json`` into ``out``.

    Args:
        out: Folder to write.
        seed: Seed of weights and data.
        steps: Number of updates.
        tokens: Tokens in a batch.
        peak: Highest learning rate.
        judging: Folder of a trained model to go on from, with the judging mixture alone.
        mixture: Mixture to train on, in place of the stage's own.
        bf16: Compute in bfloat16 where the CPU is fast at it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     train(Path(folder), steps=1, tokens=512)  # doctest: +ELLIPSIS
        ...     (Path(folder) / "model.safetensors").exists()
        step 1/1 ...
        True
    """
    set_seed(seed)
    late = mixture or (JUDGING_MIXTURE if judging else MIXTURE)
    if judging:
        tokenizer: Any = AutoTokenizer.from_pretrained(judging)
        model: Any = AutoModelForCausalLM.from_pretrained(judging, dtype=torch.float32)
    else:
        tokenizer = train_tokenizer([render(e.user, e.assistant) for e in examples(4000, seed=seed)])
        model = build_model(tokenizer)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.98))
    warm = max(1, min(300, steps // 10))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda k: min((k + 1) / warm, 0.5 * (1 + math.cos(math.pi * min(1.0, k / steps))) + 0.005)
    )
    curve: list[dict[str, float]] = []
    begun, seen, total, every = time.time(), 0, 0.0, max(1, steps // 70)
    early = 0 if judging else round(steps * tokens * EARLY_SHARE / TOKENS_PER_CHUNK)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(out)
    model.train()
    for step, batch in zip(range(1, steps + 1), batches(tokenizer, seed, tokens, early, late), strict=False):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            loss = loss_of(model, batch)
        optimizer.zero_grad(set_to_none=True)
        loose: Any = loss
        loose.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        total, seen = total + loss.item(), seen + batch[0].numel()
        if step % every == 0 or step == steps:
            mean = total / (step - (curve[-1]["step"] if curve else 0))
            total = 0.0
            curve.append({"step": step, "loss": round(mean, 4), "seconds": round(time.time() - begun, 1)})
            if len(curve) % 5 == 0 or step == steps:
                model.save_pretrained(out)
            print(f"step {step}/{steps} loss {mean:.3f} {seen / (time.time() - begun):.0f} tokens/s", flush=True)  # noqa: T201
    record = {
        "seed": seed, "steps": steps, "tokens_per_step": tokens, "peak": peak, "bf16": bf16,
        "stage": next((name for name, m in STAGES.items() if m == mixture), None),
        "seen": seen,
        "seconds": round(time.time() - begun, 1), "parameters": model.num_parameters(), "mixture": late,
        "early_mixture": {} if judging else EARLY_MIXTURE,
        "previous": json.loads((judging / "training.json").read_text()) if judging else None,
        "threads": torch.get_num_threads(), "curve": curve,
    }  # fmt: skip
    (out / "training.json").write_text(json.dumps(record, indent=1) + "\n")


def main() -> None:
    """Command line of the training script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--peak", type=float, default=2e-3)
    parser.add_argument("--judging", type=Path, help="go on from this folder with the judging mixture")
    parser.add_argument("--mixture", choices=sorted(STAGES), help="with this mixture")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true", help="faster on CPUs with bfloat16 instructions")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    train(
        given.out,
        seed=given.seed,
        steps=given.steps,
        tokens=given.tokens,
        peak=given.peak,
        bf16=given.bf16,
        judging=given.judging,
        mixture=STAGES[given.mixture] if given.mixture else None,
    )


if __name__ == "__main__":
    main()
