"""Fit one judge: on features in memory, on a store part by part, or while the model runs, so that no state is kept."""

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ...extraction.extract import extract
from ...extraction.features import Features
from ...extraction.readout_names import roles_of, states_of
from ...extraction.store import FeatureStore
from ...models.arguments import checked
from ...models.errors import InnerjudgeError
from ...models.items import Trace
from ...models.loading import LanguageModel
from ...models.positions import encode_trace
from ...probes import BaseJudge, Verdict
from ...probes.judge import Part, StreamingJudge, require_streaming
from ..reading.passes import Passes

#: Items read at a time: a number of its own, so that what is learnt does not follow the size of the shards.
PART = 256
#: Bytes of a readout with several rows per item above which judges that can learn from batches on the disk.
STREAMED = 1 << 28
Rows = npt.NDArray[np.intp]
_J = TypeVar("_J", bound=StreamingJudge)


def fit_seat(
    name: str, judge: BaseJudge, features: Features, labels: Sequence[Any], rows: npt.NDArray[np.intp], *,
    permuted: tuple[Features, Sequence[Any]] | None = None, weights: Sequence[Any] = ()
) -> str | None:  # fmt: skip
    """Fit ``judge`` on the labelled rows among ``rows``; do nothing if it does not learn, or no row can be read.

    For choices, ``permuted`` holds the questions with their options permuted, and the answers to those. Returns what
    was chosen, or why the judge is not fitted, as a sentence for the report; ``None`` if there is nothing to say.
    ``InnerjudgeError`` if the labels are all of one class.
    """
    if not (judge.learns or judge.needs_threshold):
        return None
    kept = [int(k) for k in rows if not judge.needs_labels or labels[k] is not None]
    if judge.needs_threshold and not (kept and all(isinstance(labels[k], bool | np.bool_) for k in kept)):
        return None  # It scores without a fit; only the label of a trace needs a threshold.
    if permuted is not None and judge.needs_permuted:
        kept = [k for k in kept if permuted[1][k] is not None]  # a sample of the questions
    part = features.take(kept)
    if not len(part):
        return f"{name}: not fitted, since none of the {len(rows)} items to fit on has a label."
    if not part.present(*judge.needs).any():
        why = next(iter(part.reasons(*judge.needs).values()))
        return f"{name}: not fitted, since no item to fit on can be read ({why})."
    known = np.array([labels[k] for k in kept])
    fit: Any = judge.fit
    try:
        if not judge.needs_labels:
            fit(part)
        elif permuted is not None and judge.needs_permuted:
            fit(part, known, permuted=permuted[0].take(kept), permuted_labels=np.array([permuted[1][k] for k in kept]))
        else:
            fit(part, known, *([] if (also := _weights(weights, kept)) is None else [also]))
    except InnerjudgeError as error:
        if judge.needs_labels and len({*map(repr, known.tolist())}) < 2:
            raise
        # Two classes, and yet this judge cannot learn from them: too few can be read, or no question has both.
        return f"{name}: not fitted ({error})."
    note = judge.fit_note(len(part))
    return None if note is None else f"{name}: {note}."


def no_verdicts(judge: BaseJudge, features: Features) -> list[Verdict]:
    """Verdicts of a judge that could not be fitted: all unscored, with the item's own reason if it has one."""
    reasons = features.reasons(*judge.needs)
    return [Verdict(i, unscored=reasons.get(i, "the judge could not be fitted on these data")) for i in features.ids]


