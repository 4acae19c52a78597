"""What the commands share: the words and bounds of their options, and how what was typed is read."""

import re
import shlex
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ...models.errors import InnerjudgeError, shown
from ...models.markers import THINK as THINK
from ..judges.between import positions as positions

#: Parts of a model that a user may name.
PARTS = ("blocks", "final_norm", "unembedding")
#: Types of stored hidden states.
StoreDtype = Literal["float32", "bfloat16", "float16", "int8"]
#: Command (``every``: all that have one of this name) -> option -> its help, flags and bounds. What cannot be imported
#: for a help text, such as the names of loaders, is written out there; tests hold it to the code.
TABLE: dict[str, dict[str, dict[str, Any]]] = tomllib.loads(Path(__file__).with_name("options.toml").read_text("utf-8"))
#: Command -> its help below the first line.
BELOW: dict[str, str] = tomllib.loads(Path(__file__).with_name("commands.toml").read_text("utf-8"))
#: The options that one parameter ``on`` of a command, the model that it names, stands for: type and default.
OF_MODEL: dict[str, tuple[Any, Any]] = {
    "model": (str, "reference"),
    "device": (str, "auto"),
    "dtype": (str, "auto"),
    "revision": (str | None, None),
    "trust_remote_code": (bool, False),
    "module": (list[str] | None, None),
}
#: What commands about a model that do nothing with them take as well.
IDLE: dict[str, tuple[Any, Any]] = {
    "limit": (int | None, None),
    "seed": (int, 0),
    "batch_size": (int, 16),
    "device": (str, "auto"),
    "dtype": (str, "auto"),
}


def option(command: str, name: str, kind: Any) -> Any:
    """The type of a parameter of a command, as typer reads it: with its words and bounds of :data:`TABLE`."""
    how = dict(TABLE["every"].get(name, {}))
    for commands, own in TABLE.items():
        how |= own.get(name, {}) if command in commands.split() else {}
    made: Any = typer.Argument if how.pop("argument", False) else typer.Option
    return Annotated[kind, made(*how.pop("flags", ()), help=how.pop("help"), **how)]


def typed() -> str:
    """The command as it was typed, for the record."""
    return shlex.join(["innerjudge", *sys.argv[1:]])


def bounds(scale: str) -> tuple[int, int]:
    """Lowest and highest score of a scale such as ``"1-5"``."""
    found = re.fullmatch(r"([0-9]{1,6})-([0-9]{1,6})", scale)
    if found is None or not int(found[1]) < int(found[2]):
        raise InnerjudgeError(f"given --scale {shown(scale)!r}, expected two whole numbers such as 1-5")
    return int(found[1]), int(found[2])


def modules(named: list[str] | None) -> dict[str, str]:
    """Parts and paths of ``--module``, as :func:`innerjudge.load` takes them."""
    found = {}
    for one in named or ():
        part, equals, path = one.partition("=")
        if part not in PARTS or not equals or not path or part in found:
            raise InnerjudgeError.of("cli.module", one, ", ".join(PARTS))
        found[part] = path
    return found


def mapped(given: list[str] | None, *data: str, kind: str | None = None) -> dict[str, str]:
    """Columns of ``--map``, once the data are known to be there and to have them: before anything heavy is imported."""
    columns = parts_of(given or [], "--map", "FIELD=COLUMN once a field: prompt=question")
    from ..data.datasets import check_spec

    for spec in data:
        check_spec(spec, columns, kind)
    return columns


def state_files(states: str | None, layers: str, last: Any, *, clean: bool = False) -> Any:
    """The files of ``--states``, if any (gone ones after ``--clean``); ``--layers`` as ``0,15,30``."""
    if not re.fullmatch(r"([0-9]{1,4}(,[0-9]{1,4})*)?", layers) or (states is None and (layers or last)):
        raise InnerjudgeError(f"given --layers {shown(layers)!r}, expected --states, and numbers such as 0,15,30")
    from ..reading.state_files import StateFiles

    numbers = [int(one) for one in layers.split(",") if one]
    return None if states is None else StateFiles.of(states, layers=numbers, last=last, cleaned=clean)


def parts_of(given: list[str], option: str, expected: str) -> dict[str, str]:
    """What is given as NAME=VALUE, each name once."""
    found = dict(one.partition("=")[::2] for one in given)
    if not all(found.values()) or len(found) < len(given):
        raise InnerjudgeError(f"given {option} {f' {option} '.join(given)}, expected {expected}")
    return found


def share(value: float, option: str = "--fit-share") -> float:
    """A share of the questions, strictly between 0 and 1."""
    if not 0 < value < 1:
        raise InnerjudgeError(f"given {option} {value:g}, expected more than 0 and less than 1, such as 0.5")
    return value
