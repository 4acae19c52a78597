"""One writer a store: a lock that the system takes back when its holder dies, however it dies."""

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from ...models.errors import InnerjudgeError
from .place import LocalPlace, Place

LOCK = "lock"


@contextmanager
def locked(place: Place) -> Iterator[None]:
    """Hold the lock of a folder, or say that another run has it; an object store needs none.

    There a shard that is written twice is the same shard.
    """
    if not isinstance(place, LocalPlace):
        yield
        return
    place.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(place.local(LOCK), is_singleton=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InnerjudgeError(
            f"given {place}, into which another run writes just now, expected a store of its own for each run: wait "
            "for it, or choose another --out"
        ) from None
    try:
        place.tidy()
        yield
    finally:
        lock.release()
