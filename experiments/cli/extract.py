"""The commands ``extract``, ``fit`` and ``sweep`` of what it wrote, and ``verify`` of what other tools wrote."""

import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from ...models.errors import InnerjudgeError
from ..drawing.style import counted
from ..judges.between import Between
from ..reading.progress import PlainConsole
from ..runs.loading import Model
from ..runs.log import LogStyle, logged
from . import options as o, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...models.items import Item
    from ...probes.risk import RiskName
    from ..compare.sweep import Sweep


def extract(
    data: str, out: str, on: Model, map_: list[str] | None = None, limit: int | None = None, seed: int = 0,
    batch_size: int = 16, candidates: int = 8, scale: str = "1-5", reasoning_tokens: int = 0, abstain: bool = True,
    prompt: str | None = None, merge_system: bool = False, markers: tuple[str, str] = o.THINK, text: bool = False,
    read: list[str] | None = None, store_dtype: o.StoreDtype = "float32", shard_items: int = 128, workers: int = 1,
    ray: str | None = None, gpus_per_worker: float = 0.0, yes: bool = False, states: str | None = None,
    layers: str = "", last: Literal["raw", "normed"] | None = None, clean: bool = False, log: LogStyle = "auto"
) -> None:  # fmt: skip
    """Run the model once over a data set and keep the features that judges read, in a store on disk."""
    columns = o.mapped(map_, data)
    if gpus_per_worker and ray is None:
        raise InnerjudgeError.of("cli.gpus", gpus_per_worker)
    files = o.state_files(states, layers, last, clean=clean)
    if files is not None and (text or ray is not None):
        raise InnerjudgeError("given --states with --text or --ray, expected neither: no model is run")
    if clean and files is None:
        raise InnerjudgeError("given --clean, expected --states with it: it removes their files once they are read")
    if workers > 1 and ray is None and "RANK" not in os.environ:  # before what only the processes themselves need
        from ..runs.extracting.ranks import launch

        raise typer.Exit(launch(workers, sys.argv[1:]))
    from ..judges.panel import needs_of
    from ..reading.judge_prompt import JudgePrompt
    from ..reading.passes import GIVEN_NEEDS, HIDDEN_NEEDS, WRITTEN, Passes, reads_reasoning
    from ..runs.extracting.extract_job import before_cleaning, clean_states, extract_job, find_source
    from ..runs.extracting.ranks import joined, own_device
    from ..runs.job import STATES, check_extraction, items_of

    with joined() as ranks, logged(log, quiet=not ranks.first) as steps:
        if ranks.first:
            check_extraction(out)
        ends = o.bounds(scale)
        found = find_source(data, out, limit=limit, seed=seed, columns=columns)
        also = needs_of(read or ())
        written = WRITTEN if reasoning_tokens else WRITTEN - {"reasoned"}
        usual = HIDDEN_NEEDS if files is None else GIVEN_NEEDS
        needs = usual | also | (written if text else frozenset())
        passes = Passes(
            batch_size=batch_size, scale=ends, steps=steps, abstain=abstain, merge_system=merge_system, markers=markers,
            reasoning_tokens=reasoning_tokens if text or reads_reasoning(also) else 0,
            needs=needs if also else None if text else usual,
            prompt=None if prompt is None else JudgePrompt.of(prompt),
        )  # fmt: skip
        words = None if passes.prompt is None else passes.prompt.to_json()
        more: dict[str, Any] = {"columns": columns, "prompt": words, "merge_system": merge_system, "read": sorted(also)}
        more |= {"markers": list(markers)} if markers != o.THINK else {}
        given = [] if files is None else [states, *files.identity()]
        more[STATES] = before_cleaning(out, given) if clean else given
        job: dict[str, Any] = {"data": data, **found.header(), "limit": limit, "seed": seed}
        job |= {"candidates": candidates, "scale": passes.scale, "abstain": abstain, "text": text}
        job |= {"reasoning_tokens": passes.reasoning_tokens, "store_dtype": store_dtype, "shard_items": shard_items}
        job |= {name: value for name, value in more.items() if value}
        if ray is not None:
            from ..runs.extracting.cluster import Cluster, extract_on_ray

            where = Cluster(ray, workers, gpus_per_worker)
            say(extract_on_ray(on, found, out, job=job, passes=passes, cluster=where, yes=yes))
            return
        lm = replace(on, device=own_device(on.device)).load()

        def items() -> "Sequence[Item]":
            return items_of(lm, found.open(), candidates=candidates, seed=seed, passes=passes)

        said = extract_job(lm, items, out, job=job, passes=passes, ranks=ranks, yes=yes, states=files)
        if clean and files is not None and ranks.first:
            said += f" {clean_states(lm, out, passes, files)}"
    if ranks.first:
        say(said)


