"""Candidates of a question sampled and judged in one go: the judge reads the states of the sampling itself."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...extraction.features import Features
from ...extraction.readout_names import range_readout
from ...extraction.readouts import Carried, HiddenStates, Paired, Ranged, ResponseLogProb
from ...extraction.writing.answers import Reject
from ...extraction.writing.checks import Exit
from ...extraction.writing.drafts import Drafts
from ...extraction.writing.progress import marker_ids
from ...extraction.writing.write_and_read import CARRIED, carried, write_and_read
from ...models.arguments import checked
from ...models.conversation import plain_text
from ...models.errors import InnerjudgeError, html_table
from ...models.items import Trace
from ...models.loading import LanguageModel
from ...models.roles import Role
from ...probes import BaseJudge, Promise, Verdict
from ...probes.promising import end_along
from ..data.splits import rows_by_group
from ..reading.passes import Passes
from ..reading.read import read
from .panel import passes_for, require_model

_CARRIED: list[HiddenStates | ResponseLogProb] = [*(HiddenStates(role) for role in CARRIED), ResponseLogProb()]
#: What a sampling carries at positions, by the names of the arrays.
_READOUTS = {one.name: one for one in _CARRIED}


@dataclass(frozen=True, slots=True)
class Sampling:
    """How ``n`` answers to each question are sampled, as :func:`sample_and_judge` takes it."""

    n: int = 8
    temperature: float = 1.0
    max_new_tokens: int = 512
    reject_below: float | Promise | None = None
    exit_above: float | Promise | None = None
    along: str = ""
    seed: int = 0


class Saved(NamedTuple):
    """How many answers were stopped, how many left their reasoning early, and about how many tokens that saved.

    The tokens are estimated from the answers that ran on. For one stopped at its closing marker: their mean after the
    marker. Otherwise: how many more the longer of them have on average (or, after an exit, those that reasoned longer).
    """

    stopped: int
    tokens: float
    exited: int = 0

    @classmethod
    def of(cls, lm: LanguageModel, answers: Sequence[tuple[str, Collection[str]]], closing: str) -> "Saved":
        """From the text of each answer, its marks (``"rejected"``, ``"exited"``), and the closing marker."""

        def sizes(texts: Iterable[str]) -> npt.NDArray[np.float64]:
            return np.array([len(lm.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts], float)

        def parted(texts: list[str]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
            parts = [text.partition(closing) for text in texts if closing in text]
            return sizes(before for before, _, _ in parts), sizes(after for _, _, after in parts)

        stopped, exited = ([text for text, said in answers if name in said] for name in ("rejected", "exited"))
        whole = [text for text, said in answers if not {"rejected", "exited"} & {*said}]
        others, (inside, behind) = sizes(whole), parted(whole)
        each = zip(stopped, sizes(stopped), strict=True)
        spared = [behind if closing in text else others[others > n] - n for text, n in each]
        spared += [(inside + behind)[inside > m] - m - n for m, n in zip(*parted(exited), strict=True)]
        return cls(len(stopped), sum(float(one.mean()) for one in spared if len(one)), len(exited))


@dataclass(frozen=True, slots=True, repr=False)
class Candidates:
    """Sampled answers and a verdict on each, those of one question together.

    ``extra["rejected"]`` of a trace says why it was stopped, ``extra["exited"]`` why its reasoning was closed;
    ``replayed`` is how many needed a pass of their own after the sampling; ``saved`` is what stopping early saved,
    ``None`` where nothing could be stopped.
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
        rows = [
            (*(plain_text(x)[:80] for x in (t.prompt, t.response)), v.unscored if v.score is None else v.score)
            for t, v in [pairs[0] for pairs in self.ranked()[:20]]
        ]
        return html_table(repr(self), ("prompt", "best answer", "score"), rows)

    def ranked(self) -> list[list[tuple[Trace, Verdict]]]:
        """For each question its candidates, best first, then those that were stopped or are unscored."""
        each = rows_by_group([trace.group for trace in self.traces])
        return [sorted([(self.traces[k], self.verdicts[k]) for k in rows.tolist()], key=_place) for rows in each]


