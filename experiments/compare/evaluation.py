"""From one data set to the table of verdicts: items are split by question and judged by the panel; steps are kept."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from ...extraction.features import Features
from ...models.errors import InnerjudgeError
from ...models.items import Item, Rating, Trace
from ..data.labels import label_to_fit, require_classes
from ..data.verdict_files import item_columns, read_table, said_row
from ..data.verdict_table import Row, Table
from ..judges.between import positions
from ..judges.openai_judge import OpenAIJudge
from ..judges.panel import EVERY, TEXT, Seat, askable, chosen, panel
from .items import DataItems
from .judging import Judging, curves_of
from .results import Byproducts, Outcome
from .sections.first_error import with_borders
from .settings import Settings
from .steps import ReadPart
from .trace_blind import RANDOM, agreement_rows, of_the_question
from .turns import with_best_text, with_costs


@dataclass(kw_only=True)
class Evaluation(DataItems):
    """What every judge says of the items of one data set that it was not fitted on (``alone``: it is the only one).

    With ``only``, just the judges of these names are asked, without the usual baselines.
    """

    alone: bool = True
    only: tuple[str, ...] = ()
    cost_elsewhere: dict[str, dict[str, float]] = field(default_factory=dict)
    made: Byproducts | None = field(default=None, init=False)

    @property
    def depends(self) -> list[Any]:
        """What its rows depend on, beside the model."""
        return [*super().depends, *self.only]

    @cached_property
    def seats(self) -> dict[str, Seat]:
        """The judges; see :func:`seats_of`."""
        return seats_of(self)

    @cached_property
    def judging(self) -> Judging:
        """The machinery on these sides; its features are kept."""
        return _judging(self)

    def rows(self) -> list[Row]:
        """Rows of every judge on the items that it was not fitted on, of people, and of imported judges."""
        found = self.store.rows(f"judged-{self.name}", self.depends, self._judged, [f"beside-{self.name}"])
        side = {row.item: row.tags["split"] for row in found}
        found = [*found, *elsewhere(self)]
        if self.kind == "rating":  # people's grades, on the scale that is asked for
            grades = [
                Row(**columns_of(self, item, "test"), judge=f"human-{number}", score=value, label=value)
                for item in self.items
                if isinstance(item, Rating) and item.scores and len(item.scores) > 1
                for number, grade in enumerate(item.scores, start=1)
                for value in [float(label_to_fit(replace(item, scores=(grade,)), self.settings.scale))]
            ]
            found = [*found, *on_sides(grades, side)]
        if self.kind == "trace":
            found = [*found, *agreement_rows(found)]
        for imported in self.imported.values():
            found = [*found, *on_sides(map(with_score, imported), side)]
        Table(found)  # refuses rows that clash
        return found

    def _judged(self) -> list[Row]:
        run = self.judging
        outcomes = with_borders(run, with_costs(run, with_best_text(run, run.outcomes())))
        if self.kind == "trace":  # also what each judge says of the question alone
            read = run.features["items"], run.labels, run.fit, run.test
            outcomes = [replace(o, random=of_the_question(run.seats[o.judge].judge, *read)) for o in outcomes]
        curves, maps = curves_of(run)
        seconds = {one.judge: one.seconds_per_item for one in outcomes}
        cost = {one.judge: asdict(one.cost) for one in outcomes if one.cost is not None}
        borders = {one.judge: one.border for one in outcomes if one.border is not None}
        self.made = found = Byproducts(run.notes, [*curves], [*maps], seconds, cost, borders)
        # Kept before the verdicts are written, so that no verdicts are there without them.
        self.store.records(f"beside-{self.name}", self.depends, lambda: [asdict(found)])
        return rows_of(self, outcomes)

    def notes(self) -> list[str]:
        """What the items are, what the judges chose, and imported rows that fit no item."""
        known = [item.correct for item in self.items if isinstance(item, Trace) and item.correct is not None]
        sampled = " sampled from the model at temperature 1" if self.source.data.problems else ""
        share = f", {sum(known)} of {len(known)} right" if known else ""
        unmatched = (note for path in self.imported for note in _unmatched(self, path))
        return [f"{len(self.items)} items{sampled}{share}.", *self.beside.notes, *unmatched]

    @property
    def beside(self) -> Byproducts:
        """What is kept beside the rows, once these are there."""
        if self.made is None:
            (held,) = self.store.records(f"beside-{self.name}", self.depends, list)
            self.made = TypeAdapter(Byproducts).validate_python(held)
        return self.made

    @cached_property
    def imported(self) -> dict[str, list[Row]]:
        """Rows of other judges on these data, by file."""
        paths = self.settings.rows
        return {path: [r for r in read_table(path, data=self.name) if r.data == self.name] for path in paths}

    def check(self) -> None:
        """Refuse what can be refused before any pass of the model."""
        assert self.seats
        names = [OpenAIJudge.of(typed).name for typed in self.settings.text_judges]
        if odd := {*names} & {*self.seats} or {name for name in names if names.count(name) > 1}:
            raise InnerjudgeError(f"given the text judge {min(odd)} twice, or named as one of ours: leave it out")
        if not self.source.data.problems:  # others are sampled from the model first
            require_classes(self.items, self.sides.fit)
        for path, rows in self.imported.items():
            _unmatched(self, path)
            own = next((row.judge for row in rows if row.judge in (*self.seats, *names)), None)
            if own is not None:
                raise InnerjudgeError.of("compare.judge-twice", Path(path).name, own)
        Table(row for rows in self.imported.values() for row in rows)  # refuses rows that clash


def _judging(one: Evaluation) -> Judging:
    require_classes(one.items, one.sides.fit)
    needs = frozenset(n for seat in one.seats.values() for n in (*seat.judge.needs, *seat.judge.fit_needs))
    if one.settings.selection:  # what the look at the luck of a pick reads, whatever judges there are
        states = [f"hidden/{p}" for p in positions(one.settings.between)]
        needs |= {*{"trace": states, "choice": ["qk/before", "labels"]}.get(one.kind, ())}
    needs |= {"logits/score", "labels"} if TEXT in one.seats else set()  # ways of asking, of the same pass
    passes, how, own = replace(one.passes, needs=needs), one.settings, one.settings.prompt
    told = [how.reasoning_tokens, how.abstain, list(how.scale), how.merge_system, own and own.told, how.markers]
    told += [sorted(needs)]

    def keep(name: str, items: Sequence[Any], read_part: ReadPart) -> Features:
        return one.store.features(f"{one.name}-{name}", [*told, one.name], items, read_part, passes.steps)

    return Judging(
        lm=one.lm, kind=one.kind, items=one.items, fit=one.sides.fit,
        test=np.sort(np.concatenate([one.sides.calibrate, one.sides.test])), seats=one.seats, settings=one.settings,
        passes=passes, keep=keep,
    )  # fmt: skip


def rows_of(one: Evaluation, outcomes: Sequence[Outcome]) -> list[Row]:
    """Rows of what judges said of the test items."""
    test, rows = set(one.sides.test.tolist()), one.judging.test.tolist()
    bases = [columns_of(one, one.items[k], "test" if k in test else "calibrate") for k in rows]
    return [row for o in outcomes for k, base in enumerate(bases) for row in _rows_of(base, o, k, one.kind)]


def elsewhere(one: Evaluation) -> list[Row]:
    """Rows of text judges behind servers, whose replies are kept one by one; notes what each costs an item."""
    found, kept = list[Outcome](), one.store.folder
    some = [one.items[k] for k in one.judging.test] if one.settings.text_judges else []
    for typed in one.settings.text_judges:
        judge = OpenAIJudge.of(typed, folder=None if kept is None else kept / "replies")
        ask = partial(judge.verdicts, one.kind, some, one.passes, seed=one.settings.seeds.sampling)
        verdicts, again = ask(), ask(swapped=True) if one.kind == "pair" else None
        tokens = judge.tokens / max(len(some), 1) / (1 if again is None else 2)
        found.append(Outcome(judge=judge.name, verdicts=verdicts, again=again))
        one.cost_elsewhere[judge.name] = {"prompts": 1.0, "tokens": tokens}
    return rows_of(one, found)


def every_seat(kind: str, settings: Settings) -> dict[str, Seat]:
    """All judges of a kind of item, those included that the settings switch off."""
    own: dict[str, Any] = {"scale": settings.scale, "prompt": settings.prompt, "embedder": settings.embedder}
    return panel(kind, between=positions(settings.between), **own)


def seats_of(one: Evaluation) -> dict[str, Seat]:
    """The judges that fit its items (of steps: where they have labels of steps), or ``only`` some; none is an error."""
    kind, settings, only = one.kind, one.settings, one.only
    own = any(getattr(item, "step_labels", None) is not None for item in one.source.data.items)
    every = askable(every_seat(kind, settings), reasoning=settings.reasoning_tokens > 0, abstain=settings.abstain)
    if settings.judges and not set(settings.judges) & {EVERY, *every}:
        raise InnerjudgeError.of("compare.judges", ", ".join(settings.judges), kind, ", ".join(every))
    found = {name: seat for name, seat in chosen(every, settings.judges).items() if own or not seat.judge.of_steps}
    return {name: seat for name, seat in found.items() if name in only} if only else found


def left_out(one: Evaluation) -> dict[str, str]:
    """Judges that the settings name and that cannot judge its items, each with the reason."""
    every = every_seat(one.kind, one.settings)
    judges = {n: every[n].judge for n in one.settings.judges if n in every and n not in one.seats}
    reasoned, steps = "it needs reasoning_tokens above 0", f"no item of {one.name} has labels of steps"
    return {
        n: steps if judge.of_steps else reasoned if judge.reads_reasoning else "it needs the abstain lines"
        for n, judge in judges.items()
    }


def columns_of(one: Evaluation, item: Item, split: str) -> dict[str, Any]:
    """Columns of an item's rows, with the tags that figures are made by."""
    columns = item_columns(item, one.name)
    wanted = {*one.settings.groups, one.settings.system, "criterion"}
    tags = {k: v for k, v in columns["tags"].items() if k in wanted} | {"split": split}
    for name in wanted - tags.keys() - {None, "criterion"}:
        value = getattr(item, "candidate_id", None) if name == "candidate_id" else item.extra.get(str(name))
        tags |= {str(name): str(value)} if value is not None else {}
    if isinstance(quality := item.extra.get("quality"), int | float):
        tags |= {"quality": repr(float(quality))}
    return columns | {"tags": tags, "truth": label_to_fit(item, one.settings.scale)}


