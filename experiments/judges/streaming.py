"""Fitting while the model runs, or from a store: sums are kept, states are not."""

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any, TypeVar

from ...extraction.extract import extract
from ...extraction.features import Features
from ...extraction.readouts import roles_of, states_of
from ...extraction.store import FeatureStore
from ...models.arguments import checked
from ...models.errors import InnerjudgeError
from ...models.items import Trace
from ...models.loading import LanguageModel
from ...models.positions import encode_trace
from ...probes.judge import StreamingJudge, require_streaming
from ..reading.passes import Passes

_J = TypeVar("_J", bound=StreamingJudge)


@checked
def fit_stream(
    judge: _J,
    lm: LanguageModel,
    traces: Iterable[Trace],
    labels: Iterable[Any],
    passes: Passes | None = None,
    *,
    chunk: int = 256,
) -> _J:
    """Fit a judge on more traces than memory holds states of: they are read ``chunk`` at a time, and forgotten.

    CLUE and the difference of means learn what one ``fit`` on all of them would give, up to float error.

    Args:
        judge: A CLUE, DifferenceOfMeans or MiniBatchLogistic. What it learned before counts on: give a new one to start
            anew.
        lm: The model.
        traces: Traces with labels; any iterable, of which ``chunk`` are held at once.
        labels: Whether each is correct.
        passes: How the model is run (``batch_size`` and ``markers`` count).
        chunk: Traces whose states are held at once. With ``CLUE(balance=True)`` a question must lie within one chunk,
            or ``partial_fit`` refuses it: order the traces by question and take a multiple of the candidates.

    Returns:
        The judge.

    Raises:
        InnerjudgeError: If the judge has no ``partial_fit``, or labels and traces differ in number.

    Example:
        >>> from innerjudge import CLUE, load
        >>> said = ["<think>1+1=2</think>2", "<think>1+1=3</think>3"]
        >>> traces = [Trace(question_id="q", candidate_id=s[-1], prompt="1+1?", response=s) for s in said]
        >>> fit_stream(CLUE(), load("reference"), traces, [True, False], chunk=1).n_seen_.tolist()
        [1, 1]
    """
    require_streaming(judge)
    sizes = [len(given) for given in (traces, labels) if isinstance(given, Sized)]
    if len(set(sizes)) > 1 or chunk < 1:
        raise InnerjudgeError(
            f"given {sizes[-1]} labels of {sizes[0]} traces and chunk={chunk}, expected one label a trace and a "
            "chunk of at least 1"
        )
    known = iter(labels)
    for features in read_stream(lm, traces, _positions(judge.reads), passes, chunk=chunk):
        some = list(islice(known, len(features)))
        judge.partial_fit(features, some)
    return judge


def fit_store(judge: _J, store: FeatureStore, labels: Sequence[Any], *, rounds: int = 1) -> _J:
    """Fit a judge on the labelled items of a store ``rounds`` times, one shard after another; memory holds one.

    ``labels`` says whether each item is correct, ``None`` where it is not known.
    """
    require_streaming(judge)
    if len(labels) != len(store):
        raise InnerjudgeError(f"given {len(labels)} labels of {len(store)} stored items, expected one an item")
    for _ in range(rounds):
        at = 0
        for features in store.parts(judge.reads):
            known = [k for k in range(len(features)) if labels[at + k] is not None]
            judge.partial_fit(features.take(known), [labels[at + k] for k in known])
            at += len(features)
            store.close()  # what is mapped counts as memory of this process
    return judge


def read_stream(
    lm: LanguageModel,
    traces: Iterable[Trace],
    positions: Sequence[str],
    passes: Passes | None = None,
    *,
    chunk: int = 256,
) -> Iterator[Features]:
    """Hidden states of traces at some positions, or of some ranges, ``chunk`` traces at a time, in order."""
    passes, coming = passes or Passes(), iter(traces)
    readouts = [states_of(f"hidden/{one}") for one in positions]
    roles, own = roles_of(readouts), lm.fingerprint
    while some := list(islice(coming, chunk)):
        encoded = [encode_trace(lm.tokenizer, t, markers=passes.markers, sampled_by=own, roles=roles) for t in some]
        yield extract(lm, encoded, readouts, batch_size=passes.batch_size)


def _positions(names: Sequence[str]) -> list[str]:
    """Positions of the hidden states among some readouts."""
    return [name.removeprefix("hidden/") for name in names if name.startswith("hidden/")]
