"""``python -m innerjudge.experiments.bench.study STUDY OUT``: time a study inside and outside its model."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ....models.errors import InnerjudgeError
from ...study.spec import read_study
from .document import add
from .measure import measure


def main(
    study: Annotated[Path, typer.Argument(help="The study, a YAML file.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="New folder for the study.", show_default=False, file_okay=False)],
    model: Annotated[str | None, typer.Option(help="Another model than the study's.")] = None,
    shape: Annotated[
        str | None, typer.Option(help="A model of random weights of this shape instead, as in `innerjudge bench`.")
    ] = None,
    document: Annotated[
        Path | None,
        typer.Option(help="Folder whose overhead.json and overhead.md take the result up.", file_okay=False),
    ] = None,
) -> None:
    """Run a study with the clock on the model and write `overhead.json` into its folder.

    The study is run twice, the second time to see where the time outside the model goes. Run it with OMP_NUM_THREADS=1:
    waiting threads count as work.
    """
    if shape is not None and model is not None:
        raise InnerjudgeError(f"given --shape {shape} and --model {model}, expected one of them: leave the other out")
    spec = read_study(study)
    command = f"python -m innerjudge.experiments.bench.study {study.name} {out.name}"
    if model is not None:
        spec = spec.model_copy(update={"model": spec.model.model_copy(update={"name": model})})
        command += f" --model {Path(model).name if Path(model).exists() else model}"
    if shape is not None:
        command += f" --shape {shape}"
    found = measure(spec, out, command, shape)
    text = json.dumps(found, indent=1)
    (out / "overhead.json").write_text(text + "\n", encoding="utf-8")
    if document is not None:
        add(found, document)
    typer.echo(text)


if __name__ == "__main__":
    typer.run(main)
