"""The commands on scored candidates: ``select`` and ``curves``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ...models.errors import InnerjudgeError, shown
from . import options as o, say

Rules = Literal[
    "best-of-n", "majority", "top-maj", "weighted", "best-of-majority", "vec-cisc", "oracle", "random"
]  # fmt: skip

Scores = Annotated[
    Path,
    typer.Option(
        "--scores", help="JSONL, one candidate a line: question_id, a score, answer, correct ...", dir_okay=False
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data", help="The candidates' own JSONL, for what the scores' rows lack (answers, tokens).", dir_okay=False
    ),
]
Answers = Annotated[
    Literal["plain", "maths", "exact"],
    typer.Option(
        "--answers",
        help="When two answers are one: plain (numbers, letters, words), maths (equal by math-verify; needs the extra "
        "[math]), or exact.",
    ),
]
Features = Annotated[
    Path | None,
    typer.Option(
        "--features", help="Folder that `extract` wrote of the candidates: the states of vec-cisc.", file_okay=False
    ),
]
Clusters = Annotated[int, typer.Option(min=1, help="vec-cisc: most clusters of traces of one answer.")]
ClusterBy = Annotated[
    Literal["kmeans", "agglomerative"], typer.Option("--cluster-by", help="vec-cisc: how traces are clustered.")
]
Alpha = Annotated[float, typer.Option(min=0, max=1, help="best-of-majority: least share of candidates with an answer.")]
MinCount = Annotated[int, typer.Option(min=1, help="best-of-majority: least number of them.")]
Reward = Annotated[
    Literal["max", "mean", "sum"], typer.Option(help="best-of-majority: an answer's score, of its candidates'.")
]
_NAMED = "a judge of the file or a field of its rows"
Gates = Annotated[
    list[str] | None,
    typer.Option(
        "--gate",
        help=f"Pick among what passes, if anything does: NAME>=0.5 of {_NAMED}, or regex:PATTERN in the response, else "
        "the answer; repeatable.",
    ),
]
Weights = Annotated[
    list[str] | None, typer.Option("--weight", help=f"With --gate: NAME=2 of {_NAMED}, for a mean score; repeatable.")
]


def select(
    scores: Scores,
    out: o.OutFile,
    rule: Annotated[Rules, typer.Option(help="Which candidate is taken.")] = "best-of-n",
    score: Annotated[str, typer.Option(help="The field that holds the score, ours or any reward model's.")] = "score",
    judge: Annotated[str | None, typer.Option(help="Take the rows of this judge, where there are several.")] = None,
    data: Data = None,
    answers: Answers = "plain",
    k: Annotated[
        int | None, typer.Option(min=1, help="top-maj: how many vote (4); best-of-majority: how many are picked (1).")
    ] = None,
    temperature: Annotated[
        str, typer.Option(help="weighted, vec-cisc: a number, inf, or auto: chosen on --held-out.")
    ] = "1",
    held_out: Annotated[float, typer.Option(help="Share of the questions that auto chooses on.")] = 0.1,
    alpha: Alpha = 0.0,
    min_count: MinCount = 1,
    reward: Reward = "max",
    features: Features = None,
    clusters: Clusters = 2,
    cluster_by: ClusterBy = "kmeans",
    gate: Gates = None,
    weight: Weights = None,
    seed: o.Seed = 0,
) -> None:
    """Pick one candidate of each question by its answer and any score: one question per line, with why.

    Unscored candidates rank last and weigh nothing; unparsable answers win no vote; ties go to what comes first.
    Where a rule has no answer, the row says what was done instead.

        innerjudge select --scores runs/verdicts.jsonl --rule weighted --temperature auto --out picks.jsonl

        innerjudge select --scores rewards.jsonl --score reward --rule best-of-majority --min-count 2 --out picks.jsonl

        innerjudge select --scores said.jsonl --judge helpful --gate 'grounded>=0.5' --gate 'regex:[0-9]' --out p.jsonl
    """
    from ..selection.gates import Gate, read_gated
    from ..selection.representatives import load_vectors
    from ..selection.rules import Rule
    from ..selection.select_job import Selection, select_job

    chosen = temperature == "auto"
    if chosen and rule not in ("weighted", "vec-cisc"):
        raise InnerjudgeError(
            f"given --temperature auto with --rule {rule}, expected weighted or vec-cisc: leave it out"
        )
    typed = [Gate.of(one) for one in gate or ()], _weights(weight or [])
    columns, gates = read_gated(scores, *typed, score=score, judge=judge, data=data)
    columns = columns.with_answers(answers)
    degrees, clustered = 1.0 if chosen else _temperature(temperature), rule == "vec-cisc"
    named = Rule("weighted" if clustered else rule, k or 4, degrees, alpha, min_count, reward)
    vectors = load_vectors(features, columns) if clustered and features is not None else None
    how = Selection(
        rule=named, k=(k or 1) if rule == "best-of-majority" else 1, clusters=clusters if clustered else None,
        method=cluster_by, held_out=o.share(held_out, "--held-out") if chosen else 0.0, seed=seed, gates=gates,
    )  # fmt: skip
    say(select_job(columns, how, out, vectors))


def curves(
    scores: Annotated[
        list[Path],
        typer.Option("--scores", help="JSONL as in `select`, of any number of judges; repeatable.", dir_okay=False),
    ],
    out: o.OutFolder,
    score: Annotated[str, typer.Option(help="The field that holds the score.")] = "score",
    judge: Annotated[list[str] | None, typer.Option(help="Show these judges only; repeatable.")] = None,
    data: Data = None,
    answers: Answers = "plain",
    features: Features = None,
    clusters: Clusters = 2,
    k: Annotated[int, typer.Option(min=1, help="top-maj: how many vote.")] = 4,
    min_count: Annotated[int, typer.Option(min=1, help="best-of-majority: least candidates with an answer.")] = 2,
    held_out: Annotated[float, typer.Option(help="Share of the questions on which temperatures are chosen.")] = 0.1,
    n_max: Annotated[int | None, typer.Option(min=1, help="Most candidates; else the fewest a question has.")] = None,
    orders: Annotated[int, typer.Option(min=1, help="Random orders of each question's candidates.")] = 100,
    seed: o.Seed = 0,
) -> None:
    """Accuracy of every rule and judge against the number of candidates, and against what they cost.

    Writes `curves.md` (the table, with within-question discrimination), `curves.png`, `tokens.png` and
    `seconds.png` where costs are known, and all figures as `curves.jsonl`.

        innerjudge curves --scores runs/compare/verdicts.jsonl --out runs/curves

        innerjudge curves --scores ours.jsonl --scores rewards.jsonl --data traces.jsonl --out runs/curves
    """
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
