"""The model that a command names, and a saved judge with it; heavy imports wait until one is loaded."""

import gc
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...models.errors import InnerjudgeError
from ..reading.progress import PlainConsole

if TYPE_CHECKING:
    from ...models.loading import LanguageModel
    from ..judges.judge import Judge

log = logging.getLogger("innerjudge")


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage is looked for while packages are imported and a model is loaded, which makes none to speak of.

    Looking through all that torch and transformers define would take a large part of the start (``bench/start``).
    """
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


@dataclass(frozen=True, slots=True)
class Model:
    """The arguments of :func:`innerjudge.load`; without a name it is the judge's own model."""

    name: str | None
    device: str = "auto"
    dtype: str = "auto"
    revision: str | None = None
    modules: Mapping[Any, str] = field(default_factory=dict)
    trust_remote_code: bool = False
    memory: float | None = None

    @uncollected()
    def load(self) -> "LanguageModel":
        """The model, without the notes and bars of transformers, on as many threads as physical cores; says so."""
        quieten()
        from ...models.loading import load

        assert self.name is not None
        own: dict[str, Any] = {"device": self.device, "dtype": self.dtype, "revision": self.revision, **self.modules}
        own |= {"trust_remote_code": self.trust_remote_code, "memory": self.memory}
        return say_how(load(self.name, **own))

    @uncollected()
    def load_judge(self, folder: Path, kind: str) -> "Judge":
        """A saved judge with this model; options that only a named model can have are refused without a name."""
        quieten()
        from ..judges.judge import Judge

        if self.name is not None:
            return Judge.load(folder, lm=self.load(), kind=kind)
        if self.revision is not None or self.modules:
            given = f"--revision {self.revision}" if self.revision is not None else "--module"
            raise InnerjudgeError.of("runs.no-model", given)
        trust = self.trust_remote_code
        found = Judge.load(folder, kind=kind, device=self.device, dtype=self.dtype, trust_remote_code=trust)
        found.lm = say_how(replace(found.lm, memory=self.memory))
        return found


OWN = Model(None)


def say_how(lm: "LanguageModel") -> "LanguageModel":
    """Log the type of a model's weights, its device and the threads of a CPU in one line, and return the model."""
    import torch

    threads = f", threads: {torch.get_num_threads()} (OMP_NUM_THREADS sets another number)"
    said = f"{lm.name}: {lm.dtype} on {lm.device}{threads if lm.device.type == 'cpu' else ''}"
    if log.handlers:
        log.info(said)
    else:  # a command without a log
        PlainConsole(stderr=True).print(said, soft_wrap=True)
    return lm


def quieten() -> None:
    """Silence the notes and bars of transformers and of the hub, which would fight with ours; take physical cores."""
    # Before transformers is imported: it reads the variable once.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging

    from ...models.precision import take_physical_cores

    take_physical_cores()
    logging.set_verbosity_error()
    hub_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()
