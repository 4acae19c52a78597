"""How much of a study is spent outside the model: ``python -m innerjudge.experiments.study.overhead STUDY OUT``.

Runs a study with the clock on every forward pass and generation, and writes ``overhead.json``: processor seconds of the
whole run and of the model, so that other work on the machine does not count.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import typer

from ...extraction.provenance import versions
from ...models.loading import LanguageModel, load
from .folder import claim, write
from .run import StudyRun
from .spec import read_study


class Clock:
    """Processor seconds inside a model: passes, generations, and its norm and unembedding where they run by themselves.

    A pass that stops early ends by an exception, which no forward hook sees: the functions themselves are wrapped.
    """

    def __init__(self, lm: LanguageModel) -> None:
        self.spent, self._depth = 0.0, 0
        parts = {id(part): part for part in (lm.model, lm.anatomy.final_norm, lm.anatomy.unembedding)}
        for part in parts.values():
            self._watch(part, "forward")
        self._watch(lm.model, "generate")

    def _watch(self, owner: Any, name: str) -> None:
        run: Callable[..., Any] = getattr(owner, name)

        @wraps(run)  # transformers looks at the signature of forward
        def timed(*args: Any, **more: Any) -> Any:
            began, self._depth = time.process_time(), self._depth + 1
            try:
                return run(*args, **more)
            finally:
                self._depth -= 1
                if not self._depth:  # a pass inside a generation is the generation's
                    self.spent += time.process_time() - began

        setattr(owner, name, timed)


def measure(study: Path, out: Path) -> None:
    """Run ``study`` into ``out`` and write what it took to ``out/overhead.json``."""
    spec = read_study(study)
    claim(out, spec)
    started = time.process_time()
    model = spec.model
    lm = load(
        model.name,
        device=model.device,
        dtype=model.dtype,
        revision=model.revision,
        trust_remote_code=model.trust_remote_code,
        **model.modules,
    )
    clock = Clock(lm)
    command = f"python -m innerjudge.experiments.study.overhead {study.name} {out.name}"
    run = StudyRun(study=spec, lm=lm, folder=out / "kept", command=command)
    report = run.report()
    write(out, report, run.rows)
    total = time.process_time() - started
    found = {
        "command": command,
        "model": spec.model.name,
        "seeds": spec.seeds.model_dump(),
        "resamples": spec.resamples,
        "versions": dict(versions()),
        "judges": list(spec.judges),
        "items": {part.name: part.counts["items"] for part in report.parts},
        "processor_seconds": {"whole": round(total, 2), "model": round(clock.spent, 2)},
        "wall_seconds": {name: round(seconds, 2) for name, seconds in report.seconds.items()},
        "share_outside_the_model": round(1 - clock.spent / total, 4),
    }
    (out / "overhead.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    typer.echo(json.dumps(found, indent=1))


if __name__ == "__main__":
    typer.run(measure)
