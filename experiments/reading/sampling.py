"""Candidates for a question, sampled from the model that is judged."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...extraction.writing.answers import answered
from ...extraction.writing.generate import complete
from ...models.arguments import checked
from ...models.conversation import plain_text
from ...models.items import Trace
from ...models.loading import LanguageModel
from ...models.positions import encode_trace
from ...models.reference.solve import Problem, final_answer
from .progress import Steps, silent


@checked
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
    known = {p.question_id: p for p in problems}
    return [labelled(answered(lm, trace, one), known) for trace, one in zip(bare, written, strict=True)]


def labelled(trace: Trace, problems: Mapping[str, Problem]) -> Trace:
    """A sampled answer with its final answer, and whether that is right, where its problem is known.

    An answer that did not end by itself has none and is wrong; one that was not sampled is neither.
    """
    problem = problems.get(trace.question_id)
    if problem is None or "not_sampled" in trace.extra:
        return trace
    answer = final_answer(plain_text(trace.response)) if trace.extra["finished"] else None
    return replace(trace, answer=answer, correct=answer == problem.answer)
