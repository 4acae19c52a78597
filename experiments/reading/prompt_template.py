"""Templates of judge prompts: Jinja that fills in fields, has conditions, and loops over short lists only.

So no template can run long, grow large, or reach outside; it is rendered in Jinja's sandbox besides.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from string import ascii_uppercase
from typing import Any

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ...models.errors import InnerjudgeError, UnreadableError, one_line, shown

#: Characters that may come out.
MOST = 4_000_000
_LOOPS = ("labels", "rubric", "options")
_FILTERS = ("trim", "default", "lower", "upper", "capitalize", "length", "first", "last")
_NODES = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Const),
    *(nodes.If, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.Not, nodes.And, nodes.Or, nodes.Test),
    *(nodes.Filter, nodes.For, nodes.Concat),
)
_environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@lru_cache(maxsize=64)
def _compiled(template: str) -> Any:
    return _environment.from_string(template)


def check_template(template: str, needed: Collection[str], known: Collection[str]) -> None:
    """Refuse a template that is broken, does more than it may, uses fields not ``known``, or lacks one ``needed``."""
    try:
        tree = _environment.parse(template)
        _compiled(template)
    except (TemplateError, RecursionError) as error:
        raise InnerjudgeError(f"given a broken template ({one_line(error)}), expected Jinja") from None
    for one in tree.find_all(nodes.Node):
        if not isinstance(one, _NODES) or _is_free(one):
            what = getattr(one, "name", None) or type(one).__name__
            over, filters = " or ".join(_LOOPS), ", ".join(_FILTERS)
            raise InnerjudgeError.of("reading.template", shown(what), one.lineno, over, filters)
    loops = {one.target.name for one in tree.find_all(nodes.For) if isinstance(one.target, nodes.Name)}
    used = {one.name for one in tree.find_all(nodes.Name)}
    odd = sorted(used - set(known) - loops)
    lost = sorted(set(needed) - used)
    if odd or lost:
        given = f"the field {shown(odd[0])}" if odd else f"a template without {lost[0]}"
        raise InnerjudgeError(f"given {given}, expected {', '.join(sorted(known))}; always {' and '.join(needed)}")


def _is_free(one: nodes.Node) -> bool:
    """Whether a filter or a loop is another than those allowed."""
    if isinstance(one, nodes.Filter):
        return one.name not in _FILTERS
    if not isinstance(one, nodes.For):
        return False
    bounded = isinstance(one.iter, nodes.Name) and one.iter.name in _LOOPS and not one.recursive
    return not bounded or any(True for _ in one.find_all(nodes.For))


def fill_in(template: str, fields: Mapping[str, Any]) -> str:
    """The text of a template; ``UnreadableError`` if it cannot be filled in, or becomes too long."""
    try:
        text = str(_compiled(template).render(fields))
    except (TemplateError, TypeError, RecursionError) as error:
        raise UnreadableError(f"the prompt cannot be filled in ({one_line(error)})") from None
    if len(text) > MOST:
        raise UnreadableError(f"the prompt has {len(text)} characters, more than {MOST}")
    return text


def with_lines(
    template: str, fields: Mapping[str, Any], options: Sequence[str]
) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The text of a template over lettered ``options``, and the characters of each option's line with its line end.

    ``UnreadableError`` as :func:`fill_in`, or if options do not stand once each, in order, on lines of their own.
    """
    said = "".join((str(fields["question"]), *options))
    marks = [one for one in map(chr, range(0xF0000, 0xF0800)) if one not in said][: len(options)]  # of nobody's texts
    entries = [{"label": a, "text": m + text + m} for a, m, text in zip(ascii_uppercase, marks, options, strict=False)]
    user, spans = fill_in(template, {**fields, "options": entries}), list[tuple[int, int]]()
    for mark in marks:
        before, *behind = user.split(mark)
        user = "".join((before, *behind))
        start, end = before.rfind("\n") + 1, user.find("\n", len(before)) + 1
        if len(behind) != 2 or not end or (spans and start < spans[-1][1]):
            raise UnreadableError.of("reading.option-lines")
        spans.append((start, end))
    return user, tuple(spans)
