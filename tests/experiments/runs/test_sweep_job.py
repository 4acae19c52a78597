"""A sweep that is killed resumes: the same files, and no fit is made twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from innerjudge.experiments.compare import sweep as sweeping
from innerjudge.experiments.runs.sweep_job import sweep_job

#: Every so many rows of the first positions: fits of all judges and normalisations, in seconds.
POSITIONS, ROWS = 2, 4
#: The files of a sweep, and how many fits it took.
Whole = tuple[dict[str, bytes], int]


@pytest.fixture(scope="module", autouse=True)
def _few_states() -> Iterator[None]:
    own = sweeping._positions

    def few(part: Any) -> Iterator[tuple[str, Any, Any]]:
        yield from ((name, rows[::ROWS], states[::ROWS]) for name, rows, states in islice(own(part), POSITIONS))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweeping, "_positions", few)
        yield


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import sys

    from innerjudge.experiments.cli.main import main

    folder = tmp_path_factory.mktemp("extracted") / "features"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["innerjudge", "extract", "--data", "builtin:solve", "--limit", "16", "--out",
                                    str(folder)])  # fmt: skip
        with pytest.raises(SystemExit):
            main()
    return folder


@pytest.fixture(scope="module")
def whole(features: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The files of a sweep that nothing stopped, and how many fits it took."""
    folder, made = tmp_path_factory.mktemp("swept") / "whole", [0, 10**9]
    with pytest.MonkeyPatch.context() as patch:
        count(made, patch)
        sweep_job(features, folder, n_splits=5)
    assert made[0] > 20
    return files(folder), made[0]


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Fits so far, and at how many the run is killed."""
    made: list[int] = [0, 10**9]
    count(made, monkeypatch)
    return made


def count(made: list[int], patch: pytest.MonkeyPatch) -> None:
    """Count fits in ``made``; at its second number the run is killed."""
    own = sweeping._fitted

    def counted(*args: Any) -> Any:
        if made[0] >= made[1]:
            raise KeyboardInterrupt
        made[0] += 1
        return own(*args)

    patch.setattr(sweeping, "_fitted", counted)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_killed_sweep_resumes(features: Path, fits: list[int], whole: Whole, tmp_path: Path) -> None:
    fits[:] = [0, 7]
    with pytest.raises(KeyboardInterrupt):
        sweep_job(features, tmp_path / "killed", n_splits=5)
    assert {path.name for path in (tmp_path / "killed").iterdir()} == {"sweep.json.part"}
    with (tmp_path / "killed" / "sweep.json.part").open("a") as part:
        part.write('{"place": 7, "row": {"val')  # cut short by the kill
    fits[:] = [0, 10**9]
    sweep_job(features, tmp_path / "killed", n_splits=5)
    assert (files(tmp_path / "killed"), fits[0] + 7) == whole


def test_fits_of_another_sweep_are_not_taken(features: Path, fits: list[int], whole: Whole, tmp_path: Path) -> None:
    fits[:] = [0, 3]
    with pytest.raises(KeyboardInterrupt):
        sweep_job(features, tmp_path / "out", n_splits=5, seed=1)
    fits[:] = [0, 10**9]
    sweep_job(features, tmp_path / "out", n_splits=5)
    assert (files(tmp_path / "out"), fits[0]) == whole


def test_a_damaged_fit_is_made_again(features: Path, fits: list[int], whole: Whole, tmp_path: Path) -> None:
    fits[:] = [0, 5]
    with pytest.raises(KeyboardInterrupt):
        sweep_job(features, tmp_path / "out", n_splits=5)
    part = tmp_path / "out" / "sweep.json.part"
    lines = part.read_text("utf-8").splitlines()
    row = json.loads(lines[2])
    row["row"]["values"][1] = 99.0
    part.write_text("\n".join([*lines[:2], json.dumps(row), *lines[3:]]) + "\n", encoding="utf-8")
    fits[:] = [0, 10**9]
    sweep_job(features, tmp_path / "out", n_splits=5)
    # The one before the damaged fit was kept.
    assert (files(tmp_path / "out"), fits[0] + 1) == whole
