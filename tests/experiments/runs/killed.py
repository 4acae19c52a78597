"""Begin an extraction, kill it after a random time, begin it again ... `python killed.py FOLDER KILLS SEED`.

The model is loaded once, and every run is a fork of this process: what costs seconds is not done again, what is under
test is. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import torch
from innerjudge.experiments.reading.passes import HIDDEN_NEEDS, Passes
from innerjudge.experiments.runs.extracting.extract_job import extract_job
from innerjudge.extraction.store import FeatureStore
from innerjudge.models.items import Trace
from innerjudge.models.loading import load

N = 48
JOB = {"data": "d", "kind": "trace", "items": "x", "limit": None, "seed": 0, "scale": [1, 5], "abstain": True}
JOB |= {"text": False, "store_dtype": "bfloat16", "shard_items": 3}


def main(folder: Path, kills: int, seed: int) -> dict[str, object]:
    torch.set_num_threads(1)
    lm = load("reference")
    said = ["<think>{}+1={}</think>{}", "no markers {} {} {}"]
    traces = [
        Trace(question_id=f"q{k // 4}", candidate_id=f"{k}", prompt=f"{k}?", response=said[k % 5 == 0].format(k, k, k))
        for k in range(N)
    ]
    passes = Passes(batch_size=3, needs=HIDDEN_NEEDS, reasoning_tokens=0)

    def run(out: Path) -> None:
        extract_job(lm, lambda: traces, str(out), job=JOB, passes=passes)

    run(folder / "whole")
    whole = FeatureStore.open(folder / "whole", check="checksums").content_hash
    rng, out = random.Random(seed), folder / "cut"
    killed = finished = 0
    shards: set[int] = set()
    while killed < kills:
        started = time.monotonic()
        child = os.fork()
        if not child:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            run(out)
            os._exit(0)
        time.sleep(rng.uniform(0, 0.4))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            killed += 1
            shards.add(len(list(out.glob("index/*"))))
        elif os.WEXITSTATUS(status):
            raise SystemExit(f"a run failed after {time.monotonic() - started:.2f} s")
        else:  # done between two kills: held against the whole one, and begun anew
            finished += 1
            check(out, whole)
    run(out)
    check(out, whole)
    return {"killed": killed, "finished": finished + 1, "shards_at_kills": len(shards)}


def check(out: Path, whole: str) -> None:
    store = FeatureStore.open(out, check="checksums")
    ids = list(store.ids())
    if store.content_hash != whole or len(set(ids)) != N or len(list((out / "index").iterdir())) != store.header.shards:
        raise SystemExit("the store of a killed run differs from that of a whole one")
    if list(out.glob("**/.aside-*")):
        raise SystemExit("half-written files were left")
    shutil.rmtree(out)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
