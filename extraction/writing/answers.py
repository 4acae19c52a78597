"""What a model wrote: one batch of texts, and answers with the features that were read while they were written."""

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import StoppingCriteria

from ...models.items import Trace
from ...models.loading import LanguageModel
from ...models.positions import Encoding, encode_trace
from ...models.tokens import decoded
from ..extract import Gathering, extract
from ..features import Features
from ..readout_names import roles_of
from ..readouts import Carried, HiddenStates, ResponseLogProb
from .checks import Exit
from .confidence import ConfidenceRecord, LeastConfidence
from .decoding import decode, end_ids
from .ranges import UNNOTICED
from .watch import Watch, watched_features

#: Given the number of an item and its text so far -> whether nothing more of it is wanted.
Settled = Callable[[int, str], bool]
_OF_ANSWERS = ("response_ids", "sampled_by", "finished", "rejected", "exited", "not_sampled")
#: Given the features of texts that just came to a marker or past a range -> why each is stopped, ``Exit`` to have its
#: reasoning closed, ``None`` to go on.
Reject = Callable[[Features], Sequence[str | Exit | None]]


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model wrote after one prompt: ``ids`` without the end token, and their ``text``.

    ``finished``: whether the model ended by itself; ``said``: why it was ``rejected``, or its reasoning ``exited``.
    """

    ids: tuple[int, ...]
    text: str
    finished: bool
    said: Mapping[str, str] = field(default_factory=dict)


def write_batch(
    lm: LanguageModel, items: Sequence[Encoding], rows: Sequence[int], limit: int, *, temperature: float = 0.0,
    keys: Sequence[int] = (), settled: Settled | None = None, after_prompts: Callable[[], None] | None = None,
    least: LeastConfidence | None = None
) -> list[Completion]:  # fmt: skip
    """Let the model write after the items at ``rows``, in one batch, at most ``limit`` tokens each.

    ``keys`` (one per row) as in :func:`.decode`, ``settled`` and ``least`` as in :func:`.complete`. ``after_prompts``
    is called once the prompts have been read, which is then done whole and in one pass.
    """
    record = None if least is None else ConfidenceRecord(least)
    ends, stop = end_ids(lm), _Stop(lm, rows, settled, after_prompts, record)
    chosen = [items[k] for k in rows]
    share = None if after_prompts is None else False
    how: Any = {"criteria": [] if settled is None and after_prompts is None and record is None else [stop]}
    how |= {"processors": [] if record is None else [record], "keys": [keys[k] for k in rows] if keys else ()}
    written = decode(lm, chosen, limit, temperature=temperature, ends=ends, share=share, **how)
    texts = []
    for place, ids in enumerate(written):
        end = next((n for n, token in enumerate(ids) if token in ends), None)
        cut = stop.lengths.get(place, len(ids) if end is None else end)
        said = {"rejected": "its confidence is below the bar"} if place in stop.low else {}
        whole = end is not None and cut == end
        texts.append(Completion(tuple(ids[:cut]), decoded(lm.tokenizer, ids[:cut]), whole, said))
    return texts


class _Stop(StoppingCriteria):
    """Ends each text of a batch where it is settled, and says when the prompts have been read."""

    def __init__(
        self, lm: LanguageModel, rows: Sequence[int], settled: Settled | None, after_prompts: Callable[[], None] | None,
        record: ConfidenceRecord | None
    ) -> None:  # fmt: skip
        self._record, self.low = record, set[int]()
        self._lm, self._rows, self._ends = lm, rows, end_ids(lm)
        self._settled, self._after_prompts = settled, after_prompts
        self._open = list(range(len(rows)))
        self._written = 0
        #: Place in the batch -> tokens of its settled text.
        self.lengths: dict[int, int] = {}

    def __call__(self, input_ids: Tensor, _scores: Any, **_: Any) -> Tensor:
        if self._after_prompts is not None and not self._written:
            self._after_prompts()
        self._written += 1
        done = torch.zeros(len(self._rows), dtype=torch.bool, device=input_ids.device)
        if self._settled is not None or self._record is not None:
            new: list[list[int]] = input_ids[:, -self._written :].tolist()
            self._open = [k for k in self._open if new[k][-1] not in self._ends]
            self.low |= self._record.low().intersection(self._open) if self._record else set()
            settled = self._settled or (lambda *_: False)
            for k in self._open:
                if k in self.low or settled(self._rows[k], decoded(self._lm.tokenizer, new[k])):
                    self.lengths[k] = self._written
            self._open = [k for k in self._open if k not in self.lengths]
            done[list(self.lengths)] = True
        return done


@dataclass(frozen=True, slots=True)
class Generation:
    """Answers and what was read of them.

    ``extra`` of a trace has ``response_ids``, ``sampled_by``, ``finished`` and, where an answer was stopped or its
    reasoning closed, ``rejected`` or ``exited`` with the reason; or ``not_sampled``, why there is no answer.
    ``features`` are what :func:`~innerjudge.extraction.extract` reads from these traces; ``replayed`` is how many
    needed another pass.
    """

    traces: list[Trace]
    features: Features
    replayed: int


class Answers:
    """Answers and their features, collected batch by batch."""

    def __init__(
        self, lm: LanguageModel, questions: Sequence[Trace], readouts: Sequence[Carried], markers: tuple[str, str]
    ) -> None:
        self._lm, self._questions, self._readouts, self._markers = lm, questions, readouts, markers
        self._started = time.perf_counter()
        #: What was read of the answers to some questions.
        self._found = deque[tuple[Features, Sequence[int]]]()
        self._answers: dict[int, Trace] = {}
        self._encoded: dict[int, Encoding] = {}
        self._read: set[int] = set()

    def answer(self, row: int, said: Completion | str) -> None:
        """Store the answer to a question, or why there is none."""
        self._answers[row] = trace = answered(self._lm, self._questions[row], said)
        self._encoded[row] = self._encode(trace)

    def take(self, watch: Watch, rows: Sequence[int]) -> None:
        """Store the answers to a batch of questions, and the rows that were kept of them."""
        for place, row in enumerate(rows):
            self.answer(row, self._said(watch, place))
        found = watched_features(watch, [self._encoded[row] for row in rows], range(len(rows)), self._readouts)
        self._found.append((found, rows))
        lost = {i for reasons in found.missing.values() for i, why in reasons.items() if why == UNNOTICED}
        self._read.update(row for row in rows if self._encoded[row].id not in lost)

    def ask(
        self, watch: Watch, rows: Sequence[int], places: Sequence[int], reject: Reject, at: Collection[str]
    ) -> list[str | Exit | None]:
        """Ask ``reject`` about those texts of a batch that are at a position in ``at``, or have just ended a range."""
        there: dict[int, Encoding] = {}
        for place in places:
            if place in watch.marked:
                now = self._encode(answered(self._lm, self._questions[rows[place]], self._said(watch, place)))
                watch.ranges[place].positions = now.positions
                if any(now.positions.get(role) == (len(now.ids) - 1,) for role in at):
                    there[place] = now
            if place in watch.passing:
                there[place] = watch.ranges[place].so_far(watch.texts.ids[place])
        if not there:
            return [None] * len(places)
        known = [r for r in self._readouts if isinstance(r, HiddenStates | ResponseLogProb)]
        features = watched_features(watch, list(there.values()), list(there), known)
        reasons = dict(zip(there, reject(features), strict=True))
        return [reasons.get(place) for place in places]

    def finished(self, batch_size: int) -> Generation:
        """Put everything together; what the generation did not show is read in a pass of its own."""
        encoded = [self._encoded[row] for row in range(len(self._questions))]
        unread = [row for row in range(len(encoded)) if row not in self._read]
        if unread:
            again = extract(self._lm, [encoded[row] for row in unread], self._readouts, batch_size=batch_size)
            self._found.append((again, unread))
        gathered = Gathering(self._lm, encoded, self._readouts)
        gathered.started = self._started
        for name, reasons in again.missing.items() if unread else ():  # what the model gives in no pass
            gathered.missing[name] |= reasons
        while self._found:  # each is let go once it is in its place
            features, rows = self._found.popleft()
            gathered.put({**features.arrays, **features.ragged}, rows)
        return Generation([self._answers[row] for row in range(len(encoded))], gathered.features(), len(unread))

    def _said(self, watch: Watch, place: int) -> Completion:
        texts, ids = watch.texts, watch.texts.ids[place]
        return Completion(tuple(ids), decoded(self._lm.tokenizer, ids), texts.finished[place], texts.said[place])

    def _encode(self, trace: Trace) -> Encoding:
        how: Any = {"markers": self._markers, "sampled_by": self._lm.fingerprint, "roles": roles_of(self._readouts)}
        return encode_trace(self._lm.tokenizer, trace, **how)


def answered(lm: LanguageModel, question: Trace, said: Completion | str) -> Trace:
    """The question with what the model said, token ids and all, or with why it said nothing."""
    kept = {name: value for name, value in question.extra.items() if name not in _OF_ANSWERS}
    if isinstance(said, str):
        return question.bare(extra=kept | {"not_sampled": said})
    extra = {"response_ids": list(said.ids), "sampled_by": lm.fingerprint, "finished": said.finished, **said.said}
    return question.bare(response=said.text, extra=kept | extra)
