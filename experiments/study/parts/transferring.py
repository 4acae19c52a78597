"""A judge fitted on one data set, asked about another: the rows of it."""

import copy
from collections.abc import Sequence
from typing import Any, cast

from ...compare.evaluation import Evaluation, columns_of
from ...compare.judging import by_difference
from ...compare.text_side import both_responses
from ...data.variants import Responses
from ...data.verdict_files import score_of
from ...data.verdict_table import Row
from ...judges.fitting import fit_seat, no_verdicts
from ...judges.panel import Seat


def transferred(source: Evaluation, target: Evaluation) -> list[Row]:
    """Rows of every learning judge, fitted on the source's questions to fit on, on the reported items of the target.

    The template of a row is the data set that the judge was fitted on. Of pairs, learning judges read single responses:
    they learn which one was preferred, and the preference is the difference of two scores, the same in both orders.
    """
    found = []
    for name, seat in source.seats.items():
        if not seat.judge.learns or name not in target.seats or (source.kind == "pair") is not seat.pointwise:
            continue
        given = _verdicts(name, seat, source, target)
        for k, verdict in zip(target.sides.test.tolist(), given, strict=True):
            base = columns_of(target, target.items[k], "test") | {"judge": name, "template": source.name}
            base |= {"score": score_of(verdict.score), "label": verdict.label, "unscored": verdict.unscored}
            found.append(Row(**base))
            if source.kind == "pair":
                found.append(Row(**base | {"order": "swapped"}))
    return found


def _verdicts(name: str, seat: Seat, source: Evaluation, target: Evaluation) -> Sequence[Any]:
    judge, pairs = copy.deepcopy(seat.judge), source.kind == "pair"
    judge.provenance_ = None
    learnt, labels, rows, asked = features_of(source), source.judging.labels, source.sides.fit, target.sides.test
    if pairs:
        labels = [one.extra.get("preferred") for one in Responses(cast(Any, source.items))]
        rows, asked = both_responses(rows), both_responses(asked)
    fit_seat(name, judge, learnt, labels, rows, permuted=source.judging.permuted)
    part = features_of(target).take(asked)
    if pairs:
        ids = [target.items[k].id for k in target.sides.test.tolist()]
        return by_difference(name, judge, part, ids).verdicts
    return judge.verdicts(part) if judge.provenance_ is not None else no_verdicts(judge, part)


def features_of(judged: Evaluation) -> Any:
    """What was read of all items; of pairs, of each response on its own."""
    run, name = judged.judging, "alone" if judged.kind == "pair" else "items"
    if name not in run.features:
        run.outcomes()
    return run.features[name]