@checked
def sample_and_judge(
    lm: LanguageModel,
    questions: Sequence[Trace | str],
    judge: BaseJudge,
    *,
    n: int = 8,
    temperature: float = 1.0,
    max_new_tokens: int = 512,
    reject_below: float | Promise | None = None,
    exit_above: float | Promise | None = None,
    along: str = "",
    seed: int = 0,
    passes: Passes | None = None,
) -> Candidates:
    """Sample ``n`` answers to each question and judge them.

    A judge of hidden states, attention, or statistics of the answer's tokens reads what the sampling has computed
    anyway. Any other judge (label logits, text) reads the finished answers in passes of its own.

    Args:
        lm: The model, which both answers and is read.
        questions: Prompts; or traces, whose ids and prompts are taken, each question once.
        judge: A judge of traces, fitted on this model if it learns.
        n: Answers to each question.
        temperature: Sampling temperature.
        max_new_tokens: Most tokens of an answer.
        reject_below: Stop an answer whose score, when it closes its reasoning, is below this; for judges that read no
            further than that. A number, or this judge's promise about "lost good answers", which brings its threshold
            and its ``along``.
        exit_above: Close the reasoning of an answer once its score ``along`` a role of the reasoning reaches this, and
            let it go on to the answer. A number, or this judge's promise about "passed bad answers": of the answers to
            a question that would close their reasoning themselves and be wrong, at most the promised share reach the
            threshold on the way. Answers that would run into the limit are not counted, and nothing is promised of the
            shortened answer. An answer that exits is no longer stopped.
        along: Also judge at the end of each range of this role of the reasoning, such as ``"reasoning/segment(64)"``; a
            role of the response, such as ``"response/cue(wait)"``, is judged instead of the end of the reasoning. The
            judge reads the text up to there, as if the answer ended there.
        seed: Seed of the sampling.
        passes: How the model is run; ``writing_batch`` answers a batch.

    ``InnerjudgeError`` if there are no questions, the judge is of another model, or ``reject_below`` or ``exit_above``
    is given with a judge that reads the end of the answer, or is a promise about something else.

    Example:
        >>> from innerjudge.models.loading import load
        >>> from innerjudge.probes import TokenLogProb
        >>> found = sample_and_judge(load("reference"), ["Start with 7. Add 5."], TokenLogProb(), n=3)
        >>> (best, *rest), = found.ranked()
        >>> len(rest), best[1].score >= rest[0][1].score, found.replayed
        (2, True, 0)
    """
    if not questions or n < 1 or isinstance(questions, str):
        raise InnerjudgeError(f"given {questions!r:.60} and n={n}, expected a list of questions and at least 1 answer")
    how = Sampling(n, temperature, max_new_tokens, reject_below, exit_above, along, seed)
    return answer_and_judge(lm, candidates_of(questions, n), judge, how, passes or Passes())


def answer_and_judge(
    lm: LanguageModel, bare: list[Trace], judge: BaseJudge, how: Sampling, passes: Passes, drafts: Drafts | None = None
) -> Candidates:
    """:func:`sample_and_judge` of candidates without a response, each of which is answered once; ``drafts`` go on."""
    require_model(judge, lm)
    reject, looks = acting(judge, how)
    if how.exit_above is not None:
        marker_ids(lm.tokenizer, passes.markers[1])  # refuses a tokenizer that cannot write it
    readouts = _carried(judge)
    written = write_and_read(
        lm, bare, readouts or [ResponseLogProb()], max_new_tokens=how.max_new_tokens, temperature=how.temperature,
        seed=how.seed, batch_size=passes.writing_batch, markers=passes.markers, reject=reject, reject_at=looks,
        drafts=drafts, on_batch=passes.steps("sampling and judging", len(bare)),
    )  # fmt: skip
    if readouts:
        said = judge.verdicts(as_fitted(judge, written.features))
        texts = [(plain_text(trace.response), trace.extra) for trace in written.traces]
        saved = None if reject is None else Saved.of(lm, texts, passes.markers[1])
        return Candidates(written.traces, said, written.replayed, saved)
    return Candidates(written.traces, judge.verdicts(read(lm, written.traces, passes_for(judge, passes))), len(bare))


