"""The commands that ask a saved judge, ``score``, ``rank`` and ``sample``, and one behind a server, ``ask``."""

from collections.abc import Callable
from dataclasses import replace
from inspect import Signature, signature
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import typer

from ...models.errors import InnerjudgeError
from ..runs.loading import OWN, Model
from ..runs.log import LogStyle, logged
from . import options as o, say

if TYPE_CHECKING:
    from ...models.items import Item
    from ...probes import Promise
    from ..judges.judge import Judge

#: Options that say how a model is run; beside ``--features`` they would be ignored, and are refused.
_OF_A_MODEL = (*o.OF_MODEL, "batch_size", "candidates", "reasoning_tokens")
#: Options of `rank` that are about an engine, and those of `sample` that stop answers, which an engine does not.
_OF_ENGINE = ("engine", "temperature", "max_new_tokens")
_OF_ACTING = ("reject_below", "lose_at_most", "exit_above", "pass_at_most", "along")


def _command(name: str, about: str, *, to_rank: bool = False) -> Callable[..., None]:
    """The command ``name``; ``about`` is its help. It writes verdicts, or a ranking and the verdicts beside it."""

    def command(
        ctx: typer.Context, judge: Path, out: Path, features: str | None = None, data: str | None = None,
        map_: list[str] | None = None, on: Model = OWN, limit: int | None = None, seed: int = 0, batch_size: int = 16,
        candidates: int = 8, reasoning_tokens: int | None = None, inspect: Path | None = None,
        lm_eval: Path | None = None, engine: str | None = None, temperature: float = 1.0, max_new_tokens: int = 512,
        log: LogStyle = "auto"
    ) -> None:  # fmt: skip
        if (features is None) == (data is None):
            raise InnerjudgeError.of("cli.one-source", "both" if data else "neither")
        if features is not None and (idle := _typed(ctx, *_OF_A_MODEL, *_OF_ENGINE)):
            raise InnerjudgeError.of("cli.idle-options", idle)
        if idle := _typed(ctx, *(_OF_ENGINE if engine is None else ("inspect", "lm_eval", "reasoning_tokens"))):
            raise InnerjudgeError.of("cli.idle-engine", idle, "without" if engine is None else "with")
        columns = o.mapped(map_, *([] if data is None else [data]), kind=None if engine is None else "trace")
        from ..data.datasets import load_data
        from ..data.jsonl import require_room
        from ..runs.score_job import require_ranking, write_ranking

        require_room(out)
        if to_rank:
            require_ranking(out)
        verdicts = out.with_name(out.name + ".verdicts.jsonl") if to_rank else out
        if engine is None:
            items, said = _verdicts(SimpleNamespace(**ctx.params), columns, on, verdicts, to_rank=to_rank)
        else:
            begun = verdicts.exists()
            say(_sampled(ctx, columns, on, verdicts, candidates))
            items, said = list(load_data(str(verdicts)).items), ""
            if begun:  # what was not answered then may be now
                out.unlink(missing_ok=True)
        say(write_ranking(items, verdicts, out) if to_rank else said)
        if inspect is not None:
            from ..adapters.harness_logs import write_records

            say(write_records(verdicts, inspect))
        if lm_eval is not None:
            from ..adapters.harness_logs import write_samples

            say(write_samples(data, verdicts, lm_eval))

    command.__name__, command.__doc__ = name, about
    own = [one for one in signature(command).parameters.values() if to_rank or one.name not in _OF_ENGINE]
    vars(command)["__signature__"] = Signature(own)
    return command


def _typed(ctx: typer.Context, *names: str) -> str:
    """Which of these options were typed."""
    typed = [name for name in names if getattr(ctx.get_parameter_source(name), "name", "") == "COMMANDLINE"]
    return ", ".join(f"--{name.replace('_', '-')}" for name in typed)


def _sampled(ctx: typer.Context, columns: dict[str, str], on: Model, out: Path, n: int) -> str:
    """Answers to the questions of ``sample``, or of ``rank --engine``, into ``out``, each with its score."""
    from ..judges import saved
    from ..judges.sample_and_judge import Sampling
    from ..runs.engine_job import engine_job
    from ..runs.sample_job import load_questions, sample_job

    source = SimpleNamespace(**ctx.params)
    folder = saved.find_folder(source.judge, None)
    judge, made = saved.load(folder)
    saved.require_kind(made, "trace", (1, 5), f"--data {source.data}")
    questions = load_questions(source.data, limit=source.limit, seed=source.seed, columns=columns)
    how = Sampling(n, source.temperature, source.max_new_tokens, seed=source.seed)
    with logged(source.log, kept=str(out)) as steps:

        def load() -> "Judge":
            whole = on.load_judge(folder, "trace")
            whole.passes = replace(whole.passes, batch_size=source.batch_size, steps=steps)
            return whole

        if source.engine is not None:
            named = source.model or ("" if judge.provenance_ is None else judge.provenance_.model)
            at = source.engine if "#" in source.engine else f"{source.engine}#{named}"
            return engine_job(judge, made, load, questions, out, engine=at, sampling=how, steps=steps)
        whole = load()
        below = _threshold(whole.promise, "lose", source.lose_at_most, source.reject_below)
        above = _threshold(whole.promise, "pass", source.pass_at_most, source.exit_above)
        how = replace(how, reject_below=below, exit_above=above, along=source.along)
        return sample_job(whole, questions, out, sampling=how)


