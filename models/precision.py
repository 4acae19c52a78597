"""Which dtype is fast on a CPU, and how many threads to use."""

import logging
import os
from functools import cache
from pathlib import Path
from typing import Any

import torch

log = logging.getLogger("innerjudge")
#: Names of the units that compute with a type, as processors and torch spell them.
_UNITS = {
    "bfloat16": {"avx512_bf16", "amx_bf16", "bf16", "sve_bf16", "svebf16"},
    "float16": {"avx512_fp16", "amx_fp16", "fphp", "asimdhp"},
}


@cache
def cpu_units() -> frozenset[str]:
    """The features that the processor reports, in lower case; empty where it cannot be asked."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").lower().splitlines()
    except OSError:
        return frozenset(name for name, has in _capabilities().items() if has is True)
    return frozenset(word for line in lines if line.startswith(("flags", "features")) for word in line.split()[2:])


def _capabilities() -> dict[str, Any]:
    """What torch says of the processor; nothing in versions that do not say."""
    return getattr(torch.cpu, "get_capabilities", dict)()


@cache
def cpu_dtype(stored: str) -> str:
    """The dtype to compute in on a CPU, by default, for weights stored as ``stored``.

    Half-precision types are 2 to 4 times slower than float32 on a processor without units for them.
    """
    if stored not in _UNITS or _UNITS[stored] & cpu_units():
        return stored
    log.warning(
        f"This CPU has no units for {stored}: the weights are taken as float32, which is faster here and twice as "
        f"large; pass dtype={stored!r} (--dtype {stored}) to keep them. Threads: {torch.get_num_threads()}"
    )
    return "float32"


@cache
def take_physical_cores() -> int:
    """Run torch on one thread per physical core, unless ``OMP_NUM_THREADS`` is set; returns their number.

    Two threads of one core share its arithmetic units and wait for each other.
    """
    cores = _capabilities().get("num_physical_cores")
    if not isinstance(cores, int) or "OMP_NUM_THREADS" in os.environ:
        return torch.get_num_threads()
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    threads = max(1, min(cores, here, torch.get_num_threads()))  # fewer were somebody's choice
    torch.set_num_threads(threads)
    return threads
