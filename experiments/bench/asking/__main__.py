"""Measure ``compare`` on real models and data, one run at a time, and write the document beside this file.

    python -m innerjudge.experiments.bench.asking --model M=FOLDER --data D=LOADER:PATH=LIMIT --label after

``--tree`` takes the folder that holds another checkout of ``innerjudge``, for the figures before a change.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

_HERE = Path(__file__).parent
_GB = 2**30
_COLUMNS = (
    "model", "data", "items", "measured", "peak (GB)", "peak less weights (GB)", "passes / item", "steps / item",
    "tokens / item", "CPU seconds", "seconds",
)  # fmt: skip


def main(
    model: Annotated[list[str], typer.Option(help="NAME=FOLDER of a model; repeatable.")],
    data: Annotated[list[str], typer.Option(help="NAME=DATA=LIMIT, DATA as compare takes it; repeatable.")],
    label: Annotated[str, typer.Option(help="What is measured, such as before and after.")] = "after",
    tree: Annotated[Path | None, typer.Option(help="Folder that holds the innerjudge to measure.")] = None,
    option: Annotated[list[str] | None, typer.Option(help="Further options of compare; repeatable.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the document.")] = _HERE,
) -> None:
    """Measure, and write the document."""
    kept = out / "asking.json"
    lines: list[dict[str, Any]] = json.loads(kept.read_text("utf-8")) if kept.exists() else []
    for named in model:
        name, _, folder = named.partition("=")
        for one in data:
            title, spec, limit = one.split("=")
            line = {"model": name, "data": title, "items": int(limit), "label": label, "options": option or []}
            line |= _measured(Path(folder), spec, limit, tree, option or [])
            same = ("model", "data", "items", "label", "options")
            lines = [old for old in lines if any(old[key] != line[key] for key in same)] + [line]
            kept.write_text(json.dumps(lines, indent=1) + "\n", "utf-8")
            (out / "asking.md").write_text(document(lines), "utf-8")
            typer.echo(json.dumps(line))


def _measured(model: Path, spec: str, limit: str, tree: Path | None, options: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as room:
        found = Path(room) / "found.json"
        command = ["compare", "--model", str(model), "--data", spec, "--limit", limit, "--dtype", "float32", *options]
        environment = os.environ | ({} if tree is None else {"PYTHONPATH": str(tree)})
        run = [sys.executable, str(_HERE / "counted.py"), str(found), *command, "--out", str(Path(room) / "run")]
        done = subprocess.run(run, env=environment, cwd=room, capture_output=True, text=True, check=False)
        if not found.exists():
            raise SystemExit(done.stderr[-2000:])
        line: dict[str, Any] = json.loads(found.read_text("utf-8"))
    if line["code"]:
        raise SystemExit(done.stderr[-2000:])
    return line | {"weights": sum(file.stat().st_size for file in model.glob("*.safetensors"))}


def document(lines: list[dict[str, Any]]) -> str:
    """The document as Markdown.

    Example:
        >>> document([]).splitlines()[0]
        '# What `compare` costs on real models'
    """
    rows = [
        f"| {' | '.join(_COLUMNS)} |",
        f"|{' --- |' * len(_COLUMNS)}",
    ]
    for line in sorted(lines, key=lambda one: (one["model"], one["data"], one["options"], one["label"] != "before")):
        n = line["items"]
        title = " ".join([line["data"], *line["options"]])
        over = (line["peak_bytes"] - line["weights"]) / _GB
        cells = [line["model"], title, str(n), line["label"], f"{line['peak_bytes'] / _GB:.2f}", f"{over:.2f}"]
        cells += [f"{line[name] / n:.2f}" for name in ("passes", "steps")] + [f"{line['tokens'] / n:.0f}"]
        rows.append(f"| {' | '.join([*cells, *(format(line[k], '.0f') for k in ('cpu_seconds', 'seconds'))])} |")
    return (
        "# What `compare` costs on real models\n\n"
        "Written by `python -m innerjudge.experiments.bench.asking`; each line is one run in a process of its own, in "
        "float32 on a CPU. The peak is of the whole process, Python and libraries (about 0.5 GB) included. Passes read "
        "prompts, steps write one token for each text of a batch, tokens are all that the model read, with padding. "
        "The machine was shared: CPU seconds say more than seconds. Samples are small.\n\n" + "\n".join(rows) + "\n"
    )


if __name__ == "__main__":
    typer.run(main)
