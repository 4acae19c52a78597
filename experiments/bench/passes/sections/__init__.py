"""The tables of the benchmark; a new one is added to :data:`SECTIONS`."""

from ..section import Section
from .asking import ASKING, REASONED
from .generating import GENERATING, RERANKING
from .lengths import LENGTHS, PRECISION, TOKENS
from .passes import CANDIDATES, EARLY_STOP, ITEMS, PASSES

SECTIONS: tuple[Section, ...] = (
    PASSES,
    EARLY_STOP,
    CANDIDATES,
    LENGTHS,
    TOKENS,
    ITEMS,
    PRECISION,
    GENERATING,
    RERANKING,
    ASKING,
    REASONED,
)
