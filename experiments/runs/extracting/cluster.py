"""The same extraction on a Ray cluster: one process hands out numbers of shards, actors with a model each write them.

Workers read the lines of a shard. Ray schedules, retries what a lost worker had in hand, and holds back what the pool
cannot take yet. A shard is written whole or not at all and is the same whoever writes it, so that one written twice
does no harm.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ....extraction.store import FeatureStore
from ....extraction.store.index import StoreHeader
from ....extraction.store.place import place
from ....models.errors import InnerjudgeError, one_line
from ...data.datasets import load_data
from ...data.jsonl import parse_item, writing
from ...drawing.style import are_in, counted
from ...reading.passes import Passes
from ...reading.progress import silent, whole
from ..job import HEADER, Job, claim, damaged_files, inside, items_file, items_of, pointwise
from ..loading import Model
from .extract_job import Source, holding
from .summary import Meter, bytes_to_come, disk_of, log_summary, require_room


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where to run, and with how many workers.

    ``address`` is that of a Ray cluster (``"auto"``, ``"ray://host:10001"``), or ``"local"`` for one on this machine;
    ``workers`` are actors with a model of their own, and ``gpus`` those of each: a fraction puts several on one.
    """

    address: str = "local"
    workers: int = 1
    gpus: float = 0.0

    @property
    def resources(self) -> dict[str, float]:
        """What Ray sets aside for each worker."""
        return {"num_cpus": 1, "num_gpus": self.gpus}


def prepare(model: Model, out: str | None, job: dict[str, Any], passes: Passes) -> dict[str, Any]:
    """Identity of the model, as a worker sees it; with ``out``, items are sampled from it into that folder."""
    from ....extraction.provenance import provenance

    lm = model.load()
    known = provenance(lm).to_json()
    if out is not None:
        data = load_data(job["data"], limit=job["limit"], seed=job["seed"], columns=job.get("columns"))
        how: Any = {"candidates": job["candidates"], "seed": job["seed"], "passes": passes}
        claim(place(out), job | {"provenance": known}, lambda: items_of(lm, data, **how))
    return known


def measure(model: Model, out: str, header: dict[str, Any], lacking: dict[str, list[int]], passes: Passes) -> int:
    """Bytes that missing shards will take, as a worker measures them."""
    return bytes_to_come(model.load(), Job.begun(place(out), header), lacking, passes)


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
    return task | {"lines": place(out).range(items_file(str(task["inner"])), int(task["first"]), int(task["last"]))}


def pipeline(
    ray: Any, tasks: Sequence[dict[str, Any]], out: str, reader: type, given: Sequence[Any], cluster: Cluster
) -> Any:
    """Tasks, lines, features: a Ray data set whose rows say what was done.

    Reading uses none of the pool's processors, and at most two shards wait for each actor: Ray holds back the rest.
    """
    pool = ray.data.ActorPoolStrategy(size=cluster.workers, max_tasks_in_flight_per_actor=2)
    lines = ray.data.from_items(list(tasks), override_num_blocks=len(tasks)).map(
        read_lines, fn_kwargs={"out": out}, num_cpus=0, concurrency=cluster.workers
    )
    return lines.map_batches(reader, fn_constructor_args=tuple(given), batch_size=1, compute=pool, **cluster.resources)


def extract_on_ray(
    model: Model, source: Source, out: str, *, job: dict[str, Any], passes: Passes, cluster: Cluster, yes: bool = False
) -> str:
    """Features of a data set into the store ``out``, equal to what one process writes; resumes where it stopped.

    The items are written into ``out`` first, one after another: by this process, or, where they are sampled from the
    model, by a worker. From there each worker reads its own. Parsing and tokenising belong to the actor's stage: what
    an item is asked depends on the judges and on the model, so that the tokens of an item (several prompts, with
    positions, labels and reasons) are larger than its text, and would have to travel.

    ``out`` is a folder that all workers see, or a URI. ``job`` and the errors are those of
    :func:`.extract_job.extract_job`; it is an error too if Ray is not installed, or does not answer.
    """
    at, quiet = place(out), replace(passes, steps=silent)
    with _connected(cluster) as ray, writing(out), holding(at):

        def on_a_worker(work: Callable[..., Any], *given: Any) -> Any:
            return ray.get(ray.remote(**cluster.resources)(work).remote(*given))

        sampled = source.sampled and (at.size(HEADER) is None or damaged_files(str(at)) != {})
        known = on_a_worker(prepare, model, str(at) if sampled else None, job, quiet)
        held = claim(at, job | {"provenance": known}, lambda: pointwise(source.open()).items)
        lacking = {inner: held.store(inner).missing() for inner in held.stores}
        if not any(lacking.values()):
            return f"{at} is complete already: {counted(len(held.items), 'item')}."
        if not yes and disk_of(str(at)) is not None:
            require_room(on_a_worker(measure, model, str(at), held.header, lacking, quiet), str(at))
        tasks, items = _tasks(held, lacking)
        advance = whole(passes.steps, items)("reading on the cluster", items)
        started, tokens = time.perf_counter(), 0
        given = (model, quiet, str(at), held.store_header())
        for row in pipeline(ray, tasks, str(at), Reader, given, cluster).iter_rows():
            advance(int(row["items"]))
            tokens += int(row["tokens"])
        log_summary(FeatureStore.open(out), items, tokens, time.perf_counter() - started)
    return are_in(len(held.items), "item", at)


def _tasks(job: Job, lacking: dict[str, list[int]]) -> tuple[list[dict[str, Any]], int]:
    """What the pipeline is fed with, where the items of each missing shard lie; and their number."""
    tasks, items = [], 0
    for inner, numbers in lacking.items():
        for number in numbers:
            start, stop = job.store_header().span(number)
            first, last = job.stores[inner].span(start, stop)
            tasks.append({"inner": inner, "number": number, "first": first, "last": last})
            items += stop - start
    return tasks, items


@contextmanager
def _connected(cluster: Cluster) -> Iterator[Any]:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise InnerjudgeError.of("runs.ray-missing", one_line(error)) from None
    local = cluster.address == "local"
    size: dict[str, Any] = {"num_cpus": cluster.workers + 1, "include_dashboard": False} if local else {}
    try:
        ray.init(address=cluster.address, logging_level=logging.WARNING, log_to_driver=False, **size)
    except (ConnectionError, ValueError) as error:
        raise InnerjudgeError.of("runs.no-cluster", cluster.address, one_line(error)) from None
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield ray
    finally:
        ray.shutdown()
