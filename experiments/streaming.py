"""Fitting while the model runs: sums are kept, states are not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..extraction.readouts import HiddenStates
from ..extraction.run import stream
from ..models.errors import InnerjudgeError
from ..models.items import Trace
from ..models.loading import LanguageModel
from ..models.positions import encode_trace
from ..probes import CLUE
from .passes import Passes


def fit_stream(
    judge: CLUE,
    lm: LanguageModel,
    traces: Sequence[Trace],
    labels: Sequence[Any],
    passes: Passes | None = None,
    *,
    chunk: int = 256,
) -> CLUE:
    """Fit CLUE on more traces than memory holds states of: they are read ``chunk`` at a time and added to its sums.

    The centroids are those of one ``fit`` on all of them, up to float error.

    Args:
        judge: A CLUE. What it learned before counts on: give a new one to start anew.
        lm: The model.
        traces: Traces with labels.
        labels: Whether each is correct, ``[n]``.
        passes: How the model is run (``batch_size`` and ``markers`` count).
        chunk: Traces whose states are held at once. With ``balance=True`` a question must lie within one chunk, or
            ``partial_fit`` refuses it: order the traces by question and take a multiple of the candidates.

    Returns:
        The judge.

    Raises:
        InnerjudgeError: If the judge has no ``partial_fit``, or labels and traces differ in number.

    Example:
        >>> from innerjudge import load
        >>> said = ["<think>1+1=2</think>2", "<think>1+1=3</think>3"]
        >>> traces = [Trace(question_id="q", candidate_id=s[-1], prompt="1+1?", response=s) for s in said]
        >>> fit_stream(CLUE(), load("reference"), traces, [True, False], chunk=1).n_seen_.tolist()
        [1, 1]
    """
    if not isinstance(judge, CLUE):
        raise InnerjudgeError(
            f"given a {type(judge).__name__}, which needs all features at once, expected a CLUE: use read() and fit()"
        )
    if len(labels) != len(traces) or chunk < 1:
        raise InnerjudgeError(
            f"given {len(labels)} labels of {len(traces)} traces and chunk={chunk}, expected one label a trace and a "
            "chunk of at least 1"
        )
    passes = passes or Passes()
    encoded = [encode_trace(lm.tokenizer, t, markers=passes.markers, sampled_by=lm.fingerprint) for t in traces]
    readouts = [HiddenStates(judge.start), HiddenStates(judge.end)]
    at = 0
    for features in stream(lm, encoded, readouts, chunk=chunk, batch_size=passes.batch_size):
        judge.partial_fit(features, list(labels[at : at + len(features)]))
        at += len(features)
    return judge
