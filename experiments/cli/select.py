"""The commands on scored candidates: ``select`` and ``curves``."""

from pathlib import Path
from typing import Literal

from ...models.errors import InnerjudgeError, shown
from . import options as o, say

Rules = Literal[
    "best-of-n", "majority", "top-maj", "weighted", "borda", "deepconf", "best-of-majority", "vec-cisc",
    "oracle", "random",
]  # fmt: skip


def select(
    scores: Path, out: Path, rule: Rules = "best-of-n", score: str = "score", judge: str | None = None,
    data: Path | None = None, answers: Literal["plain", "maths", "exact"] = "plain", k: int | None = None,
    temperature: str = "1", held_out: float = 0.1, alpha: float = 0.0, min_count: int = 1,
    reward: Literal["max", "mean", "sum"] = "max", power: float = 0.5, keep: float = 0.1, features: Path | None = None,
    clusters: int = 2, cluster_by: Literal["kmeans", "agglomerative"] = "kmeans", gate: list[str] | None = None,
    weight: list[str] | None = None, seed: int = 0
) -> None:  # fmt: skip
    """Pick one candidate of each question by its answer and any score: one question per line, with why."""
    from ..selection.gates import Gate, read_gated
    from ..selection.representatives import load_vectors
    from ..selection.rules import Rule
    from ..selection.select_job import Selection, select_job

    chosen = temperature == "auto"
    if chosen and rule not in ("weighted", "vec-cisc"):
        raise InnerjudgeError.of("cli.temperature", rule)
    typed = [Gate.of(one) for one in gate or ()], _weights(weight or [])
    columns, gates = read_gated(scores, *typed, score=score, judge=judge, data=data)
    columns = columns.with_answers(answers)
    degrees, clustered = 1.0 if chosen else _temperature(temperature), rule == "vec-cisc"
    named = Rule("weighted" if clustered else rule, k or 4, degrees, alpha, min_count, reward, power, keep)
    vectors = load_vectors(features, columns) if clustered and features is not None else None
    how = Selection(
        rule=named, k=(k or 1) if rule == "best-of-majority" else 1, clusters=clusters if clustered else None,
        method=cluster_by, held_out=o.share(held_out, "--held-out") if chosen else 0.0, seed=seed, gates=gates,
    )  # fmt: skip
    say(select_job(columns, how, out, vectors))


def curves(
    scores: list[Path], out: Path, score: str = "score", judge: list[str] | None = None, data: Path | None = None,
    answers: Literal["plain", "maths", "exact"] = "plain", features: Path | None = None, clusters: int = 2, k: int = 4,
    min_count: int = 2, held_out: float = 0.1, n_max: int | None = None, orders: int = 100, seed: int = 0
) -> None:  # fmt: skip
    """Accuracy of every rule and judge against the number of candidates, and against what they cost."""
    from ..selection.curve_job import CurveSettings, curve_job

    how = CurveSettings(
        judges=tuple(judge or ()), score=score, data=data, spelling=answers, features=features, clusters=clusters, k=k,
        min_count=min_count, held_out=o.share(held_out, "--held-out"), n_max=n_max, n_orders=orders, seed=seed,
    )  # fmt: skip
    say(curve_job(scores, out, how, command=o.typed()))


def _weights(typed: list[str]) -> dict[str, float]:
    try:
        return {name: float(number) for name, _, number in (one.rpartition("=") for one in typed)}
    except ValueError:
        raise InnerjudgeError(f"given --weight {shown(', '.join(typed))}, expected NAME=NUMBER each") from None


def _temperature(typed: str) -> float:
    try:
        found = float(typed)
    except ValueError:
        found = -1.0
    if not found >= 0:
        raise InnerjudgeError(f"given --temperature {typed}, expected a number of 0 or more, inf, or auto")
    return found