def _carried(judge: BaseJudge) -> list[Carried]:
    """What a judge reads, if the sampling carries all of it; nothing else."""
    asked = [_READOUTS.get(name) or range_readout(name) for name in judge.needs]
    # Rows of ranges counted from the end are others in the passes that it was fitted on, if these stopped early.
    early = judge.provenance_ is not None and judge.provenance_.last_block is not None
    found = [one for one in asked if carried(one) and not (early and isinstance(one, Ranged | Paired))]
    return found if len(found) == len(asked) else []


def acting(judge: BaseJudge, how: Sampling) -> tuple[Reject | None, list[str]]:
    """What to do with an answer by its score at a look, and where to look.

    ``InnerjudgeError`` if the judge reads what is not there yet, or a promise is about another risk or fit, or refused.
    """
    given = [one for one in (how.reject_below, how.exit_above) if one is not None]
    promised = {one.along for one in given if isinstance(one, Promise)}
    along = min(promised, default=how.along if given else "")
    if how.along not in ("", along) or len(promised) > 1:
        raise InnerjudgeError.of(
            "judges.promise-along", how.along, f"for {along!r}" if given else "without reject_below or exit_above"
        )
    low = _threshold(judge, how.reject_below, "lost good answers", -np.inf)
    high = _threshold(judge, how.exit_above, "passed bad answers", np.inf)
    part = Role.parse(along).part if along else None
    if not low <= high or (how.exit_above is not None and part != "reasoning"):
        raise InnerjudgeError.of("judges.along", along, low, high)
    late = set(judge.needs) - (_READOUTS.keys() - {"hidden/response_end"})
    if along and judge.needs != (ResponseLogProb().name,):
        late -= {end_along(judge, along)}
    if promised:
        late |= set(judge.needs) & {ResponseLogProb().name}  # it was calibrated on that of whole answers
    if late and given:
        raise InnerjudgeError.of("judges.reads-too-far", type(judge).__name__, ", ".join(sorted(late)))

    def act(features: Features) -> list[str | Exit | None]:
        found: list[str | Exit | None] = [None] * len(features)
        for k, verdict in enumerate(judge.verdicts(as_fitted(judge, features))):
            exits = how.exit_above is not None
            if isinstance(score := verdict.score, float) and (score < low or (exits and score >= high)):
                said = f"scored {score:.4g} {'on the way' if along else 'where the reasoning ends'}, "
                found[k] = f"{said}below {low:g}" if score < low else Exit(f"{said}{high:g} or more")
        return found

    closing = ["reasoning_end"] if part != "response" and how.reject_below is not None else []
    return act if given else None, [*closing, along] if along else closing


def _threshold(judge: BaseJudge, given: float | Promise | None, risk: str, never: float) -> float:
    if not isinstance(given, Promise):
        return never if given is None else given
    if given.risk != risk or given.refused is not None:
        said = given.refused or f"it is about what is {given.risk}"
        raise InnerjudgeError(f'given a promise by which nothing can be done here ({said}), expected one of "{risk}"')
    if given != judge.promised():
        raise InnerjudgeError.of("judges.other-promise", type(judge).__name__, risk)
    return given.threshold


def as_fitted(judge: BaseJudge, features: Features) -> Features:
    """Features of whole passes, in the form that a judge reads which was fitted on passes that stopped early."""
    last = None if judge.provenance_ is None else judge.provenance_.last_block
    if last is None or features.provenance.last_block is not None:
        return features
    arrays = {k: v[:, : last + 1] if k.startswith("hidden/") else v for k, v in features.arrays.items()}
    return replace(features, arrays=arrays, provenance=replace(features.provenance, last_block=last))


def candidates_of(questions: Sequence[Trace | str], n: int) -> list[Trace]:
    """``n`` traces without a response for each question; one that is repeated counts once."""
    prompts: dict[str, Trace] = {}
    for k, one in enumerate(questions):
        trace = Trace(question_id=f"q{k}", candidate_id="", prompt=one, response="") if isinstance(one, str) else one
        prompts.setdefault(trace.question_id, trace.bare())
    return [replace(trace, candidate_id=str(k)) for trace in prompts.values() for k in range(n)]


def _place(pair: tuple[Trace, Verdict]) -> tuple[bool, bool, float]:
    trace, verdict = pair
    score = verdict.score if isinstance(verdict.score, int | float) else None
    return "rejected" in trace.extra, score is None, 0.0 if score is None else -score