def _verdicts(
    source: SimpleNamespace, columns: dict[str, str], on: Model, out: Path, *, to_rank: bool
) -> "tuple[list[Item], str]":
    """The items, and what was done; ``source`` is what was typed."""
    from ..data.datasets import drawn_rows, load_data
    from ..judges import saved
    from ..judges.saved import find_folder
    from ..runs.job import items_of, read_items_of, read_job
    from ..runs.score_job import require_rankable, score_features, score_items

    folder = find_folder(source.judge, None)
    judge, made = saved.load(folder)
    if source.features is not None:
        from ...extraction.store import FeatureStore

        job = read_job(source.features)
        store = FeatureStore.open(source.features, check="checksums")
        items = list(read_items_of(source.features))
        if to_rank:
            require_rankable(job["kind"])
        saved.require_kind(made, job["kind"], job["scale"], f"--features {source.features}")
        rows = drawn_rows(items, source.limit, seed=source.seed)
        said = score_features(judge, store, items, out, data=Path(source.features).name, name=made.name, rows=rows)
        return [items[k] for k in rows], said
    found = load_data(source.data, limit=source.limit, seed=source.seed, columns=columns)
    if to_rank:
        require_rankable(found.kind)
    saved.require_kind(made, found.kind, made.scale, f"--data {source.data}")
    if judge.reads_reasoning and source.reasoning_tokens == 0:
        raise InnerjudgeError.of("cli.no-reasoning", made.name)
    with logged(source.log, kept=str(out)) as steps:
        whole = on.load_judge(folder, found.kind)
        whole.passes = replace(whole.passes, batch_size=source.batch_size, steps=steps)
        if source.reasoning_tokens is not None:
            whole.passes = replace(whole.passes, reasoning_tokens=source.reasoning_tokens)
        items = list(items_of(whole.lm, found, candidates=source.candidates, seed=source.seed, passes=whole.passes))
        return items, score_items(whole, items, out, data=found.name)


score = _command("score", "Score items with a saved judge: one verdict per line.")
rank = _command(
    "rank", "Rank the candidates of each question with a saved judge, best first: one question per line.", to_rank=True
)


def sample(
    ctx: typer.Context, data: str, judge: Path, out: Path, map_: list[str] | None = None, on: Model = OWN, n: int = 8,
    temperature: float = 1.0, max_new_tokens: int = 512, reject_below: float | None = None,
    lose_at_most: float | None = None, exit_above: float | None = None, pass_at_most: float | None = None,
    along: str = "", engine: str | None = None, limit: int | None = None, seed: int = 0, batch_size: int = 16,
    memory: float | None = None, log: LogStyle = "auto"
) -> None:  # fmt: skip
    """Sample answers to questions and judge them in one go: one trace with its score per line."""
    columns = o.mapped(map_, data, kind="trace")
    from ..data.jsonl import require_room

    require_room(out)
    if engine is not None and (idle := _typed(ctx, *_OF_ACTING)):
        raise InnerjudgeError.of("cli.idle-engine", idle, "with")
    say(_sampled(ctx, columns, replace(on, memory=memory), out, n))


def _threshold(
    found: "Promise | None", verb: str, level: float | None, number: float | None
) -> "float | Promise | None":
    """The number, or the promise of a judge, which loses (or passes) at most a share of the answers."""
    risk, other = {"lose": ("lost good", "reject-below"), "pass": ("passed bad", "exit-above")}[verb]
    if level is None:
        return number
    if number is not None:
        raise InnerjudgeError(f"given --{verb}-at-most and --{other}, expected one of them: both are thresholds")
    if found is None or found.risk != f"{risk} answers" or found.level > level:
        has = "without a promise" if found is None else f"that promises at most {found.level:g} of {found.risk}"
        raise InnerjudgeError.of("cli.no-promise", verb, level, has, risk)
    return found


def ask(
    data: str, text_judge: str, out: Path, map_: list[str] | None = None, limit: int | None = None, seed: int = 0,
    scale: str = "1-5", abstain: bool = True, prompt: str | None = None, reasoning_tokens: int = 128,
    log_style: LogStyle = "auto"
) -> None:  # fmt: skip
    """Ask a text judge behind a server about every item: one verdict per line, for `fit --labels-from` and `agree`."""
    columns = o.mapped(map_, data)
    from ..data.datasets import load_data
    from ..reading.judge_prompt import JudgePrompt
    from ..reading.passes import Passes
    from ..runs.score_job import ask_job

    own = None if prompt is None else JudgePrompt.of(prompt)
    found = load_data(data, limit=limit, seed=seed, columns=columns)
    with logged(log_style, kept=str(out)) as steps:
        how = Passes(reasoning_tokens=reasoning_tokens, scale=o.bounds(scale), abstain=abstain, prompt=own, steps=steps)
        say(ask_job(found.items, text_judge, out, how, seed=seed))
