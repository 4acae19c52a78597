"""Candidates of a question sampled and judged in one go: the judge reads the states of the sampling itself."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...extraction.features import Features
from ...extraction.readouts import HiddenStates, ResponseLogProb
from ...extraction.writing.answers import Reject
from ...extraction.writing.write_and_read import CARRIED, write_and_read
from ...models.arguments import checked
from ...models.conversation import plain_text
from ...models.errors import InnerjudgeError
from ...models.items import Trace
from ...models.loading import LanguageModel
from ...models.roles import Role
from ...models.shown import html_table
from ...probes import BaseJudge, Promise, Verdict
from ...probes.promising import end_along
from ..data.splits import rows_by_group
from ..reading.passes import Passes
from ..reading.read import read
from .panel import passes_for, require_model

#: Names of the arrays that a sampling carries.
_READOUTS: dict[str, HiddenStates | ResponseLogProb] = {
    **{one.name: one for one in (HiddenStates(role) for role in CARRIED)},
    ResponseLogProb().name: ResponseLogProb(),
}


class Saved(NamedTuple):
    """How many answers were stopped, and about how many tokens they were spared.

    Those are, for an answer that closed its reasoning, the others' mean behind the marker; for any other, how many more
    tokens the longer ones of the answers that were not stopped have, on average.
    """

    stopped: int
    tokens: float

    @classmethod
    def of(cls, lm: LanguageModel, answers: Sequence[tuple[str, bool]], closing: str) -> "Saved":
        """From the text of each answer, whether it was stopped, and the marker that closes the reasoning."""

        def sizes(texts: list[str]) -> npt.NDArray[np.float64]:
            found = lm.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
            return np.array([len(ids) for ids in found], dtype=np.float64)

        stopped, whole = ([text for text, cut in answers if cut == one] for one in (True, False))
        others, behind = sizes(whole), sizes([text.partition(closing)[2] for text in whole if closing in text])
        spared = [
            behind if closing in text else others[others > n] - n
            for text, n in zip(stopped, sizes(stopped), strict=True)
        ]
        return cls(len(stopped), sum(float(one.mean()) for one in spared if len(one)))


@dataclass(frozen=True, slots=True, repr=False)
class Candidates:
    """Sampled answers and a verdict on each, those of one question together.

    ``extra["rejected"]`` of a trace says why it was stopped; ``replayed`` of them needed a pass of their own after the
    sampling; ``saved`` is what stopping has saved, ``None`` where none could be stopped.
    """

    traces: list[Trace]
    verdicts: list[Verdict]
    replayed: int
    saved: Saved | None = None

    def __repr__(self) -> str:
        questions, unscored = len({t.group for t in self.traces}), sum(v.unscored is not None for v in self.verdicts)
        return f"Candidates({len(self.traces)} answers to {questions} questions, {unscored} unscored)"

    def _repr_html_(self) -> str:
        """The best answer to each of the first questions, for notebooks; :meth:`ranked` has all of them."""
        best = [pairs[0] for pairs in self.ranked()[:20]]
        rows = [
            (*(plain_text(x)[:80] for x in (t.prompt, t.response)), v.unscored if v.score is None else v.score)
            for t, v in best
        ]
        return html_table(repr(self), ("prompt", "best answer", "score"), rows)

    def ranked(self) -> list[list[tuple[Trace, Verdict]]]:
        """For each question its candidates, best first, and behind them those that were stopped or are unscored."""
        found = []
        for rows in rows_by_group([trace.group for trace in self.traces]):
            pairs = [(self.traces[k], self.verdicts[k]) for k in rows.tolist()]
            found.append(sorted(pairs, key=_place))
        return found


@checked
def sample_and_judge(
    lm: LanguageModel,
    questions: Sequence[Trace | str],
    judge: BaseJudge,
    *,
    n: int | None = 8,
    temperature: float = 1.0,
    max_new_tokens: int = 512,
    reject_below: float | Promise | None = None,
    along: str = "",
    seed: int = 0,
    passes: Passes | None = None,
) -> Candidates:
    """Sample ``n`` answers to each question and judge them.

    A judge of hidden states or log-probabilities reads what the sampling has computed anyway. Any other judge (label
    logits, text) reads the finished answers in passes of its own.

    Args:
        lm: The model, which both answers and is read.
        questions: Prompts; or traces, whose ids and prompts are taken, each question once.
        judge: A judge of traces, fitted on this model if it learns.
        n: Answers to each question; ``None`` where the traces are the candidates, each to be answered once.
        temperature: Sampling temperature.
        max_new_tokens: Most tokens of an answer.
        reject_below: Stop an answer whose score, when it closes its reasoning, is below this; for judges that read no
            further than that. A number, or the promise of "lost good answers" of this judge: then its threshold, and
            its ``along``.
        along: Ask also at the end of each range of this role, such as ``"reasoning/segment(64)"`` or
            ``"response/cue(wait)"``; the judge reads the end of that part, as if the answer ended there.
        seed: Seed of the sampling.
        passes: How the model is run; ``writing_batch`` answers a batch.

    Raises:
        InnerjudgeError: If there are no questions, the judge is of another model, or ``reject_below`` is given with one
            that reads the end of the answer, or is a promise of something else.

    Example:
        >>> from innerjudge.models.loading import load
        >>> from innerjudge.probes import TokenLogProb
        >>> found = sample_and_judge(load("reference"), ["Start with 7. Add 5."], TokenLogProb(), n=3)
        >>> (best, *rest), = found.ranked()
        >>> len(rest), best[1].score >= rest[0][1].score, found.replayed
        (2, True, 0)
    """
    if not questions or (n is not None and n < 1) or isinstance(questions, str):
        raise InnerjudgeError(f"given {questions!r:.60} and n={n}, expected a list of questions and at least 1 answer")
    require_model(judge, lm)
    passes = passes or Passes()
    promised = reject_below.along if isinstance(reject_below, Promise) else along if reject_below is not None else ""
    if along and along != promised:
        raise InnerjudgeError(
            f"given along={along!r} {'without reject_below' if reject_below is None else f'for {promised!r}'}, "
            "expected a number as reject_below, or a promise of the same along: give both, or neither"
        )
    if n is None and not all(isinstance(one, Trace) for one in questions):
        raise InnerjudgeError("given n=None with prompts that are strings, expected traces: give n, or traces")
    along = promised
    looks = [along] if along and Role.parse(along).part == "response" else ["reasoning_end", along]
    bare = [one for one in questions if isinstance(one, Trace)] if n is None else candidates_of(questions, n)
    carried = set(judge.needs) <= _READOUTS.keys()
    written = write_and_read(
        lm,
        bare,
        [_READOUTS[name] for name in judge.needs] if carried else [ResponseLogProb()],
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        seed=seed,
        batch_size=passes.writing_batch,
        markers=passes.markers,
        reject=None if reject_below is None else rejecting(judge, reject_below, along),
        reject_at=[one for one in looks if one],
        on_batch=passes.steps("sampling and judging", len(bare)),
    )
    if carried:
        said = judge.verdicts(as_fitted(judge, written.features))
        cut = [(plain_text(trace.response), "rejected" in trace.extra) for trace in written.traces]
        saved = None if reject_below is None else Saved.of(lm, cut, passes.markers[1])
        return Candidates(written.traces, said, written.replayed, saved)
    features = read(lm, written.traces, passes_for(judge, passes))
    return Candidates(written.traces, judge.verdicts(features), len(bare))


def rejecting(judge: BaseJudge, below: float | Promise, along: str = "") -> Reject:
    """Stops answers that ``judge`` gives less than a threshold when they close their reasoning, or along a role.

    ``InnerjudgeError`` if the judge reads what is not there yet, or a promise is not of lost good answers, of another
    fit, or refused.
    """
    threshold = _promised(judge, below) if isinstance(below, Promise) else below
    late = set(judge.needs) - (_READOUTS.keys() - {"hidden/response_end"})
    if along and judge.needs != (ResponseLogProb().name,):
        late -= {end_along(judge, along)}
    if isinstance(below, Promise):
        late |= set(judge.needs) & {ResponseLogProb().name}  # it was calibrated on that of whole answers
    if late:
        raise InnerjudgeError(
            f"given a {type(judge).__name__} that reads {', '.join(sorted(late))} to reject by, expected one that "
            "reads no further than the end of the reasoning: leave the rejection out, or fit one between the markers"
        )

    def reject(features: Features) -> list[str | None]:
        said = [verdict.score for verdict in judge.verdicts(as_fitted(judge, features))]
        return [
            f"scored {score:.4g} {'on the way' if along else 'where the reasoning ends'}, below {threshold:g}"
            if isinstance(score, float) and score < threshold
            else None
            for score in said
        ]

    return reject


def _promised(judge: BaseJudge, promise: Promise) -> float:
    if promise.risk != "lost good answers" or promise.refused is not None:
        said = promise.refused or f"it is about what is {promise.risk}"
        raise InnerjudgeError(
            f'given a promise by which no answer can be stopped ({said}), expected one of "lost good answers"'
        )
    if promise != judge.promised():
        raise InnerjudgeError(
            f"given the promise of another judge than this {type(judge).__name__}, expected judge.promise_: call "
            "judge.promise(features, labels, risk='lost good answers')"
        )
    return promise.threshold


def as_fitted(judge: BaseJudge, features: Features) -> Features:
    """Features of whole passes as a judge reads them that was fitted on passes which stopped early."""
    last = None if judge.provenance_ is None else judge.provenance_.last_block
    if last is None or features.provenance.last_block is not None:
        return features
    arrays = {k: v[:, : last + 1] if k.startswith("hidden/") else v for k, v in features.arrays.items()}
    return replace(features, arrays=arrays, provenance=replace(features.provenance, last_block=last))


def candidates_of(questions: Sequence[Trace | str], n: int) -> list[Trace]:
    """``n`` traces without a response for each question, the first time it stands there."""
    prompts: dict[str, Trace] = {}
    for k, one in enumerate(questions):
        trace = Trace(question_id=f"q{k}", candidate_id="", prompt=one, response="") if isinstance(one, str) else one
        prompts.setdefault(trace.question_id, trace)
    return [
        replace(trace, candidate_id=str(k), response="", answer=None, correct=None)
        for trace in prompts.values()
        for k in range(n)
    ]


def _place(pair: tuple[Trace, Verdict]) -> tuple[bool, bool, float]:
    trace, verdict = pair
    score = verdict.score if isinstance(verdict.score, int | float) else None
    return "rejected" in trace.extra, score is None, 0.0 if score is None else -score
