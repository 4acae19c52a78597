"""The main job: every judge that fits the data, on the same items, with the text judge beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ...models.items import Item, Trace
from ...models.loading import LanguageModel
from ..data.datasets import Dataset
from ..data.labels import require_classes
from ..data.splits import split_by_group
from ..data.verdict_rows import verdict_row
from ..judges.panel import panel, without_abstain, without_reasoning
from ..reading.sampling import sample_traces
from .candidate_curves import candidate_curves
from .evaluate import NO_JUDGE, figures
from .judging import Judging, Settings
from .results import Comparison

#: Below so many questions the report warns that intervals are too narrow.
FEW_QUESTIONS = 20
#: Metrics of the short table, most important first.
HEADLINE = {
    "trace": ("within_question_auroc", "auroc", "top@1"),
    "rating": ("spearman", "spearman_noiseless", "pearson"),
    "choice": ("accuracy", "permutation_accuracy", "accuracy_unscored_wrong"),
    "pair": ("accuracy_both_orders", "accuracy"),
}


def compare(lm: LanguageModel, data: Dataset, settings: Settings) -> Comparison:
    """Judge the items of one data set with every judge that fits their kind.

    Questions are split in two; what is learned or chosen (centroids, weights, heads, signs) comes from the first part
    and every figure from the second. Items without labels get verdicts and no figures.

    Raises:
        InnerjudgeError: If there are fewer than two questions, or the labels to fit on are all of one class.
    """
    items: Sequence[Item] = data.items
    if not items:
        items = sample_traces(
            lm,
            data.problems,
            n_candidates=settings.candidates,
            seed=settings.seed,
            batch_size=8 * settings.passes.batch_size,
            steps=settings.passes.steps,
        )
    groups = [item.group for item in items]
    fit, test = split_by_group(groups, train_fraction=settings.fit_share, seed=settings.seed)
    require_classes(items, fit)  # before the long passes
    seats = panel(data.kind, between=settings.between, scale=settings.passes.scale)
    if not settings.passes.reasoning_tokens:
        seats = without_reasoning(seats)
    if not settings.passes.abstain:
        seats = without_abstain(seats)
    run = Judging(lm, items, fit, test, settings, seats)
    outcomes, curves, maps = {
        "trace": run.traces,
        "rating": run.ratings,
        "choice": run.choices,
        "pair": run.pairs,
    }[data.kind]()
    shown = [items[k] for k in test]
    rows = figures(
        outcomes,
        data=data.name,
        kind=data.kind,
        items=shown,
        top_maj=settings.top_maj,
    )
    judges = {name: seat.family for name, seat in seats.items()}
    by_candidates = (
        candidate_curves(outcomes, cast(Sequence[Trace], shown), seed=settings.seed) if data.kind == "trace" else ()
    )
    return Comparison(
        data=data.name,
        kind=data.kind,
        n_items=len(items),
        n_fit=len(fit),
        n_test=len(test),
        judges=judges | ({NO_JUDGE: "baseline"} if data.kind == "trace" else {}),
        headline=tuple(name for name in HEADLINE[data.kind] if any(row.metric == name for row in rows)),
        rows=tuple(rows),
        verdicts=tuple(
            verdict_row(item, verdict, data=data.name, judge=outcome.judge)
            for outcome in outcomes
            for item, verdict in zip(shown, outcome.verdicts, strict=True)
        ),
        by_block=curves,
        by_block_metric=_BY_BLOCK[data.kind],
        head_maps=maps,
        by_candidates=by_candidates,
        notes=(_about(items, data), *_few(shown), *run.notes),
    )


_BY_BLOCK = {
    "trace": "within-question AUROC",
    "rating": "Spearman with the mean human score",
    "choice": "accuracy",
    "pair": "",
}


def _few(items: Sequence[Item]) -> list[str]:
    """A warning where intervals rest on few questions."""
    questions = len({item.group for item in items})
    if questions >= FEW_QUESTIONS:
        return []
    return [
        f"Only {questions} questions are on the reported side. Intervals that rest on so few are too narrow: "
        "raise --limit before believing any difference."
    ]


def _about(items: Sequence[Item], data: Dataset) -> str:
    known = [item.correct for item in items if isinstance(item, Trace) and item.correct is not None]
    share = f", {sum(known)} of {len(known)} right" if known else ""
    sampled = " sampled from the model at temperature 1" if data.problems else ""
    return f"{len(items)} items{sampled}{share}."
