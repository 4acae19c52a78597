"""A table of made-up judges of known skill, for tests of what a report says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from innerjudge.experiments.data.verdict_table import Row, Table
from innerjudge.experiments.study.lens import Lens

SKILL = {"good": 5.0, "fair": 0.8, "text": 0.8, "noise": 0.0, "length": 0.0}
FAMILIES = {"good": "hidden", "fair": "hidden", "text": "text", "noise": "logits", "length": "baseline"}


def lens(kind: str, *, questions: int = 40, seed: int = 0) -> Lens:
    """Judges of known skill on made-up items; half of the questions to calibrate on."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for q in range(2 * questions):
        ease = rng.normal()
        for c in range(1 if kind in ("choice", "pair") else 4):
            truth = float(rng.normal() + 0.3 * ease)
            label = {
                "trace": truth > 0,
                "rating": float(np.clip(round(3 + truth), 1, 5)),
                "choice": int(rng.integers(4)),
                "pair": "a" if truth > 0 else "b",
            }[kind]
            for judge, skill in SKILL.items():
                said = skill * truth + float(rng.normal())
                base = {
                    "data": "d<b>",
                    "question": f"q{q}",
                    "candidate": {"choice": "options", "pair": "a|b"}.get(kind, str(c)),
                    "judge": judge,
                    "label": label,
                    "length": 100.0 + 10 * float(rng.normal()),
                    "tags": {
                        "split": "test" if q % 2 else "calibrate",
                        "writer": "ours" if c % 2 else "theirs",
                        "topic": "xyz"[q % 3],
                    },
                }
                if q == 1 and c == 0 and judge == "fair":
                    rows.append(Row(**base, unscored="no verdict in the text"))
                    continue
                if kind == "choice":
                    right = rng.random() < 0.25 + 0.3 * min(skill, 2)
                    base |= {"score": abs(said), "verdict": label if right else (int(label) + 1) % 4}
                    rows += [Row(**base), Row(**base, order="permuted")]
                elif kind == "pair":
                    p = float(1 / (1 + np.exp(-said)))
                    rows += [
                        Row(**base, order=o, score=p, verdict="a" if p > 0.5 else "b") for o in ("given", "swapped")
                    ]
                elif kind == "rating":
                    grade = float(np.clip(3 + said, 1, 5))
                    rows.append(Row(**base, score=grade, verdict=grade))
                else:
                    p = float(1 / (1 + np.exp(-said)))
                    rows.append(Row(**base, score=p, verdict=p > 0.5))
    table = Table(rows)
    return Lens(
        data="d<b>",
        kind=kind,
        table=table.where(split="test"),
        calibration=table.where(split="calibrate"),
        families=FAMILIES,
        against="text",
        scale=(1, 5),
        system="writer",
        own=("ours",),
        group_tags=("topic",),
    )


@pytest.fixture
def made_up() -> Callable[..., Lens]:
    """Makes the lens of a kind of item; see :func:`lens`."""
    return lens
