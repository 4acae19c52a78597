"""States of the last token or of all tokens, for short texts: this package beside transformers."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import median
from typing import Any

import torch

from ....extraction.readouts import States
from ....models.errors import one_line
from ..passes.section import Run, Work, random_model, texts, timed
from ..passes.variants import floor, reading
from .parts import Row, Sizes
from .passes import unread

#: Blocks whose states are read: those of vLLM's example.
BLOCKS = (1, 2, 3, 4)
_BATCH = 16


def grid(sizes: Sizes) -> Iterator[Row]:
    """A row for each length, of the last token and of all."""
    lm = random_model(sizes.shape("8b"), device=sizes.device, dtype=sizes.dtype)
    n, lengths = sizes.grid
    for length in lengths:
        items = tuple(
            replace(one, ranges={"step": ((0, length),)}, positions={**one.positions, "prompt_end": (0,)})
            for one in texts(lm, [length] * n)
        )
        work = Work(lm, items, sizes.shape("8b"), sizes.dtype)
        for what, last in (("last token", True), ("all tokens", False)):
            states = States("step", "last" if last else "none", BLOCKS)
            ways: dict[str, Callable[[Work], Run]] = {
                "bare pass": lambda work: floor(work, _BATCH),
                "innerjudge": reading([states], batch_size=_BATCH),
                "transformers": lambda work, last=last: _transformers(work, last=last),  # type: ignore[misc]
            }
            figures: dict[str, float] = {}
            reason = ""
            for name, prepare in ways.items():
                try:
                    run = prepare(work)
                    if lost := unread(run()):
                        reason += f"{name}: {lost}. "
                        continue
                    found = timed([run], sizes.rounds, device=lm.device, on_run=lambda _n: None)[0]
                    figures[f"{name}, tokens/s"] = n * length / median(found.wall)
                except Exception as error:  # such as a full memory: the others can be timed
                    reason += f"{name}: {type(error).__name__}: {one_line(error)}. "
            yield Row(what=f"{what}, {n} x {length}", figures=figures, reason=reason.strip())


def _transformers(work: Work, *, last: bool) -> Run:
    model: Any = work.lm.model.base_model
    batches = work.batches(_BATCH)

    @torch.inference_mode()
    def run() -> list[Any]:
        kept = []
        for batch in batches:
            output = model(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False, output_hidden_states=True)
            states = [output.hidden_states[block] for block in BLOCKS]
            kept.append(torch.stack([one[:, -1] if last else one for one in states], dim=1).cpu())
        return kept

    return run
