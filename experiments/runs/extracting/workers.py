"""What runs on a Ray cluster: workers read the lines of a shard, actors that hold a model each write its features.

Ray schedules, retries what a lost worker had in hand, and holds back what the pool cannot take yet. A shard is written
whole or not at all and is the same whoever writes it, so that one written twice does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ....extraction.store import FeatureStore
from ....extraction.store.header import StoreHeader
from ....extraction.store.place import place
from ...data.datasets import load_data
from ...data.jsonl import parse_item
from ...reading.passes import Passes
from ..job import Job, claim, items_of
from ..job_files import inside, items_file
from ..log import load_quietly
from .disk import bytes_to_come
from .meter import Meter

if TYPE_CHECKING:
    import numpy as np

    from ....models.loading import LanguageModel


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where to run, and on how much of it.

    Args:
        address: Of a Ray cluster (``"auto"``, ``"ray://host:10001"``); ``"local"`` starts one on this machine.
        workers: Actors, each with a model of its own.
        gpus: GPUs for each of them; a fraction puts several on one.
    """

    address: str = "local"
    workers: int = 1
    gpus: float = 0.0

    @property
    def resources(self) -> dict[str, float]:
        """What Ray sets aside for each worker.

        Example:
            >>> Cluster(gpus=0.5).resources
            {'num_cpus': 1, 'num_gpus': 0.5}
        """
        return {"num_cpus": 1, "num_gpus": self.gpus}


@dataclass(frozen=True, slots=True)
class Model:
    """What :func:`innerjudge.load` is given on each worker."""

    name: str
    device: str = "auto"
    dtype: str = "auto"
    revision: str | None = None
    modules: Mapping[str, str] = field(default_factory=dict)
    trust_remote_code: bool = False

    def load(self) -> LanguageModel:
        """The model, on a worker."""
        how = (self.device, self.dtype, self.revision, self.modules)
        return load_quietly(self.name, *how, trust=self.trust_remote_code)

    def prepare(self, out: str | None, job: dict[str, Any], passes: Passes) -> dict[str, Any]:
        """Identity of the model, as a worker sees it; with ``out``, items are sampled from it into that folder."""
        from ....extraction.provenance import provenance

        lm = self.load()
        known = provenance(lm).to_json()
        if out is not None:
            data = load_data(job["data"], limit=job["limit"], seed=job["seed"])
            how: Any = {"candidates": job["candidates"], "seed": job["seed"], "passes": passes}
            claim(place(out), job | {"provenance": known}, lambda: items_of(lm, data, **how))
        return known

    def size(self, out: str, header: dict[str, Any], lacking: dict[str, list[int]], passes: Passes) -> int:
        """Bytes that missing shards will take, as a worker measures them."""
        return bytes_to_come(self.load(), Job.begun(place(out), header), lacking, passes)


class Reader:
    """An actor of the pool: a model, and where its features go."""

    def __init__(self, model: Model, passes: Passes, out: str, header: StoreHeader) -> None:
        self.lm = model.load()
        self.passes, self.out, self.header = passes, out, header

    def __call__(self, batch: dict[str, np.ndarray[Any, Any]]) -> dict[str, list[Any]]:
        """Read the items of one shard and write it."""
        from ...reading.read import read

        (inner,), (number,), (lines,) = batch["inner"], batch["number"], batch["lines"]
        items = [parse_item(line, f"shard {number}") for line in bytes(lines).split(b"\n") if line]
        with Meter(self.lm) as meter:
            features = read(self.lm, items, self.passes)
        FeatureStore(place(inside(place(self.out), str(inner))), self.header).write(int(number), features)
        return {"items": [len(items)], "tokens": [meter.tokens]}


def read_lines(task: dict[str, Any], out: str) -> dict[str, Any]:
    """The first stage: the lines of one shard, read from the file; a task carries only their place in it."""
    name = items_file(str(task["inner"]))
    return task | {"lines": place(out).range(name, int(task["first"]), int(task["last"]))}


def pipeline(
    ray: Any, tasks: Sequence[dict[str, Any]], out: str, reader: type, given: Sequence[Any], cluster: Cluster
) -> Any:
    """Tasks, lines, features: a Ray data set whose rows say what was done.

    Reading takes no processor of the pool's, and at most two shards wait for each actor: Ray holds back the rest.
    """
    pool = ray.data.ActorPoolStrategy(size=cluster.workers, max_tasks_in_flight_per_actor=2)
    lines = ray.data.from_items(list(tasks), override_num_blocks=len(tasks)).map(
        read_lines, fn_kwargs={"out": out}, num_cpus=0, concurrency=cluster.workers
    )
    return lines.map_batches(reader, fn_constructor_args=tuple(given), batch_size=1, compute=pool, **cluster.resources)
