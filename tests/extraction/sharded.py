"""Read a model whole and spread over two processes; run by torchrun, see test_tensor_parallel.py."""

from __future__ import annotations

import numpy as np
import torch
import torch.distributed as dist
from innerjudge import load, read
from innerjudge.models.items import Choice, Trace

dist.init_process_group("gloo")
torch.set_num_threads(1)
whole, spread = load("reference"), load("reference", tp_plan="auto")
assert "DTensor" in type(next(spread.model.parameters())).__name__ or any(
    "DTensor" in type(weight).__name__ for weight in spread.model.parameters()
), "no weight is spread"
assert whole.fingerprint == spread.fingerprint, "another fingerprint"
assert whole.anatomy.n_heads == spread.anatomy.n_heads == 2 * sum(one.n_heads for one in spread.anatomy.heads[0])
traces = [
    Trace(question_id="q", candidate_id=f"{k}", prompt="1+1?", response=f"<think>1+1={k}</think>{k}") for k in range(3)
]
choices = [Choice(question_id="c", question="Which is a fruit?", options=("iron", "pear"))]
for items in (traces, choices):
    one, two = read(whole, items), read(spread, items)
    assert one.arrays.keys() == two.arrays.keys()
    assert one.missing == two.missing
    for name in one.arrays:
        np.testing.assert_allclose(two[name], one[name], atol=1e-3, err_msg=name)
dist.barrier()
dist.destroy_process_group()
