"""One batch of texts, and what a text that a model wrote is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import StoppingCriteria

from ...models.loading import LanguageModel
from ...models.positions import Encoding
from ...models.tokens import decoded
from .decoding import decode

#: Given the number of an item and its text so far -> whether nothing more of it is wanted.
Settled = Callable[[int, str], bool]


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model wrote after one prompt: ``ids`` without the end token, and the ``text`` that they are.

    ``finished`` says whether the model ended by itself, ``rejected`` why it was stopped before that.
    """

    ids: tuple[int, ...]
    text: str
    finished: bool
    rejected: str | None = None


def write_batch(
    lm: LanguageModel,
    items: Sequence[Encoding],
    rows: Sequence[int],
    limit: int,
    *,
    temperature: float = 0.0,
    settled: Settled | None = None,
    after_prompts: Callable[[], None] | None = None,
) -> list[Completion]:
    """What the model writes after the items at ``rows``, one batch, at most ``limit`` tokens each.

    ``settled`` as in :func:`complete`. ``after_prompts`` is called when the whole prompts have been read, by one pass;
    they are not read in parts then.
    """
    ends = end_ids(lm)
    stop = _Stop(lm, rows, ends, settled, after_prompts)
    chosen = [items[k] for k in rows]
    share = None if after_prompts is None else False
    asked = [] if settled is None and after_prompts is None else [stop]
    written = decode(lm, chosen, limit, temperature=temperature, ends=ends, criteria=asked, share=share)
    texts = []
    for place, ids in enumerate(written):
        end = next((n for n, token in enumerate(ids) if token in ends), None)
        cut = stop.lengths.get(place, len(ids) if end is None else end)
        texts.append(completion(lm, ids[:cut], finished=end is not None and cut == end))
    return texts


class _Stop(StoppingCriteria):
    """Ends each text of a batch where it is settled, and says when the prompts have been read."""

    def __init__(
        self,
        lm: LanguageModel,
        rows: Sequence[int],
        ends: frozenset[int],
        settled: Settled | None,
        after_prompts: Callable[[], None] | None,
    ) -> None:
        self._lm, self._rows, self._ends = lm, rows, ends
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
        if self._settled is not None:
            new: list[list[int]] = input_ids[:, -self._written :].tolist()
            self._open = [k for k in self._open if new[k][-1] not in self._ends]
            for k in self._open:
                if self._settled(self._rows[k], decoded(self._lm.tokenizer, new[k])):
                    self.lengths[k] = self._written
            self._open = [k for k in self._open if k not in self.lengths]
            done[list(self.lengths)] = True
        return done


def completion(lm: LanguageModel, ids: Sequence[int], *, finished: bool, rejected: str | None = None) -> Completion:
    """What was written, decoded."""
    return Completion(tuple(ids), decoded(lm.tokenizer, list(ids)), finished, rejected)


def end_ids(lm: LanguageModel) -> frozenset[int]:
    """Tokens that end a text, by the model's generation config and the tokenizer."""
    configured = getattr(lm.model.generation_config, "eos_token_id", None)
    ids = configured if isinstance(configured, list) else [configured]
    return frozenset(i for i in (*ids, lm.tokenizer.eos_token_id) if isinstance(i, int))
