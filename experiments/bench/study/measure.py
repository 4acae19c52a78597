"""One study, timed inside and outside the model."""

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ....extraction.provenance import versions
from ....models.errors import InnerjudgeError
from ....models.loading import LanguageModel, load
from ...compare.report.folder import SPECS, claim, write
from ...study.run import StudyRun, sources_of
from ...study.spec import ModelSpec, Study
from ..passes.section import random_model
from .clock import Clock
from .sampler import Sampler

#: Functions that are named, largest first; the others are one line.
_NAMED = 24


@dataclass(frozen=True, slots=True)
class _Timed:
    """Processor seconds of a whole study and of the model in it, what it was, and where the rest went if looked at."""

    whole: float
    model: float
    found: dict[str, Any]
    shares: list[tuple[str, float]]


def measure(spec: Study, out: Path, command: str, shape: str | None = None) -> dict[str, Any]:
    """Run a study twice, in ``out`` and, to see where time goes, in ``out/sampled``; plain data of both.

    The seconds are the first run's, from before the model is loaded until the report is written. They are processor
    seconds, so that other work on the machine does not count. ``shape`` names a model of random weights
    (:data:`~..passes.section.SHAPES`) to run the study with instead of its own.

    Raises:
        InnerjudgeError: If ``out`` holds anything: a study that goes on does not do all the work.
    """
    if out.exists() and any(out.iterdir()):
        raise InnerjudgeError(f"given {str(out)!r}, which is not empty, expected a new folder: kept steps take no time")
    timed = _run(spec, out, command, shape, sampled=False)
    sampled = _run(spec, out / "sampled", command, shape, sampled=True)
    outside = timed.whole - timed.model
    where = [[name, round(share * outside, 2)] for name, share in sampled.shares[:_NAMED]]
    rest = sum(share for _, share in sampled.shares[_NAMED:]) * outside
    return {
        "command": command,
        "model": spec.model.name.rstrip("/").rpartition("/")[2] if shape is None else f"random-{shape}",
        "seeds": asdict(spec.seeds),
        "versions": dict(versions()),
        "judges": list(spec.judges),
        **timed.found,
        "processor_seconds": {"whole": round(timed.whole, 2), "model": round(timed.model, 2)},
        "share_outside_the_model": round(outside / timed.whole, 4),
        "outside_by_function": [*where, [f"{max(len(sampled.shares) - _NAMED, 0)} others", round(rest, 2)]],
    }


def _load(model: ModelSpec) -> LanguageModel:
    trust = model.trust_remote_code
    where: dict[str, Any] = {"device": model.device, "dtype": model.dtype, "revision": model.revision}
    return load(model.name, trust_remote_code=trust, memory=model.memory, **where, **model.modules)


def _run(spec: Study, out: Path, command: str, shape: str | None, *, sampled: bool) -> _Timed:
    kept = claim(out, spec.model_dump(mode="json"), name=SPECS[1])
    started = time.process_time()
    model, clocks = spec.model, list[Clock]()
    sampler = Sampler(lambda: any(clock.runs for clock in clocks))
    watched: AbstractContextManager[Any] = sampler if sampled else nullcontext()
    with watched:
        lm = _load(model) if shape is None else random_model(shape, device="cpu", dtype="float32")
        clocks.append(Clock(lm))
        run = StudyRun(study=spec, lm=lm, folder=kept)
        report = run.report(sources_of(spec), command=command)
        write(out, report, run.rows)
    whole = time.process_time() - started
    found = {
        "items": {part.name: part.counts["items"] for part in report.parts},
        "parameters": sum(p.numel() for p in lm.model.parameters()),
        "figures": len(report.figures),
    }
    return _Timed(whole, clocks[0].spent, found, sampler.shares())
