"""The attention heads of every block (number, size, grouping, rotation), found from the watched pass."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from .attention_calls import AttentionCall
from .blocks import Stream, same
from .inputs import alike
from .observation import ITEMS, TOKENS, ModuleCall, Observation, multiple, observe
from .rotary import Rotation, before_rotation


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """Softmax attention of one block; query head ``h`` reads key head ``h // (n_heads // n_kv_heads)``.

    ``head_dim`` is the size of a query and of a key, in latent attention of both parts together. ``registered``: it
    uses transformers' attention registry; else it is recognised by its softmax. ``window`` is the number of tokens that
    a query sees, itself included. With ``sinks`` the softmax has a learned sink beside the keys, so that weights sum to
    less than 1. ``factor`` is what the model multiplies queries and keys by instead of scaling the products; it is
    divided out. ``token_keys``: there is one key per token, neither compressed nor hashed. ``unreadable`` says why no
    product of queries and keys can be read. ``query_norm`` and ``key_norm`` are norms with weights between the rotary
    embedding and the attention, nearly always ``None``. ``output`` is the module that reads the heads' outputs, side by
    side.
    """

    n_heads: int
    n_kv_heads: int
    head_dim: int
    registered: bool
    rotary: bool
    window: int | None = None
    softcap: float | None = None
    sinks: bool = False
    factor: float = 1.0
    token_keys: bool = True
    unreadable: str = ""
    query_norm: nn.Module | None = None
    key_norm: nn.Module | None = None
    output: nn.Module | None = None


def find_heads(model: Any, seen: Observation, stream: Stream) -> tuple[tuple[Heads, ...], ...]:
    """Attentions of each block in the order in which they ran; none in a block without softmax attention."""
    blocks, tokens, found = set(stream.blocks), TOKENS + stream.layout.prefix, []
    promised = any("rotary" in type(call.module).__name__.lower() for call in seen.calls)  # cosines and sines
    known = bool(seen.rotations) or not promised or _knows_no_positions(model, seen)
    for block in sorted((c for c in seen.calls if c.module in blocks), key=lambda call: call.start):
        heard = [(at, call) for at, call in seen.attention if block.start <= at <= block.end]
        heard = [(at, call) for at, call in heard if call.kernel != "products"] or heard
        rotations = [r for at, r in seen.rotations if block.start <= at <= block.end]
        calls = [(at, c) for k, (at, c) in enumerate(heard) if not repeats(c, [other for _, other in heard[:k]])]
        inner = [c for c in seen.calls if block.start < c.start < block.end]
        found.append(tuple(_heads(at, c, rotations, inner, tokens, known) for at, c in calls if of_text(c, ITEMS)))
    return tuple(found)


def token_keys(call: AttentionCall, tokens: int, at: Tensor | None = None, *, lent: int = 0) -> bool:
    """Whether the keys after the ``lent`` ones begin with one for each of ``tokens`` tokens, not compressed or hashed.

    With more keys than tokens the mask decides: each token (or that at ``at``, ``[B]``) sees its own key, none later.
    """
    if call.query.shape[-2] != tokens or (call.key is not None and call.key.shape[-2] < lent + tokens):
        return False
    if call.key is None or call.key.shape[-2] == lent + tokens:
        return True
    if not isinstance(call.mask, Tensor) or call.mask.ndim != 4:
        return False
    square = call.mask[..., :tokens, lent : lent + tokens].expand(call.query.shape[0], -1, -1, -1)[:, 0]
    visible = square if square.dtype == torch.bool else square > torch.finfo(square.dtype).min / 2
    order = torch.arange(tokens, device=visible.device)
    own, later = (order[:, None] == order).expand_as(visible), (order[:, None] < order).expand_as(visible)
    if at is not None:
        rows = torch.arange(visible.shape[0], device=visible.device)
        visible, own, later = (part[rows, at.to(visible.device)] for part in (visible, own, later))
    return bool(visible[own].all()) and not bool(visible[later].any())


def repeats(call: AttentionCall, earlier: Sequence[AttentionCall]) -> bool:
    """Whether an attention repeats an earlier one, for another part of the values (DiffLlama)."""
    return any(call.query is c.query and call.key is c.key for c in earlier)


def of_text(call: AttentionCall, items: int) -> bool:
    """Whether an attention is over the items of the pass, and not over experts, codes or images."""
    return call.query.ndim == 4 and call.query.shape[0] == items


def _heads(
    at: int, call: AttentionCall, rotations: Sequence[Rotation], inner: Sequence[ModuleCall], tokens: int, known: bool
) -> Heads:
    query, key, extra = call.query, call.key, call.extra
    window, softcap = extra.get("sliding_window"), extra.get("softcap")
    of_tokens = token_keys(call, tokens)
    reason, seen = "", (rotations, inner)
    if key is None:
        reason = "adds learned terms to the product of query and key (relative positions)"
    elif not of_tokens:
        reason = f"attends to {key.shape[-2]} keys for {TOKENS} tokens: its keys are no tokens (compressed or hashed)"
    elif not known:
        reason = "rotates queries and keys where it cannot be seen"
    return Heads(
        n_heads=query.shape[1],
        n_kv_heads=query.shape[1] if key is None else key.shape[1],
        head_dim=query.shape[-1],
        registered=call.kernel != "products",
        rotary=bool(rotations),
        window=window if isinstance(window, int) and window > 0 else None,
        softcap=float(softcap) if isinstance(softcap, int | float) and softcap else None,
        sinks=isinstance(extra.get("s_aux"), Tensor),
        factor=1.0 if reason or key is None else _factor(call, query, *seen) * _factor(call, key, *seen),
        token_keys=of_tokens,
        unreadable=reason,
        query_norm=_norm_behind(query, *seen),
        key_norm=None if key is None else _norm_behind(key, *seen),
        output=_output(at, call, inner),
    )


def _norm_behind(states: Tensor, rotations: Sequence[Rotation], inner: Sequence[ModuleCall]) -> nn.Module | None:
    """The module that gave queries or keys as the attention received them, if only with it a rotation explains them."""
    at = torch.arange(states.shape[2], device=states.device).expand(states.shape[0], -1)
    if not rotations or before_rotation(states, at, rotations) is not None:
        return None
    for inside in inner:
        given = inside.returned
        gave = given is not None and any(same(states, one) for one in (given, given.transpose(1, -2)))
        if gave and before_rotation(states, at, rotations, inside.module) is not None:
            return inside.module
    return None


def _output(at: int, call: AttentionCall, inner: Sequence[ModuleCall]) -> nn.Module | None:
    """The first module after an attention that is given all its heads side by side."""
    reads = [(c.module, c.given) for c in inner if c.start > at and c.given is not None and c.given.ndim == 3]
    return reads[0][0] if reads and reads[0][1].shape[-1] % call.query.shape[1] == 0 else None


def _factor(call: AttentionCall, states: Tensor, rotations: Sequence[Rotation], inner: Sequence[ModuleCall]) -> float:
    """The attention's scale if queries or keys were multiplied with it: what it got over what was projected."""
    if call.kernel != "products" and call.scaling != 1.0:
        return 1.0
    at = torch.arange(states.shape[2], device=states.device).expand(states.shape[0], -1)
    rows = before_rotation(states, at, rotations) if rotations else states
    if rows is None:
        return 1.0
    flat = rows.transpose(1, 2).flatten(2)
    named = [getattr(call.module, name, None) for name in ("scaling", "scale", "softmax_scale")]
    scales = [call.query.shape[-1] ** -0.5, *(float(n) for n in named if isinstance(n, float))]
    for inside in inner:
        given = inside.returned
        if given is None or given.ndim != 3 or given.shape[-1] < flat.shape[-1]:
            continue
        given = given if given.shape[:2] == flat.shape[:2] else given.transpose(0, 1)
        if given.shape[:2] == flat.shape[:2] and (factor := multiple(flat, given[..., : flat.shape[-1]])):
            is_scale = factor < 1.0 and any(abs(factor - scale) <= 1e-2 * scale for scale in scales)
            return factor if is_scale else 1.0
    return 1.0


def _knows_no_positions(model: Any, seen: Observation) -> bool:
    """Whether one token over and over gives the same query and key everywhere: then nothing is rotated here."""
    again = observe(model, seen.ids[:, :1].expand_as(seen.ids))
    every = [states for _, call in again.attention for states in (call.query, call.key) if states is not None]
    return all(alike(states, states[..., :1, :].expand_as(states)) for states in every)


def find_spread(model: Any, heads: Sequence[Sequence[Heads]]) -> int:
    """Number of processes over which the heads of each attention are spread: 1 without tensor parallelism."""
    size = getattr(model, "tp_size", None) or 1
    if size == 1:
        return 1
    known = getattr(model.config.get_text_config(decoder=True), "num_attention_heads", None)
    own = {one.n_heads for block in heads for one in block}
    return int(size) if own == {(known or 0) // size} else 1


def all_heads(own: Tensor, spread: int) -> Tensor:
    """Gather ``[B, L, H, K]`` of all heads from those of each process; every process must call it at the same time."""
    if spread == 1:
        return own
    parts = [torch.empty_like(own) for _ in range(spread)]
    dist.all_gather(parts, own.contiguous())
    return torch.cat(parts, dim=2)
