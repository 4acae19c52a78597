"""What a comparison says, in plain words made from its figures alone; a judge that does not win is said not to win."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...drawing.spelling import MINUS_TEXT, number, title
from ..results import Comparison, ResultRow
from .row_text import figure
from .table import FAMILIES, Line, lines, minus_metric

_CORRELATIONS = ("spearman", "pearson", "kendall")
_HALF = ("auroc", "balanced_accuracy", "within_question_auroc", "within_question_pairs")
_FEW = 50


#: What a reader must know before the figures.
HOW_TO_READ = (
    "Intervals are 95 % intervals from the spread over questions (candidates of one question are left out together), "
    "wider where questions are few. They stay inside the bounds of a figure and are never a point.",
    "Items are split by question. Judges were fitted, and heads, layers and thresholds chosen, on one part; every "
    "figure is of the other.",
    "Pooled figures compare items of all questions, so a judge can gain by knowing which question is hard. "
    "Within-question figures compare only answers to the same question; they are what reranking needs.",
    "A difference to the text judge is paired: both judges on the items that both scored. It is "
    'called above or below only where its whole interval is. "Not told apart" does not mean equal.',
    "With twenty judges compared, about one interval in twenty misses the truth by chance alone.",
    "Unscored items are left out of a figure and counted beside it, unless the metric's name says otherwise.",
    "Time an item is the passes that the judge needs and its own work, on the machine of this run.",
)


def reading(comparison: Comparison) -> list[str]:
    """Sentences on the first headline metric, most important first: text, baselines, chance, difficulty, size."""
    if not comparison.headline:
        return ["There are no figures, since no item has a label: verdicts.jsonl holds what each judge said."]
    found = [line for line in lines(comparison) if line.cells[0] is not None and line.cells[0].value is not None]
    metric = comparison.headline[0]
    if not found:
        return [f"No judge has a figure for {title(metric)}: nothing can be said of who judges best."]
    said = [*_against_text(comparison, found), *_against_baselines(found, metric)]
    said += _chance(comparison, found, metric)
    said += _difficulty(comparison)
    fewest = min(line.cells[0].n for line in found if line.cells[0])
    if fewest < _FEW:
        said.append(f"Some of these figures rest on only {fewest} cases: read the intervals, not the values.")
    return said


def chance_level(comparison: Comparison, metric: str, judge: str | None = None) -> float | None:
    """What a judge that knows nothing would get, where that is known from the metric's definition.

    For choices it is the mean of 1 / (number of options), counted from the scores of the verdicts of ``judge``: judges
    differ in whether "None of the above" and "I don't know" take part. Without a judge, it is known where all agree.
    """
    if metric.endswith(MINUS_TEXT):
        return None
    if metric.startswith(_HALF):
        return 0.5
    if metric.startswith(_CORRELATIONS):
        return 0.0
    if metric == "accuracy" and comparison.kind == "choice":
        names = {str(v["judge"]) for v in comparison.verdicts} if judge is None else {judge}
        known = {round(level, 6) for level in (_chance_of(comparison, name) for name in names) if level is not None}
        return known.pop() if len(known) == 1 else None
    return None


def _against_text(comparison: Comparison, found: Sequence[Line]) -> list[str]:
    metric = minus_metric(comparison).removesuffix(MINUS_TEXT)
    said = []
    texts = [line for line in found if line.family == "text"]
    if texts:
        said.append(f"In {title(comparison.headline[0])}, {_list(_with_figure(line) for line in texts)}.")
    compared = [line for line in found if line.minus is not None and line.minus.low is not None]
    if not compared:
        return [*said, "There is no paired difference to a text judge: nothing is claimed against text."]
    above = [line for line in compared if line.marked and (line.minus_value > 0)]
    below = [line for line in compared if line.marked and (line.minus_value < 0)]
    level = [line for line in compared if not line.marked]
    of = "" if metric == comparison.headline[0] else f" (in {title(metric)})"
    if above:
        said.append(f"Above the text judge{of}: {_list(_by(line) for line in above)}.")
    else:
        said.append(f"No judge is above the text judge{of}.")
    if below:
        said.append(f"Below the text judge{of}: {_list(_by(line) for line in below)}.")
    if level:
        names = _list(line.judge + _baseline(line) for line in level)
        said.append(f"Not told apart from the text judge{of} (the interval of the difference holds 0): {names}.")
    return said


def _against_baselines(found: Sequence[Line], metric: str) -> list[str]:
    """Whole intervals are compared, for want of a paired difference to baselines: this errs towards saying nothing."""
    baselines = [line for line in found if line.family == "baseline"]
    others = [line for line in found if line.family in ("hidden", "logits")]
    if not baselines or not others:
        return []
    best = max(baselines, key=lambda line: _value(line.cells[0]))
    ceiling = best.cells[0].high if best.cells[0] else None
    floor = best.cells[0].low if best.cells[0] else None
    if ceiling is None or floor is None:
        return []
    above = [line for line in others if line.cells[0] and line.cells[0].low is not None and line.cells[0].low > ceiling]
    lower = [line for line in others if line.cells[0] and line.cells[0].high is not None and line.cells[0].high < floor]
    strongest = f"the strongest baseline, {best.judge} ({figure(best.cells[0]) if best.cells[0] else title(metric)})"
    if above:
        said = f"Clear of {strongest}, whole interval above its interval: {_list(line.judge for line in above)}."
    else:
        said = f"No hidden-state or logit judge stands clear of {strongest}."
    return [said] + ([f"Clearly below that baseline: {_list(line.judge for line in lower)}."] if lower else [])


def _chance(comparison: Comparison, found: Sequence[Line], metric: str) -> list[str]:
    levels = {line.judge: chance_level(comparison, metric, line.judge) for line in found}
    held = []
    for line in found:
        level = levels[line.judge]
        if level is not None and _holds(line.cells[0], level):
            held.append(line.judge)
    if not held:
        return []
    known = sorted({number(level) for level in levels.values() if level is not None})
    who = "every judge" if len(held) == len(found) else f"{len(held)} of {len(found)} judges ({_list(held)})"
    return [f"Chance ({' or '.join(known)}) lies within the interval of {who}."]


def _chance_of(comparison: Comparison, judge: str) -> float | None:
    scores = (v.get("score") for v in comparison.verdicts if v.get("judge") == judge)
    sizes = [len(score) for score in scores if isinstance(score, list) and score]
    return sum(1 / size for size in sizes) / len(sizes) if sizes else None


def _difficulty(comparison: Comparison) -> list[str]:
    """Judges that separate items pooled but not within questions: they may read how hard the question is."""
    rows = {(row.judge, row.metric): row for row in comparison.rows}
    within = [
        row for row in comparison.rows if row.metric == "within_question_auroc" and row.judge in comparison.judges
    ]
    caught = []
    for row in within:
        pooled = rows.get((row.judge, "auroc"))
        if pooled is not None and pooled.low is not None and pooled.low > 0.5 and _holds(row, 0.5):
            caught.append(f"{row.judge} ({number(pooled.value)} pooled, {figure(row)} within questions)")
    if not caught:
        return []
    return [
        f"Separates right from wrong over all questions but not within one, so it may read difficulty: {_list(caught)}."
    ]


def _holds(row: ResultRow | None, level: float) -> bool:
    return row is not None and row.low is not None and row.high is not None and row.low <= level <= row.high


def _value(row: ResultRow | None) -> float:
    return row.value if row is not None and row.value is not None else float("-inf")


def _with_figure(line: Line) -> str:
    return f"{line.judge} has {figure(line.cells[0])}" if line.cells[0] else line.judge


def _by(line: Line) -> str:
    row = line.minus
    return f"{line.judge}{_baseline(line)} by {figure(row)}" if row is not None else line.judge


def _baseline(line: Line) -> str:
    return f" (a {FAMILIES['baseline'].lower()})" if line.family == "baseline" else ""


def _list(words: Iterable[str]) -> str:
    """Words joined by semicolons where they hold commas, else by commas and "and"."""
    items = list(words)
    if any("," in item for item in items):
        return "; ".join(items)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
