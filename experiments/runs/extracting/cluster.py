"""The same extraction on a Ray cluster, from one process that hands out numbers of shards."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ....extraction.store import FeatureStore
from ....extraction.store.lock import locked
from ....extraction.store.place import LocalPlace, place
from ....models.errors import InnerjudgeError
from ...data.outputs import writing
from ...drawing.style import are_in, counted
from ...reading.passes import Passes
from ...reading.progress import silent, whole
from ..job import Job, claim, pointwise
from ..job_files import HEADER, has_items
from ..log import log
from .disk import disk_of, require_room
from .extract_job import forget
from .source import Source
from .summary import Speed, summary
from .workers import Cluster, Model, Reader, pipeline


def extract_on_ray(
    model: Model, source: Source, out: str, *, job: dict[str, Any], passes: Passes, cluster: Cluster, yes: bool = False
) -> str:
    """Features of a data set into the store ``out``, equal to what one process writes; resumes where it stopped.

    The items are written into ``out`` first, one after another: by this process, or, where they are sampled from the
    model, by a worker. From there each worker reads its own. Parsing and tokenising belong to the actor's stage: what
    an item is asked depends on the judges and on the model, so that the tokens of an item (several prompts, with
    positions, labels and reasons) are larger than its text, and would have to travel.

    Args:
        model: What each worker loads.
        source: The data set.
        out: A folder that all workers see, or a URI.
        job: What identifies the run, as in :func:`.extract.extract_job`.
        passes: How the model is run.
        cluster: Where.
        yes: Fill the disk unasked.

    Raises:
        InnerjudgeError: If Ray is not installed, or as in a plain extraction.
    """
    at, quiet = place(out), replace(passes, steps=silent)
    new, existed = at.size(HEADER) is None, isinstance(at, LocalPlace) and at.folder.is_dir()
    with _connected(cluster) as ray, writing(out), locked(at):

        def on_a_worker(work: Callable[..., Any], *given: Any) -> Any:
            return ray.get(ray.remote(**cluster.resources)(work).remote(*given))

        sampled = source.sampled and not has_items(at)
        known = on_a_worker(Model.prepare, model, str(at) if sampled else None, job, quiet)
        held = claim(at, job | {"provenance": known}, lambda: pointwise(source.open()).items)
        lacking = {inner: held.store(inner).missing() for inner in held.stores}
        if not any(lacking.values()):
            return f"{at} is complete already: {counted(len(held.items), 'item')}."
        if not yes and disk_of(str(at)) is not None:
            size = on_a_worker(Model.size, model, str(at), held.header, lacking, quiet)
            try:
                require_room(size, str(at))
            except InnerjudgeError:
                if new and isinstance(at, LocalPlace):
                    forget(at, keep_folder=existed)
                raise
        tasks, items = _tasks(held, lacking)
        advance = whole(passes.steps, items)("reading on the cluster", items)
        started, tokens = time.perf_counter(), 0
        given = (model, quiet, str(at), held.store_header())
        for row in pipeline(ray, tasks, str(at), Reader, given, cluster).iter_rows():
            advance(int(row["items"]))
            tokens += int(row["tokens"])
        speed = Speed(items=items, tokens=tokens, seconds=time.perf_counter() - started)
        for line in summary(FeatureStore.open(out), speed):
            log.info(line)
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
