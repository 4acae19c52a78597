"""The page of the judges quotes what was measured, in rows of its tables of names, and no figure by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from innerjudge.experiments.bench.documents import measured
from innerjudge.experiments.bench.documents.measured import NONE, with_column

ROOT = Path(measured.__file__).resolve().parents[3]
PAGE = (ROOT / "docs/pages/explanation/judges.md").read_text("utf-8")
#: Two data sets, in the order of the column.
TABLES = re.split(r"^\*\*.*\*\*$", Path(measured.__file__).with_name("measured.md").read_text("utf-8"), flags=re.M)[1:]
ROWS = [dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|", table, flags=re.M)) for table in TABLES]


def test_the_column_is_what_the_tables_say() -> None:
    found = {name: [rows.get(name, NONE) for rows in ROWS] for name in (ROWS[0] | ROWS[1])}
    assert len(TABLES) == 2
    assert len(found) > 60
    assert with_column(PAGE, found) == PAGE


@pytest.mark.parametrize(
    "name", ["inspector", "p-true", "qk-verification", "qk-after-reasoning", "token-probe", "redeep"]
)
def test_published_judges_have_a_row(name: str) -> None:
    assert re.search(rf"^\| `{name}` \|.*\| [^|]+ \|$", PAGE, flags=re.M)
