"""Tables of made-up judges of known skill, and a report made of them: all kinds, unscored items, hostile names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from innerjudge.experiments.compare.figures import Section
from innerjudge.experiments.compare.findings import DataReport, Report
from innerjudge.experiments.compare.lens import Lens
from innerjudge.experiments.compare.reasons import unscored_reasons
from innerjudge.experiments.compare.results import Curve, HeadMap
from innerjudge.experiments.compare.sections.blocks import by_block
from innerjudge.experiments.compare.sections.candidates import candidates
from innerjudge.experiments.compare.sections.confounds import confounds
from innerjudge.experiments.compare.sections.headline import headline, scores
from innerjudge.experiments.compare.sections.opponents import opponents
from innerjudge.experiments.compare.settings import Settings
from innerjudge.experiments.data.verdict_table import Row, Table

HOSTILE = "<script>alert('x')</script>|$\\frac{1$ `_*_` ![x](http://evil.example/p.png)"
SKILL = {"good": 5.0, "fair": 0.8, "text": 0.8, "noise": 0.0, "length": 0.0}
FAMILIES = {"good": "hidden", "fair": "hidden", "text": "text", "noise": "logits", "length": "baseline"}


def lens(kind: str, *, questions: int = 40, seed: int = 0, data: str = "d<b>") -> Lens:
    """Judges of known skill on made-up items; half of the questions to calibrate on."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for q in range(2 * questions):
        ease = rng.normal()
        for c in range(1 if kind in ("choice", "pair") else 4):
            rows += _rows_of_item(kind, q, c, float(rng.normal() + 0.3 * ease), rng, data)
    table = Table(rows)
    settings = Settings(fit=0.4, calibrate=0.2, system="writer", own=("ours",), groups=("topic",))
    sides = table.where(split="test"), table.where(split="calibrate")
    return Lens(data=data, kind=kind, table=sides[0], calibration=sides[1], families=FAMILIES, settings=settings)


def _rows_of_item(kind: str, q: int, c: int, truth: float, rng: np.random.Generator, data: str) -> list[Row]:
    known: dict[str, Any] = {
        "trace": truth > 0,
        "rating": float(np.clip(round(3 + truth), 1, 5)),
        "choice": int(rng.integers(4)),
        "pair": "a" if truth > 0 else "b",
    }
    label, rows = known[kind], []
    for judge, skill in SKILL.items():
        said = skill * truth + float(rng.normal())
        base: dict[str, Any] = {
            "data": data,
            "question": f"q{q}",
            "candidate": {"choice": "options", "pair": "a|b"}.get(kind, str(c)),
            "judge": judge,
            "truth": label,
            "length": 100.0 + 10 * float(rng.normal()),
            "answer": str(bool(label)) if kind == "trace" else None,
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
            base |= {"score": abs(said), "label": label if right else (int(label) + 1) % 4, "scores": (0.0,) * 4}
            rows += [Row(**base), Row(**base, order="permuted")]
        elif kind == "pair":
            p = float(1 / (1 + np.exp(-said)))
            rows += [Row(**base, order=o, score=p, label="a" if p > 0.5 else "b") for o in ("given", "swapped")]
        elif kind == "rating":
            grade = float(np.clip(3 + said, 1, 5))
            rows.append(Row(**base, score=grade, label=grade))
        else:
            p = float(1 / (1 + np.exp(-said)))
            rows.append(Row(**base, score=p, label=p > 0.5))
    return rows


def renamed(seen: Lens, names: Mapping[str, str]) -> Lens:
    """The same judges under other names."""
    rows = [replace(row, judge=names.get(row.judge, row.judge)) for row in seen.table]
    families = {names.get(name, name): family for name, family in seen.families.items()}
    return replace(seen, table=Table(rows), families=families)


def make_curve(label: str, first: int, n: int, top: float, rng: np.random.Generator) -> Curve:
    x = tuple(range(first, n + 1))
    y = tuple(float(top - 0.25 * np.exp(-k / 3) + rng.normal(0, 0.008)) for k in range(len(x)))
    low, high = (None, *(v - 0.05 for v in y[1:])), (None, *(v + 0.05 for v in y[1:]))
    return Curve(label=label, x=x, y=(None, *y[1:]), low=low, high=high)


def sections(seen: Lens) -> list[Section]:
    """The sections of a comparison, with made-up curves and maps of heads."""
    rng = np.random.default_rng(0)
    names = {"trace": ("good, one block",), "rating": ("raw states", "final norm"), "choice": ("good, best head", "x")}
    curves = [make_curve(name, 1, 9, 0.7 - 0.1 * k, rng) for k, name in enumerate(names.get(seen.kind, ()))]
    values = tuple(tuple(float(v) for v in rng.beta(2, 5, 12)) for _ in range(9))
    maps = [HeadMap(label="QK-score", metric="accuracy", chosen=((9, 3), (2, 0)), values=values)]
    blocks = by_block(seen, curves, maps if seen.kind == "choice" else [])
    made = (headline(seen), opponents(seen), scores(seen), confounds(seen), candidates(seen), blocks)
    return [section for section in made if section is not None]


def part_of(seen: Lens, found: list[Section], notes: tuple[str, ...] = ()) -> DataReport:
    return DataReport(
        name=seen.data,
        kind=seen.kind,
        counts={"items": len(seen.truths)},
        families=dict(seen.families),
        summary=found[0].found,
        sections=tuple(found),
        notes=notes,
        unscored=unscored_reasons(seen.table),
        seconds=dict.fromkeys(seen.families, 0.00123),
    )


def report_of(*parts: DataReport, name: str = "Judges compared") -> Report:
    return Report(
        name=name,
        command="innerjudge compare --model reference --data builtin:solve --out runs/demo --seed 0",
        spec={"seeds": {"data": 0}},
        versions={"innerjudge": "0.1.0", "torch": "2.13.0", "transformers": "5.9.0"},
        model={"name": "reference", "n_blocks": 8, "eos": None, "markers": ["<think>", "</think>"]},
        parts=parts,
        seconds={"judging": 1.0},
    )


@pytest.fixture(scope="session")
def made_up() -> Callable[..., Lens]:
    """Makes the lens of a kind of item; see :func:`lens`."""
    return lens


@pytest.fixture(scope="session")
def fake_report() -> Report:
    """All four kinds with plain names, and a fifth data set whose every name is hostile."""
    made = [lens(kind, data=f"builtin:{kind}") for kind in ("trace", "rating", "choice", "pair")]
    long = "a judge of a very long name that says in words what all its options do, twice"
    odd = renamed(lens("trace", data=f"data/{HOSTILE}.jsonl"), {"good": HOSTILE, "fair": long, "noise": "_text"})
    parts = [part_of(seen, sections(seen), ("12 carry no marker.",)) for seen in made]
    return report_of(*parts, part_of(odd, sections(odd), (HOSTILE, "# not a heading")))


@pytest.fixture(scope="session")
def pairs_report(made_up: Callable[..., Lens]) -> Report:
    """One data set, the one that draws fastest."""
    seen = made_up("pair", questions=12)
    return report_of(part_of(seen, sections(seen)))
