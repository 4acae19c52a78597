"""What one batch may mix: the one place that knows, for padded, packed and shared reading and for writing.

Texts of different lengths stand in one batch where padding changes nothing (:func:`~.inputs.find_sides`) and where
their rotary angles are those that they have alone. With longrope (Phi-3) and dynamic NTK scaling the angles of *all*
texts follow from the longest of the batch.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True, slots=True)
class Mixing:
    """Which lengths have the same rotary angles.

    ``until`` are the tokens of the longest text whose angles do not depend on its length, ``None`` where they never do.
    ``exact``: each longer length may have angles of its own (dynamic NTK), and not all the same (longrope).

    Example:
        >>> phi = Mixing(40, exact=False)
        >>> phi.group(40) == phi.group(3), phi.group(41) == phi.group(90), phi.group(40) == phi.group(41)
        (True, True, False)
        >>> phi.group(38, new=4) == phi.group(37, new=4)  # they pass 40 tokens at different steps
        False
    """

    until: int | None = None
    exact: bool = False

    def fixed(self, length: int, new: int = 0) -> bool:
        """Whether a text of ``length`` tokens, and ``new`` that are written after it, has the angles of a short one."""
        return self.until is None or length + new <= self.until

    def group(self, length: int, new: int = 0) -> Hashable:
        """Texts of one group may be in one batch."""
        if self.fixed(length, new):
            return "short"
        assert self.until is not None
        return length if self.exact or length <= self.until else "long"

    def groups(self, lengths: Sequence[int], new: int = 0) -> list[list[int]]:
        """Indices of the texts of each group, in order; nearly always one group.

        Example:
            >>> Mixing(40, exact=True).groups([50, 7, 60, 40, 50])
            [[0, 4], [1, 3], [2]]
        """
        found: dict[Hashable, list[int]] = {}
        for place, length in enumerate(lengths):
            found.setdefault(self.group(length, new), []).append(place)
        return list(found.values())

    def restart(self, model: nn.Module) -> None:
        """Make the angles of the next pass its own: dynamic NTK scaling keeps those of the longest text so far."""
        if not self.exact:
            return
        for module in model.modules():
            for name, first in [*vars(module).items(), *module.named_buffers(recurse=False)]:
                if name.endswith("original_inv_freq"):
                    prefix = name.removesuffix("original_inv_freq")
                    now = getattr(module, f"{prefix}inv_freq")
                    setattr(module, f"{prefix}inv_freq", first.to(now.device, now.dtype).clone())
                    if hasattr(module, f"{prefix}max_seq_len_cached"):
                        setattr(module, f"{prefix}max_seq_len_cached", module.original_max_seq_len)


def find_mixing(config: Any) -> Mixing:
    """The rule of a model, by the rotary parameters of its text config."""
    kinds = list(rotary_kinds(config))
    names = [str(kind.get("rope_type")) for kind in kinds]
    exact = any("dynamic" in name for name in names)
    if not exact and "longrope" not in names:
        return Mixing()
    # Blocks of several kinds may count other positions (compressed keys), which pass the threshold at other lengths.
    exact = exact or len(kinds) > 1
    given = [kind.get("original_max_position_embeddings") for kind in kinds]
    given += [getattr(config, name, None) for name in ("original_max_position_embeddings", "max_position_embeddings")]
    return Mixing(min((value for value in given if isinstance(value, int)), default=0), exact)


def rotary_kinds(config: Any) -> Iterator[dict[str, Any]]:
    """Rotary parameters of a text config: one dict, or one for each kind of block."""
    rope = getattr(config, "rope_parameters", None) or {}
    yield from (kind for kind in (rope, *rope.values()) if isinstance(kind, dict))


def context_of(config: Any) -> int | None:
    """Tokens of the longest text that a model reads; ``None`` where its config gives none.

    A config with YaRN or dynamic scaling may give the length before scaling: the factor then counts (YaRN, arXiv
    2309.00071; the model cards of Qwen2.5 and Qwen3 put it so).

    Example:
        >>> from transformers import Qwen3Config
        >>> rope = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
        >>> context_of(Qwen3Config(max_position_embeddings=40960, rope_parameters={**rope, "rope_theta": 1e6}))
        131072
    """
    value = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    if not isinstance(value, int) or value <= 0:
        return None
    longest = value
    for kind in rotary_kinds(config):
        factor = kind.get("factor")
        if kind.get("rope_type") in ("yarn", "dynamic") and isinstance(factor, int | float):
            longest = max(longest, int(factor * (kind.get("original_max_position_embeddings") or value)))
    return longest
