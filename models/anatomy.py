"""The parts of a causal LM that a reader needs, found from what its modules do in one short watched pass.

There is no table of model families. The blocks are the list of modules that the residual stream runs through; the final
norm is what the last block's output goes through inside the base model; the unembedding is ``get_output_embeddings()``;
what the model does to its logits after that is found by giving it known ones. All of it is checked against the hidden
states and the logits that the model itself returned.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from .blocks import NAME_THEM, Layout, Stream, find_stream
from .errors import InnerjudgeError, one_line
from .heads import Heads, find_heads, find_spread
from .inputs import context_of, find_position_offset
from .observation import TOKENS, Chain, Observation, follow, observe
from .unembedding import (
    IN_CODE,
    AttentionResiduals,
    Postprocessing,
    after_blocks,
    find_postprocessing,
    find_transform,
    known_logits,
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Anatomy:
    """Named parts and sizes of one model.

    ``final_norm`` is the identity in models that norm inside their blocks; ``final`` is the layout of its output.
    ``residuals`` mixes earlier states into the input of the final norm, ``transform`` is applied before the
    unembedding; nearly all models have neither. ``post`` is applied to the logits. ``heads`` lists the attentions of
    each block, none for a block without softmax attention (state space, delta net, recurrence). ``width`` counts all
    streams where several run in parallel. ``context`` is the longest input in tokens, ``None`` where the config gives
    none; position ids count from ``position_offset``, ``None`` for a model that takes none. ``spread`` is the number of
    processes over which tensor parallelism spreads the heads; ``heads`` are those of this process, while the head
    counts below are over all processes.
    """

    stream: Stream
    final_norm: nn.Module
    final: Layout
    residuals: AttentionResiduals | None
    transform: nn.Module
    unembedding: nn.Module
    post: Postprocessing
    heads: tuple[tuple[Heads, ...], ...]
    width: int
    context: int | None
    position_offset: int | None
    spread: int = 1

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        """The decoder blocks in the order in which they run."""
        return self.stream.blocks

    def __repr__(self) -> str:
        return f"Anatomy({self.n_blocks} blocks, width {self.width}, {self.n_heads} heads)"

    @property
    def n_blocks(self) -> int:
        """Number of decoder blocks, ``L``."""
        return len(self.stream.blocks)

    @property
    def n_heads(self) -> int:
        """Number of query heads in the block that has the most."""
        return self.spread * max((sum(one.n_heads for one in block) for block in self.heads), default=0)

    @property
    def n_kv_heads(self) -> int:
        """Number of key heads in the first attention."""
        return self.spread * next((one.n_kv_heads for block in self.heads for one in block), 0)

    @property
    def head_dim(self) -> int:
        """Size of a head of the first attention; not always ``width / n_heads``."""
        return next((one.head_dim for block in self.heads for one in block), 0)

    def on_norm(self, states: Tensor) -> Tensor:
        """Move states to the device of the final norm: a model may be spread over several."""
        weight = next(iter((*self.final_norm.parameters(), *self.unembedding.parameters())), None)
        return states if weight is None or weight.is_meta else states.to(weight.device)

    def leaving(self, states: Tensor) -> Tensor:
        """What the final norm reads if the model ends after each block: rows ``h[0..l]``, ``[B, l + 1, ..., width]``.

        The rows themselves, except in models whose blocks attend to the states of earlier ones.
        """
        if self.residuals is None:
            return states
        mix, every = self.residuals, self.on_norm(states).unbind(1)
        rows = [mix([every[k] for k in mix.numbers if k < number], own) for number, own in enumerate(every)]
        return torch.stack(rows, dim=1)

    def normed(self, states: Tensor) -> Tensor:
        """Apply the final norm to rows from :meth:`leaving`: ``[..., width] -> [..., D]``."""
        shaped = self.stream.layout.shaped(self.on_norm(states.flatten(0, -2)), self.stream.shape)
        end = self.final_norm(shaped)
        return end.movedim((self.final.items, self.final.tokens), (0, 1)).reshape(*states.shape[:-1], -1)  # type: ignore[no-any-return]

    @property
    def by_columns(self) -> bool:
        """Whether logits of a part of the vocabulary can be had alone; else only the module knows its rows."""
        weight = self._head[0]
        plain = type(self.unembedding) is nn.Linear and type(weight) in (nn.Parameter, Tensor)
        offloaded = hasattr(self.unembedding, "_hf_hook")  # by accelerate: the weight comes when the module runs
        return plain and weight.is_floating_point() and not offloaded

    def logits(self, states: Tensor, columns: slice | None = None) -> Tensor:
        """Logits, in fp32, of all tokens from final-normed states: ``[..., D] -> [..., vocabulary]``.

        Only those of ``columns``, if they are given and :attr:`by_columns` is true.
        """
        states = self.transform(states.to(self._dtype))
        rows = states.reshape(-1, states.shape[-1])  # quantised ones take no more than three axes
        if columns is None or not self.by_columns:
            found = self.unembedding(rows)[..., : self.post.size]
        else:
            weight, bias = self._head
            found = linear(rows.to(weight.device), weight[columns], None if bias is None else bias[columns])
        return self.post(found.float(), columns).view(*states.shape[:-1], -1)

    def label_logits(self, states: Tensor, ids: Tensor) -> Tensor:
        """Logits of a few tokens per item, in fp32: states ``[B, ..., D]``, ids ``[B, M]`` -> ``[B, ..., M]``."""
        wide = ids.view(ids.shape[0], *[1] * (states.ndim - 2), ids.shape[1]).to(states.device)
        if not self.by_columns:
            every = self.logits(states)
            return every.gather(-1, wide.to(every.device).expand(*states.shape[:-1], -1))
        weight, bias = self._head
        states = self.transform(states.to(self._dtype)).to(weight.device)
        ids, wide = ids.to(weight.device), wide.to(weight.device)
        logits = torch.einsum("b...d,bmd->b...m", states.float(), weight[ids].float())
        if bias is not None:
            logits = logits + bias[wide].float()
        return self.post(logits, wide)

    @property
    def _head(self) -> tuple[Any, Any]:
        """Weight and bias of the unembedding, where it has them."""
        return getattr(self.unembedding, "weight", None), getattr(self.unembedding, "bias", None)

    @property
    def _dtype(self) -> torch.dtype:
        weight = next((p for p in self.unembedding.parameters() if p.is_floating_point()), None)
        return torch.float32 if weight is None else weight.dtype


@torch.no_grad()
def find_anatomy(
    model: Any, *, blocks: str | None = None, final_norm: str | None = None, unembedding: str | None = None
) -> Anatomy:
    """Find the parts of ``model``; ``blocks``, ``final_norm`` and ``unembedding`` name them if they are not recognised.

    ``InnerjudgeError`` if a part is not found, or the parts do not reproduce the model's hidden states and logits.
    """
    family = type(model).__name__
    named = {path: _named(model, path) for path in (blocks, final_norm, unembedding) if path}
    head = named[unembedding] if unembedding else model.get_output_embeddings()
    if not isinstance(head, nn.Module) or isinstance(head, nn.ModuleList):
        raise InnerjudgeError.of("models.head", family, type(head).__name__, NAME_THEM)
    with known_logits(head):
        seen = observe(model)
    seen.logits, known = seen.logits[:-1], seen.logits[-1]
    stream, states = find_stream(model, seen, head, named[blocks] if blocks else None)
    inside, outside = after_blocks(seen, stream, head)
    residuals = next((AttentionResiduals(m) for m in model.modules() if type(m).__name__ == "Inkling2TextModel"), None)
    end = states[-1] if residuals is None else residuals([states[k] for k in residuals.numbers], states[-1])
    chain = follow(end, inside)
    code = next((IN_CODE[n](m) for m in model.modules() if (n := type(m).__name__) in IN_CODE), None)
    module = named[final_norm] if final_norm else code
    if module is not None:
        chain = Chain((module,), module(end))
    # As the stream lies, unless parallel streams became one.
    final = stream.layout if chain.end.ndim == states[-1].ndim else Layout(0, 1, stream.layout.prefix)
    heads = find_heads(model, seen, stream)
    anatomy = Anatomy(
        stream=stream,
        final_norm=chain.module,
        final=final,
        residuals=residuals,
        transform=find_transform(final.all_rows(chain.end, TOKENS), outside, seen, head),
        unembedding=head,
        post=find_postprocessing(model, known),
        heads=heads,
        width=stream.width,
        context=context_of(model.config.get_text_config(decoder=True)),
        position_offset=find_position_offset(model, stream, seen, states),
        spread=find_spread(model, heads),
    )
    _check(anatomy, end, seen, family)
    return anatomy


def _named(model: nn.Module, path: str) -> Any:
    try:
        return model.get_submodule(path)
    except AttributeError as error:
        raise InnerjudgeError.of("models.path", path, one_line(error)) from None


def _check(anatomy: Anatomy, end: Tensor, seen: Observation, family: str) -> None:
    """The parts must give what the model itself returned for the watched pass."""
    logits = seen.logits.float()
    finite = logits[logits.isfinite()]
    if not len(finite):
        raise InnerjudgeError.of("models.no-numbers", family)
    try:
        rows = anatomy.stream.layout.all_rows(end, TOKENS)[: len(logits)]
        lens = anatomy.logits(anatomy.normed(rows)).to(logits.device)
    except (RuntimeError, ValueError, TypeError, IndexError):
        lens = logits[..., :0]
    scale = float(finite.abs().max().clamp(min=1.0))
    tolerance = 1e-3 if logits.dtype == torch.float32 and end.dtype == torch.float32 else 5e-2
    if lens.shape != logits.shape or not bool(((lens - logits).abs() <= tolerance * scale).all()):
        raise InnerjudgeError.of("models.other-logits", family, NAME_THEM)
