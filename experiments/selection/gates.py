"""Gates that a candidate must pass before its scores count: judges, columns of numbers, or patterns in its text."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import regex

from ...models.conversation import as_response, plain_text
from ...models.errors import InnerjudgeError, shown
from ..data.jsonl import read_records
from ..data.records import Record
from ..stats.statistic import Values, finite, require_same_length
from .columns import Columns, by_id, number_of, of_judge, read_columns, source_of

GateRule = Literal["threshold", "geometric", "product", "min"]
#: Most seconds that a pattern is looked for in one text: some take for ever on texts made for it.
PATIENCE = 0.5


class Gate(NamedTuple):
    """A gate as it is typed: ``"NAME>=0.5"`` of a judge or a column, or ``"regex:PATTERN"``, which a text must hold."""

    typed: str
    name: str
    least: float = 0.5
    pattern: Any = None

    @classmethod
    def of(cls, typed: str) -> "Gate":
        """Read one."""
        name, _, least = typed.rpartition(">=")
        try:
            if typed.startswith("regex:"):
                return cls(typed, "", pattern=regex.compile(typed[6:]))
            number = float(least)
            if not (name.strip() and isfinite(number)):
                raise ValueError("no name and finite number")
            return cls(typed, name.strip(), number)
        except (ValueError, regex.error) as error:
            raise InnerjudgeError.of("selection.gate", shown(typed), shown(error)) from None

    def found(self, text: str | None) -> float | None:
        """1 where the pattern is found, else 0; ``None`` without a text. It is an error if it takes too long."""
        try:
            return None if text is None else float(bool(self.pattern.search(text, timeout=PATIENCE, concurrent=True)))
        except TimeoutError:
            raise InnerjudgeError.of("selection.slow-gate", shown(self.typed), PATIENCE) from None


class Gated(NamedTuple):
    """Of each candidate what ranks it (``None``: unscored), the gates that it fails, and its utility alone."""

    scores: list[float | None]
    failed: list[tuple[str, ...]]
    utility: list[float | None]


def gated(
    gates: Mapping[str, Values], scores: Mapping[str, Values], *, weights: Mapping[str, float] | None = None,
    rule: GateRule = "threshold", threshold: float | Mapping[str, float] = 0.5, delta: float = 0.01
) -> Gated:  # fmt: skip
    r"""Gates first, then the weighted mean ``U`` of the scores (weight 1 where ``weights`` say nothing).

    ``"threshold"``: ``1 + U`` where all gates are at their threshold, else the least gate: failures are below passes,
    on any scale. From 0 to 1 also ``"geometric"``, the paper's :math:`U \exp(\frac1m \sum_i \log \frac{s_i + \delta}{1
    + \delta})`, ``"product"`` and ``"min"`` of the gates, times ``U``. Without the value of a gate a candidate fails
    it, and is unscored. Where none passes the best is the least bad, and ``failed`` says of what.

    Source:
        SearchLLM (arXiv 2603.10473), a reward for training. Its mean opens as gates are added: a total failure of one
        leaves .10 with two, .63 with ten. Where gates are of much noise, take ``"min"``.

    Example:
        >>> gated({"grounded": [1, 0.2]}, {"helpful": [0.4, 0.9]})
        Gated(scores=[1.4, 0.2], failed=[(), ('grounded',)], utility=[0.4, 0.9])
    """
    gates, scores = (one if isinstance(one, Mapping) else {} for one in (gates, scores))
    own = {**dict.fromkeys(scores, 1.0), **(weights or {})}
    least = threshold if isinstance(threshold, Mapping) else dict.fromkeys(gates, threshold)
    odd = not gates or {*own} ^ {*scores} or {*least} ^ {*gates} or not all(0 <= w < np.inf for w in own.values())
    if odd or not sum(own.values()) or rule not in get_args(GateRule) or not delta > 0:
        given = f"{shown([*gates])}, scores {shown([*scores])}, {weights=}, {rule=}, {threshold=}, {delta=}"
        raise InnerjudgeError.of("selection.gated", given, ", ".join(get_args(GateRule)))
    require_same_length(**{f"gate {n}": c for n, c in gates.items()}, **{f"score {n}": c for n, c in scores.items()})
    g, t = np.stack([finite(c) for c in gates.values()]), np.array([[least[name]] for name in gates], dtype=np.float64)
    u = np.stack([own[n] * finite(c) for n, c in scores.items() if own[n]]).sum(axis=0) / sum(own.values())
    passes = g >= t
    if rule == "threshold":
        up = max(1.0, float(t.mean() - np.nanmin(np.append(u, 0.0))))  # 1 where all lies within 0 and 1
        value = np.where(passes.all(axis=0), u + up, (g - t).min(axis=0) + t.mean())
    elif (g < 0).any() or (g > 1).any() or (u < 0).any() or (u > 1).any():
        raise InnerjudgeError(f"given gates or scores beyond 0 and 1 for {rule=}, expected none: calibrate them")
    else:
        held = {"geometric": np.exp(np.log((g + delta) / (1 + delta)).mean(axis=0)), "product": g.prod(axis=0)}
        value = held.get(rule, g.min(axis=0)) * u
    ranked, utility = ([None if v != v else v for v in column.tolist()] for column in (value, u))
    failed = [tuple(name for name, one in zip(gates, column, strict=True) if not one) for column in passes.T]
    return Gated(ranked, failed, utility)


def read_gated(
    path: Path, gates: Sequence[Gate], weights: Mapping[str, float], *, score: str, judge: str | None, data: Path | None
) -> tuple[Columns, Gated | None]:
    """Candidates as of :func:`.read_columns`, their score the weighted mean, and what gates make of them, if any.

    Names are judges of the file, else fields of its rows or of ``data`` (true is 1); patterns are looked for in the
    response, else in the answer. The candidates are those of ``judge``, else of the judge that is no gate.
    """
    if not gates and not weights:
        return read_columns(path, score=score, judge=judge, data=data), None
    if not gates:
        raise InnerjudgeError("given --weight without --gate, expected a gate that comes before the weighted scores")
    rows, by, first = read_records(path), defaultdict[str, list[Record]](list), next(iter(weights), score)
    for row in rows:
        by[str(row.values.get("judge", ""))].append(row)
    others = [name for name in by if name not in {gate.name for gate in gates}]
    base = judge or (first if first in by else others[0] if len(others) == 1 else None) or None
    columns = read_columns(path, score=score if first in by else first, judge=base, data=data)
    more, held = {} if data is None else by_id(read_records(data)), by_id(of_judge(rows, base, shown(path)))
    both = [(row, more[key]) if more else (row,) for key, row in held.items()]

    def values(*names: str) -> list[tuple[Record, str] | None]:
        return [source_of(its, *names) for its in both]

    def numbers(name: str) -> list[float | None]:
        judged = by_id(by[name]) if name in by else {}
        its = [(judged[k], score if judged[k].has(score) else "label") if k in judged else None for k in held]
        found = its if judged else values(name)
        if not any(found):
            known = shown(", ".join((*filter(None, by), *rows[0].values)), 500)
            raise InnerjudgeError(f"given the gate or score {shown(name)!r}, expected a judge or a field: {known}")
        return [one and number_of(*one, flags=True) for one in found]

    said = [one and one[0].values[one[1]] for one in values("response", "answer")]
    texts = [
        plain_text(as_response(one)) if isinstance(one, list | dict) else None if one is None else str(one)
        for one in said
    ]
    columned = {gate.typed: [*map(gate.found, texts)] if gate.pattern else numbers(gate.name) for gate in gates}
    scored = {name: numbers(name) for name in weights} or {score: list(columns.scores)}
    made = gated(columned, scored, weights=weights, threshold={gate.typed: gate.least for gate in gates})
    return replace(columns, scores=tuple(made.utility)), made
