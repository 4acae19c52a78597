"""One registered type held to its oracles: what passes, what is refused and why, what is wrong."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ....extraction import AttentionWeights, Features, HiddenStates, LabelLogits, QueryKey, ResponseLogProb, extract
from ....extraction.readouts import Readout
from ....models.errors import InnerjudgeError
from ....models.loading import LanguageModel
from ....models.positions import Encoding
from .exceptions import AFTER_BLOCKS, BIASED, FIRST_OF_TWO, OTHER_STACK_FIRST
from .head_oracle import explain_weights, products, stretched
from .inner_oracle import APART, ENTROPY, LABELS, LAST, PARTS, STREAM, entropies, parts
from .oracle import MASS, OWN, Truth, by_block, off, spans, truth
from .rotation_oracle import turned_back
from .shrink import small_config
from .small_model import random_items, readable, small_model
from .token_oracle import TOKENS, tokens

#: What is held to an oracle, in the order of the table.
ASPECTS = ("hidden", "lens", "tokens", "attention", "spans", "entropy", "parts", "qk before", "qk after", "early stop")
_LENGTHS = (13, 9, 11)
_READOUTS = (HiddenStates("middle"), HiddenStates("score"), LabelLogits("score"))
_WHOLE = (*_READOUTS, ResponseLogProb())
#: Aspects that are read in one pass: those that need the weights of attention, which not all kernels return, apart.
_TOGETHER = (("attention", "spans"), ("tokens", "entropy", "parts", "qk before", "qk after"))


@dataclass(slots=True)
class Coverage:
    """Result of one type.

    Args:
        model_type: The type.
        found: Aspect -> ``"pass"``, or why not: a reason of ours, or ``"WRONG: ..."``.
    """

    model_type: str
    found: dict[str, str] = field(default_factory=dict)

    def passes(self, aspect: str) -> bool:
        """Whether an aspect agrees with its oracle."""
        return self.found.get(aspect) == "pass"


def check_type(model_type: str, *, kernel: str | None = None, **changes: Any) -> Coverage:
    """Hold a small model of ``model_type`` to its oracles.

    It is read with the kernel that transformers chooses, and its attention with the eager one as well.

    Args:
        model_type: The type.
        kernel: Attention kernel to read it with instead.
        **changes: Go into its config.

    Example:
        >>> check_type("llama").passes("qk before")
        True
    """
    coverage = Coverage(model_type)
    try:
        config = small_config(model_type, **changes)
        plain = small_model(config, attn_implementation=kernel)
    except Exception as error:  # a type that the library cannot build has a reason, whatever it raises
        return _everywhere(coverage, f"transformers cannot build it: {_line(error)}")
    try:
        lm = readable(plain)
    except InnerjudgeError as error:
        return _everywhere(coverage, str(error))
    eager = _eager(config, plain)
    items = random_items(lm, _LENGTHS)
    truths = [truth(eager, item.ids, lm) for item in items]
    for side, size in (("right", 1), ("right", 3), ("left", 3)):
        features = extract(lm, items, _WHOLE, batch_size=size, padding_side=side)  # type: ignore[arg-type]
        _note(coverage, "hidden", _hidden(lm, features, items, truths))
        _note(coverage, "lens", _lens(lm, features, items, truths))
        _attention(coverage, lm, items, truths, size, side)
    _note(coverage, "early stop", _early(lm, items))
    _products(coverage, lm, items[0], truths[0])
    if eager is not plain:
        _attention(coverage, readable(eager), items, truths, 3, "left")
    return coverage


def _eager(config: Any, plain: Any) -> Any:
    """The same weights with the eager kernel."""
    if plain.config.get_text_config(decoder=True)._attn_implementation == "eager":
        return plain
    other = small_model(config, attn_implementation="eager")
    other.load_state_dict(plain.state_dict())
    return other


def _hidden(lm: LanguageModel, features: Features, items: list[Encoding], truths: list[Truth]) -> str:
    n = lm.anatomy.n_blocks
    after = lm.model.config.model_type in AFTER_BLOCKS | OTHER_STACK_FIRST
    two = lm.model.config.model_type in FIRST_OF_TWO
    for k, (item, own) in enumerate(zip(items, truths, strict=True)):
        states = own.hidden[-n:] if lm.model.config.model_type in OTHER_STACK_FIRST else own.hidden
        if len(states) != n + (states is own.hidden):
            return f"WRONG: the model has {len(own.hidden)} hidden states, {n} blocks were found"
        for position in ("middle", "score"):
            at, ours = item.positions[position][0], features[f"hidden/{position}"][k]
            for number, theirs in enumerate(states[:-1]):
                row = ours[number + after][: len(theirs[at])] if two else ours[number + after]
                if (odd := off(row, theirs[at])) is not None:
                    return f"WRONG: h[{number + after}] differs by {odd:.1g}"
            last = states[-1][at]
            # Nearly always final-normed; raw where the model says so (Gemma 3n).
            fits = [off(row, last) for row in (ours[n + 1][: len(last)], ours[n][: len(last)] if two else ours[n])]
            if None not in fits:
                return f"WRONG: the final state differs by {fits[0]:.1g}"
    return "pass"


def _lens(lm: LanguageModel, features: Features, items: list[Encoding], truths: list[Truth]) -> str:
    for k, (item, own) in enumerate(zip(items, truths, strict=True)):
        theirs = own.logits[item.positions["score"][0], list(item.label_ids)]
        if (odd := off(features["logits/score"][k, 1, lm.anatomy.n_blocks], theirs)) is not None:
            return f"WRONG: logits differ by {odd:.1g}"
        start, stop = item.positions["prompt_end"][0], item.positions["response_end"][0]
        chosen = own.logits[start:stop].log_softmax(-1).gather(1, torch.tensor(item.ids[start + 1 : stop + 1])[:, None])
        if (odd := off(features["logprob"][k, :1], chosen.sum()[None])) is not None:
            return f"WRONG: log-probabilities differ by {odd:.1g}"
    return "pass"


def _attention(
    coverage: Coverage, lm: LanguageModel, items: list[Encoding], truths: list[Truth], size: int, side: Any
) -> None:
    found: dict[str, Features] = {}
    asked: dict[str, Sequence[Readout]] = {
        "attention": [AttentionWeights()],
        "spans": [MASS, OWN],
        "tokens": TOKENS,
        "entropy": [ENTROPY, LAST, LABELS, STREAM],
        "parts": [*PARTS, *APART, STREAM],
        "qk before": [QueryKey("before")],
        "qk after": [QueryKey("after")],
    }
    # Texts one by one are read once for each aspect, which may stop early; batches for several at once, where they can.
    for some in _TOGETHER if size > 1 else ():
        with suppress(InnerjudgeError):
            readouts = dict.fromkeys(readout for aspect in some for readout in asked[aspect])
            whole = extract(lm, items, [*readouts], batch_size=size, padding_side=side)
            found |= {} if whole.missing else dict.fromkeys(some, whole)
    for aspect in [one for one in asked if one not in found]:
        try:
            found[aspect] = extract(lm, items, asked[aspect], batch_size=size, padding_side=side)
        except InnerjudgeError as error:
            _note(coverage, aspect, str(error))
    if "attention" in found:
        _note(coverage, "attention", _rows(lm, found["attention"], items, truths))
    for aspect, check in (("spans", spans), ("tokens", tokens), ("entropy", entropies), ("parts", parts)):
        if aspect in found:
            _note(coverage, aspect, check(lm, found[aspect], items, truths))
    for aspect, name in (("qk before", "qk/before"), ("qk after", "qk/after")):
        if aspect in found:
            _note(coverage, aspect, "pass" if np.abs(found[aspect][name]).max() > 1e-3 else "WRONG: zeros")


def _products(coverage: Coverage, lm: LanguageModel, item: Encoding, own: Truth) -> None:
    """Queries and keys held to the model's own weights, to its own rotation backwards, and to what positions change."""
    if not coverage.passes("qk after"):
        return
    kinds = {f"qk/{rotary}" for rotary in ("before", "after") if coverage.passes(f"qk {rotary}")}
    found = products(lm, item, kinds)
    biased = lm.model.config.model_type in BIASED or getattr(lm.model.config, "alibi", False)
    if coverage.passes("attention") and not biased:
        theirs = by_block(lm, own)
        for block, heads in enumerate(lm.anatomy.heads):
            for weights in theirs.get(block, ())[: len(heads) == 1]:
                off = explain_weights(
                    weights[:, -1, : len(item.ids)].numpy(), found["qk/after"][block, : weights.shape[0]], heads[0]
                )
                if off is not None and off > 1e-2:
                    _note(
                        coverage, "qk after", f"WRONG: weights of block {block + 1} are off the products by {off:.1g}"
                    )
    if "qk/before" in kinds:
        _note(coverage, "qk before", turned_back(lm, item, found))
        _note(coverage, "qk before", stretched(lm, item))


