"""Nobody outside of ``probes`` asks a judge for its class, or whether it happens to have an attribute."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import innerjudge.probes as probes
import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(p.relative_to(ROOT) for room in ("extraction", "experiments") for p in (ROOT / room).rglob("*.py"))
#: The base class may be asked for: a public function refuses what is no judge at all.
NO_JUDGES = {"BaseJudge", "Promise", "Task", "Verdict"}
CLASSES = {n for n in probes.__all__ if isinstance(getattr(probes, n), type)} - NO_JUDGES
CLASSES |= {"ChoiceJudge", "HeadScore", "Linear", "CentroidJudge", "ValueJudge"}


def questions(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) > 1):
            continue
        first, second = ast.unparse(node.args[0]), ast.walk(node.args[1])
        if node.func.id == "isinstance" and any(isinstance(n, ast.Name) and n.id in CLASSES for n in second):
            yield node.lineno
        if node.func.id in ("getattr", "hasattr") and first.split(".")[-1] in ("judge", "judges", "probe"):
            yield node.lineno


@pytest.mark.parametrize("path", FILES, ids=str)
def test_judges_say_themselves_what_they_are(path: Path) -> None:
    assert list(questions(ast.parse((ROOT / path).read_text(encoding="utf-8")))) == []


def test_such_questions_would_be_seen() -> None:
    source = "isinstance(judge, CLUE | LAGER)\ngetattr(seat.judge, 'heads_', ())\nisinstance(judge, BaseJudge)\n"
    assert list(questions(ast.parse(source))) == [1, 2]
