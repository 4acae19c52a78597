"""One batch of texts written with transformers' ``generate``; prompts that several of them share are read once."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from transformers import Cache, DynamicCache, GenerationConfig
from transformers.generation.logits_process import LogitsProcessor, LogitsProcessorList
from transformers.generation.stopping_criteria import StoppingCriteria, StoppingCriteriaList

from ...models.blocks import StopAfter
from ...models.caching import CANNOT_SHARE
from ...models.inputs import alike, last_states, position_inputs
from ...models.loading import LanguageModel
from ...models.observation import probe_ids
from ...models.positions import Encoding
from ..batching import collate
from .prefix_cache import prefix_cache
from .progress import StepTap

log = logging.getLogger(__name__)
#: Tokens that are written to try a model.
_PROBED = 3
#: Model -> (share, leave) -> whether its texts read the same then (:func:`_reads_alike`).
_tried: WeakKeyDictionary[Any, dict[tuple[bool, bool], bool]] = WeakKeyDictionary()


@torch.inference_mode()
def decode(
    lm: LanguageModel, items: Sequence[Encoding], limit: int, *, temperature: float = 0.0, keys: Sequence[int] = (),
    begun: Sequence[Sequence[int]] = (), ends: frozenset[int] = frozenset(), criteria: Sequence[StoppingCriteria] = (),
    processors: Sequence[LogitsProcessor] = (), tap: StepTap | None = None, share: bool | None = None,
    staying: Callable[[], Sequence[int] | None] | None = None, forced: Callable[[], Mapping[int, int]] | None = None
) -> list[list[int]]:  # fmt: skip
    """New token ids of every item, padded after its end token for as long as it stayed in the batch.

    ``limit`` is the most, including ids ``begun`` earlier: the same number for each text, not part of the result.

    At a ``temperature`` each item draws by its number in ``keys`` (by its place, if there are none) and the number of
    the step, whatever else is in the batch. ``criteria`` may stop texts after every step, as the end tokens ``ends``
    do; ``processors`` get the raw logits of a step, before the temperature; ``tap`` keeps its states. ``share`` says
    whether equal prompts are read once; ``None``: where that changes nothing but float error, and then common
    beginnings of prompts as well. ``staying`` is called when all texts were stopped: it returns the rows of the batch,
    in order, that go on in a smaller one, or ``None``. ``forced`` gives, at every step, the tokens of rows that have no
    choice.

    Ids beyond those of the tokenizer, which only pad the vocabulary, are never written.
    """
    n = len(begun[0]) if begun else 0
    items = [replace(item, ids=(*item.ids, *ids)) for item, ids in zip(items, begun, strict=True)] if n else items
    limit -= n
    batch = collate(items, pad_id=lm.pad_id, side="left", device=lm.device)
    more: dict[str, Any] = {"do_sample": False}
    present, written = list(range(len(items))), [list[int]() for _ in items]
    if lm.n_known < lm.n_ids or forced is not None:
        processors = [*processors, Writable(lm.n_known, forced or dict)]
    if staying is not None:
        more["return_dict_in_generate"] = True
    if temperature:
        processors = [*processors, Draws(temperature, keys or range(len(items)), present, n)]
    lm.mixing.restart(lm.model)
    equal = len(distinct(items)[0]) < len(items) and batch.ids.shape[1] > 1
    equal = equal and lm.mixing.fixed(batch.ids.shape[1], limit)
    if equal and (hands_on_prompts(lm) if share is None else share):
        more["past_key_values"] = _read_once(lm, items, tap)
    elif tap is not None:
        tap.expect(tap.columns(range(len(items)), batch.offsets, batch.ids.shape[1]))
    elif share is None and len(items) > 1 and (cache := prefix_cache(lm, items, limit)) is not None:
        more["past_key_values"] = cache
    # What the model's own config sets (a repetition penalty, say) would fill in for whatever is not named here.
    own, lm.model.generation_config = lm.model.generation_config, GenerationConfig()
    try:
        run: Any = lm.model.generate  # its decorators hide the signature
        ids, mask = batch.ids, batch.mask
        while True:
            output: Any = run(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=limit,
                pad_token_id=lm.pad_id,
                eos_token_id=sorted(ends) or None,
                stopping_criteria=StoppingCriteriaList(criteria),
                logits_processor=LogitsProcessorList(processors),
                **more,
            )
            texts: Tensor = output if staying is None else output.sequences
            new = texts[:, ids.shape[1] :]
            for row, tokens in zip(present, new.tolist(), strict=True):
                written[row] += tokens
            limit -= new.shape[1]
            stay = None if staying is None else staying()
            if stay is None or not limit:
                return written
            keep = torch.tensor(stay, device=lm.device)
            output.past_key_values.batch_select_indices(keep)
            more["past_key_values"] = output.past_key_values
            ids, mask = texts[keep], torch.cat((mask, torch.ones_like(new)), dim=1)[keep]
            present[:] = [present[k] for k in stay]
    finally:
        lm.model.generation_config = own


def end_ids(lm: LanguageModel) -> frozenset[int]:
    """Tokens that end a text, by the model's generation config and the tokenizer."""
    configured = getattr(lm.model.generation_config, "eos_token_id", None)
    ids = configured if isinstance(configured, list) else [configured]
    return frozenset(i for i in (*ids, lm.tokenizer.eos_token_id) if isinstance(i, int))


