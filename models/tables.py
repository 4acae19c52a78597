"""Short tables for notebooks."""

from collections.abc import Iterable, Sequence
from html import escape


def html_table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as HTML, every text escaped.

    Example:
        >>> html_table("A & B", ["name"], [["x"]])
        '<table><caption>A &amp; B</caption><tr><th>name</th></tr><tr><td>x</td></tr></table>'
    """
    head = "".join(f"<th>{escape(one)}</th>" for one in header)
    body = "".join(f"<tr>{''.join(f'<td>{escape(str(one))}</td>' for one in row)}</tr>" for row in rows)
    return f"<table><caption>{escape(title)}</caption>{f'<tr>{head}</tr>' if header else ''}{body}</table>"
