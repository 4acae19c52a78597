"""A judge's labels beside people's: kappa by part, what a probe keeps, and the corrected share."""

from __future__ import annotations

import numpy as np
import pytest
from innerjudge import InnerjudgeError
from innerjudge.experiments.data.verdict_table import Row, Table
from innerjudge.experiments.stats.agreement.checked import check_labels, corrected_share


def table(said: dict[str, list[bool | None]], lengths: list[float] | None = None, **tags: list[str]) -> Table:
    return Table(
        Row(
            question=f"q{k}",
            candidate="0",
            judge=judge,
            label=label,
            length=None if lengths is None else lengths[k],
            tags={name: column[k] for name, column in tags.items()},
        )
        for judge, labels in said.items()
        for k, label in enumerate(labels)
        if label is not None
    )


def test_kappa_by_hand() -> None:
    # [[40, 10], [20, 30]]: agreement .70; chance .5 * .6 + .5 * .4 = .50; kappa (.7 - .5) / (1 - .5) = .40
    judge = [True] * 50 + [False] * 50
    me = [True] * 40 + [False] * 10 + [True] * 20 + [False] * 30
    found = check_labels(table({"gpt": judge, "me": me}), "gpt", ["me"])
    assert found.rows[0].share.value == pytest.approx(0.70)
    assert found.rows[0].kappa.value == pytest.approx(0.40)
    assert "People with one another: one person." in str(found)
    assert [row.part for row in found.rows] == ["all"]


def test_people_are_settled_by_vote_and_parts_are_told_apart() -> None:
    said = {
        "gpt": [True, True, False, False, True, False],
        "a": [True, True, False, False, False, True],
        "b": [True, True, False, None, False, True],
        "c": [True, False, False, False, False, None],
        "probe": [True, True, False, False, False, True],
    }
    words = [1.0, 2.0, 3.0, 4.0, 50.0, 60.0]
    found = check_labels(
        table(said, words, topic=list("xxxxyy")),
        "gpt",
        ["a", "b", "c"],
        probe="probe",
        slices=("length", "data", "topic"),
        costs={"gpt": 1000.0, "probe": 50.0},
    )
    shares = {(row.rater, row.part): row.share.value for row in found.rows}
    # The vote: T T F F F T (a and b against nobody on the last). gpt is wrong on the two long ones, of topic y.
    assert shares["gpt", "all"] == pytest.approx(4 / 6)
    assert shares["gpt", "length short"] == shares["gpt", "length middle"] == 1.0
    assert shares["gpt", "length long"] == shares["gpt", "topic y"] == 0.0
    assert shares["probe", "all"] == 1.0
    assert not any(part.startswith("data") for _, part in shares)  # there is one data set
    # kappa of gpt: chance 1/2, (2/3 - 1/2) / (1/2) = 1/3; of the probe 1
    assert found.kept is not None
    assert found.kept.value == pytest.approx(2 / 3)
    page = str(found)
    assert "| gpt | length long | 2 | 0.00" in page
    assert "probe costs 0.05 of gpt and keeps 3.00 of its kappa on the 6 items that both labelled" in page


def test_what_a_probe_keeps_is_of_the_items_that_both_labelled() -> None:
    truth = [True, False] * 10
    judge = [not t if k < 6 else t for k, t in enumerate(truth)]
    probe = [None if k < 6 else t for k, t in enumerate(truth)]  # unscored where the judge errs
    found = check_labels(table({"gpt": judge, "me": truth, "p": probe}), "gpt", ["me"], probe="p")  # type: ignore[dict-item]
    assert found.ratio == pytest.approx(1.0)
    assert found.kept is not None
    assert found.kept.n == 14


def test_a_vote_that_is_level_does_not_count() -> None:
    said = {"gpt": [True, False, True], "a": [True, False, True], "b": [True, False, False]}
    assert check_labels(table(said), "gpt", ["a", "b"]).rows[0].share.n == 2


def test_one_class_has_no_kappa_but_agreement() -> None:
    found = check_labels(table({"gpt": [True] * 4, "a": [True] * 4}), "gpt", ["a"])
    assert found.rows[0].share.value == 1.0
    assert found.rows[0].kappa.reason == "all grades are the same"
    assert "all grades are the same" in str(found)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"judge": "gpt", "people": ["nobody"]}, "not nobody"),
        ({"judge": "gpt", "people": []}, "expected different names"),
        ({"judge": "gpt", "people": ["gpt"]}, "expected different names"),
        ({"judge": "gpt", "people": ["late"]}, "no item with a label by gpt and one by people"),
    ],
)
def test_bad_input_in_one_line(how: dict[str, object], why: str) -> None:
    said: dict[str, list[bool | None]] = {"gpt": [True, False, None], "late": [None, None, True]}
    with pytest.raises(InnerjudgeError, match=why):
        check_labels(table(said), **how)  # type: ignore[arg-type]


def test_corrected_share_by_hand() -> None:
    # 50 of 1,000 checked: people .50, the judge .58 there and .60 over all. With slope 1: .50 + .60 - .58 = .52.
    people: list[bool | None] = [True] * 25 + [False] * 25 + [None] * 950
    judge = [True] * 25 + [True] * 4 + [False] * 21 + [True] * 571 + [False] * 379
    assert np.mean(judge[:50]) == pytest.approx(0.58)
    assert np.mean(judge) == pytest.approx(0.60)
    # The slope that varies least: cov(h, f) = .50 - .50 * .58 = .21; var(f) = .58 * .42 = .2436; .21 / .2436 = .8621
    assert corrected_share(people, judge).value == pytest.approx(0.50 + 0.8621 * 0.02, abs=1e-4)


def test_a_judge_that_tells_nothing_changes_nothing() -> None:
    people: list[bool | None] = [True, False, True, True] + [None] * 6
    assert corrected_share(people, [True] * 10).value == pytest.approx(0.75)
    assert corrected_share([None] * 10, [True] * 10).value is None
    assert corrected_share([1, 2, None], [1, 2, 2]).reason == "labels other than true and false"