def _rows(lm: LanguageModel, features: Features, items: list[Encoding], truths: list[Truth]) -> str:
    for k, (item, own) in enumerate(zip(items, truths, strict=True)):
        length, theirs = len(item.ids), by_block(lm, own)
        if not theirs:
            return f"no oracle: the model returns {len(own.attentions)} attentions"
        for block, attentions in theirs.items():
            first = 0
            for weights in attentions:
                ours = features["attention"][k, block, first : first + weights.shape[0], :length]
                first += weights.shape[0]
                if (odd := off(ours, weights[:, -1, :length])) is not None:
                    return f"WRONG: attention of block {block + 1} differs by {odd:.1g}"
                if ours.std() < 2e-4 and ours.max() > 1e-3:
                    return f"WRONG: attention of block {block + 1} is uniform: nothing was compared"
    return "pass"


def _early(lm: LanguageModel, items: list[Encoding]) -> str:
    last = max(1, lm.anatomy.n_blocks // 2)
    whole = extract(lm, items, _READOUTS, batch_size=3)
    early = extract(lm, items, _READOUTS, batch_size=3, last_block=last)
    for name in ("hidden/middle", "hidden/score"):
        if not np.array_equal(early[name][:, : last + 1], whole[name][:, : last + 1]):
            return "WRONG: states differ"
    # One product of other sizes: the last digits of its sums may differ.
    if not np.allclose(early["logits/score"], whole["logits/score"][:, :, : last + 1], rtol=1e-4, atol=1e-4):
        return "WRONG: logits differ"
    return "pass"


def _note(coverage: Coverage, aspect: str, said: str) -> None:
    """Keep the worst that was said of an aspect."""
    earlier = coverage.found.get(aspect, "pass")
    if earlier == "pass" or (said.startswith("WRONG") and not earlier.startswith("WRONG")):
        coverage.found[aspect] = said


def _everywhere(coverage: Coverage, reason: str) -> Coverage:
    coverage.found = dict.fromkeys(ASPECTS, reason)
    return coverage


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
