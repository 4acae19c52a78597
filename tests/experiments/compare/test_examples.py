"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

from innerjudge.experiments.compare.evaluation import on_sides, with_score
from innerjudge.experiments.compare.figures import Figure, family_rank, grid, spelt, split_of_auroc
from innerjudge.experiments.compare.findings import shape_of
from innerjudge.experiments.compare.items import split
from innerjudge.experiments.compare.judging import over_all
from innerjudge.experiments.compare.lens import as_floats, masked, standing
from innerjudge.experiments.compare.settings import Settings
from innerjudge.experiments.compare.trace_blind import agreement
from innerjudge.experiments.compare.turns import reads_the_verdict
from innerjudge.experiments.data.verdict_table import Row
from innerjudge.extraction.features import Features


def test_split() -> None:
    sides = split(list("aabbccddee"), Settings(fit=0.4, calibrate=0.2), name="d")
    assert (len(sides.fit), len(sides.calibrate), len(sides.test)) == (4, 2, 4)


def test_reads_the_verdict() -> None:
    from innerjudge.probes import CLUE, LAGER, Length

    assert [reads_the_verdict(judge) for judge in (LAGER(), CLUE(), Length())] == [True, False, False]


def test_over_all() -> None:
    whole = Features.from_arrays({"x": [1.0, 2.0]}, provenance="m", ids=["a", "b"])
    assert over_all(whole.take([1]), whole, "not asked").reasons("x") == {"a": "not asked"}


def test_grid() -> None:
    found = grid("opponents", [["clue", 3, None, None, 1], ["text", *[None] * 4]], main="AUROC")
    assert (found.columns, found.rows) == (("judge", "AUROC", "difference"), (("clue", 3, 1),))
    found = grid("panels", [["mean jury", 1, 2, 3]], ["n", "p"], best="clue")
    assert (found.caption, found.columns) == ("Panels, and the best judge", ("panel", "n", "p", "minus clue"))


def test_spelt() -> None:
    found = spelt(Figure(data="d", part="p", judge="j", metric="m", value=0.512, low=0.4, high=0.61))
    assert found == "0.51 [0.40, 0.61]"


def test_family_rank() -> None:
    assert family_rank("hidden") < family_rank("baseline") < family_rank("of its own")


def test_agreement() -> None:
    found = agreement(["7", " 7", "8", None, "2"], list("ppppq"))
    assert found == [0.6666666666666666, 0.6666666666666666, 0.3333333333333333, None, None]


def test_with_score() -> None:
    assert with_score(Row(question="q", candidate="a|b", judge="ann", label="tie")).score == 0.5
    assert with_score(Row(question="q", candidate="0", judge="ann", label=True)).score == 1.0


def test_on_sides() -> None:
    row = Row(question="q", candidate="0", judge="ann", label=True)
    found = [found.tags for found in on_sides([row], {row.item: "test"})], on_sides([row], {})
    assert found == ([{"split": "test"}], [])


def test_shape_of() -> None:
    assert shape_of("512 tokens in 'a'") == shape_of("7 tokens in 'b'")


def test_masked() -> None:
    assert masked([1, 2], [True, False]) == [1, None]


def test_as_floats() -> None:
    assert as_floats([True, 2, "a", None]) == [1.0, 2.0, None, None]


def test_standing() -> None:
    def made(p: float) -> Figure:
        return Figure(data="d", part="p", judge="j", metric="m", value=0.1, p=p, good="zero")

    found, tested = standing([made(0.001), made(0.04), made(0.03)])
    assert (len(found), tested) == (1, 3)


def test_split_of_auroc() -> None:
    assert split_of_auroc(0.78, 0.75, 0.8, 0.4) == (
        "Pooled AUROC 0.780 = 0.400 x pairs won within questions 0.750 + 0.600 x between 0.800: "
        "60\u00a0% of the pairs are between questions."
    )