def distinct(items: Sequence[Encoding]) -> tuple[list[int], list[int]]:
    """The first row with each distinct prompt of a batch, and which of those prompts each item has."""
    first: dict[tuple[int, ...], int] = {}
    for row, item in enumerate(items):
        first.setdefault(item.ids, row)
    places = {ids: place for place, ids in enumerate(first)}
    return list(first.values()), [places[item.ids] for item in items]


def _known(lm: LanguageModel, *, share: bool, leave: bool = False) -> bool:
    """:func:`_reads_alike`, tried once a model."""
    known = _tried.setdefault(lm.model, {})
    if (share, leave) not in known:
        known[share, leave] = _reads_alike(lm, share=share, leave=leave)
        if share and not known[share, leave]:
            log.info("%s: the cache of a prompt cannot be shared, each text reads its own", type(lm.model).__name__)
    return known[share, leave]


#: Whether texts of a model that go on from a shared cache come out as they would without one.
hands_on_prompts = partial(_known, share=True)
#: Whether a text of a model goes on unchanged when others leave its batch.
leaves_batches = partial(_known, share=False, leave=True)
#: Whether the states of each step of a model's generation are those of one pass over the whole text.
carries_states = partial(_known, share=False)


def _read_once(lm: LanguageModel, items: Sequence[Encoding], tap: StepTap | None) -> Cache:
    """Cache of all tokens but the last of each prompt, handed to every item; the head is not run."""
    first, rows = distinct(items)
    batch = collate([items[k] for k in first], pad_id=lm.pad_id, side="left", device=lm.device)
    ids, mask, width = batch.ids[:, :-1], batch.mask[:, :-1], batch.ids.shape[1]
    cache = DynamicCache(config=lm.model.config.get_text_config(decoder=True))
    given: dict[str, Any] = {"input_ids": ids, "attention_mask": mask, "past_key_values": cache, "use_cache": True}
    if tap is not None:
        tap.expect(tap.columns(first, batch.offsets, width)[:, :-1].clamp(max=width - 2))
    with StopAfter(lm.anatomy.stream):
        lm.model(**given, **position_inputs(mask, lm.anatomy.position_offset))
    if cache.get_seq_length() != width - 1:
        raise ValueError("this cache does not count the tokens that it holds")
    if tap is not None:
        tap.hand_on(rows)
    place: Any = torch.tensor(rows, device=lm.device)
    cache.reorder_cache(place)
    return cache


