"""The same extraction on a Ray cluster: Ray Data feeds a pool of actors that hold one model each and write shards.

Ray schedules, retries what a lost worker had in hand, and holds back what the pool cannot take yet. A shard is written
whole or not at all and is the same whoever writes it, so that one written twice does no harm.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ...extraction.store import FeatureStore
from ...extraction.store.header import StoreHeader
from ...extraction.store.lock import locked
from ...extraction.store.place import place
from ...models.errors import InnerjudgeError
from ..cli_model import load_quietly
from ..datasets import Dataset
from ..jobs import Job, claim, inside
from ..jsonl import parse_item
from ..outputs import writing
from ..passes import Passes
from ..progress import silent
from .log import log, whole
from .meter import Meter
from .summary import Speed, summary

if TYPE_CHECKING:
    import numpy as np

    from ...models.loading import LanguageModel


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

    def provenance(self) -> dict[str, Any]:
        """Identity of the model, as a worker sees it."""
        from ...extraction.provenance import provenance

        return provenance(self.load()).to_json()


class Reader:
    """An actor of the pool: a model, and where its features go."""

    def __init__(self, model: Model, passes: Passes, out: str, header: StoreHeader) -> None:
        self.lm = model.load()
        self.passes, self.out, self.header = passes, out, header

    def __call__(self, batch: dict[str, np.ndarray[Any, Any]]) -> dict[str, list[Any]]:
        """Read the items of one shard and write it."""
        from ..views import read

        (inner,), (number,), (lines,) = batch["inner"], batch["number"], batch["lines"]
        items = [parse_item(line, f"shard {number}") for line in bytes(lines).splitlines()]
        with Meter(self.lm) as meter:
            features = read(self.lm, items, self.passes)
        FeatureStore(place(inside(place(self.out), str(inner))), self.header).write(int(number), features)
        return {"items": [len(items)], "tokens": [meter.tokens]}


def extract_on_ray(
    model: Model, data: Dataset, out: str, *, job: dict[str, Any], passes: Passes, cluster: Cluster
) -> str:
    """Features of a data set into the store ``out``, equal to what one process writes; goes on where it stopped.

    Args:
        model: What each worker loads.
        data: The data set.
        out: A folder that all workers see, or a URI.
        job: What identifies the run, as in :func:`.extract.extract_job`.
        passes: How the model is run.
        cluster: Where.

    Raises:
        InnerjudgeError: If Ray is not installed, the data must be sampled from the model, or as in a plain extraction.
    """
    if data.problems:
        raise InnerjudgeError(
            "given builtin:solve with --ray, whose traces are sampled first, expected items: extract it without --ray"
        )
    at = place(out)
    with _connected(cluster) as ray, writing(out), locked(at):
        resources = {"num_cpus": 1, "num_gpus": cluster.gpus}
        known = ray.get(ray.remote(**resources)(Model.provenance).remote(model))
        held = claim(at, job | {"provenance": known}, lambda: data.items)
        lacking = [(inner, k) for inner in held.stores for k in held.store(inner).missing()]
        if not lacking:
            return f"{at} is complete already: {len(held.items)} items."
        header = held.store_header()
        items = sum(stop - start for start, stop in (header.span(k) for _, k in lacking))
        advance = whole(passes.steps, items)("reading on the cluster", items)
        started, tokens = time.perf_counter(), 0
        pool = ray.data.ActorPoolStrategy(size=cluster.workers)
        rows = ray.data.from_items(_shards(held, lacking), override_num_blocks=len(lacking)).map_batches(
            Reader,
            fn_constructor_args=(model, replace(passes, steps=silent), str(at), header),
            batch_size=1,
            compute=pool,
            **resources,
        )
        for row in rows.iter_rows():
            advance(int(row["items"]))
            tokens += int(row["tokens"])
        speed = Speed(items=items, tokens=tokens, seconds=time.perf_counter() - started)
        for line in summary(FeatureStore.open(out), speed):
            log.info(line)
    return f"{len(held.items)} items are in {at}."


def _shards(job: Job, lacking: list[tuple[str, int]]) -> list[dict[str, Any]]:
    """What the pool is fed with: the items of each missing shard, as lines."""
    from ..jsonl import jsonl_lines
    from ..kinds import item_to_row

    header, stores = job.store_header(), job.stores
    return [
        {
            "inner": inner,
            "number": number,
            "lines": b"".join(jsonl_lines(map(item_to_row, stores[inner][slice(*header.span(number))]), "items")),
        }
        for inner, number in lacking
    ]


@contextmanager
def _connected(cluster: Cluster) -> Iterator[Any]:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise InnerjudgeError(
            f"given --ray without Ray ({error}), expected it to be installed: pip install 'innerjudge[ray]'"
        ) from None
    local = cluster.address == "local"
    size: dict[str, Any] = {"num_cpus": cluster.workers + 1, "include_dashboard": False} if local else {}
    try:
        ray.init(address=cluster.address, logging_level=logging.WARNING, log_to_driver=False, **size)
    except (ConnectionError, ValueError) as error:
        raise InnerjudgeError(
            f"given --ray {cluster.address}, which does not answer ({error}), expected the address of a Ray cluster: "
            "start one with `ray start --head`, or leave the address out for one on this machine"
        ) from None
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield ray
    finally:
        ray.shutdown()
