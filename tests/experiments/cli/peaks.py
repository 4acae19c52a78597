"""Run each command twice, first within `--memory GB`, then without a bound, and print both peaks.

``python peaks.py FOLDER GB COMMAND...``: the most bytes that the process held beyond what it held before, which the
kernel counts (``VmHWM``), as a line of JSON for each command. A model and items are made first: many short ones, and
a very long one. Each command has a fork of this process, which has imported everything.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from innerjudge import Judge, load
from innerjudge.experiments.cli.main import main
from innerjudge.models.loading import wrap
from innerjudge.probes import TokenLogProb
from transformers import LlamaConfig, LlamaForCausalLM

#: Tokens of the very long text: a number and the space behind it are one.
LONG = 4000
STUDY = """data: [{source: ratings.jsonl}]
model: {name: model, batch_size: 64}
judges: [lager, text]
reasoning_tokens: 8
audits: {items: 6, checklist: true, pairs: true}
"""


def make(folder: Path) -> None:
    """A model that takes 4 * (64 + 2048) * 4 bytes a token, a judge of it, and items."""
    tokenizer = load("reference").tokenizer
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=2048,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=8192,
        eos_token_id=tokenizer.eos_token_id,
    )
    torch.manual_seed(0)
    lm = wrap(LlamaForCausalLM(config), tokenizer)
    lm.model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    Judge(TokenLogProb(), load(str(folder / "model"))).save(folder / "judge")
    short = [f"Start with {k}. Add 5. Times 3." for k in range(24)]
    prompts = [*short, "7 " * LONG]
    ratings = [
        {"item_id": f"r{k}", "prompt": one, "response": "36", "scores": [1 + k % 5]} for k, one in enumerate(prompts)
    ]
    questions = [{"question_id": f"q{k}", "prompt": one} for k, one in enumerate(prompts)]
    for name, rows in (("ratings", ratings), ("questions", questions)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "study.yaml").write_text(STUDY)


def peak(work: Callable[[], None]) -> int:
    """Bytes that this process held beyond what it holds now, at most."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins at what is held now
    before = held("VmRSS")
    work()
    return held("VmHWM") - before


def held(name: str) -> int:
    """A size of this process, in bytes."""
    return int(Path("/proc/self/status").read_text().split(f"{name}:")[1].split()[0]) * 1024


def command(folder: Path, name: str, memory: str, out: str) -> Callable[[], None]:
    """The command, in this process."""
    size = ("--batch-size", "64")
    typed = {
        "compare": (
            *("compare", "--model", "model", "--data", "ratings.jsonl", *size, "--judges", "lager,text"),
            *("--reasoning-tokens", "8"),
        ),
        "sample": (
            *("sample", "--model", "model", "--data", "questions.jsonl", *size, "--judge", "judge", "--n", "2"),
            *("--max-new-tokens", "8"),
        ),
        "study": ("study", "study.yaml"),
    }

    def run() -> None:
        sys.argv = ["innerjudge", *typed[name], "--memory", memory, "--out", out]
        try:
            main()
        except SystemExit as end:
            if end.code:
                raise

    return run


def peaks(folder: Path, name: str, gigabytes: str) -> dict[str, int]:
    """Of one command."""
    end = ".jsonl" if name == "sample" else ""
    peak(command(folder, name, gigabytes, f"{name}-warm{end}"))  # what is imported and cached at the first time
    told = {"bounded": peak(command(folder, name, gigabytes, f"{name}-bounded{end}"))}
    return told | {"unbounded": peak(command(folder, name, "10", f"{name}-unbounded{end}"))}


if __name__ == "__main__":
    folder, gigabytes, *names = Path(sys.argv[1]), *sys.argv[2:]
    torch.set_num_threads(1)
    make(folder)
    os.chdir(folder)
    for named in names:
        child = os.fork()
        if not child:
            print(json.dumps({"command": named, **peaks(folder, named, gigabytes)}), flush=True)  # noqa: T201
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            raise SystemExit(f"{named} failed")
