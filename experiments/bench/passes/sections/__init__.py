"""The tables of the benchmark, one a file; a new one is added to :data:`SECTIONS`."""

from ..section import Section
from .asking import ASKING, REASONED
from .candidates import CANDIDATES
from .early_stop import EARLY_STOP
from .generating import GENERATING, RERANKING
from .items import ITEMS
from .lengths import LENGTHS
from .passes import PASSES
from .precision import PRECISION
from .tokens import TOKENS

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
