"""The one JSON header of a store: what its shards have in common."""

from dataclasses import asdict, dataclass
from typing import Any, Self

from ...models.errors import InnerjudgeError
from ...models.foreign import parse_json
from ...models.seal import digest_of, dump_sealed, unsealed
from ..provenance import Provenance
from .precision import DTYPES

#: Version of the layout.
FORMAT = 2
HEADER = "store.json"
#: Bytes that a header has at most: it holds a provenance and a few numbers.
HEADER_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class StoreHeader:
    """What a store is of: one provenance for all its ``items``, ``shard_items`` in each shard but the last.

    ``dtype`` is the type of the stored hidden states, one of :data:`DTYPES`; ``job`` a digest of what the store was
    made of and how, where a command made it: a damaged header beside it is known again by this.

    Example:
        >>> header = StoreHeader(Provenance("m", None, "f", "float32", "sdpa", "none"), items=300)
        >>> header.shards, header.span(2)
        (3, (256, 300))
        >>> StoreHeader.parse(header.dump(), "x") == header
        True
    """

    provenance: Provenance
    items: int
    dtype: str = "float32"
    shard_items: int = 128
    job: str = ""

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise InnerjudgeError(f"given the type {self.dtype!r} to store, expected one of {', '.join(DTYPES)}")
        if not (0 < self.items < 1 << 48 and 0 < self.shard_items < 1 << 32):
            raise InnerjudgeError(
                f"given {self.items} items in shards of {self.shard_items}, expected at least 1 of each, and a number "
                "that a store can hold"
            )

    @property
    def shards(self) -> int:
        """Number of shards of the whole store."""
        return -(-self.items // self.shard_items)

    def span(self, number: int) -> tuple[int, int]:
        """First item of a shard, and the one behind its last."""
        return number * self.shard_items, min((number + 1) * self.shard_items, self.items)

    @property
    def digest(self) -> str:
        """What the index of every shard of this store carries."""
        return digest_of(self._record())

    def _record(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self), "provenance": self.provenance.to_json()}

    def dump(self) -> bytes:
        """The header as it is written, with its checksum."""
        return dump_sealed(self._record())

    @classmethod
    def parse(cls, raw: bytes, where: str) -> Self:
        """Inverse of :meth:`dump`.

        Raises:
            InnerjudgeError: Names ``where``, and what is wrong with the header.
        """
        try:
            given = parse_json(raw)
            found = given.get("format")
            if found != FORMAT:
                raise ValueError(f"format {found!r:.20} instead of {FORMAT}")
            data = unsealed(given)
            del data["format"]
            known = Provenance.from_json(data.pop("provenance"))
            if any(type(data[name]) is not int for name in ("items", "shard_items")) or type(data["job"]) is not str:
                raise ValueError("a field of another type")
            return cls(known, **data)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, InnerjudgeError) as error:
            raise InnerjudgeError(
                f"given the header {where}, which cannot be read ({type(error).__name__}: {error}), expected what "
                "`innerjudge extract` wrote: extract again"
            ) from error
