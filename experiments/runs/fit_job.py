"""Fit one judge of the panel on extracted features, from folder to folder."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from ...extraction.readouts import States
from ...extraction.store import FeatureStore
from ...extraction.store.index import HEADER
from ...extraction.store.place import place
from ...models.errors import InnerjudgeError, shown
from ...models.foreign import parse_json
from ...models.items import Choice, Item, Trace
from ...models.markers import THINK
from ...probes import BaseJudge, Verdict
from ...probes.promising import Wanted, end_along, promise_on, verdicts_along
from ...probes.risk import Bound
from ..data.datasets import drawn
from ..data.jsonl import check_new, writing
from ..data.kinds import hash_items, hash_of
from ..data.labels import require_all_counts, to_fit
from ..data.splits import split_by_group
from ..data.variants import permutations
from ..data.verdict_files import read_table
from ..data.verdict_table import Table
from ..drawing.style import counted
from ..judges import saved
from ..judges.fitting import PART, Rows, fit_from_store
from ..judges.panel import panel
from ..judges.saved import JudgeRecord
from ..reading.judge_prompt import JudgePrompt
from ..stats.agreement.aggregate import FitHow, aggregate, wording_labels
from .job import PERMUTED, inside, read_items_of, read_job


def fit_job(
    features_folder: str, name: str, out: Path, *, between: tuple[str, str], limit: int | None = None, seed: int = 0,
    wanted: Wanted | None = None, given: tuple[Sequence[Path], Sequence[str], FitHow] | None = None,
    parameters: Mapping[str, str] | None = None
) -> str:  # fmt: skip
    """Fit the judge called ``name`` on labelled items of a features folder, and save it as the folder ``out``.

    Responses of pairs are items of their own there; a judge of single responses learns which one was preferred. Only
    the readouts of the judge are read, part by part where it can. ``between`` are the positions that CLUE and the
    probes read, ``parameters`` others of the judge, as they are typed; ``limit`` and ``seed`` draw whole questions at
    random. Labels of traces are also ``given``: files of verdicts, their judges (none for all) and how these become
    one. Where a promise is ``wanted``, half of the questions calibrate it, and the fit sees none of these.
    ``InnerjudgeError`` if the judge is not one for these items, cannot learn from them, ``out`` holds another fit, or
    too few questions are held out for the promise; nothing is saved then.
    """
    job, at = read_job(features_folder), place(features_folder)
    items: Sequence[Item] = read_items_of(features_folder)
    items = items if given is None else _relabelled(items, *given)
    kind, scale = job["kind"], job["scale"]
    prompt = None if job.get("prompt") is None else JudgePrompt.of(job["prompt"])
    seats = panel(kind, between=between, scale=scale, prompt=prompt)
    there = {n: seat.judge for n, seat in seats.items() if kind != "pair" or seat.pointwise}
    if name in seats and name not in there:
        raise InnerjudgeError.of("runs.both-sides", name, ", ".join(there))
    if name not in there:
        raise InnerjudgeError(f"given the judge {name!r}, expected one for {kind} items: {', '.join(there)}")
    judge = there[name]
    judge.set_params(**{name: _typed(value) for name, value in (parameters or {}).items()})
    store = FeatureStore.open(features_folder, check="checksums")
    turned, parts = None, [store.content_hash, hash_items(items)]
    if at.size(f"{PERMUTED}/{HEADER}") is not None:
        moved = permutations(cast(Iterable[Choice], items), seed=job["seed"])
        again = FeatureStore.open(inside(at, PERMUTED), check="checksums")
        turned = (again, [item.answer for item, _ in moved])
        parts.append(again.content_hash)
    drawn_by = seed if limit is not None or wanted is not None else 0
    usual: dict[str, Any] = {"abstain": True, "merge_system": False, "markers": THINK}
    how: Any = {word: type(one)(job.get(word, one)) for word, one in usual.items()}
    own = None if prompt is None else prompt.to_json()
    made = JudgeRecord(name, kind, scale, prompt=own, features=hash_of(parts), limit=limit, seed=drawn_by, **how)
    check_new(out, ours=saved.WHOLE, begun=saved.BEGUN)
    damaged = (out / saved.WHOLE).is_file() and saved.is_damaged(out)
    if (out / saved.WHOLE).is_file() and not damaged:
        _require_same(judge, made, wanted, out)
        return f"{out} is complete already."
    if wanted is not None and wanted.along:
        end_along(judge, wanted.along, store.ragged_names)
    require_all_counts(items, judge)
    labels, groups, weights = [], [], []
    for item in items:
        label, weight = (item.extra.get("preferred"), None) if kind == "pair" else to_fit(item, judge, scale)
        if wanted is not None and kind == "trace" and not isinstance(label, bool | None):
            fields = " or ".join(sorted({judge.label_fields[0], "p_correct"}))
            raise InnerjudgeError.of("runs.soft-promise", item.id, fields)
        labels.append(label)
        weights.append(weight)
        groups.append(item.group)
    rows = drawn(groups, limit, seed=seed, whole=kind != "rating")
    rows, held = (rows, rows[:0]) if wanted is None else _parted(labels, groups, rows, wanted, seed)
    told = labels
    if kind == "trace" and judge.reads_unlabelled:
        told = [label is not None and label for label in labels]
        weights = [0.0 if label is None else weight for label, weight in zip(labels, weights, strict=True)]
    note = fit_from_store(name, judge, store, told, groups, rows, permuted=turned, weights=weights)
    if judge.learns and judge.provenance_ is None:
        raise InnerjudgeError.of("runs.not-fitted", note)
    learned = judge.provenance_ is not None
    judge.provenance_ = store.provenance
    promise = "" if wanted is None else _promise(judge, store, labels, groups, wanted, held, seed)
    with writing(out):
        saved.save(judge, made, out)
    known = sum(labels[k] is not None and weights[k] != 0 for k in rows)
    said = f"fitted on {counted(known, 'item')}." if learned else "has nothing to fit, and judges as it is."
    mended = damaged * " What was there was damaged (checksum)."
    return f"{note or f'{name}: {said}'} It is saved as {out}.{mended}{promise}"


def _typed(value: str) -> Any:
    """A value as it is typed: JSON, such as 3, true or [1, 2]; else a text."""
    try:
        return parse_json(value)
    except ValueError:
        return value


def _relabelled(items: Iterable[Item], files: Sequence[Path], raters: Sequence[str], how: FitHow) -> list[Trace]:
    """Traces, labels of raters alone: ``correct`` as is likelier, ``p_correct`` where unsure; weights if centred."""
    rows = (replace(row, data="") for path in files for row in read_table(path))
    said = [row for row in rows if isinstance(row.label, bool) or (how == "centred" and row.score is not None)]
    if odd := {*raters} - {row.judge for row in said}:
        known = ", ".join(sorted({row.judge for row in said})) or "nobody"
        raise InnerjudgeError(f"given --rater {shown(min(odd))}, expected one who labels in the files: {shown(known)}")
    table = Table(row for row in said if not raters or row.judge in raters)
    if how == "centred":
        soft: Iterable[Any] = zip(*(one.tolist() for one in wording_labels(table)), strict=True)
    else:
        soft = ((one.get(True, 0.0), None) if one else (None, 0.0) for one in aggregate(table, how).labels)
    found = {f"{question}/{candidate}": one for (_, question, candidate), one in zip(table.items, soft, strict=True)}
    made = []
    for item in items:
        if not isinstance(item, Trace):
            raise InnerjudgeError("given --labels-from for items without candidates, expected traces: label their data")
        p, weight = found.get(item.id, (None, None))
        p, more = None if weight == 0 else p, {"sample_weight": weight} if weight else {}
        sure = dict.fromkeys(("quality", "n_correct", "n_sampled", "aspects", "span_labels", "sample_weight"))
        new: Any = {"correct": None if p is None else p >= 0.5, "step_labels": None, "first_error": None}
        made.append(replace(item, **new, extra={**item.extra, **sure, "p_correct": None if p in (0, 1) else p, **more}))
    return made


def _parted(labels: Sequence[Any], groups: Sequence[str], rows: Rows, wanted: Wanted, seed: int) -> tuple[Rows, Rows]:
    """Labelled rows to fit on, and as many of other questions that calibrate the promise."""
    known = np.array([k for k in rows if labels[k] is not None], dtype=np.intp)
    if wanted.risk.endswith("answers") and not all(type(labels[k]) is bool for k in known):
        raise InnerjudgeError.of("runs.unlabelled")
    fit, held = split_by_group([groups[k] for k in known], train_fraction=0.5, seed=seed)
    given, needed = len({groups[known[k]] for k in held}), Bound(wanted.level, wanted.confidence).needed
    if given < needed:
        raise InnerjudgeError.of("runs.few-held", given, wanted.level, needed)
    return known[fit], known[held]


def _promise(
    judge: BaseJudge, store: FeatureStore, labels: list[Any], groups: list[str], wanted: Wanted, rows: Rows, seed: int
) -> str:
    said: list[Verdict] = []
    for some in np.array_split(rows, -(-len(rows) // PART)):
        also = (States(wanted.along, "last").name,) if wanted.along else ()
        said += verdicts_along(judge, store.features((*judge.reads, *also), some), wanted.along, wanted.risk)
        store.close()
    columns = [labels[k] for k in rows], [groups[k] for k in rows], store.provenance.fingerprint
    found = promise_on(judge, said, *columns, wanted, seed)
    if found.refused is not None:
        raise InnerjudgeError(f"{found.refused} (half of the questions calibrate the promise)")
    return f" {found}"


def _require_same(judge: BaseJudge, made: JudgeRecord, wanted: Wanted | None, out: Path) -> None:
    held, theirs = saved.load(out)
    has = None if (p := held.promise_) is None else Wanted(p.risk, p.level, p.confidence, p.along)
    differing = [] if repr(held) == repr(judge) else ["judge"]
    differing += [] if has == wanted else ["promise"]
    differing += [f for f in ("kind", "scale", "limit", "seed") if getattr(made, f) != getattr(theirs, f)]
    differing += ["features or labels"] if made.features != theirs.features else []
    if differing:
        raise InnerjudgeError.of("runs.other-fit", out, held, ", ".join(differing), made.name, judge)
