"""What is kept of every token of the texts of a batch, of which ranges are made once the texts are complete."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence
from transformers import LogitsProcessor

from ...models.errors import UnreadableError
from ...models.loading import LanguageModel
from ...models.positions import Encoding
from ..batching import Batch
from ..one_pass import row_shape, with_normed
from ..ragged import Array, Ragged
from ..readouts import AttentionSpans, Carried, Lens, Paired, Ranged, ResponseLogProb, States, TokenStats
from ..taps.attention import require_heads
from ..taps.lens import LensStates, PartRecord, find_lens_parts, reading_parts
from ..taps.residual import RangeStates, Reading
from ..token_statistics import statistics, token_values
from .attention import AttentionRecord, attention_values, carries_attention
from .progress import BatchProgress, StepTap

#: Why a feature is missing that a pass over the finished text can still give.
UNNOTICED = "its token was not noticed while the text was written"


class TokenRecord(LogitsProcessor):
    """What :class:`.TokenStats` say of every token of ``n`` texts, from the raw logits of its step.

    ``whats`` are the statistics, the log-probability first; of tokens that were ``begun`` only that is given.
    """

    def __init__(self, n: int, begun: Sequence[Sequence[float]], whats: Sequence[str] = ("log_probability",)) -> None:
        self._n, self._whats = n, tuple(whats)
        self._raw, self._widths = torch.zeros(0), [1]
        self._begun = pad_sequence([torch.tensor(one) for one in begun or [[]] * n], batch_first=True)
        self._steps: list[Tensor] = []

    @classmethod
    def of_readouts(cls, readouts: Sequence[Carried], n: int, begun: Sequence[Sequence[float]]) -> "TokenRecord | None":
        """What these readouts ask for, if anything."""
        whats = [r.statistic for r in readouts if isinstance(r, TokenStats)]
        whats += ["log_probability"] if ResponseLogProb() in readouts else []
        return cls(n, begun, list(dict.fromkeys(("log_probability", *whats)))) if whats else None

    def __call__(self, _input_ids: Tensor, scores: Tensor) -> Tensor:
        """Hold the raw logits of a step."""
        self._raw = scores
        return scores

    def add(self, tokens: Tensor, present: Sequence[int]) -> None:
        """Add a step: ``tokens`` are what it wrote for each text in the batch."""
        raw, self._raw = self._raw, torch.zeros(0)
        if len(self._whats) == 1:  # the log-probability, in its cheapest form
            found = raw.gather(1, tokens[:, None]) - raw.logsumexp(1, keepdim=True)
        else:  # nobody reads the raw logits once the token is chosen: they may be overwritten
            named = statistics([raw], tokens, self._whats)
            columns = [named[what].view(len(tokens), -1) for what in self._whats]
            found, self._widths = torch.cat(columns, dim=1), [one.shape[1] for one in columns]
        every = found.new_zeros(self._n, found.shape[1])
        every[list(present)] = found
        self._steps.append(every)

    def of(self, ids: Sequence[Sequence[int]]) -> list[Tensor]:
        """Statistics of the tokens ``ids`` of every text, side by side: ``[len(ids[k]), C]`` each."""
        steps = [torch.stack(self._steps, dim=1).cpu()] if self._steps else []
        rows = torch.cat([pad(self._begun[..., None], (0, sum(self._widths) - 1)), *steps], dim=1)
        return [row[: len(some)] for row, some in zip(rows, ids, strict=True)]

    def named(self, rows: Tensor) -> dict[str, Tensor]:
        """Each statistic in ``rows [N, C]``: ``[N]``, or ``[N, k]``."""
        parts = zip(self._whats, rows.split(self._widths, dim=1), strict=True)
        return {what: part if TokenStats(what=what).top else part[:, 0] for what, part in parts}

    def sums(self, texts: Sequence[int], ids: Sequence[Sequence[int]]) -> Tensor:
        """Sum of the log-probabilities of ``ids``, and their number, for some texts: ``[len(texts), 2]``."""
        every = self.of(ids)
        return torch.tensor([[float(every[text][:, 0].sum()), len(ids[text])] for text in texts]).reshape(-1, 2)


def refusal(lm: LanguageModel, readout: Carried) -> UnreadableError | None:
    """Why the model does not give a readout in any pass, if it does not."""
    try:
        if isinstance(readout, AttentionSpans | Paired):
            require_heads(lm, lm.anatomy.heads, frozenset({readout.name}))
        if isinstance(readout, Lens):
            find_lens_parts(lm, readout)
    except UnreadableError as error:
        return error
    return None


def passes_by(lm: LanguageModel, readout: Carried) -> bool:
    """Whether what passes by while this model writes gives a readout."""
    plain = not isinstance(readout, AttentionSpans | Paired) or carries_attention(lm)
    return plain and refusal(lm, readout) is None


class RangeRecord(ExitStack):
    """What ranges read of every token of a batch of texts, after prompts ``items``, in the CPU's memory.

    It has hooks of its own while open.
    """

    def __init__(self, lm: LanguageModel, items: Sequence[Encoding], readouts: Sequence[Carried]) -> None:
        super().__init__()
        self._lm, self._starts, self._last = lm, [len(item.ids) for item in items], lm.anatomy.n_blocks
        chosen = [r.chosen(self._last + 2) for r in readouts if isinstance(r, States)]
        lenses = [r for r in readouts if isinstance(r, Lens)]
        self._parts = PartRecord(max((find_lens_parts(lm, r) for r in lenses), key=len, default=()))
        chosen += [list(range(1, self._last + 1))] if lenses else []
        self._rows = sorted({row for rows in chosen for row in rows})
        of_attention = [r for r in readouts if isinstance(r, AttentionSpans | Paired)]
        self._attention = AttentionRecord(lm, items, of_attention) if of_attention else None
        #: Whether it reads every token, the last one too.
        self.reads = bool(self._rows or of_attention)
        #: Of each text, from the last token of its prompt on, ``[R, W]`` each: rows of the stream, and parts of blocks.
        self._kept: list[list[Tensor]] = [[] for _ in items]

    def __enter__(self) -> Self:
        self.enter_context(reading_parts(self._lm.anatomy.stream, [self._parts]))
        self.enter_context(self._attention or nullcontext())
        return self

    def keep(self, tap: StepTap, texts: BatchProgress) -> None:
        """Keep what the latest step read, of the texts that were open."""
        if self._attention is not None and texts.open:
            self._attention.keep(texts.present)
        if self._rows and texts.open:
            places = [texts.present.index(text) for text in texts.open]
            read = tap.of(places)[:, :, -1]
            read = (with_normed(self._lm, read) if self._rows[-1] > self._last else read)[:, self._rows]
            if any(self._parts.parts):
                read = torch.cat((read, self._parts.newest()[places].to(read)), dim=1)
            for text, states in zip(texts.open, read.cpu(), strict=True):
                self._kept[text].append(states)

    @torch.inference_mode()
    def values(
        self, items: Sequence[Encoding], places: Sequence[int], readouts: Sequence[Ranged | Paired],
        missing: dict[str, dict[str, str]], record: TokenRecord | None, ids: Sequence[Sequence[int]]
    ) -> dict[str, Array | Ragged]:  # fmt: skip
        """Values of readouts of ranges, reduced as in a pass, of the texts at ``places`` (``ids`` of all texts).

        What was not noticed is put into ``missing``.
        """
        starts, values = [self._starts[place] for place in places], dict[str, Array | Ragged]()

        def find(tokens: Sequence[Sequence[int]], _whats: Sequence[str]) -> Mapping[str, Tensor]:
            assert record is not None  # it is asked for
            every, own = record.of(ids), zip(places, starts, tokens, strict=True)
            return record.named(torch.cat([every[p][[t - start for t in some]] for p, start, some in own]))

        if of_tokens := [r for r in readouts if isinstance(r, TokenStats)]:
            values |= token_values(items, of_tokens, missing, find)
        if of_attention := [r for r in readouts if isinstance(r, AttentionSpans | Paired)]:
            assert self._attention is not None  # it is asked for
            read = attention_values(self._attention, items, places, missing)
            values |= read or {}
            for name in [r.name for r in of_attention if read is None]:
                missing[name] = {item.id: UNNOTICED for item in items} | missing[name]
        if of_states := [r for r in readouts if isinstance(r, States | Lens)]:
            kept = pad_sequence([torch.stack(self._kept[p]) for p in places], batch_first=True)  # [n, T, R, W]
            none = torch.zeros(0)
            batch = Batch(none, none, torch.tensor([1 - start for start in starts]))
            of, total = Reading(self._lm, items, batch, missing, self._last), self._last + 2
            for r in of_states:
                one = LensStates(of, r) if isinstance(r, Lens) else RangeStates(of, r, r.chosen(total))
                rows = {row: kept[:, :, place] for place, row in enumerate(self._rows)}
                if isinstance(one, LensStates) and one.parts:
                    self._parts.give(kept[:, :, len(rows) :], one)
                else:
                    for row, states in rows.items():
                        one.keep(row, states)
                if isinstance(r, Lens):
                    one.finish(rows[self._last])
                values[r.name] = one.values(row_shape(self._lm, items, r, self._last))
        return values
