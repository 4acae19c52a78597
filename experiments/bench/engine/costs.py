"""What judges inside an engine cost: beside the same engine without them, by CPU seconds."""

from contextlib import ExitStack
from typing import Any

import numpy as np
import psutil

from .judging import Own, engine, generate

_PROMPTS, _LONG, _NEW = 8, 400, 48


def costs(own: Own, rounds: int) -> list[str]:
    """A row of the table for prefill and one for decoding."""
    words = [k for one in own.encoded() for k in one.ids]
    reading = [[words[(97 * k + j) % len(words)] for j in range(_LONG)] for k in range(_PROMPTS)]
    writing = [one[: one.index(words[0], 5) if words[0] in one[5:60] else 40] for one in reading]
    found: dict[str, list[tuple[float, float]]] = {"prefill": [], "decoding": []}
    with ExitStack() as stack:
        engines = []
        for judges in (False, True):
            before = set(psutil.Process().children(recursive=True))
            # Without a prefix cache each round is the same work.
            how: dict[str, Any] = {"judges": judges, "enable_prefix_caching": False}
            llm = stack.enter_context(engine(own, **how))
            engines.append((llm, set(psutil.Process().children(recursive=True)) - before))
        for turn in range(rounds + 1):
            for what, ids, n in (("prefill", reading, 1), ("decoding", writing, _NEW)):
                spent = [0.0, 0.0]
                for which in (0, 1) if turn % 2 else (1, 0):
                    llm, processes = engines[which]
                    started = _seconds(processes)
                    generate(llm, ids, [{} for _ in ids], n, ignore_eos=True)
                    spent[which] = _seconds(processes) - started
                if turn:  # the first warms up
                    found[what].append((spent[0], spent[1]))
    return [_row(what, np.array(pairs), bar) for (what, pairs), bar in zip(found.items(), (1.1, 1.3), strict=True)]


def _seconds(processes: set[psutil.Process]) -> float:
    return float(sum(sum(one.cpu_times()[:2]) for one in processes if one.is_running()))


def _row(what: str, spent: Any, bar: float) -> str:
    ratios = spent[:, 1] / spent[:, 0]
    shape = f"{_PROMPTS} x {_LONG} tokens" if what == "prefill" else f"{_PROMPTS} x {_NEW} tokens"
    middle = np.median(ratios)
    met = "met" if middle <= bar else "**not met**"
    plain, judged = np.median(spent, axis=0)
    return (
        f"| {what}, {shape} | {plain:.2f} | {judged:.2f} | {middle:.2f} ({ratios.min():.2f} to {ratios.max():.2f}) "
        f"| at most {bar}: {met} |"
    )
