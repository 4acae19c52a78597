"""Texts of many lengths, counts of tokens and of positions, and types to compute in."""

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from ....extraction.extract import extract
from ....extraction.readouts import AttentionSpans, Readout, States, TokenStats
from ....models.loading import LanguageModel, wrap
from ....models.positions import Encoding
from ..passes.section import CORE, Run, Section, Variant, Work, random_model, texts
from ..passes.variants import FLOOR, floor, reading
from .readers import in_steps


def _items(lm: LanguageModel, quick: bool) -> tuple[Encoding, ...]:
    longest, n = (96, 8) if quick else (512, 12)
    lengths = [round(32 + k * (longest - 32) / (n - 1)) for k in range(n)]
    random.Random(0).shuffle(lengths)
    return texts(lm, lengths)


def _one_by_one(work: Work) -> Run:
    return lambda: extract(work.lm, work.items, CORE, batch_size=1)


LENGTHS = Section(
    key="lengths",
    title="Texts of many lengths",
    about=(
        "12 texts of 32 to 512 tokens, evenly spread, in random order; results come in the given order. Packed rows "
        "are meant for kernels that skip what one text would see of another (flash and flex attention, on a GPU, where "
        "they are the default); sdpa computes it and throws it away."
    ),
    make_items=_items,
    make_variants=lambda _work: (
        Variant(name="innerjudge, one by one, no padding", prepare=_one_by_one, keeps="all three readouts"),
        Variant(
            name="innerjudge, batches by length and a budget of tokens",
            prepare=reading(),
            keeps="all three readouts",
            expected=1.05,
        ),
        Variant(
            name="innerjudge, packed: end to end in rows, no padding",
            prepare=reading(packed=True),
            keeps="all three readouts",
        ),
        Variant(name="bare pass, batches of 8 as they come", prepare=floor, keeps="nothing"),
    ),
)


_PER_LENGTH = 2


def _variants(work: Work) -> tuple[Variant, ...]:
    found = []
    for at in range(0, len(work.items), _PER_LENGTH):
        length = len(work.items[at].ids)
        bare = f"bare pass, {length} tokens"

        def part(work: Work, at: int = at) -> Work:
            return replace(work, items=work.items[at : at + _PER_LENGTH])

        def bare_run(work: Work, part=part) -> Run:  # type: ignore[no-untyped-def]
            return floor(part(work))

        def own_run(work: Work, part=part) -> Run:  # type: ignore[no-untyped-def]
            return reading()(part(work))  # type: ignore[no-any-return]

        found.append(Variant(name=bare, prepare=bare_run, against=bare))
        found.append(Variant(name=f"innerjudge, {length} tokens", prepare=own_run, against=bare, expected=1.05))
    return tuple(found)


TOKENS = Section(
    key="tokens",
    title="Length",
    about="2 texts of one length, all three readouts; each ratio is to the bare pass of the same length.",
    make_items=lambda lm, quick: texts(
        lm, [t for t in ((24, 48) if quick else (64, 128, 256, 512)) for _ in range(_PER_LENGTH)]
    ),
    make_variants=_variants,
)


def _of_responses(work: Work) -> tuple[Variant, ...]:
    found = []
    for at, item in enumerate(work.items):
        bare = f"bare pass, {len(item.ids):,} tokens"

        def prepare(work: Work, at: int = at, read: Sequence[Readout] = ()) -> Run:
            alone = replace(work, items=work.items[at : at + 1])
            return reading(read)(alone) if read else floor(alone)

        found.append(Variant(name=bare, prepare=prepare, against=bare))
        for what, (readout, most) in _RESPONSE.items():
            own = partial(prepare, read=(readout,))
            found.append(Variant(name=f"{what}, {len(item.ids):,} tokens", prepare=own, against=bare, expected=most))
    return tuple(found)


#: What is read of the second half of a text, and the most that it should cost.
_RESPONSE: dict[str, tuple[Readout, float]] = {
    "span means of 30 steps": (States("step"), 1.02),
    "entropy of each token": (TokenStats("response", "entropy"), 1.15),
    "attention mass": (AttentionSpans(), 1.1),
}

RESPONSES = Section(
    key="response-tokens",
    title="Length, readouts of the response",
    about="One text of each length, whose second half is the response; ratios are to the bare pass of the same length.",
    make_items=lambda lm, quick: in_steps(texts(lm, (64, 96) if quick else (512, 1024, 2048))),
    make_variants=_of_responses,
)


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
            name="innerjudge, bfloat16", prepare=lambda work: reading()(_half(work)), against=_HALF_FLOOR, expected=1.05
        ),
        Variant(name="bare pass, compiled", prepare=_compiled_floor),
        Variant(name="innerjudge on the compiled model", prepare=lambda work: reading()(_compiled(work))),
    ),
)