def verify_states(
    data: str, states: str, on: Model, layers: str = "", last: Literal["raw", "normed"] | None = None,
    map_: list[str] | None = None, limit: int = 8, seed: int = 0
) -> None:  # fmt: skip
    """Read some texts again, and say of each row of the states that another tool wrote for them what it is."""
    columns, files = o.mapped(map_, data), o.state_files(states, layers, last)
    from ..data.datasets import load_data
    from ..reading.verify_states import verify_states

    found = verify_states(on.load(), load_data(data, limit=limit, seed=seed, columns=columns).items, files)
    for (row, said), count in Counter((one.row, one.said) for one in found).items():
        apart = max(one.apart or 0.0 for one in found if (one.row, one.said) == (row, said))
        say(f"{row}: {said} ({counted(count, 'text')}{f', at most {apart:.1e} apart' if apart else ''})")
    raise typer.Exit(int(any(one.said != "same" for one in found)))


def fit(
    features: str, judge: str, out: Path, limit: int | None = None, seed: int = 0, between: Between = Between.reasoning,
    set_: list[str] | None = None, lose_at_most: float | None = None, pass_at_most: float | None = None,
    wrong_at_most: float | None = None, confidence: float = 0.95, along: str = "",
    labels_from: list[Path] | None = None, rater: list[str] | None = None,
    aggregate: Literal["dawid-skene", "one-coin", "mean", "vote", "centred"] = "vote", log: LogStyle = "auto"
) -> None:  # fmt: skip
    """Fit one judge on extracted features, and save it as a folder (safetensors and JSON)."""
    from ...probes.promising import Wanted
    from ..runs.fit_job import fit_job

    levels: dict[RiskName, float | None] = {"lost good answers": lose_at_most, "passed bad answers": pass_at_most}
    levels["wrong among kept"] = wrong_at_most
    asked = [Wanted(risk, level, confidence or None, along) for risk, level in levels.items() if level is not None]
    wanted = asked[0] if asked else None
    if len(asked) > 1:
        raise InnerjudgeError("given several of --...-at-most, expected one of them: a judge has one promise")
    if wanted is not None and not (0 < wanted.level < 1 and 0 <= confidence < 1):
        raise InnerjudgeError.of("cli.level", wanted.level, confidence)
    if along and (wanted is None or wrong_at_most is not None):
        raise InnerjudgeError.of("cli.along", along)
    if (rater or aggregate != "vote") and not labels_from:
        raise InnerjudgeError("given --rater or --aggregate without --labels-from, expected the files of their labels")
    with logged(log) as steps:
        done = steps(f"fitting {judge}", 1)
        ends, given = o.positions(between), (labels_from, rater or (), aggregate) if labels_from else None
        own = o.parts_of(set_ or [], "--set", "NAME=VALUE once a parameter: row=3")
        how: Any = {"between": ends, "limit": limit, "seed": seed, "wanted": wanted, "given": given}
        said = fit_job(features, judge, out, **how, parameters=own)
        done(1)
    say(said)


def sweep(
    features: str, out: Path, role: list[str] | None = None, head: list[str] | None = None, limit: int | None = None,
    seed: int = 0, fit_share: float = 0.5, splits: int = 100, top: int = 10, log: LogStyle = "auto"
) -> None:  # fmt: skip
    """Fit every head at every layer, place and normalisation, and say what picking the best is worth."""
    from ..runs.sweep_job import sweep_job

    o.share(fit_share)
    with logged(log, kept=str(out)) as steps:
        how: Any = {"limit": limit, "fit_share": fit_share, "n_splits": splits, "seed": seed, "command": o.typed()}
        found = sweep_job(features, out, roles=role or (), heads=head or (), **how, steps=steps)
    show(found, PlainConsole(), top)
    say(f"All {len(found.table)} cells are in {out / 'sweep.csv'}, with sweep.json and sweep.png beside it.")


def show(found: "Sweep", console: Console, top: int) -> None:
    """Print the best cells and what picking among them is worth."""
    from ..compare.sweep import sentences

    table = Table(title=f"{found.metric}, best on the fitting questions first", title_justify="left", box=None)
    heads = found.table["head"].notna().any()
    names = ["judge", "position", "row", *(["head"] if heads else []), "normalisation", "penalty", "fit", "test"]
    for name in names:
        table.add_column(name, justify="right" if name in ("row", "head", "penalty", "fit", "test") else "left")
    for _, cell in found.table.sort_values("fit", ascending=False, kind="stable").head(top).iterrows():
        known = (None if cell[name] != cell[name] else cell[name] for name in names)  # NaN is not known
        table.add_row(*("-" if v is None else f"{v:.3g}" if isinstance(v, float) else str(v) for v in known))
    console.print(table)
    for sentence in (*sentences(found), *found.notes):
        console.print(sentence, highlight=False)
