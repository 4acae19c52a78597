"""Several processes that do one run together, as torchrun and accelerate start them."""

import logging
import os
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

#: How long one process waits for the others: their shares differ by shards, not by nights.
_PATIENCE = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Ranks:
    """Which of how many processes this is."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that prepares, and that reports."""
        return self.rank == 0

    def mine(self, numbers: Sequence[int]) -> list[int]:
        """The share of this process in a list that all of them have."""
        return list(numbers[self.rank :: self.world])

    def told(self, make: Callable[[], Any]) -> Any:
        """What ``make`` returns in the first process, given to all of them; after an error there all of them end."""
        if self.world == 1:
            return make()
        box: list[Any] = [None]  # what is sent if `make` raises
        try:
            box = [[make()]] if self.first else box
        finally:
            dist.broadcast_object_list(box, src=0)
        if box[0] is None:
            raise SystemExit(2)  # the first process says why
        return box[0][0]

    def sums(self, *values: float) -> list[float]:
        """Each value, summed over the processes; waits for all of them."""
        if self.world == 1:
            return list(values)
        held = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(held)
        return list(held.tolist())


@contextmanager
def joined() -> Iterator[Ranks]:
    """Join the processes that a launcher started with this one, if one did (``RANK`` and ``WORLD_SIZE`` say so)."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Ranks()
        return
    dist.init_process_group("gloo", timeout=_PATIENCE)  # only numbers of shards travel, none of them on a GPU
    try:
        yield Ranks(dist.get_rank(), world)
    finally:
        dist.destroy_process_group()


def launch(processes: int, arguments: Sequence[str]) -> int:
    """Run ``innerjudge ARGUMENTS`` as several processes of this machine; the exit code of the first that failed.

    This is ``torchrun --standalone --nproc-per-node PROCESSES -m innerjudge.experiments.cli.main ARGUMENTS``. The cores
    are shared out evenly among them.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    where: Any = {"rdzv_backend": "c10d", "rdzv_endpoint": "localhost:0", "max_restarts": 0}
    config = LaunchConfig(1, 1, processes, run_id=uuid.uuid4().hex, **where)
    for name in ("torch.distributed.elastic", "torch.distributed.launcher"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # the processes say themselves what is wrong
    try:
        elastic_launch(config, sys.executable)("-m", "innerjudge.experiments.cli.main", *arguments)
    except ChildFailedError as error:
        return next(iter(error.failures.values())).exitcode
    except SignalException:
        raise KeyboardInterrupt from None
    return 0


def own_device(device: str) -> str:
    """The device of this process: of several on one machine, each takes the GPU with its own number."""
    if device in ("auto", "cuda") and torch.cuda.is_available() and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return f"cuda:{int(os.environ.get('LOCAL_RANK', '0')) % torch.cuda.device_count()}"
    return device
