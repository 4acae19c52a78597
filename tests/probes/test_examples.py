"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

import numpy as np
import torch
from innerjudge import EScore
from innerjudge.extraction.features import Features
from innerjudge.extraction.ragged import Ragged
from innerjudge.probes.choices import head_credits, voted
from innerjudge.probes.fitted_arrays import Array, Number, Tuple
from innerjudge.probes.labels import correctness
from innerjudge.probes.pooled_fit import Head, LabelledStates, pool
from innerjudge.probes.promise import certainty
from innerjudge.probes.regression import fit_sparse
from innerjudge.probes.row_judge import each_entry
from innerjudge.probes.value_judge import kinds_of_values


def test_each_entry() -> None:
    logits = np.zeros((1, 2, 2, 2))
    # h[0] through the norm says yes, three to one
    logits[0, 1, 0] = [0, np.log(3)]
    f = Features.from_arrays({"logits/score": logits, "labels": [2]}, provenance="m")
    found = [EScore(values=(0, 1)).decision_function(part).round(2).item() for part in each_entry(f, normed=True)]
    assert found == [0.75, 0.5]


def test_fit_sparse() -> None:
    from scipy.sparse import csr_matrix

    x = csr_matrix(np.eye(2)[[0, 0, 1, 1]])
    found = fit_sparse("rating", x, np.array([1.0, 1.0, 3.0, 3.0]), tuple("abab"), (1e6,))
    assert repr((x @ found.coef + found.intercept).round(3)) == "array([1., 1., 3., 3.])"


def test_certainty() -> None:
    found = certainty([0.2, -0.5], None).tolist(), certainty([0.2, -0.5], 0.0).tolist()
    assert found == ([0.2, -0.5], [0.2, 0.5])
    assert certainty([[1, 4, 2]], None).tolist() == [2.0]


def test_states_of_items() -> None:
    right = np.array([True, False, True])
    items = LabelledStates(Ragged(np.eye(4, dtype=np.float32), np.array([0, 1, 3, 4])), ("p", "p", "q"), right)
    found = items.mixed(), items.read(np.array([1]))[0].tolist()
    assert found == (True, [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])


def test_pool() -> None:
    # gates of 1/2, 3/4 and 1/4
    v, a = [1.0, 2, -1], [0.0, 1.0986123, -1.0986123]
    assert repr(pool(torch.tensor([v, a]).T, torch.tensor([3]), "gated").round(decimals=4)) == "tensor([1.1667])"


def test_voted() -> None:
    # the second head sees no difference and adds 0
    assert repr(voted(np.array([[[0.0, 4.0], [7.0, 7.0]]]))) == "array([[-0.5,  0.5]])"


def test_kinds_of_values() -> None:
    found = kinds_of_values((0, 1), None)[0], kinds_of_values((1, 2, 3), None)[0], kinds_of_values((1, 0), ("a", "b"))
    assert found == ("trace", "rating", ("pair",))


def test_head_credits() -> None:
    assert repr(head_credits(np.array([[[[1.0, 2.0, 9.0], [3.0, 3.0, 9.0]]]]), [2], [1])) == "array([[[1. , 0.5]]])"


def test_correctness() -> None:
    assert repr(correctness(np.array([1, 0]))) == "array([ True, False])"


def test_tuple() -> None:
    found = Tuple("heads").fault(((1, 0), (9, 0)), {"blocks": 4, "heads": 2})
    assert found == "(9, 0), expected a block of 1 to 4 and a head of 0 to 1"


def test_number() -> None:
    found = Number(low=0, whole=True).fault(-1, {}), Number().fault(float("nan"), {}), Number(none=True).fault(None, {})
    assert found == ("-1, expected 0 or more", "nan, expected a finite number", None)


def test_head() -> None:
    # 4*2 + 2 and 2*1 + 1
    assert (Head((2,), 1, "mean", 1).layers(4), Head((2,), 1, "mean", 1).size(4)) == ([(4, 2), (2, 1)], 13)


def test_array() -> None:
    assert Array(("classes",)).fault(np.ones(3), {"classes": 2}) == "an array of shape (3,), expected (2,)"
