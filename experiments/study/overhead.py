"""How much of a study is spent outside the model: ``python -m innerjudge.experiments.study.overhead STUDY OUT``.

Runs a study with the clock on every forward pass and generation, and writes ``overhead.json``: processor seconds of the
whole run and of the model, so that other work on the machine does not count.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import typer

from ...extraction.provenance import versions
from ...models.loading import load
from .folder import claim, write
from .run import StudyRun
from .spec import read_study


class _Clock:
    """Processor seconds inside a model: its passes, and its generations as a whole."""

    def __init__(self, model: Any) -> None:
        self.spent, self._began, self._generating = 0.0, 0.0, False
        model.base_model.register_forward_pre_hook(self._begin)
        model.base_model.register_forward_hook(self._end)
        generate = model.generate

        def timed(*args: Any, **more: Any) -> Any:
            began, self._generating = time.process_time(), True
            try:
                return generate(*args, **more)
            finally:
                self._generating = False
                self.spent += time.process_time() - began

        model.generate = timed

    def _begin(self, *_: Any) -> None:
        self._began = time.process_time()

    def _end(self, *_: Any) -> None:
        if not self._generating:
            self.spent += time.process_time() - self._began


def measure(study: Path, out: Path) -> None:
    """Run ``study`` into ``out`` and write what it took to ``out/overhead.json``."""
    spec = read_study(study)
    claim(out, spec)
    started = time.process_time()
    model = spec.model
    lm = load(model.name, device=model.device, dtype=model.dtype, revision=model.revision, **model.modules)
    clock = _Clock(lm.model)
    command = f"python -m innerjudge.experiments.study.overhead {study.name} {out.name}"
    run = StudyRun(study=spec, lm=lm, folder=out / "kept", command=command)
    report = run.report()
    write(out, report, run.rows)
    total = time.process_time() - started
    found = {
        "command": command,
        "seeds": spec.seeds.model_dump(),
        "versions": dict(versions()),
        "judges": len(spec.judges),
        "items": {part.name: part.counts["items"] for part in report.parts},
        "processor_seconds": {"whole": round(total, 2), "model": round(clock.spent, 2)},
        "wall_seconds": {name: round(seconds, 2) for name, seconds in report.seconds.items()},
        "share_outside_the_model": round(1 - clock.spent / total, 4),
    }
    (out / "overhead.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    typer.echo(json.dumps(found, indent=1))


if __name__ == "__main__":
    typer.run(measure)
