"""What a head looks at, and what is said of each piece of a text, written over that text."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from jinja2 import Template

from ...models.errors import InnerjudgeError
from ...models.prompts import Prompt

#: The hue is one of Okabe and Ito; darker is more, and the weight stands beside the line as a number.
_TEMPLATE = Path(__file__).parent / "templates" / "attention.html"


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
        raise InnerjudgeError.of("drawing.weights", given.shape, full, len(prompt.option_spans))
    lines, at = [], 0
    for k, (start, end) in enumerate(prompt.option_spans):
        text, share = prompt.user[start:end].rstrip("\n"), min(given[k] / full, 1.0)
        told = {"text": text, "share": share, "weight": given[k], "right": k == answer}
        lines.append({"before": prompt.user[at:start], **told})
        at = end
    return _page(title=title, lines=lines, after="\n", rest=prompt.user[at:], cue=prompt.cue)


def scores_over_text(
    pieces: Sequence[str], scores: Sequence[float | None], *, full: float = 1.0, title: str = ""
) -> str:
    """Pieces of a text, such as steps or tokens, as HTML: each is shaded by its score, which follows it as a number.

    ``full`` is the score of the full shade: more is no darker, and 0 or less has no shade. A piece whose score is
    ``None`` stands without one. ``InnerjudgeError`` if there is not one score a piece, or ``full`` is not above 0.

    Example:
        >>> html = scores_over_text(["1+1=2, ", "2+2=5"], [0.02, 0.97], title="how likely each step is wrong")
        >>> "2+2=5</mark> <small>0.97" in html
        True
    """
    if len(pieces) != len(scores) or not full > 0:
        raise InnerjudgeError.of("drawing.pieces", len(scores), len(pieces), full)
    lines = []
    for piece, score in zip(pieces, scores, strict=True):
        text = piece.rstrip("\n")  # the number stands on the line of its piece
        share = 0.0 if score is None else min(max(score / full, 0.0), 1.0)
        lines.append({"text": text, "share": share, "weight": score, "after": piece[len(text) :]})
    return _page(title=title, lines=lines)


def _page(**known: Any) -> str:
    return str(Template(_TEMPLATE.read_text("utf-8"), autoescape=True).render(known))
