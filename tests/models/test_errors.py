"""Messages that stand beside the code: each is raised with as many values as it has places, and none is left over."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from string import Formatter

import pytest
from innerjudge.models.errors import InnerjudgeError

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("models", "extraction", "probes", "experiments")
SAID = {
    f"{path.parent.name}.{name}": text
    for floor in FLOORS
    for path in (ROOT / floor).rglob("errors.toml")
    for name, text in tomllib.loads(path.read_text("utf-8")).items()
}


def raised() -> list[tuple[Path, int, str, int]]:
    """File, line, key and number of values of each error whose message stands in a file."""
    found = []
    for floor in FLOORS:
        for path in (ROOT / floor).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                    "InnerjudgeError.of",
                    "UnreadableError.of",
                ):
                    key = ast.literal_eval(node.args[0])
                    found.append((path.relative_to(ROOT), node.lineno, key, len(node.args) - 1))
    return found


def test_every_message_has_its_values() -> None:
    for path, line, key, values in raised():
        room = path.parts[1] if path.parts[0] == "experiments" else path.parts[0]
        assert key.startswith(f"{room}."), f"{path}:{line} takes the message of another room: {key}"
        assert key in SAID, f"{path}:{line} raises {key}, which errors.toml does not have"
        places = {name for _, name, _, _ in Formatter().parse(SAID[key]) if name is not None}
        assert places == {str(k) for k in range(values)}, f"{path}:{line} gives {key} {values} values for {places}"


def test_every_message_is_raised_and_says_what_was_given_and_expected() -> None:
    assert SAID.keys() == {key for _, _, key, _ in raised()}
    odd = {key for key, text in SAID.items() if not ("given" in text.casefold() and "expected" in text.casefold())}
    assert odd == {
        "judges.moved-model",
        "extraction.last-block",
        "runs.not-fitted",
        "probes.damaged-fit",
    }  # they say what to do at once


def test_a_message_is_filled_in() -> None:
    with pytest.raises(InnerjudgeError, match=r"^given --out f, which holds no rows \(why\)"):
        raise InnerjudgeError.of("data.out-of-others", "f", "rows", "why")
