"""Whether a judge says the same again: sampled anew, asked in other words, in another order, in another precision."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...compare.figures import Cell, Grid, Section, grid, section, worded
from ...compare.lens import Lens, standing
from ...data.verdict_table import Row
from ...stats.biases import consistency, preferences

KEY = "steadiness"


def steadiness(lens: Lens, rows: Mapping[str, Sequence[Row]]) -> Section | None:
    """Consistency over samples, Sage's two measures, position and length bias, perturbations.

    ``rows`` are of the same questions asked again: in ``samples`` of text, as ``pairs`` in both orders and such pairs
    ``sampled``, ``perturbed`` by other batches and another precision.
    """
    samples, pairs, sampled, perturbed = (rows.get(name, ()) for name in ("samples", "pairs", "sampled", "perturbed"))
    grids = [_samples(lens, samples)] if samples else []
    grids += [_sage(lens, pairs), _orders(lens, pairs, sampled)] if pairs else []
    grids += [_perturbed(lens, perturbed)] if perturbed else []
    found, tested = standing([f for g in grids for f in g.figures])
    made = section(KEY, "Steadiness, without labels", worded(KEY, found=found, tested=tested), grids)
    return made if made.grids else None


def _samples(lens: Lens, rows: Sequence[Row]) -> Grid:
    small = lens.of(rows)
    found: list[list[Cell]] = []
    for judge in small.table.judges:
        repeats = sorted({row.repeat for row in rows if row.judge == judge})
        said: list[list[Any]] = [small.table.labels(judge, repeat=r) for r in repeats]
        scores = [small.table.scores(judge, repeat=r) for r in repeats]
        two_valued = len({v for column in said for v in column if v is not None}) <= 2
        made = {
            "two samples agree": consistency.self_consistency(said),
            "one verdict has a majority": consistency.majority_consistency(said),
            "flip probability": consistency.flip_probability(said) if two_valued else None,
            "spread of scores": consistency.score_spread(scores),
        }
        lower = ("flip probability", "spread of scores")
        figures = [
            None if one is None else small.figure(KEY, judge, n, one, good="lower" if n in lower else "higher")
            for n, one in made.items()
        ]
        found.append([judge, len(repeats), *figures])
    return grid("steadiness samples", found)


def _sage(lens: Lens, rows: Sequence[Row]) -> Grid:
    small = lens.of(rows)
    found: list[list[Cell]] = []
    for judge in small.table.judges:
        ipi, tov, left_out = consistency.sage_statistics(small.table, judge)
        figures = [small.figure(KEY, judge, n, s, good="lower") for n, s in (("IPI", ipi), ("TOV", tov))]
        found.append([judge, *figures, ipi.n, left_out])
    return grid("steadiness sage", found)


def _orders(lens: Lens, rows: Sequence[Row], sampled: Sequence[Row]) -> Grid:
    small = lens.of([*rows, *sampled])
    labels: Any = small.truths
    found: list[list[Cell]] = []
    for judge in small.table.judges:
        repeats = sorted({row.repeat for row in small.table if row.judge == judge})
        first, second = (
            [[v if v is None else str(v) for v in small.table.labels(judge, order=o, repeat=r)] for r in repeats]
            for o in ("given", "swapped")
        )
        made = {
            "first shown wins, above one half": preferences.first_wins(first[0], second[0]),
            "position bias": preferences.position_bias(labels, first[0], second[0]),
            "length bias": preferences.length_bias(labels, first[0], small.table.lengths),
        }
        if len(repeats) > 1:
            made["position bias, de-noised"] = preferences.position_bias_denoised(labels, first, second)
            made["length bias, de-noised"] = preferences.length_bias_denoised(labels, first, small.table.lengths)
        names = (
            "first shown wins, above one half", "position bias", "position bias, de-noised", "length bias",
            "length bias, de-noised",
        )  # fmt: skip
        found.append([judge, *(small.zero(KEY, judge, n, made[n]) if n in made else None for n in names)])
    return grid("steadiness orders", found)


def _perturbed(lens: Lens, rows: Sequence[Row]) -> Grid:
    small = lens.of(rows)
    base, *others = small.table.judges
    found, names = list[list[Cell]](), ("mean change of score", "verdicts changed")
    for judge in others:
        shift = consistency.score_shift(small.table.scores(base), small.table.scores(judge))
        change = consistency.verdict_change(small.table.labels(base), small.table.labels(judge))
        figures = [small.figure(KEY, judge, n, s, good="lower") for n, s in zip(names, (shift, change), strict=True)]
        found.append([judge.removeprefix("perturbation: "), *figures])
    return grid("steadiness perturbed", found, names)
