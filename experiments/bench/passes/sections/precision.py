"""Other types of weights, and a compiled model."""

from dataclasses import replace
from typing import Any

import torch

from .....models.loading import wrap
from ..section import Run, Section, Variant
from ..shapes import random_model
from ..variants.floor import FLOOR
from ..variants.floor import prepare as floor
from ..variants.ours import reading
from ..work import Work, texts


def _half(work: Work) -> Work:
    return replace(work, lm=random_model(work.shape, device=str(work.lm.device), dtype="bfloat16"), dtype="bfloat16")


def _compiled(work: Work) -> Work:
    """The same weights behind ``torch.compile``; a model of its own, since compiling marks the modules."""
    lm = random_model(work.shape, device=str(work.lm.device), dtype=work.dtype)
    compiled: Any = lm.model
    compiled.base_model.compile()
    return replace(work, lm=wrap(compiled, lm.tokenizer, name=lm.name))


def _compiled_floor(work: Work) -> Run:
    torch._dynamo.reset()
    return floor(_compiled(work))


_HALF_FLOOR = "bare pass, bfloat16"

PRECISION = Section(
    key="precision",
    title="bfloat16 and torch.compile",
    about="The same texts in other types of weights; innerjudge runs the modules of a compiled model as they are "
    "written, since compiled code calls no new hooks.",
    make_items=lambda lm, quick: texts(lm, [32] * 4 if quick else [128] * 4),
    make_variants=lambda work: (
        FLOOR,
        Variant(name=f"innerjudge, {work.dtype}", prepare=reading(), expected=1.05),
        Variant(name=_HALF_FLOOR, prepare=lambda work: floor(_half(work))),
        Variant(
            name="innerjudge, bfloat16",
            prepare=lambda work: reading()(_half(work)),
            against=_HALF_FLOOR,
            expected=1.05,
        ),
        Variant(name="bare pass, compiled", prepare=_compiled_floor),
        Variant(name="innerjudge on the compiled model", prepare=lambda work: reading()(_compiled(work))),
    ),
)
