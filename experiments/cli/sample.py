"""The command ``innerjudge sample``."""

from dataclasses import replace
from typing import Annotated

import typer

from ...models.errors import InnerjudgeError
from ..reading.progress import PlainConsole
from . import options as o
from . import say
from .loading import load_judge


def sample(
    data: Annotated[
        str,
        typer.Option(
            "--data",
            help="Questions: builtin:solve, traces (JSONL or LOADER:PATH), or JSONL with question_id and prompt.",
            show_default=False,
        ),
    ],
    judge: o.JudgeFolder,
    out: o.OutFile,
    model: o.ModelOfJudge = None,
    n: Annotated[int, typer.Option("--n", min=1, help="Answers to each question.")] = 8,
    temperature: Annotated[float, typer.Option(min=0.0, help="Sampling temperature; 0 is greedy.")] = 1.0,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Maximum tokens per answer.")] = 512,
    reject_below: Annotated[
        float | None,
        typer.Option(help="Stop an answer whose score is below this when it closes its reasoning.", show_default=False),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most this many questions.")] = None,
    seed: o.Seed = 0,
    batch_size: o.BatchSize = 16,
    device: o.Device = "auto",
    dtype: o.Dtype = "auto",
    revision: o.Revision = None,
    trust_remote_code: o.Trust = False,
    module: o.Module = None,
) -> None:
    """Sample answers to questions and judge them in one go: one trace with its score a line.

    A judge of hidden states or log-probabilities reads what the sampling computes anyway, so that the scores cost no
    second pass. The model is the one that the judge was fitted on, unless another place of it is named. A killed run
    resumes where it stopped.

        innerjudge sample --judge runs/judge --data builtin:solve --limit 20 --n 8 --out runs/traces.jsonl
    """
    from ..data.outputs import require_room
    from ..judges import saved
    from ..judges.hub import find_folder
    from ..reading.progress import shown
    from ..runs.sample_job import Sampling, load_questions, sample_job

    require_room(out)
    folder = find_folder(judge, None)
    made = saved.load(folder)[1]
    if made.kind not in ("", "trace"):
        raise InnerjudgeError(
            f"given the judge {made.name}, which was fitted on {made.kind} items, expected one for traces: sampled "
            "answers are traces"
        )
    questions = load_questions(data, limit=limit, seed=seed)
    whole = load_judge(folder, "trace", model, device, dtype, revision, o.modules(module), trust=trust_remote_code)
    how = Sampling(n=n, temperature=temperature, max_new_tokens=max_new_tokens, reject_below=reject_below, seed=seed)
    with shown(PlainConsole(stderr=True)) as steps:
        whole.passes = replace(whole.passes, batch_size=batch_size, steps=steps)
        say(sample_job(whole, questions, out, sampling=how))
