"""How much each token of a response surprises the model: minus its log-probability, in nats, for the report."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...extraction.readouts import TokenStats
from ...models.items import Trace
from ...models.positions import Alike, encode_trace
from ...models.tokens import decoded, replayed_spans
from ..reading.passes import prepared
from ..reading.verdict_pass import extracted
from .items import DataItems
from .report.browse import LONG, ShownItem

#: Items of a data set that are read for it: those on which the judges are farthest apart.
READ = 12
_STATS, _STEP = TokenStats("response", "log_probability"), "response/step"


def with_surprise(one: DataItems, shown: Sequence[ShownItem]) -> tuple[ShownItem, ...]:
    """The shown items, the first :data:`READ` with the surprise of their responses, which is read once and kept."""
    held: dict[str, Any] = {item.id: item for item in one.items}
    named = [(held[s.name], told) for s in shown[:READ] for told in ("response", "response a", "response b")]
    texts = [(item, told, getattr(item, told.replace(" ", "_"), None)) for item, told in named]
    traces = [
        Trace(question_id=item.id, candidate_id=told, prompt=item.prompt, response=text, extra=item.extra, steps=steps)
        for item, told, text in texts
        if text is not None
        for steps in [item.steps if isinstance(item, Trace) else None]
    ]
    found: dict[str, dict[str, Any]] = {}
    depends = [*one.depends, [trace.id for trace in traces]]
    for read in one.store.records(f"surprise-{one.name}", depends, lambda: _read(one, traces)) if traces else []:
        found.setdefault(read["item"], {})[read["text"]] = read["steps"]
    return tuple(replace(s, heat=found.get(s.name, {})) for s in shown)


def _read(one: DataItems, traces: Sequence[Trace]) -> list[dict[str, Any]]:
    tokenizer, alike = one.lm.tokenizer, Alike(one.lm.tokenizer)
    as_asked: Sequence[Any] = prepared(tokenizer, traces, one.passes)
    own, roles = one.lm.fingerprint, ("response", _STEP)
    encoded = [encode_trace(tokenizer, trace, sampled_by=own, alike=alike, roles=roles) for trace in as_asked]
    values = extracted(one.lm, encoded, [_STATS], one.passes, "reading responses to show").ragged[_STATS.name]
    found = []
    for trace, item, nats in zip(traces, encoded, values, strict=True):
        if not len(nats) or not np.isfinite(nats).all():  # empty, or not readable: its text is shown as it is
            continue
        start, end = item.ranges["response"][0]
        begins, ids = [a for a, _ in item.ranges[_STEP]], list(item.ids[start:end])
        text, held = decoded(tokenizer, ids), 0.0
        steps: list[list[Any]] = [[] for _ in (begins or [0])]
        for k, (a, b) in enumerate(replayed_spans(tokenizer, ids, 0)):
            held -= float(nats[k])
            if b > a and a < LONG:  # of a character of several tokens the last one stands for all
                steps[max(bisect_right(begins, start + k) - 1, 0)].append([text[a:b], round(held, 2)])
                held = 0.0
        steps = [one for one in steps if one] or [[]]
        if len(text) > LONG:
            steps[-1].append([f" … ({len(text) - LONG:,} more characters)", None])
        found.append({"item": trace.question_id, "text": trace.candidate_id, "steps": steps})
    return found
