"""``overhead.json`` and ``overhead.md``: what was measured with each model, never typed by hand."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS, DOCUMENT = "overhead.json", "overhead.md"
#: At most this share of a study's processor time is to be spent outside the model.
BAR = 0.10


def add(found: Mapping[str, Any], folder: Path) -> None:
    """Write a measurement into ``folder``, in the place of an earlier one with the same model."""
    path = folder / RESULTS
    there = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    every = [*(one for one in there if one["model"] != found["model"]), dict(found)]
    every.sort(key=lambda one: one["parameters"])
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(every, indent=1) + "\n", encoding="utf-8")
    (folder / DOCUMENT).write_text(markdown(every), encoding="utf-8")


def markdown(measured: Sequence[Mapping[str, Any]]) -> str:
    """The document."""
    lines = [
        "# A study outside the model",
        "",
        f"The bar: a study spends under {BAR:.0%} of its processor time outside the model. Inside are forward passes "
        "(with what hooks read in them), generation, and the model's own norm and unembedding. Outside is everything "
        "else, from before the model is loaded until the report is written. What is outside depends little on the "
        "model, so a larger model has a smaller share outside.",
        "",
        "| model | parameters | whole, s | in the model, s | outside, s | share outside | bar |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for one in measured:
        seconds, share = one["processor_seconds"], one["share_outside_the_model"]
        lines.append(
            f"| {one['model']} | {one['parameters']:,} | {seconds['whole']:.1f} | {seconds['model']:.1f} | "
            f"{seconds['whole'] - seconds['model']:.1f} | {share:.1%} | {'met' if share < BAR else 'not met'} |"
        )
    lines += ["", "Seconds are processor seconds of one thread (`OMP_NUM_THREADS=1`), each of one run."]
    for one in measured:
        lines += ["", f"## {one['model']}", "", f"`{one['command']}`", "", _setting(one), "", _WHERE, ""]
        lines += ["| function | s |", "| --- | ---: |"]
        lines += [f"| `{name}` | {seconds:.2f} |" for name, seconds in one["outside_by_function"]]
    return "\n".join(lines) + "\n"


_WHERE = (
    "Where the time outside goes, by the innermost function of ours (what it calls in libraries included), from a "
    "second run that was sampled every few milliseconds:"
)


def _setting(one: Mapping[str, Any]) -> str:
    items = ", ".join(f"{count:,} of {name}" for name, count in one["items"].items())
    versions = ", ".join(f"{name} {number}" for name, number in one["versions"].items())
    seeds = ", ".join(f"{name} {seed}" for name, seed in one["seeds"].items())
    return (
        f"Items: {items}. Judges: {', '.join(one['judges'])}, and the baselines that no study is without. "
        f"{one['figures']} figures. Seeds: {seeds}. Versions: {versions}."
    )
