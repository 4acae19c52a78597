"""The page about engines says of every judge by which route an engine serves it, or what the engine cannot give."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from innerjudge.experiments.judges.engine import route_of
from innerjudge.probes import Task, registered_judges
from innerjudge.probes.description import KINDS, PRESETS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pages" / "how-to" / "rerank.md"


def table() -> str:
    """The routes, those that serve first, and the judges of each; a judge of two kinds may have two."""
    kinds: dict[str, dict[str, str]] = defaultdict(dict)
    for name in PRESETS["judges"]:
        for kind in KINDS:
            for seat, judge in registered_judges()[name].presets(Task(kind)).items():
                route, why = route_of(judge)
                kinds[seat].setdefault(f"none: {why}" if why else route, kind)
    rows: dict[str, list[str]] = {"states": [], "log-probabilities": [], "labels": []}
    for seat, routes in kinds.items():
        for route, kind in routes.items():
            rows.setdefault(route, []).append(f"`{seat}`" + (f" of {kind}s" if len(routes) > 1 else ""))
    lines = (f"| {route} | {', '.join(seats)} |" for route, seats in rows.items())
    return "\n".join(["| route | judges |", "| --- | --- |", *lines])


def test_every_judge_has_its_route_on_the_page() -> None:
    assert table() in PAGE.read_text(encoding="utf-8")
