"""What takes more than one look at the features: transfer from one data set to another, and the luck of a pick."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from ....probes import CLUE
from ....probes.choices import head_credits
from ....probes.row_judge import each_row
from ...compare.by_block import labelled
from ...compare.evaluation import Evaluation, columns_of
from ...compare.figures import Cell, Figure, Plot, Section, grid, section, worded
from ...compare.judging import by_difference
from ...compare.lens import Lens
from ...compare.metrics import metrics
from ...compare.report.draw import matrix
from ...compare.turns import both_responses
from ...data.variants import Responses
from ...data.verdict_files import score_of
from ...data.verdict_table import Row, Table
from ...drawing.style import number
from ...judges.between import positions
from ...judges.fitting import fit_seat, no_verdicts
from ...judges.panel import Seat
from ...stats.selection_noise import SelectionNoise, auroc_by_question, selection_noise

KEY = "transfer"


def transfer_rows(judged: Sequence[Evaluation]) -> list[Row]:
    """Rows of every learning judge, fitted on each data set and tested on every other of its kind, itself among them.

    The template of a row is the data set that the judge was fitted on.
    """
    found: list[Row] = []
    for source in judged:
        for target in judged:
            if source.kind == target.kind:
                depends = [source.depends, target.depends]
                name = f"transfer-{source.name}-to-{target.name}"
                found += source.store.rows(name, depends, lambda s=source, t=target: transferred(s, t))  # type: ignore[misc]
    return found


def transfer(lenses: Sequence[Lens], rows: Sequence[Row]) -> Section | None:
    """The matrix of every learning judge's headline figure: fitted on the row's data, tested on the column's."""
    table: list[list[Cell]] = []
    plots: list[Plot] = []
    by_data = {lens.data: lens for lens in lenses}
    every = list(dict.fromkeys(row.data for row in rows))
    for judge in dict.fromkeys(row.judge for row in rows):
        mine = [row for row in rows if row.judge == judge]
        sources = list(dict.fromkeys(row.template for row in mine))
        targets = list(dict.fromkeys(row.data for row in mine))
        if len(sources) < 2:
            continue
        values: list[list[float | None]] = []
        behind_rows: list[list[Cell]] = []
        name = ""
        for source in sources:
            cells: dict[str, Figure | None] = {}  # a judge of one kind of item has not all of the targets
            for target in targets:
                both = (row for row in mine if row.template == source and row.data == target)
                here = [replace(row, template="default") for row in both]
                small = replace(by_data[target], table=Table(here))
                name, metric = next(iter(metrics(small).items()))
                made = metric(judge, [True] * len(small.truths))
                cells[target] = small.figure(KEY, judge, f"{name}, fitted on {source}", made) if here else None
            table.append([judge, source, *map(cells.get, every)])
            behind_rows.append([source, *cells.values()])
            values.append([None if c is None else c.value for c in cells.values()])
        behind = grid("transfer of a judge", behind_rows, targets, judge=judge, name=name)
        plots.append(matrix(f"transfer-{judge}", f"{judge}: {name}", sources, targets, values, behind=behind,
                            x="tested on", y="fitted on"))  # fmt: skip
    if not table:
        return None
    return section(KEY, "Transfer between data sets", worded(KEY), [grid("transfer", table, every)], plots)


def selection(judged: Evaluation) -> Section | None:
    """The optimism of the best of all layers (traces) or heads (choices), beside the pick and its reported figure."""
    found = _layers(judged) if judged.kind == "trace" else _heads(judged) if judged.kind == "choice" else None
    if found is None:
        return None
    what, noise, name, reported = found
    low, high = (number(v, decimals=3) for v in (noise.low, noise.high))
    row: list[Cell] = [what, noise.n_candidates, name, round(noise.seen, 3),
                       f"{number(noise.optimism, decimals=3, sign=True)} [{low}, {high}]", round(noise.honest, 3),
                       f"{noise.stability:.0%}", None if reported is None else round(reported, 3)]  # fmt: skip
    return section("selection", "The luck of a pick", worded("selection", found=[found]), [grid("selection", [row])])


_Found = tuple[str, SelectionNoise, str, float | None]


def _layers(judged: Evaluation) -> _Found | None:
    start, end = positions(judged.settings.between)
    features = features_of(judged)
    first, last = f"hidden/{start}", f"hidden/{end}"
    present = features.present(first, last)
    labels = [getattr(item, "correct", None) for item in judged.items]

    def usable(rows: Any) -> list[int]:
        return [int(k) for k in rows if present[k] and labels[k] is not None]

    fit, chosen, test = (usable(rows) for rows in (judged.sides.fit, judged.sides.calibrate, judged.sides.test))
    right = np.array([bool(labels[k]) for k in fit])
    if not fit or right.all() or not right.any():
        return None
    seen = np.flatnonzero(present)
    margin = np.full((len(features), features[first].shape[1]), np.nan)
    for row, alone in enumerate(each_row(features, first, last)):
        clue = CLUE(start=start, end=end, rank_by="margin").fit(alone[fit], right)
        margin[seen, row] = clue.decision_function(alone[seen])
    groups = [item.group for item in judged.items]
    held, names = auroc_by_question([labels[k] for k in chosen], margin[chosen], [groups[k] for k in chosen])
    if len(names) < 4:
        return None
    noise = selection_noise(lambda rows: held[rows].mean(axis=0), names, seed=judged.settings.seeds.split)
    there, _ = auroc_by_question([labels[k] for k in test], margin[test], [groups[k] for k in test])
    reported = float(there[:, noise.pick].mean()) if len(there) else None
    name = "final-normed state" if noise.pick == margin.shape[1] - 1 else f"block {noise.pick}"
    return "Nearest centroid of one block", noise, name, reported


def _heads(judged: Evaluation) -> _Found | None:
    features, name = features_of(judged), "qk/before"
    fit, test = (labelled(features, judged.items, rows, name) for rows in (judged.sides.fit, judged.sides.test))
    if len(fit[0]) < 4:
        return None
    on_fit, on_test = (
        head_credits(part[name], part["labels"].astype(np.intp), np.array(answers, dtype=np.intp))
        for part, answers, _ in (fit, test)
    )
    flat, seed = on_fit.reshape(len(on_fit), -1), judged.settings.seeds.split
    noise = selection_noise(lambda rows: flat[rows].mean(axis=0), list(range(len(flat))), seed=seed)
    block, head = divmod(noise.pick, on_fit.shape[2])
    reported = float(on_test[:, block, head].mean()) if len(on_test) else None
    return "QK-score, best head", noise, f"block {block + 1} head {head}", reported


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
        return by_difference(name, judge, part, [target.items[k].id for k in target.sides.test.tolist()]).verdicts
    return judge.verdicts(part) if judge.provenance_ is not None else no_verdicts(judge, part)


def features_of(judged: Evaluation) -> Any:
    """What was read of all items; of pairs, of each response on its own."""
    run, name = judged.judging, "alone" if judged.kind == "pair" else "items"
    if name not in run.features:
        run.outcomes()
    return run.features[name]
