"""What a head looks at, written over the text that it looks at."""

from html import escape

import numpy as np
import numpy.typing as npt

from ...models.errors import InnerjudgeError
from ...models.prompts import Prompt

_HUE = (0, 114, 178)  # of Okabe and Ito; darker is more, and the weight stands beside the line as a number
_BOX = (
    "font-family:monospace;white-space:pre-wrap;line-height:1.6;color:#000;background:#fff;padding:.6em;"
    "border:1px solid #ddd;max-width:44em"
)


def attention_over_text(
    prompt: Prompt, weights: npt.ArrayLike, *, answer: int | None = None, full: float = 1.0, title: str = ""
) -> str:
    """The prompt as HTML, each option line shaded by the weight from the answer's place to the end of that line.

    ``prompt`` is what :func:`~innerjudge.models.prompts.choice_prompt` made of the question; ``weights`` are ``[K]``,
    one a lettered option: attention weights of one head, or other shares. ``answer`` is the 0-based right option, which
    is marked. ``full`` is the weight of the full shade; more is no darker. It is below 1 for heads that spread their
    attention thin. ``title`` is a line above. ``InnerjudgeError`` if there are not as many finite weights of 0 or more
    as option lines.

    Example:
        >>> from innerjudge.models.prompts import choice_prompt
        >>> html = attention_over_text(choice_prompt("A fruit?", ["iron", "pear"], abstain=False), [0.1, 0.4], answer=1)
        >>> html.count("<mark"), "0.40 \u2713" in html
        (2, True)
    """
    given = np.asarray(weights, dtype=np.float64)
    if given.shape != (len(prompt.option_spans),) or not len(given) or not (given >= 0).all() or not full > 0:
        raise InnerjudgeError(
            f"given weights of shape {given.shape} and {full=} for {len(prompt.option_spans)} option lines, expected "
            "one finite number of 0 or more for each, and full above 0: pass one head's row, up to the item's options"
        )
    parts, at = [], 0
    for k, (start, end) in enumerate(prompt.option_spans):
        parts.append(escape(prompt.user[at:start]))
        parts.append(_line(prompt.user[start:end].rstrip("\n"), float(given[k]), full, k == answer))
        at = end
    parts.append(escape(prompt.user[at:]))
    body = "".join(parts) + f"\n{escape(prompt.cue)} "
    head = f'<div style="font-weight:bold;margin-bottom:.4em">{escape(title)}</div>' if title else ""
    return f'<div style="{_BOX}">{head}{body}<b title="the token that attends">\u25c2</b></div>'


def _line(text: str, weight: float, full: float, right: bool) -> str:
    share = min(weight / full, 1.0)
    ink = "#fff" if share > 0.6 else "#000"
    shade = f"rgba({_HUE[0]},{_HUE[1]},{_HUE[2]},{share:.2f})"
    mark = " \u2713" if right else ""
    return (
        f'<mark style="background:{shade};color:{ink};padding:.1em .3em">{escape(text)}</mark> '
        f"<small>{weight:.2f}{mark}</small>\n"
    )
