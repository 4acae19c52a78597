"""One writer a store: a lock that the system takes back when its holder dies, however it dies."""

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from ...models.errors import InnerjudgeError
from .place import LocalPlace, Place

LOCK = "lock"


@contextmanager
def locked(place: Place) -> Iterator[None]:
    """Hold the lock of a folder. An object store has none: there a shard written twice is the same shard.

    Raises:
        InnerjudgeError: If another process holds it.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder, locked(LocalPlace(Path(folder))):
        ...     with locked(LocalPlace(Path(folder))):
        ...         pass
        Traceback (most recent call last):
        innerjudge.models.errors.InnerjudgeError: given ..., into which another run writes just now, ...
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
