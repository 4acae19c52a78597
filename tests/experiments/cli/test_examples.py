"""Small functions of this room, each by values that can be seen at a glance."""

from __future__ import annotations

from innerjudge.experiments.cli.options import bounds, mapped, modules
from innerjudge.experiments.cli.serve import _hosts, _named


def test_modules() -> None:
    found = modules(["blocks=model.layers", "final_norm=model.norm"])
    assert found == {"blocks": "model.layers", "final_norm": "model.norm"}


def test_bounds() -> None:
    assert bounds("0-3") == (0, 3)


def test_mapped() -> None:
    assert mapped(["prompt=question", "response=output"]) == {"prompt": "question", "response": "output"}


def test_named() -> None:
    assert _named(["runs/judge", "rate=you/rates"]) == {"judge": "runs/judge", "rate": "you/rates"}


def test_hosts() -> None:
    found = _hosts("127.0.0.1", ["judge.lan"], None), _hosts("0.0.0.0", [], None)
    assert found == (["127.0.0.1", "localhost", "::1", "127.0.0.1", "judge.lan"], None)
