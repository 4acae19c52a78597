"""Passes beside the bare pass: own readouts, transformers, nnsight and TransformerLens, at one shape."""

from collections.abc import Iterable, Iterator
from statistics import median
from typing import Any

import torch

from ....extraction.features import Features
from ....extraction.readouts import AttentionSpans, Lens, QueryKey, Readout, ResponseLogProb, States, TokenStats
from ....models.errors import one_line
from ....models.loading import LanguageModel, wrap
from ..documents.readers import in_steps
from ..documents.sections import NNSIGHT, lens_reading
from ..passes.section import CORE, Run, Spread, Variant, Work, peak_of, random_model, texts, timed
from ..passes.variants import BASE_MODEL, CAUSAL_LM, EAGER, FLOOR, OURS, reading
from .parts import ATTENTION, Row, Sizes

#: Texts of the longest length and what an engine may add to them.
_CONTEXT = 16_384
_MORE: dict[str, tuple[Readout, ...]] = {
    "span mean": (States("response"),),
    "span means, 30 steps": (States("step"),),
    "token statistics: entropy": (TokenStats("response", "entropy"),),
    "log-probability of the response": (ResponseLogProb(),),
    "query-key products, rotated": (QueryKey("after"),),
    "attention mass": (AttentionSpans(),),
    "attention diagonal": (AttentionSpans("response", what="diagonal"),),
    "lens: first three tokens": (Lens(),),
}
_ALL = (*CORE, *(one for some in _MORE.values() for one in some))
_OWN = (
    OURS,
    Variant(name="innerjudge: all readouts in one pass", prepare=reading(_ALL)),
    *(Variant(name=f"innerjudge: {name}", prepare=reading(some)) for name, some in _MORE.items()),
)


def passes(shape: str, attention: str, sizes: Sizes) -> Iterator[Row]:
    """Each way of running the texts, in turns with the bare pass; what cannot be run is a row with its reason."""
    lm = random_model(sizes.shape(shape), device=sizes.device, dtype=sizes.dtype, max_position_embeddings=_CONTEXT)
    if attention != "sdpa":
        try:
            model: Any = lm.model
            model.set_attn_implementation(ATTENTION[attention])
            lm = wrap(lm.model, lm.tokenizer, name=lm.name)
        except Exception as error:  # whatever a kernel that is not there, or not for this card, says
            yield Row(what=f"attention by {ATTENTION[attention]}", reason=_why(error))
            return
    peers = (BASE_MODEL, CAUSAL_LM, NNSIGHT, *((EAGER,) if attention == "sdpa" else ()))
    for work, what in _works(lm, shape, sizes):
        try:
            bare = FLOOR.prepare(work)
            bare()
            yield _row(f"{what}: bare pass", work, [_seconds([bare], work, sizes)[0]], None, peak_of(bare, lm.device))
        except Exception as error:
            yield Row(what=f"{what}: bare pass", reason=_why(error))
            continue
        for variant in (*_OWN, *peers):
            yield _beside(bare, variant, work, what, sizes)


def lens(shape: str, sizes: Sizes) -> Iterator[Row]:
    """TransformerLens on the same texts; it changes the model that it is given, so that bare passes come first."""
    lm = random_model(sizes.shape(shape), device=sizes.device, dtype=sizes.dtype, max_position_embeddings=_CONTEXT)
    bare: list[tuple[Work, str, tuple[float, ...]]] = []
    for work, what in _works(lm, shape, sizes):
        run = FLOOR.prepare(work)
        run()
        bare.append((work, what, _seconds([run], work, sizes)[0]))
        yield _row(f"{what}: bare pass", work, [bare[-1][2]], None, peak_of(run, lm.device))
    from transformer_lens.model_bridge import TransformerBridge

    bridge: Any = TransformerBridge.boot_transformers(
        "random", device=sizes.device, tokenizer=lm.tokenizer, dtype=lm.model.dtype, hf_model=lm.model
    )
    for work, what, base in bare:
        for name, filtered in (("run_with_cache, filtered", True), ("run_with_cache, everything", False)):
            label = f"{what}: TransformerLens: {name}"
            try:
                run = lens_reading(work, bridge, filtered=filtered)
                run()
                found = _seconds([run], work, sizes)[0]
                yield _row(label, work, [found], (median(base),) * len(found), peak_of(run, work.lm.device))
            except Exception as error:
                yield Row(what=label, reason=_why(error))
            _free()


def _works(lm: LanguageModel, shape: str, sizes: Sizes) -> Iterable[tuple[Work, str]]:
    for n, length in sizes.lengths:
        items = in_steps(texts(lm, [length] * n))
        yield Work(lm, items, sizes.shape(shape), sizes.dtype), f"{n} x {length:,}"


def _beside(bare: Run, variant: Variant, work: Work, what: str, sizes: Sizes) -> Row:
    name = f"{what}: {variant.name}"
    if not variant.installed:
        return Row(what=name, reason=f"{variant.package} is not installed")
    try:
        run = variant.prepare(work)
        if lost := unread(run()):
            return Row(what=name, reason=lost)
        base, found = _seconds([bare, run], work, sizes)
        return _row(name, work, [found], base, peak_of(run, work.lm.device))
    except Exception as error:
        return Row(what=name, reason=_why(error))
    finally:
        _free()


def unread(kept: object) -> str:
    """Why a text was not read, such as one without room: its time would say nothing. Empty if all were."""
    missing = kept.missing.values() if isinstance(kept, Features) else ()
    return next((f"a text was not read: {why}" for one in missing for why in one.values()), "")


def _seconds(runs: list[Run], work: Work, sizes: Sizes) -> list[tuple[float, ...]]:
    times = timed(runs, sizes.rounds, device=work.lm.device, on_run=lambda _n: None)
    return [one.wall for one in times]


def _row(name: str, work: Work, found: list[tuple[float, ...]], base: tuple[float, ...] | None, peak: float) -> Row:
    seconds = median(found[0])
    figures = {"ms": 1e3 * seconds, "tokens/s": sum(len(item.ids) for item in work.items) / seconds}
    if base is not None:
        ratio = Spread.of([a / b for a, b in zip(found[0], base, strict=True)])
        figures |= {"ratio": ratio.median, "least": ratio.low, "most": ratio.high}
    return Row(what=name, figures=figures | {"peak MB": peak / 1e6})


def _why(error: Exception) -> str:
    return f"{type(error).__name__}: {one_line(error)[:200]}"


def _free() -> None:
    """What a way that had no room left behind, before the next."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
