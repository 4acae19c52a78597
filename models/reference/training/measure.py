"""Every figure of the model card: ``python -m innerjudge.models.reference.training.measure --model DIR --seed 0``."""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast

from .. import WEIGHTS
from ..words import HELD_OUT_SEED
from .measure_choose import measure_choose
from .measure_rate import measure_rate, measure_verdict
from .measure_solve import measure_solve


def load(folder: Path = WEIGHTS) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Load the reference model and its tokenizer.

    Example:
        >>> model, tokenizer = load()
        >>> len(tokenizer("<think>", add_special_tokens=False)["input_ids"])
        1
    """
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    return model.train(False), tokenizer


def measure(folder: Path, *, seed: int = 0, scale: float = 1.0) -> dict[str, object]:
    """Measure all three jobs on held-out items.

    Args:
        folder: The weights folder.
        seed: Added to the first held-out seed.
        scale: Multiplies the numbers of items.

    Example:
        >>> sorted(measure(WEIGHTS, scale=0.03))
        ['choose', 'rate', 'scale', 'seconds', 'seed', 'solve', 'verdict']
    """
    begun = time.time()
    model, tokenizer = load(folder)
    first = HELD_OUT_SEED + 100 * seed
    figures: dict[str, object] = {
        "seed": seed,
        "scale": scale,
        "solve": measure_solve(model, tokenizer, first, scale),
        "rate": measure_rate(model, tokenizer, first + 20, scale),
        "verdict": measure_verdict(model, tokenizer, first + 40, scale),
        "choose": measure_choose(model, tokenizer, first + 60, scale),
    }
    figures["seconds"] = round(time.time() - begun, 1)
    return figures


def main() -> None:
    """Command line of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=WEIGHTS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    text = json.dumps(measure(given.model, seed=given.seed, scale=given.scale), indent=1)
    (given.model / "measure.json").write_text(text + "\n")
    print(text)  # noqa: T201


if __name__ == "__main__":
    main()