class _Newest(StoppingCriteria):
    """Collects the state of the newest token after the last block, step by step."""

    def __init__(self, tap: StepTap, *, leave: bool) -> None:
        self.tap, self.leave, self.states = tap, leave, list[Tensor]()

    def __call__(self, input_ids: Tensor, _scores: Any, **_: Any) -> Tensor:
        self.states.append(self.tap.of(range(len(input_ids)))[:, -1, -1])
        self.tap.expect()
        ends = self.leave and len(self.states) == 1
        return torch.full((len(input_ids),), ends, dtype=torch.bool, device=input_ids.device)


def _reads_alike(lm: LanguageModel, *, share: bool, leave: bool = False) -> bool:
    """Write a few tokens and compare the states of each step with those of a pass over the whole text.

    Two texts with one prompt; or, where one is to ``leave`` after its first token, the other of them.
    """
    a = lm.anatomy
    prompts = [tuple(row) for row in probe_ids(lm.model).tolist()]
    items = [Encoding(id="", group="", ids=prompts[k if leave else 0], positions={}) for k in range(2)]
    tap = StepTap(a, [()] * 2)
    newest = _Newest(tap, leave=leave)
    asked = iter([[1]])
    try:
        with tap, lm.uncompiled():
            staying = (lambda: next(asked, None)) if leave else None
            written = decode(lm, items, _PROBED, criteria=[newest], tap=tap, share=share, staying=staying)
        texts = [[*item.ids, *row] for item, row in zip(items, written, strict=True)][1 if leave else 0 :]
        whole = torch.tensor(texts, device=lm.device)
        mask = torch.ones_like(whole)
        expected = last_states(lm.model, a.stream, whole, mask, **position_inputs(mask, a.position_offset))
    except CANNOT_SHARE:
        return False
    found = torch.stack([states[-len(texts) :] for states in newest.states], dim=1)
    return expected is not None and alike(found.to(expected.device), expected[:, len(items[0].ids) - 1 : -1])


class Writable(LogitsProcessor):
    """Forbids ids beyond the ``n`` that the tokenizer can write, and in ``forced`` rows all tokens but one."""

    def __init__(self, n: int, forced: Callable[[], Mapping[int, int]] = dict) -> None:
        self._n, self._forced = n, forced

    def __call__(self, _input_ids: Any, scores: Tensor) -> Tensor:
        """``[B, vocabulary]`` logits."""
        left = scores.clone()
        left[:, self._n :] = -torch.inf
        for row, token in self._forced().items():
            left[row] = torch.where(torch.arange(left.shape[1], device=left.device) == token, 0.0, -torch.inf)
        return left


class Draws(LogitsProcessor):
    """Turns logits into scores whose largest entry is a random draw, for a ``generate`` that takes the largest.

    ``torch.multinomial`` draws one token per row in the same way: it divides by exponentially distributed noise. Here
    the noise of a row depends on its own number in ``keys`` and the number of the step (the next is ``step``), so that
    a text draws the same whichever others are ``present`` (their places in ``keys``; the caller removes those that
    leave).

    Example:
        >>> logits, rows = torch.randn(3, 7), [0, 1, 2]
        >>> whole = Draws(0.5, [11, 12, 13], rows)(None, logits).argmax(-1)
        >>> bool(Draws(0.5, [13], [0])(None, logits[[2]]).argmax(-1) == whole[2])
        True
    """

    def __init__(self, temperature: float, keys: Sequence[int], present: Sequence[int], step: int = 0) -> None:
        self._temperature, self._keys, self._present, self._step = temperature, keys, present, step

    def __call__(self, _input_ids: Any, scores: Tensor) -> Tensor:
        """``[B, vocabulary]`` logits of the texts that are present."""
        noise, random = torch.empty_like(scores), torch.Generator(scores.device)
        for row, place in zip(noise, self._present, strict=True):
            told = blake2b(f"{self._keys[place]} {self._step}".encode(), digest_size=7)
            row.exponential_(1, generator=random.manual_seed(int.from_bytes(told.digest())))
        self._step += 1
        return (scores / self._temperature).softmax(-1) / noise
