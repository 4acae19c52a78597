"""Writing the missing shards of a store, each while the model reads the next one."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from ....extraction.features import Features
from ....extraction.store import FeatureStore
from ..log import log
from .interrupt import Interrupt


def fill(
    store: FeatureStore,
    numbers: Sequence[int],
    read_part: Callable[[int, int], Features],
    *,
    interrupt: Interrupt,
) -> None:
    """Write the shards ``numbers``.

    At most one shard waits for the disk while the model computes the next, so that memory holds two.

    Args:
        store: The store.
        numbers: Shards to write.
        read_part: Features of the items from one place up to another.
        interrupt: Asked between shards whether to stop.

    Raises:
        KeyboardInterrupt: If the run was asked to stop; what was read is written by then.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="writer") as writer:  # leaving it waits for the last shard
        waiting: Future[None] | None = None
        for number in numbers:
            if interrupt.asked:
                break
            features = read_part(*store.header.span(number))
            if waiting is not None:
                waiting.result()
            waiting = writer.submit(_write, store, number, features)
        if waiting is not None:
            waiting.result()
    if interrupt.asked:
        raise KeyboardInterrupt


def _write(store: FeatureStore, number: int, features: Features) -> None:
    store.write(number, features)
    log.debug("shard written", extra={"shard": number, "items": len(features)})
