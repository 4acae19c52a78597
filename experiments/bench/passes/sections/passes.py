"""One batch: the bare pass, this package's, and what others do to read the same."""

from ..section import Section
from ..variants.attentions import EAGER
from ..variants.floor import FLOOR
from ..variants.hidden_states import BASE_MODEL, CAUSAL_LM
from ..variants.nnsight import NNSIGHT
from ..variants.ours import CLUE_ONLY, LAGER_ONLY, OURS
from ..variants.transformer_lens import EVERYTHING, FILTERED
from ..work import texts

PASSES = Section(
    key="passes",
    title="One batch, beside what others do",
    about="All variants on the same batch of 4 texts of 256 tokens; ratios are to the bare pass of the base model.",
    make_items=lambda lm, quick: texts(lm, [32] * 4 if quick else [256] * 4),
    make_variants=lambda _work: (
        FLOOR,
        OURS,
        CLUE_ONLY,
        LAGER_ONLY,
        BASE_MODEL,
        CAUSAL_LM,
        EAGER,
        NNSIGHT,
        FILTERED,
        EVERYTHING,
    ),
    memory=True,
)
