"""The feature store: a folder of shards under one header, larger than memory, read by item, layer and position."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, Self

from filelock import FileLock, Timeout

from ...models.arguments import checked
from ...models.errors import InnerjudgeError
from ...models.foreign import HEADER_LIMIT
from ..features import Features
from .index import HEADER, StoreHeader, index_names, read_entry, remove_index, write_index
from .place import LocalPlace, Place, place
from .reading import StoreReading
from .shards import damage, shard_name, write_shard

LOCK = "lock"


@contextmanager
def locked(place: Place) -> Iterator[None]:
    """Hold the lock of a folder, or say that another run has it; object stores have no lock."""
    if not isinstance(place, LocalPlace):
        yield
        return
    place.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(place.local(LOCK), is_singleton=False)
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        raise InnerjudgeError.of("extraction.locked", place) from None
    with held:
        place.tidy()
        yield


class FeatureStore(StoreReading):
    """Features on disk.

    Make one with :meth:`create`, which also goes on with an unfinished one, or with :meth:`save` from features in
    memory; read a complete one with :meth:`open`.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from innerjudge.extraction import Provenance
        >>> origin = Provenance("m", None, "f", "float32", "sdpa", "none")
        >>> some = Features(ids=("a", "b"), groups=("q", "q"), provenance=origin,
        ...                 arrays={"hidden/score": np.arange(12, dtype=np.float32).reshape(2, 3, 2)})
        >>> folder = tempfile.mkdtemp()
        >>> store = FeatureStore.create(folder, StoreHeader(origin, items=2, shard_items=1))
        >>> for number in store.missing():
        ...     store.write(number, some.take([number]))
        >>> FeatureStore.open(folder).layer("hidden/score", 1)
        array([[2., 3.],
               [8., 9.]], dtype=float32)
    """

    @classmethod
    @checked
    def create(cls, where: str | Path, header: StoreHeader) -> Self:
        """Begin a store, or go on with one that has the same header. Hold its lock (:func:`locked`) meanwhile.

        Damaged shards are forgotten, so that they are :meth:`missing`. A damaged header is written again if the shards
        that are there belong to this one. ``InnerjudgeError`` if the folder holds a store with another header.
        """
        at = place(where)
        if at.size(HEADER) is None or _is_damaged(at, header):
            at.write(HEADER, [header.dump()])
        held = StoreHeader.parse(at.read(HEADER, HEADER_LIMIT), f"{at}/{HEADER}")
        held.provenance.require(header.provenance, f"the store {at}")
        odd = [k for k in ("items", "dtype", "shard_items", "job") if getattr(held, k) != getattr(header, k)]
        if odd:
            pairs = ", ".join(f"{k} {getattr(held, k)!r} instead of {getattr(header, k)!r}" for k in odd)
            raise InnerjudgeError(f"given the store {at} with {pairs}, expected the same: choose another folder")
        return cls(at, held)

    @classmethod
    @checked
    def save(cls, features: Features, where: str | Path, *, dtype: str = "float32", shard_items: int = 128) -> Self:
        """Store features that are in memory in a new folder (or URI); ``open(where).features()`` gives them back.

        ``dtype`` is the type of the stored hidden states, one of :data:`DTYPES`; a shard has ``shard_items`` items.
        ``InnerjudgeError`` if a store is there already, or there are no items.
        """
        at = place(where)
        with locked(at):
            if at.size(HEADER) is not None:
                raise InnerjudgeError.of("extraction.store-there", at)
            header = StoreHeader(features.provenance, items=len(features), dtype=dtype, shard_items=shard_items)
            store = cls.create(where, header)
            for number in range(header.shards):
                store.write(number, features.take(range(*header.span(number))))
        return store

    @classmethod
    @checked
    def begun(cls, where: str | Path) -> Self:
        """Open a store that may lack shards, without checking them; ``InnerjudgeError`` if it is not a store."""
        at = place(where)
        if at.size(HEADER) is None:
            raise InnerjudgeError(f"given {str(at)!r} without {HEADER}, expected features: run `innerjudge extract`")
        return cls(at, StoreHeader.parse(at.read(HEADER, HEADER_LIMIT), f"{at}/{HEADER}"))

    @classmethod
    @checked
    def open(cls, where: str | Path, *, check: Literal["sizes", "checksums"] = "sizes") -> Self:
        """Open a complete store, a folder or URI, to read it.

        ``check="sizes"`` checks the size of every shard, ``"checksums"`` reads each of them once. ``InnerjudgeError``
        if it is not a store, or shards are missing or damaged: each of them is named.
        """
        store = cls.begun(where)
        at = store.place
        if found := store.look(checksums=check == "checksums"):
            said = "; ".join(f"{name}: {why}" for name, why in list(found.values())[:5])
            more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
            raise InnerjudgeError.of("extraction.damaged-shards", at, len(found), store.header.shards, said, more)
        return store

    def look(self, *, checksums: bool) -> dict[int, tuple[str, str]]:
        """Number of a missing or damaged shard -> its file, and what is wrong; the others become ``entries``."""
        names, self.entries = index_names(self.place), {}
        found: dict[int, tuple[str, str]] = {}
        for number in range(self.header.shards):
            try:
                entries = [read_entry(self.place, number, name) for name in names.get(number, [])]
            except InnerjudgeError as error:
                found[number] = (f"index of shard {number}", str(error))
                continue
            if why := damage(self.place, self.header, number, entries, checksum=checksums):
                found[number] = (shard_name(number), why)
            else:
                self.entries[number] = entries[0]
        return found

    def missing(self, *, checksums: bool = True) -> list[int]:
        """Numbers of the shards still to be written, including damaged ones, which are forgotten."""
        found = self.look(checksums=checksums)
        for number in found:
            remove_index(self.place, number)
        return sorted(found)

    @checked
    def write(self, number: int, features: Features) -> None:
        """Write a shard, whole or not at all; ``InnerjudgeError`` if the number of items or the provenance is wrong."""
        self.header.provenance.require(features.provenance, f"shard {number}")
        start, stop = self.header.span(number)
        if len(features) != stop - start:
            raise InnerjudgeError.of("extraction.shard", len(features), number, stop - start, start, stop - 1)
        shard = write_shard(self.place, number, features, self.header.dtype)
        self._open.pop(number, None)
        self.entries[number] = write_index(self.place, self.header, number, features, shard)


def _is_damaged(at: Place, header: StoreHeader) -> bool:
    """Whether the header there cannot be read, but every shard that can be was written under this one."""
    try:
        StoreHeader.parse(at.read(HEADER, HEADER_LIMIT), f"{at}/{HEADER}")
    except InnerjudgeError:
        held = set()
        for number, names in index_names(at).items():
            for name in names:
                with suppress(InnerjudgeError):  # a damaged index says nothing, and its shard is made again
                    held.add(read_entry(at, number, name).header)
        return held <= {header.digest}
    return False
