"""The command ``doctor``: anybody's scores of answers, examined without a model."""

import shlex
import sys
import textwrap
from pathlib import Path
from typing import Annotated

import typer


def doctor(
    scores: Annotated[
        Path,
        typer.Option(
            help="JSONL or Parquet, one candidate a row: question, score (higher is better), label (right or not); "
            "candidate, text, prompt, answer, source, split, label_again where they are there.",
            metavar="<file>",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder for report.html, report.md and results.json.", metavar="<dir>")
    ] = None,
    tried: Annotated[
        int, typer.Option(min=1, help="How many heads, layers or probes the method was picked from on these rows.")
    ] = 1,
) -> None:
    """Say what a method's scores know: the question, length, source, a leak, or more; no model is needed.

    Cheaper opponents score the same rows, each fitted on other questions. The AUROC is split into pairs within and
    between questions, and the choice among candidates is held against a random one.

        innerjudge doctor --scores mine.jsonl --out runs/doctor
    """
    from ..compare.doctor.diagnosis import doctor as examine
    from ..compare.report.folder import check_folder

    if out is not None:
        check_folder(out)
    found = examine(scores, tried=tried, command=shlex.join(["innerjudge", *sys.argv[1:]]))
    for sentence in found.found.parts[0].summary:
        typer.echo(textwrap.fill(sentence, 100, subsequent_indent="  "))
    if out is not None:
        found.report(out)
        typer.echo(f"Report: {out / 'report.html'}")
