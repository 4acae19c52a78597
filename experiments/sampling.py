"""Candidates for a question, sampled from the model that is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..extraction.generation import complete
from ..models.items import Trace
from ..models.loading import LanguageModel
from ..models.positions import encode_trace
from ..models.reference.solve import Problem, final_answer
from .progress import Steps, silent


def sample_traces(
    lm: LanguageModel,
    problems: Sequence[Problem],
    *,
    n_candidates: int = 8,
    temperature: float = 1.0,
    max_new_tokens: int = 160,
    seed: int = 0,
    batch_size: int = 64,
    steps: Steps = silent,
) -> list[Trace]:
    """Answer every problem ``n_candidates`` times and label each answer by the known one.

    The sampled token ids are kept in ``extra["response_ids"]`` and replayed by the pass. A trace that did not end
    within ``max_new_tokens`` or that has no answer after its reasoning is wrong, and has ``answer=None``. A prompt that
    leaves no room for an answer gives empty traces that are neither right nor wrong.

    Returns:
        ``len(problems) * n_candidates`` traces, candidates of one problem together.
    """
    bare = [
        Trace(question_id=p.question_id, candidate_id=str(k), prompt=p.prompt, response="")
        for p in problems
        for k in range(n_candidates)
    ]
    encoded = [encode_trace(lm.tokenizer, trace) for trace in bare]
    written = complete(
        lm,
        encoded,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        seed=seed,
        batch_size=batch_size,
        on_batch=steps("sampling candidates", len(encoded)),
    )
    right = {p.question_id: p.answer for p in problems}
    traces = []
    for trace, one in zip(bare, written, strict=True):
        if isinstance(one, str):
            traces.append(replace(trace, extra={"not_sampled": one}))
            continue
        answer = final_answer(one.text) if one.finished else None
        traces.append(
            replace(
                trace,
                response=one.text,
                answer=answer,
                correct=answer == right[trace.question_id],
                extra={"response_ids": list(one.ids), "sampled_by": lm.fingerprint, "finished": one.finished},
            )
        )
    return traces
