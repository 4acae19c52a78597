"""Untrusted YAML, read within limits: no aliases to expand, no deep nesting, no endless numbers."""

import re
from typing import Any

from .errors import InnerjudgeError
from .foreign import DEPTH, HEADER_LIMIT
from .shown import shown

#: What YAML would take for a number, of more than 20 digits: decimal, in another base, or by colons.
_LONG_NUMBER = re.compile(r"[+-]?(?=.{21})[0-9][0-9a-fA-FxXoObB_:.]*")


def parse_yaml(text: str) -> Any:
    """The value of a YAML text, of plain types only.

    One that is broken, too long, nested too deep, or has anchors, aliases or numbers of more than 20 digits is an
    error.
    """
    import yaml  # only who reads YAML waits for it

    if len(text) > HEADER_LIMIT:
        raise InnerjudgeError(f"given {len(text)} characters of YAML, expected at most {HEADER_LIMIT}")
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line = f"line {event.start_mark.line + 1 if event.start_mark else 0}"
            if getattr(event, "anchor", None) is not None:
                raise InnerjudgeError(f"{line}: given an anchor or alias, expected every value written out")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEPTH:
                raise InnerjudgeError(f"{line}: given values nested deeper than {DEPTH}, expected a flatter file")
            if isinstance(event, yaml.ScalarEvent) and not event.style and _LONG_NUMBER.fullmatch(event.value):
                raise InnerjudgeError(f"{line}: given a number of {len(event.value)} digits: put it in quotes")
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, OverflowError, AttributeError) as error:
        said = shown(" ".join(str(error).split()), 300)
        raise InnerjudgeError(f"given broken YAML ({said}), expected plain values") from None
