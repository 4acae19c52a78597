"""A made-up run with realistic figures: all four kinds, unscored items, undefined figures, long and hostile names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from innerjudge.experiments.compare.results import Comparison, Curve, HeadMap, ResultRow, Run

HOSTILE = "<script>alert('x')</script>|$\\frac{1$ `_*_` ![x](http://evil.example/p.png)"
TRACE = {
    "clue": "hidden", "clue-margin": "hidden", "clue-margin-scaled": "hidden", "difference-of-means": "hidden",
    "logistic-probe": "hidden", "lager": "hidden", "verdict-logits": "logits", "text": "text", "text-reasoned": "text",
    "token-log-probability": "baseline", "length": "baseline", "question-only": "baseline",
}  # fmt: skip
RATING = {
    "lager": "hidden", "lager-normed": "hidden", "lager-tuned": "hidden", "e-score": "logits", "text": "text",
    "token-log-probability": "baseline", "length": "baseline",
}  # fmt: skip
CHOICE = {
    "qk-score": "hidden", "qk-score-by-permutation": "hidden", "qk-score-unlabelled": "hidden",
    "attention-score": "hidden", "letter-logits": "logits", "text": "text", "text-reasoned": "text",
}  # fmt: skip
PAIR = {"lager": "hidden", "lager-pairwise": "hidden", "verdict-logits": "logits", "text": "text", "longer": "baseline"}
PLAIN = {"trace": TRACE, "rating": RATING, "choice": CHOICE, "pair": PAIR}
HEADLINES = {
    "trace": ("auroc", "within_question_auroc", "top@1", "balanced_accuracy"),
    "rating": ("spearman", "pearson", "kendall"),
    "choice": ("accuracy", "permutation_accuracy"),
    "pair": ("accuracy_both_orders", "accuracy"),
}
REASON = "no closing reasoning marker: given 512 tokens, expected </think>"


def make_rows(data: str, kind: str, judges: dict[str, str], rng: np.random.Generator) -> list[ResultRow]:
    """Every metric of every judge, and its difference to text."""
    rows = []
    for at, judge in enumerate(judges):
        skill = {"hidden": 0.74, "logits": 0.68, "text": 0.63, "baseline": 0.52}[judges[judge]] - 0.02 * at
        shared: dict[str, Any] = {
            "data": data, "judge": judge, "n": 188 - 7 * (judge == "text"), "unscored": 12 + 7 * (judge == "text"),
            "seconds_per_item": None if at == 1 else 0.00123 * 3.1**at,
        }  # fmt: skip
        for metric in HEADLINES[kind]:
            v = skill + float(rng.normal(0, 0.02)) - (0.5 if kind == "rating" else 0.0)
            if judge == "question-only" and metric == "within_question_auroc":
                why = "every question has one value only: a judge of the question cannot tell its answers apart"
                rows.append(ResultRow(metric=metric, value=None, low=None, high=None, reason=why, **shared))
                continue
            rows.append(ResultRow(metric=metric, value=v, low=v - 0.063, high=v + 0.058, **shared))
            if judge != "text":
                d = v - 0.6 + (0.5 if kind == "rating" else 0.0)
                rows.append(ResultRow(metric=metric + "_minus_text", value=d, low=d - 0.07, high=d + 0.066, **shared))
    if kind == "trace":
        for name, value in (("majority", 0.71), ("random", 0.58), ("oracle", 0.93)):
            ends = {"value": value, "low": value - 0.05, "high": value + 0.05}
            rows.append(
                replace(rows[0], judge="no judge", metric=name, n=50, unscored=0, seconds_per_item=None, **ends)
            )
    return rows


def make_verdicts(data: str, kind: str, judges: dict[str, str], rng: np.random.Generator) -> list[dict[str, Any]]:
    """200 items a judge, some of them unscored."""
    found = []
    for judge, family in judges.items():
        pull = {"hidden": 1.2, "logits": 0.8, "text": 0.6, "baseline": 0.1}[family]
        for item in range(200):
            verdict: dict[str, Any] = {
                "item_id": f"q{item // 4}/{item % 4}",
                "data": data,
                "judge": judge,
                "unscored": None,
            }
            noise = float(rng.normal())
            if kind == "trace":
                truth = bool(rng.random() < 0.58)
                score: Any = float(noise + pull * truth) if family != "text" else float(noise + truth > 0.4)
                verdict |= {"score": score, "label": bool(noise + truth > 0.5), "truth": truth}
            elif kind == "rating":
                truth = float(rng.integers(3, 16) / 3)
                value = truth * pull / 2 + noise
                verdict |= {
                    "score": value if family != "text" else float(np.clip(round(value + 2), 1, 5)),
                    "truth": truth,
                }
                verdict |= {"label": round(value)}
            else:
                size = 4 if kind == "choice" else 2
                pick = int(rng.integers(size))
                scores = rng.normal(size=size)
                scores[pick] += pull
                verdict |= {"score": [float(s) for s in scores], "truth": pick, "label": int(scores.argmax())}
                if kind == "pair":
                    verdict |= {
                        "score": float(scores[0] - scores[1]),
                        "truth": "ab"[pick],
                        "label": "ab"[int(scores.argmax())],
                    }
            if item % 17 == 3 or (judge == "text" and item % 9 == 2):
                reason = REASON if item % 2 else f"over the context: given {700 + item} tokens, expected at most 512"
                verdict |= {"score": None, "label": None, "unscored": reason}
            found.append(verdict)
    return found


def make_curve(label: str, first: int, n: int, top: float, rng: np.random.Generator) -> Curve:
    x = tuple(range(first, n + 1))
    y = tuple(float(top - 0.25 * np.exp(-k / 3) + rng.normal(0, 0.008)) for k in range(len(x)))
    return Curve(
        label=label,
        x=x,
        y=(None, *y[1:]),
        low=(None, *(v - 0.05 for v in y[1:])),
        high=(None, *(v + 0.05 for v in y[1:])),
    )


def make_comparison(data: str, kind: str, judges: dict[str, str], seed: int = 0) -> Comparison:
    """A comparison with everything that its kind can have."""
    rng = np.random.default_rng(seed)
    blocks: tuple[Curve, ...] = ()
    maps: tuple[HeadMap, ...] = ()
    candidates: tuple[Curve, ...] = ()
    if kind == "choice":
        names = (
            "QK-score, best head of the block",
            "Attention-score, best head of the block",
            "letter logits of one block",
        )
        blocks = tuple(make_curve(name, 1, 16, 0.7 - 0.1 * k, rng) for k, name in enumerate(names))
        maps = tuple(
            HeadMap(label=name, metric="accuracy on the test questions", chosen=((9, 3), (11, 0)),
                    values=tuple(tuple(float(v) for v in rng.beta(2, 5, 12)) for _ in range(16)))
            for name in ("QK-score", "Attention-score")
        )  # fmt: skip
    elif kind == "trace":
        blocks = (make_curve("nearest centroid of one block", 0, 8, 0.72, rng),)
        names = [*judges, "majority", "oracle"]
        candidates = tuple(make_curve(name, 1, 16, 0.9 - 0.025 * k, rng) for k, name in enumerate(names))
    elif kind == "rating":
        blocks = tuple(make_curve(name, 0, 8, 0.3, rng) for name in ("raw states", "through the final norm"))
    return Comparison(
        data=data, kind=kind, n_items=400, n_fit=200, n_test=200, judges=judges, headline=HEADLINES[kind],
        rows=tuple(make_rows(data, kind, judges, rng)), verdicts=tuple(make_verdicts(data, kind, judges, rng)),
        by_block=blocks, by_block_metric="within_question_auroc" if kind == "trace" else HEADLINES[kind][0],
        head_maps=maps, by_candidates=candidates,
        notes=("qk-score: block 9, head 3 was chosen by accuracy on the fit split.", "12 carry no marker."),
    )  # fmt: skip


@pytest.fixture(scope="session")
def fake_run() -> Run:
    """All four kinds with plain names, and a fifth comparison whose every name is hostile."""
    parts = [make_comparison(f"builtin:{kind}", kind, judges, k) for k, (kind, judges) in enumerate(PLAIN.items())]
    odd = {HOSTILE: "hidden",
           "a judge of a very long name that says in words what all its options do, twice": "hidden",
           "_text": "text", "length": "baseline"}  # fmt: skip
    hostile = make_comparison(f"data/{HOSTILE}.jsonl", "trace", odd, 9)
    noted = replace(hostile, notes=(HOSTILE, "# not a heading"))
    return Run(
        command="innerjudge compare --model reference --data builtin:solve --out runs/demo --seed 0",
        seed=0, versions={"innerjudge": "0.1.0", "torch": "2.13.0", "transformers": "5.9.0"},
        model={"name": "reference", "n_blocks": 8, "eos": None, "markers": ["<think>", "</think>"]},
        comparisons=(*parts, noted),
    )  # fmt: skip