def fit_from_store(
    name: str, judge: BaseJudge, store: FeatureStore, labels: Sequence[Any], groups: Sequence[str], rows: Rows, *,
    permuted: tuple[FeatureStore, Sequence[Any]] | None = None, weights: Sequence[Any] = ()
) -> str | None:  # fmt: skip
    """:func:`fit_seat` on items of a store, of which memory holds as few as the judge allows.

    CLUE and the difference of means keep sums; other linear judges keep vectors of the row that they read; a judge that
    learns nothing reads nothing; a judge that must see all at once gets the readouts it names, of labelled items. Of
    those with several rows per item, more than :data:`STREAMED` bytes stay on the disk, where a
    :class:`~innerjudge.PooledProbe` reads them batch by batch.
    """
    if not judge.learns and not judge.needs_threshold:
        return None
    known = [int(k) for k in rows if labels[k] is not None]
    if not known and judge.needs_labels:
        no = f"{name}: not fitted, since none of the {len(rows)} items to fit on has a label."
        return no if judge.learns else None
    parts = _parts(judge, known, groups)
    if parts is None:
        used = np.array(known, dtype=np.intp) if judge.needs_labels else rows
        turned = None if permuted is None else (permuted[0].features(judge.reads, used), [permuted[1][k] for k in used])
        features, here = store.features(judge.reads, used, most=STREAMED), np.arange(len(used), dtype=np.intp)
        own, also = ([column[k] for k in used] if column else [] for column in (labels, weights))
        return fit_seat(name, judge, features, own, here, permuted=turned, weights=also)
    first: dict[str, str] = {}
    read = 0

    def given() -> Iterator[Part]:
        nonlocal read
        for some in parts:
            features = store.features(judge.reads, some)
            reasons = features.reasons(*judge.needs)
            if not first:
                first.update(reasons)
            read += len(features) - len(reasons)
            store.close()  # what is mapped counts as memory of this process, and none of it is needed again
            also, told = _weights(weights, some), np.array([labels[k] for k in some])
            yield (features, told) if also is None else (features, told, also)

    try:
        judge.fit_parts(given())
    except InnerjudgeError as error:
        if not read and first:
            return f"{name}: not fitted, since no item to fit on can be read ({next(iter(first.values()))})."
        if len({repr(labels[k]) for k in known}) < 2:
            raise
        return f"{name}: not fitted ({error})."
    return None


def _weights(weights: Sequence[Any], rows: Iterable[int]) -> npt.NDArray[np.float64] | None:
    """The weights of rows, 1 where none is given; ``None`` where no row at all, of any part, has one."""
    if all(one is None for one in weights):
        return None
    return np.array([1.0 if weights[k] is None else weights[k] for k in rows], dtype=np.float64)


def _parts(judge: BaseJudge, rows: Sequence[int], groups: Sequence[str]) -> list[Rows] | None:
    """The rows of each part; ``None`` where the judge must see all at once."""
    if not judge.learns_in_parts:
        return None
    whole = judge.keeps_questions_whole
    cuts, begun = [0], set[str]()
    for at, k in enumerate(rows):
        new = at == 0 or groups[k] != groups[rows[at - 1]]
        if whole and new:
            if groups[k] in begun:
                return None  # a question whose traces lie apart cannot lie within one part
            begun.add(groups[k])
        if at - cuts[-1] >= PART and (new or not whole):
            cuts.append(at)
    return [np.asarray(rows[a:b], dtype=np.intp) for a, b in zip(cuts, [*cuts[1:], len(rows)], strict=True)]


@checked
def fit_stream(
    judge: _J, lm: LanguageModel, traces: Iterable[Trace], labels: Iterable[Any], passes: Passes | None = None, *,
    chunk: int = 256
) -> _J:  # fmt: skip
    """Fit a judge on more traces than fit in memory: they are read ``chunk`` at a time, and their states dropped.

    CLUE and the difference of means learn what one ``fit`` on all of them would give, up to float error. The judge is
    one of these or a MiniBatchLogistic, is returned, and goes on from what it learned before: give a new one to start
    anew. ``traces`` and ``labels`` (whether each is correct) may be any iterables; of ``passes``, only ``batch_size``
    and ``markers`` are used. With ``CLUE(balance=True)`` a question must lie within one chunk, or ``partial_fit``
    refuses it: order the traces by question and take a multiple of the candidates. ``InnerjudgeError`` if the judge has
    no ``partial_fit``, or labels and traces differ in number.

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
        raise InnerjudgeError.of("judges.chunk", sizes[-1], sizes[0], chunk)
    passes, coming, known, own = passes or Passes(), iter(traces), iter(labels), lm.fingerprint
    readouts = [states_of(name) for name in judge.reads if name.startswith("hidden/")]
    roles = roles_of(readouts)
    while some := list(islice(coming, chunk)):
        encoded = [encode_trace(lm.tokenizer, t, markers=passes.markers, sampled_by=own, roles=roles) for t in some]
        features = extract(lm, encoded, readouts, batch_size=passes.batch_size)
        judge.partial_fit(features, list(islice(known, len(features))))
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
