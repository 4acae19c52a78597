"""How texts are written: how long, how random, how many at once; and the numbers that their random draws depend on."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Required, TypedDict

from ...models.errors import InnerjudgeError
from ...models.positions import Encoding


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How texts are written: ``temperature`` 0 is greedy; ``batch_size`` is the most texts in a batch.

    ``on_batch`` is called with the number of items after each batch. ``InnerjudgeError`` if ``max_new_tokens`` is below
    1 or ``temperature`` below 0.
    """

    max_new_tokens: int
    temperature: float = 0.0
    seed: int = 0
    batch_size: int = 8
    on_batch: Callable[[int], None] | None = None

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1 or not self.temperature >= 0:
            raise InnerjudgeError(
                f"given max_new_tokens={self.max_new_tokens} and temperature={self.temperature}, expected at least 1 "
                "and at least 0"
            )

    def keys(self, items: Sequence[Encoding]) -> list[int]:
        """The number that each text draws by, from the seed, its id, and how many before it have the same id.

        Example:
            >>> items = [Encoding(id=name, group="", ids=(1,), positions={}) for name in ("a", "b", "a")]
            >>> both, alone = Limits(max_new_tokens=1).keys(items), Limits(max_new_tokens=1).keys(items[1:])
            >>> both[1] == alone[0], len({*both}), Limits(max_new_tokens=1, seed=1).keys(items)[1] == both[1]
            (True, 3, False)
        """
        seen, found = Counter[str](), []
        for item in items:
            told = repr((int(self.seed), item.id, seen[item.id])).encode()
            found.append(int.from_bytes(blake2b(told, digest_size=7).digest()))
            seen[item.id] += 1
        return found


class Written(TypedDict, total=False):
    """The fields of :class:`Limits`, for the functions that are given them by name."""

    max_new_tokens: Required[int]
    temperature: float
    seed: int
    batch_size: int
    on_batch: Callable[[int], None] | None
