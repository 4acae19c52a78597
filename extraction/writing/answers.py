"""Answers and their features, taken as a generation gives them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...models.items import Trace
from ...models.loading import LanguageModel
from ...models.positions import Encoding, encode_trace
from ..extract import extract, lacking
from ..feature_arrays import Array, put
from ..features import Features
from ..provenance import provenance
from ..readouts import HiddenStates, ResponseLogProb
from .completion import Completion, completion
from .watch import UNNOTICED, Watch, watched_features

_OF_ANSWERS = ("response_ids", "sampled_by", "finished", "rejected", "not_sampled")

#: Given the features of texts that have just come to a marker -> for each, why it is stopped, or ``None`` to go on.
Reject = Callable[[Features], Sequence[str | None]]


@dataclass(frozen=True, slots=True)
class Generation:
    """Answers and what was read of them.

    ``extra`` of a trace has ``response_ids``, ``sampled_by``, ``finished`` and, where an answer was stopped,
    ``rejected`` with the reason; or ``not_sampled``, why there is none. ``features`` are what
    :func:`~innerjudge.extraction.extract` reads of these traces; ``replayed`` of them needed a pass of their own for
    it.
    """

    traces: list[Trace]
    features: Features
    replayed: int


class Answers:
    """Answers and their features, collected batch by batch."""

    def __init__(
        self,
        lm: LanguageModel,
        questions: Sequence[Trace],
        readouts: Sequence[HiddenStates | ResponseLogProb],
        markers: tuple[str, str],
    ) -> None:
        self._lm, self._questions, self._readouts, self._markers = lm, questions, readouts, markers
        shape = (lm.anatomy.n_blocks + 2, lm.anatomy.width)
        n = len(questions)
        self._arrays: dict[str, Array] = {
            r.name: np.zeros((n, *(shape if isinstance(r, HiddenStates) else (2,))), dtype=np.float32) for r in readouts
        }
        self._answers: dict[int, Trace] = {}
        self._encoded: dict[int, Encoding] = {}
        self._read: set[int] = set()

    def answer(self, row: int, said: Completion | str) -> None:
        """Take the answer to a question, or why there is none."""
        self._answers[row] = trace = answered(self._lm, self._questions[row], said)
        self._encoded[row] = self._encode(trace)

    def take(self, watch: Watch, rows: Sequence[int]) -> None:
        """Take the answers to a batch of questions, and the rows that were kept of them."""
        for place, row in enumerate(rows):
            texts = watch.texts
            finished, rejected = texts.finished[place], texts.rejected[place]
            self.answer(row, completion(self._lm, texts.ids[place], finished=finished, rejected=rejected))
        found = watched_features(
            self._lm, self._readouts, [self._encoded[row] for row in rows], watch, range(len(rows))
        )
        for name, values in found.arrays.items():
            put(self._arrays, name, values, rows, len(self._questions))
        lost = {i for reasons in found.missing.values() for i, why in reasons.items() if why == UNNOTICED}
        self._read.update(row for row in rows if self._encoded[row].id not in lost)

    def ask(
        self, watch: Watch, rows: Sequence[int], places: Sequence[int], reject: Reject, role: str
    ) -> list[str | None]:
        """Why the texts at some places of a batch, whose newest token ended a marker, are to be stopped."""
        said = [completion(self._lm, watch.texts.ids[place], finished=False) for place in places]
        traces = [answered(self._lm, self._questions[rows[p]], one) for p, one in zip(places, said, strict=True)]
        encoded = [self._encode(trace) for trace in traces]
        there = [k for k, one in enumerate(encoded) if one.positions.get(role) == (len(one.ids) - 1,)]
        reasons: list[str | None] = [None] * len(places)
        if there:
            features = watched_features(
                self._lm, self._readouts, [encoded[k] for k in there], watch, [places[k] for k in there]
            )
            for k, reason in zip(there, reject(features), strict=True):
                reasons[k] = reason
        return reasons

    def finished(self, batch_size: int, started: float) -> Generation:
        """Everything together; what the generation did not show is read by a pass of its own."""
        encoded = [self._encoded[row] for row in range(len(self._questions))]
        unread = [row for row in range(len(encoded)) if row not in self._read]
        if unread:
            again = extract(self._lm, [encoded[row] for row in unread], self._readouts, batch_size=batch_size)
            for name, values in again.arrays.items():
                put(self._arrays, name, values, unread, len(encoded))
        seconds = time.perf_counter() - started
        missing = {r.name: lacking(r, encoded, self._lm) for r in self._readouts}
        features = Features(
            ids=tuple(one.id for one in encoded),
            groups=tuple(one.group for one in encoded),
            provenance=provenance(self._lm),
            arrays=self._arrays,
            missing={name: reasons for name, reasons in missing.items() if reasons},
            seconds={r.name: seconds for r in self._readouts},
        )
        return Generation([self._answers[row] for row in range(len(encoded))], features, len(unread))

    def _encode(self, trace: Trace) -> Encoding:
        return encode_trace(self._lm.tokenizer, trace, markers=self._markers, sampled_by=self._lm.fingerprint)


def answered(lm: LanguageModel, question: Trace, said: Completion | str) -> Trace:
    """The question with what the model said, token ids and all, or with why it said nothing."""
    kept = {name: value for name, value in question.extra.items() if name not in _OF_ANSWERS}
    if isinstance(said, str):
        return replace(question, response="", answer=None, correct=None, extra=kept | {"not_sampled": said})
    extra = {"response_ids": list(said.ids), "sampled_by": lm.fingerprint, "finished": said.finished}
    if said.rejected is not None:
        extra["rejected"] = said.rejected
    return replace(question, response=said.text, answer=None, correct=None, extra=kept | extra)
