"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

from innerjudge.experiments.data.kinds import are_ids, hash_of
from innerjudge.experiments.data.labels import label_to_fit
from innerjudge.experiments.data.verdict_table import Row, Table
from innerjudge.models.items import Rating


def test_label_to_fit() -> None:
    fact = Rating(item_id="r", prompt="?", response="!", scores=(1,), extra={"scale": [0, 1]})
    assert label_to_fit(fact, (1, 5)) == 5.0


def test_hash_of() -> None:
    assert hash_of(["ab", "c"]) != hash_of(["a", "bc"])


def test_are_ids() -> None:
    assert (are_ids([5, 17]), are_ids([-1]), are_ids([1.5]), are_ids(5)) == (True, False, False, False)


def test_table() -> None:
    table = Table(
        [
            Row(question="q", candidate="0", judge="text", score=4.0, truth=5),
            Row(question="q", candidate="1", judge="text", unscored="no verdict in the text"),
            Row(question="q", candidate="0", judge="lager", score=3.2, truth=5),
        ]
    )
    found = table.judges, table.scores("text"), table.scores("lager"), table.truths
    assert found == (("text", "lager"), [4.0, None], [3.2, None], [5, None])


def test_row() -> None:
    assert not (Row(question="q1", candidate="0", judge="text", score=1.0, label=True, truth=False).right)
