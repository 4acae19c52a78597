"""What the readouts of ranges cost: span means, token statistics, attention to spans, the lens."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

from ....extraction.readouts import AttentionSpans, HiddenStates, Lens, Readout, States, TokenStats
from ....models.loading import LanguageModel
from ....models.positions import Encoding
from ..passes.section import Run, Section, Variant, Work, random_model, texts
from ..passes.variants import FLOOR, reading

#: The vocabulary of a large tokenizer (Qwen's).
_WORDS = 151_936


def in_steps(items: Iterable[Encoding]) -> tuple[Encoding, ...]:
    """Texts of at least 60 tokens whose second half is now the response, in 30 steps."""
    found = []
    for item in items:
        n = len(item.ids)
        ends = [n // 2 + (n - n // 2) * k // 30 for k in range(31)]
        places = {**item.positions, "prompt_end": (n // 2 - 1,), "response_end": (n - 1,)}
        ranges = {"step": tuple(pairwise(ends)), "response@-1": ((n // 2 - 1, n - 1),)}
        ranges["response/start(3)"] = ((n // 2, n // 2 + 3),)
        found.append(replace(item, positions=places, ranges=ranges))
    return tuple(found)


def _of(name: str, *read: Readout, keeps: str, time: float | None = None, memory: float | None = None) -> Variant:
    return Variant(name=name, prepare=reading(read), keeps=keeps, expected=time, expected_memory=memory)


def _with_words(work: Work) -> Run:
    lm = random_model(work.shape, device=str(work.lm.device), dtype=work.dtype, vocab_size=_WORDS)
    run: Run = reading([_ENTROPY])(replace(work, lm=lm))
    return run


def _length(lm: LanguageModel) -> int:
    return 512 if lm.model.config.hidden_size >= 2048 else 1024


_ENTROPY: Any = TokenStats("response", "entropy")
_STATISTICS = tuple(TokenStats("response", what) for what in ("log_probability", "entropy", "certainty", "top(20)"))

READERS = Section(
    key="readers",
    title="Readouts of the response",
    about=(
        "2 texts of 1,024 tokens (512 in shapes of a billion parameters and more), the second half of each the "
        "response, in 30 steps; ratios are to the bare pass of the base model. Statistics of tokens need the model's "
        "head at every token of the response, the lens behind every block."
    ),
    make_items=lambda lm, quick: in_steps(texts(lm, [96 if quick else _length(lm)] * 2)),
    make_variants=lambda _work: (
        FLOOR,
        _of("points", HiddenStates("response_end"), keeps="the last state, every block", time=1.02),
        _of("points: 30 steps", States("step", "last"), keeps="30 states, every block", time=1.02),
        _of("span mean", States("response"), keeps="the mean state, every block", time=1.02),
        _of("span means: 30 steps", States("step"), keeps="30 mean states, every block", time=1.02),
        _of("log-determinant", States("response", "logdet"), keeps="a number, every block"),
        _of("token statistics: entropy", _ENTROPY, keeps="a number a token", time=1.15, memory=1.2),
        _of("token statistics: four", *_STATISTICS, keeps="23 numbers a token", time=1.15, memory=1.2),
        Variant(
            name=f"token statistics: entropy, vocabulary of {_WORDS:,}",
            prepare=_with_words,
            keeps="a number a token",
            expected_memory=1.2,
        ),
        _of("attention mass", AttentionSpans(), keeps="mass on prompt and response, every head", time=1.1),
        _of("attention diagonal", AttentionSpans("response", what="diagonal"), keeps="a number, every head"),
        _of("lens: first three tokens", Lens(), keeps="an entropy, every block"),
    ),
    memory=True,
)