def _rows_of(base: dict[str, Any], outcome: Outcome, place: int, kind: str) -> list[Row]:
    """The row of one item, and that of its other form: the pair swapped, the options permuted."""
    if outcome.random is not None:
        base = base | {"tags": base["tags"] | {RANDOM: repr(outcome.random[place].score)}}
    found = [said_row(base, outcome.judge, outcome.verdicts[place])]
    if kind == "pair":
        again = (outcome.again[place] if outcome.again is not None else None) or outcome.verdicts[place]
        # Pair-wise scores are those of what was shown first; a judge of single responses has one score in both orders.
        if outcome.again is not None and isinstance(again.score, float | int):
            again = replace(again, score=1 - float(again.score))
        found.append(replace(said_row(base, outcome.judge, again), order="swapped"))
    elif kind == "choice" and outcome.again is not None and (moved := outcome.again[place]) is not None:
        found.append(replace(said_row(base, outcome.judge, moved), order="permuted"))
    return found


def _unmatched(one: Evaluation, path: str) -> list[str]:
    """A note on rows of a file that are of no item here; an error where there is nothing else that they are of."""
    known = {(one.name, item.group, str(item_columns(item)["candidate"])) for item in one.items}
    rows, file = one.imported[path], Path(path).name
    odd = [row for row in rows if row.item not in known]
    if not odd:
        return []
    first = ", ".join(f"question {row.question!r} candidate {row.candidate!r}" for row in odd[:3])
    if len(odd) == len(rows) and one.alone:
        raise InnerjudgeError.of("compare.rows-of-none", file, len(odd), one.name, first)
    return [f"{file}: {len(odd)} of {len(rows)} rows are of no item here and were left out (first: {first})."]


def with_score(row: Row) -> Row:
    """An imported row whose verdict becomes its score: 1 for right, 0 for wrong, a grade itself, 1 for a preferred."""
    if row.score is not None or row.label is None:
        return row
    if isinstance(row.label, str):
        return replace(row, score={"a": 1.0, "tie": 0.5, "b": 0.0}.get(row.label))
    return replace(row, score=None if row.candidate == "options" else float(row.label))


def on_sides(rows: Iterable[Row], side: Mapping[Any, str]) -> list[Row]:
    """Rows of items that are reported or calibrated on, with their side."""
    kept = [row for row in rows if row.item in side]
    return [replace(row, tags=dict(row.tags) | {"split": side[row.item]}) for row in kept]
