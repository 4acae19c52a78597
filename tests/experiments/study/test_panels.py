"""Panels in a report: who is silent on whose responses, and what a panel says in every order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from innerjudge.experiments.compare.lens import Lens
from innerjudge.experiments.data.verdict_table import Row, Table
from innerjudge.experiments.study.parts.juries import panels

SILENT = "mean jury, silent on own family"


def figures(lens: Lens) -> dict[tuple[str, str], float | None]:
    section = panels(lens)
    assert section is not None
    return {(f.judge, f.metric): f.value for f in section.figures if not f.against}


def test_a_juror_is_silent_on_its_own_family(made_up: Callable[..., Lens]) -> None:
    seen = made_up("trace")
    plain = figures(seen)
    assert (SILENT, "AUROC") not in plain
    same = figures(replace(seen, kin={"good": frozenset({"nobody"})}))
    assert (SILENT, "AUROC") not in same
    kin = figures(replace(seen, kin={"good": frozenset({"ours"})}))
    assert kin["mean jury", "AUROC"] == plain["mean jury", "AUROC"]
    assert kin[SILENT, "AUROC"] < plain["mean jury", "AUROC"], "the best juror is silent on half of the items"
    # without it on any item, the panel is the jury of the others
    others = replace(seen, families={k: v for k, v in seen.families.items() if k != "good"} | {"extra": "logits"})
    table = Table([*seen.table, *(replace(row, judge="extra") for row in seen.table.where(judge="noise"))])
    learnt = Table([*seen.calibration, *(replace(r, judge="extra") for r in seen.calibration.where(judge="noise"))])
    left = figures(replace(others, table=table, calibration=learnt))
    all_silent = replace(seen, table=table, calibration=learnt, families=dict(seen.families) | {"extra": "logits"},
                         kin={"good": frozenset({"ours", "theirs"})})  # fmt: skip
    assert figures(all_silent)[SILENT, "AUROC"] == pytest.approx(left["mean jury", "AUROC"])


def test_a_panel_of_first_takers_is_not_right_in_both_orders(made_up: Callable[..., Lens]) -> None:
    """Jurors that take whatever is shown first: so does the panel, and it is never right in both orders."""
    seen = made_up("pair", questions=60)

    def first(row: Row) -> Row:
        p = 0.9 if row.order == "given" else 0.1
        return replace(row, score=p, label="a" if p > 0.5 else "b", unscored=None)

    jurors = ("good", "fair", "text")
    rows = [first(row) if row.judge in jurors else row for row in seen.table if row.judge != "noise"]
    lens = replace(seen, table=Table(rows), families={k: v for k, v in seen.families.items() if k != "noise"})
    found = figures(lens)
    assert found["mean jury", "accuracy in both orders"] == 0.0
    assert found["mean jury", "accuracy, one order at random"] == 0.5
