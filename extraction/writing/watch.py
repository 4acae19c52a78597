"""What is kept of a batch of texts while ``generate`` writes them, and the features made from it."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from itertools import product
from typing import Any

import torch
from torch import Tensor
from transformers import StoppingCriteria

from ...models.blocks import StopAfter
from ...models.errors import InnerjudgeError
from ...models.loading import LanguageModel
from ...models.positions import Encoding
from ...models.roles import Role
from ..extract import lacking
from ..features import Features
from ..one_pass import with_normed
from ..provenance import provenance
from ..readouts import Carried, HiddenStates, Paired, Ranged, ResponseLogProb, TokenStats
from .checks import Exit, RangeWatch
from .decoding import decode, end_ids, hands_on_prompts, leaves_batches
from .drafts import Draft
from .progress import BatchProgress, MarkerWatch, StateRecord, marker_ids
from .ranges import UNNOTICED, RangeRecord, TokenRecord, passes_by

#: Asked about texts whose newest token ended a marker or a range -> why each is to be stopped or to exit, or ``None``.
Ask = Callable[["Watch", Sequence[int]], Sequence[str | Exit | None]]


class Watch(StoppingCriteria):
    """Follows every text of a batch, and keeps the states of the few tokens that a readout may name.

    Where ranges are read, which are known once a text is complete, it keeps what they read of every token. The
    states of a token are read by the step after it. Those of a text's last token (if they are wanted) take a step
    of their own, through the blocks alone, if the limit ended the text and not an end token. Nothing is kept of the
    padding after a text (of attention until the batch ends). ``ask`` is asked at tokens that end a marker or a
    range of ``roles``, whose answers act as :func:`.write_and_read` says.

    With ``drafts`` (all closed, or all open and of one length) the texts go on from there. ``keep`` is called after
    every step but the last with a function that returns the texts so far.
    """

    def __init__(
        self, lm: LanguageModel, items: Sequence[Encoding], *, limit: int, markers: tuple[str, str],
        readouts: Sequence[Carried], ask: Ask | None = None, roles: Sequence[Role] = (), drafts: Sequence[Draft] = (),
        keep: Callable[[Callable[[], list[Draft]]], None] | None = None
    ) -> None:  # fmt: skip
        self.lm, self.prompts, self.limit, self._ends = lm, items, limit, end_ids(lm)
        #: Readouts of ranges that are kept: for others, and in texts begun earlier, texts are read again.
        self.kept = [r for r in readouts if isinstance(r, Ranged | Paired) and not drafts and passes_by(lm, r)]
        self.spans = RangeRecord(lm, items, self.kept)
        if self.spans.reads:
            hands_on_prompts(lm)  # tried now: with hooks its passes would be taken for those of the batch
        self.ask, self._keep = ask, keep
        self._last = self.spans.reads or HiddenStates("response_end") in readouts
        self.record = StateRecord(lm.anatomy, items, drafts)
        self.log_probs = TokenRecord.of_readouts(readouts, len(items), [one.log_probs for one in drafts])
        self.markers = [MarkerWatch(lm.tokenizer, markers) for _ in items]
        self.ranges = [RangeWatch(lm.tokenizer, roles, markers[1], item) for item in items]
        #: Texts whose newest token ended a marker, and those of which it ended a range.
        self.marked, self.passing = set[int](), set[int]()
        self._leaves = ask is not None and len(items) > 1 and leaves_batches(lm)
        self.texts, self._tail = BatchProgress(len(items), self._ends, lm.device), ExitStack()
        self.closing: list[int] = []
        if roles:
            with suppress(InnerjudgeError):  # it cannot be written; who lets texts exit has asked before
                self.closing = marker_ids(lm.tokenizer, markers[1])
        for text, draft in enumerate(drafts):
            _take_up(self, text, draft)

    @torch.inference_mode()
    def run(self, temperature: float, keys: Sequence[int] = ()) -> None:
        """Write the texts; ``keys`` are the numbers that they draw by."""
        processors = [] if self.log_probs is None else [self.log_probs]
        with self.record.tap, self.spans, self._tail, self.lm.uncompiled():
            decode(
                self.lm,
                self.prompts,
                self.limit + 1,  # the step that reads the last token stops before it writes another
                temperature=temperature,
                keys=keys,
                begun=self.texts.ids,
                ends=self._ends,
                criteria=[self],
                processors=processors,
                tap=self.record.tap,
                staying=self.texts.shrink if self._leaves else None,
                forced=self.texts.forced_next if self.closing else None,
            )
        if self.texts.open:
            self.passing = set()  # what ends where the limit does is not worth asking
            self.record.keep_newest(self.texts.open, self.texts)
            _act(self)

    def __call__(self, input_ids: Tensor, _scores: Any, **_: Any) -> Tensor:
        """After every step: ``input_ids`` end with the tokens that it wrote, and the tap holds what it read."""
        texts, newest = self.texts, input_ids[:, -1]
        tokens = dict(zip(texts.present, newest.tolist(), strict=True))
        if not self.record.states[0]:
            self.record.keep_prompts(texts)
        ending = {row for row in texts.open if self._last and tokens[row] in self._ends}
        going = {row for row in self.passing if row in texts.open and tokens[row] not in self._ends}
        self.passing = {row for row in going if self.ranges[row].ends(texts.ids[row], tokens[row])}
        self.record.keep_newest(sorted(self.marked | self.passing | ending), texts)
        _act(self)
        texts.begin_closing(newest, tokens, self.closing)
        if self.log_probs is not None:
            self.log_probs.add(newest, texts.present)
        written = [row for row in list(texts.open) if texts.add(row, tokens[row])]
        self.marked = {row for row in written if self.markers[row].ends_marker(texts.ids[row])}
        self.passing = {row for row in written if not texts.said[row] and self.ranges[row].may_end(texts.ids[row])}
        at_end = bool(texts.open) and len(texts.ids[texts.open[0]]) == self.limit
        if at_end:
            for row in [row for row in texts.open if not self._last and row not in self.marked]:
                texts.close(row)
            if texts.open:
                self._tail.enter_context(StopAfter(self.lm.anatomy.stream))
        self.record.tap.expect()
        texts.leaving = self._leaves and not at_end and texts.few()
        if self._keep is not None and not at_end:
            self._keep(lambda: drafts_of(self))
        return torch.ones_like(newest, dtype=torch.bool) if texts.leaving else texts.done()


def _act(watch: Watch) -> None:
    """Keep what ranges read of the newest tokens, and ask about the texts where one ended a marker or a range."""
    watch.spans.keep(watch.record.tap, watch.texts)
    texts, limit = watch.texts, watch.limit - len(watch.closing) - 1  # a token is left for the answer
    rows = [row for row in texts.open if row in watch.marked | watch.passing and not texts.said[row]]
    for row, said in zip(rows, watch.ask(watch, rows) if watch.ask and rows else [None] * len(rows), strict=True):
        inside = row in watch.passing and watch.ranges[row].reasoning and len(texts.ids[row]) <= limit
        texts.act(row, said, watch.closing if inside else ())
        if row in texts.open and row not in watch.marked:  # it was only looked at
            watch.record.forget_newest(row, texts)


def drafts_of(watch: Watch) -> list[Draft]:
    """The texts of a batch as they are now."""
    texts, log_probs = watch.texts, watch.log_probs or TokenRecord(len(watch.ranges), ())
    return [
        Draft(
            ids=texts.ids[k],
            closed=k not in texts.open or len(texts.ids[k]) == watch.limit,
            finished=texts.finished[k],
            said=texts.said[k],
            positions=dict(watch.ranges[k].positions),
            log_probs=steps[:, 0].tolist(),
            kept=list(watch.record.states[k]),
            forced=texts.forced[k],
            marked=k in watch.marked,
            passing=k in watch.passing,
        )
        for k, steps in enumerate(log_probs.of(texts.ids))
    ]


def _take_up(watch: Watch, text: int, draft: Draft) -> None:
    texts = watch.texts
    texts.ids[text], texts.finished[text], texts.said[text] = list(draft.ids), draft.finished, dict(draft.said)
    watch.ranges[text].positions = {role: tuple(at) for role, at in draft.positions.items()}
    if draft.closed:
        return texts.close(text)
    texts.forced[text] = list(draft.forced)
    watch.marked |= {text} if draft.marked else set()
    watch.passing |= {text} if draft.passing else set()
    for n in range(len(draft.ids)):
        watch.markers[text].ends_marker(draft.ids[: n + 1])


def watched_features(
    watch: Watch, items: Sequence[Encoding], places: Sequence[int], readouts: Sequence[Carried]
) -> Features:
    """The features of some texts of a watched batch, at ``places`` of it, as far as they are written.

    What was not kept of ranges is missing as :data:`UNNOTICED`.
    """
    missing = {r.name: lacking(r, items, watch.lm) for r in readouts}
    kept_ranges = [r for r in watch.kept if r in readouts]
    for lost in (r for r in readouts if isinstance(r, Ranged | Paired) and r not in watch.kept):
        missing[lost.name] = dict.fromkeys((item.id for item in items), UNNOTICED)
    for one, (place, item) in product(kept_ranges, zip(places, items, strict=True)):
        start = len(watch.prompts[place].ids) - (not isinstance(one, TokenStats))
        if any(begin < start for begin, _ in item.places(one.roles[0])):  # in the prompt
            missing[one.name].setdefault(item.id, UNNOTICED)
    found = watch.spans.values(items, places, kept_ranges, missing, watch.log_probs, watch.texts.ids)
    for readout in readouts:
        reasons = missing[readout.name]
        if isinstance(readout, Ranged | Paired):
            continue
        if isinstance(readout, ResponseLogProb):
            assert watch.log_probs is not None  # it is asked for
            values = watch.log_probs.sums(places, watch.texts.ids).numpy()
        else:
            at = {item.id: item.positions[readout.position][0] for item in items if item.id not in reasons}
            kept = [watch.record.states[p].get(at.get(item.id, -1)) for p, item in zip(places, items, strict=True)]
            for item, states in zip(items, kept, strict=True):
                if states is None:
                    reasons.setdefault(item.id, UNNOTICED)
            values = _rows(watch.lm, kept).numpy()
        values[[item.id in reasons for item in items]] = 0
        found[readout.name] = values
    return Features.of_items(items, provenance(watch.lm), found, missing=missing)


@torch.inference_mode()
def _rows(lm: LanguageModel, kept: Sequence[Tensor | None]) -> Tensor:
    """``h[0..L]`` and the final-normed state of each text, ``[n, L + 2, W]`` in fp32; zeros where there is none."""
    values = torch.zeros(len(kept), lm.anatomy.n_blocks + 2, lm.anatomy.width)
    if there := [k for k, states in enumerate(kept) if states is not None]:
        found = torch.stack([states for states in kept if states is not None])
        values[there] = with_normed(lm, found).float().cpu()
    return values
