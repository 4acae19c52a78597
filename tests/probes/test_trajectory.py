"""Ways of states, on the worked examples."""

import numpy as np
import pytest
from innerjudge.extraction import Features, Ragged
from innerjudge.models import InnerjudgeError
from innerjudge.probes import Trajectory

SEGMENTS = "hidden/reasoning/segment(500).mean"


def test_chain_of_embedding():
    # (1, 0), (1, 1), (0, 2): lengths 1 and sqrt 2 of sqrt 5; both angles half a right angle of a right angle.
    h = [[[1, 0], [1, 1], [7, -3], [0, 2]]]  # the raw last state is not read
    f = Features.from_arrays({"hidden/response.mean": h}, provenance="m")
    # (.447214 + .632456) / 2 - .5.
    assert Trajectory(statistic="coe-r").decision_function(f) == pytest.approx([0.039835], abs=1e-6)
    # Both steps at .5 radians: the mean length, .539835.
    assert Trajectory(statistic="coe-c").decision_function(f) == pytest.approx([0.539835], abs=1e-6)


@pytest.mark.parametrize("h", [[[1, 0], [0, 1], [5, 5], [2, 0]], [[0, 0], [0, 1], [5, 5], [2, 0]]])
def test_a_chain_without_an_angle_is_unscored(h):
    (said,) = Trajectory().verdicts(Features.from_arrays({"hidden/response.mean": [h]}, provenance="m"))
    assert "direction" in said.unscored


# (0, 0), (1, 0), (1, 1) in one block: sqrt 2 over two steps; two steps of 1; cosines of 45 degrees. The embedding and
# the raw last state, here far away, are not read.
@pytest.mark.parametrize(("statistic", "score"), [("net", 0.707107), ("cumulative", -2.0), ("aligned", 0.707107)])
def test_the_traces(statistic, score):
    rows = [[[9, k], p, [k, 9], p] for k, p in enumerate(([0, 0], [1, 0], [1, 1]))]
    f = Features.from_arrays({SEGMENTS: Ragged.of([rows, rows[:1]])}, provenance="m")
    both = Trajectory(statistic=statistic).verdicts(f)
    assert both[0].score == pytest.approx(score, abs=1e-6)
    assert "one segment of 500" in both[1].unscored


def test_no_way_has_no_direction():
    rows = np.zeros((3, 4, 2))
    f = Features.from_arrays({SEGMENTS: Ragged.of([rows])}, provenance="m")
    assert Trajectory(statistic="aligned").decision_function(f).tolist() == [0.0]


def test_parameters_are_checked():
    for name, value, known in (
        ("statistic", "coe", "'coe-r' or"),
        ("part", "prompt", "'reasoning' or"),
        ("segment", 0, "at"),
    ):
        with pytest.raises(InnerjudgeError, match=f"given {name}={value!r}.*expected {known}"):
            Trajectory(**{name: value})
