"""Peak memory of one variant above the weights, in a process of its own: what others freed cannot hide it there.

``python -m innerjudge.experiments.benchmarks.peak`` is called by the benchmark and prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

#: Every block above 64 KiB is given back to the system when it is freed, so that the peak is that of live tensors.
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"}
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_of(section: str, variant: int, options: dict[str, Any]) -> float | None:
    """Bytes above the weights at the peak of one run; ``None`` where the system does not tell.

    Args:
        section: Key of a section.
        variant: Number of the variant in it.
        options: Shape, device, dtype, threads and whether the run is a quick one.
    """
    asked = json.dumps({"section": section, "variant": variant, **options})
    command = [sys.executable, "-m", "innerjudge.experiments.benchmarks.peak", asked]
    done = subprocess.run(command, env=os.environ | _ALLOCATOR, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return None
    found = json.loads(lines[-1])["peak"]
    return None if found is None else float(found)


def measure(asked: dict[str, Any]) -> float | None:
    """What :func:`peak_of` asks for, in this process."""
    from .sections import SECTIONS
    from .shapes import random_model
    from .work import Work

    torch.set_num_threads(asked["threads"])
    section = next(one for one in SECTIONS if one.key == asked["section"])
    lm = random_model(asked["shape"], device=asked["device"], dtype=asked["dtype"])
    work = Work(lm, section.make_items(lm, asked["quick"]), asked["shape"], asked["dtype"])
    run = section.make_variants(work)[asked["variant"]].prepare(work)
    run()  # what is loaded or built on first use is no part of a pass
    if lm.device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        torch.cuda.synchronize()
        return float(torch.cuda.max_memory_allocated() - before)
    if not os.access(_RESET, os.W_OK):
        return None
    _RESET.write_text("5", encoding="ascii")  # the peak counts from here
    before = _kilobytes("VmRSS")
    run()
    return 1024.0 * (_kilobytes("VmHWM") - before)


def _kilobytes(name: str) -> int:
    line = next(one for one in _STATUS.read_text(encoding="ascii").splitlines() if one.startswith(f"{name}:"))
    return int(line.split()[1])


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"peak": measure(json.loads(sys.argv[1]))}) + "\n")
