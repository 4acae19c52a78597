"""Peak memory of one run above what was there before it: the bytes of its live tensors, as PyTorch counts them.

What the system says of the process is no measure of a few megabytes: its high-water mark misses peaks between its own
looks, by as much as they are.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from .section import Run


def peak_of(run: Run, device: torch.device) -> float:
    """Bytes of live tensors on the device of the model at the peak of one run, less those before it.

    Args:
        run: What is measured; it was run once already, so that what is built on first use is there.
        device: Where the model runs.

    Example:
        >>> peak_of(lambda: torch.ones(1000) + torch.ones(1000), torch.device("cpu"))  # three of 4 bytes a number
        12000.0
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        torch.cuda.synchronize(device)
        return float(torch.cuda.max_memory_allocated(device) - before)
    seen = profile(activities=[ProfilerActivity.CPU], profile_memory=True)
    with _quiet():
        seen.start()
    try:
        run()
    finally:
        with _quiet():
            seen.stop()
    assert seen.profiler is not None
    assert seen.profiler.kineto_results is not None
    events: list[Any] = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]
    live = most = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        live += event.nbytes()
        most = max(most, live)
    return float(most)


@contextmanager
def _quiet() -> Iterator[None]:
    """While open nothing is heard of stderr: the profiler says there that it starts and stops, past Python."""
    sys.stderr.flush()
    own, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(own, 2)
        os.close(own)
        os.close(nowhere)
