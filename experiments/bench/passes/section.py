"""What a section of the benchmark is: a model, one set of texts, and the ways of running them that are compared.

Weights and tokens are random: what a pass costs does not depend on what they say. Texts have every position read.

Every round runs each once, so that what the machine does meanwhile hits all alike. Memory is the bytes of live tensors
as PyTorch counts them: what the system says of the process misses peaks between its own looks, by as much as they are.
"""

import os
import statistics
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from transformers import AutoModelForCausalLM, LlamaConfig

from ....extraction.batching import Batch, collate
from ....extraction.readouts import AttentionWeights, HiddenStates, LabelLogits, QueryKey, Readout
from ....models.errors import InnerjudgeError, one_line
from ....models.loading import LanguageModel, load, wrap
from ....models.positions import Encoding

#: Name -> sizes; Llama's blocks in the shapes of a small, a middling and two usual models, and two for tests.
SHAPES: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_name("shapes.toml").read_text("utf-8"))


def random_model(shape: str, *, device: str, dtype: str, seed: int = 0, **changes: Any) -> LanguageModel:
    """A model of one of :data:`SHAPES`, with changes; one seed gives the same weights. An unknown shape is refused."""
    if shape not in SHAPES:
        raise InnerjudgeError(f"given --shape {shape!r}, expected one of {', '.join(SHAPES)}")
    kind = getattr(torch, dtype, None)
    if kind not in (torch.float32, torch.bfloat16, torch.float16):
        raise InnerjudgeError(f"given --dtype {dtype!r}, expected float32, bfloat16 or float16")
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InnerjudgeError(f"given --device {device!r}, expected one of this machine's: {one_line(error)}") from None
    torch.manual_seed(seed)
    sizes = {"max_position_embeddings": 4096, "tie_word_embeddings": True} | SHAPES[shape] | changes
    config = LlamaConfig(**sizes)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=kind, attn_implementation="sdpa")
    return wrap(model, load("reference").tokenizer, name=f"random-{shape}")


#: Runs all texts of a section once; what it returns is thrown away.
Run = Callable[[], object]
#: What CLUE, LAGER, QK-score and Attention-score read, in one pass.
CORE: tuple[Readout, ...] = (
    HiddenStates("reasoning_start"),
    HiddenStates("reasoning_end"),
    LabelLogits("score"),
    QueryKey("before"),
    AttentionWeights(),
)


@dataclass(frozen=True, slots=True)
class Work:
    """One model, the texts for it, and the names of the model's shape and of the type of its weights."""

    lm: LanguageModel
    items: tuple[Encoding, ...]
    shape: str
    dtype: str

    def batches(self, size: int) -> list[Batch]:
        """The texts padded in the given order, ``size`` at a time."""
        lm = self.lm
        groups = [self.items[k : k + size] for k in range(0, len(self.items), size)]
        return [collate(group, pad_id=lm.pad_id, side="right", device=lm.device) for group in groups]

    def positions(self, at: int, size: int) -> Tensor:
        """Tokens that :data:`CORE` reads of the batch that starts with item ``at``: ``[B, 3]``."""
        roles = ("reasoning_start", "reasoning_end", "score")
        rows = [[item.positions[role][0] for role in roles] for item in self.items[at : at + size]]
        return torch.tensor(rows, device=self.lm.device)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way of running the texts; those that several sections have, and the peers, stand in ``variants.py``.

    ``prepare`` makes of the section's work what is timed: all that is done once (wrapping a model) happens there.
    ``keeps`` says what is there afterwards, ``package`` what must be installed for it, beyond innerjudge's own needs.
    Time and memory are divided by those of the variant ``against``, by default the section's reference; ``expected``
    and ``expected_memory`` are what these ratios should be at most, ``None`` where nothing is asked.
    """

    name: str
    prepare: Callable[[Work], Run]
    keeps: str = ""
    package: str | None = None
    against: str | None = None
    expected: float | None = None
    expected_memory: float | None = None

    @property
    def installed(self) -> bool:
        """Whether it can be run here."""
        return self.package is None or find_spec(self.package) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table: its ``key`` for ``--only``, its ``title``, and what is compared, in a sentence (``about``).

    ``make_items`` gives the texts, from the model and whether the run is a quick one; ``make_variants`` the variants,
    of which the first one is the reference. ``memory``: whether peak memory is measured.
    """

    key: str
    title: str
    about: str
    make_items: Callable[[LanguageModel, bool], tuple[Encoding, ...]]
    make_variants: Callable[[Work], tuple[Variant, ...]]
    memory: bool = False


def texts(lm: LanguageModel, lengths: Sequence[int], *, prompt: int = 0, seed: int = 0) -> tuple[Encoding, ...]:
    """Random tokens of the given lengths, at least 12 each, whose first ``prompt`` tokens all share."""
    random = torch.Generator().manual_seed(seed)
    embedding: Any = lm.model.get_input_embeddings()
    size = int(embedding.weight.shape[0])
    shared = torch.randint(4, size, (prompt,), generator=random).tolist()
    made = []
    for k, length in enumerate(lengths):
        own = torch.randint(4, size, (length - prompt,), generator=random).tolist()
        positions = {
            "prompt_end": (max(prompt - 1, 1),),
            "reasoning_start": (max(prompt - 1, 2),),
            "reasoning_end": (length - 10,),
            "response_end": (length - 1,),
            "score": (length - 1,),
            "option_end": tuple(range(length - 9, length - 1, 2)),
        }
        group = "prompt" if prompt else f"text-{k}"
        made.append(
            Encoding(id=f"text-{k}", group=group, ids=(*shared, *own), positions=positions, label_ids=(5, 6, 7, 8, 9))
        )
    return tuple(made)


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and most of several figures.

    Example:
        >>> Spread.of([3.0, 1.0, 2.0])
        Spread(median=2.0, low=1.0, high=3.0)
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The spread of at least one figure."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of one variant in each round: of all threads of the process, and of the clock."""

    cpu: tuple[float, ...]
    wall: tuple[float, ...]

    def against(self, other: "Times") -> tuple[Spread, Spread]:
        """Ratio to the times of another variant, round by round: of processor time and of the clock."""
        cpu = [a / b for a, b in zip(self.cpu, other.cpu, strict=True)]
        return Spread.of(cpu), Spread.of([a / b for a, b in zip(self.wall, other.wall, strict=True)])


def timed(runs: Sequence[Run], rounds: int, *, device: torch.device, on_run: Callable[[int], None]) -> list[Times]:
    """Run each of ``runs``, which ran once already, once a round, in another order each time; a GPU is waited for."""
    seconds: list[list[tuple[float, float]]] = [[] for _ in runs]
    for number in range(rounds):
        for k in range(len(runs)):
            at = (k + number) % len(runs)
            seconds[at].append(_once(runs[at], device))
            on_run(1)
    return [Times(tuple(s[0] for s in one), tuple(s[1] for s in one)) for one in seconds]


def _once(run: Run, device: torch.device) -> tuple[float, float]:
    _wait(device)
    cpu, wall = time.process_time(), time.perf_counter()
    run()
    _wait(device)
    return time.process_time() - cpu, time.perf_counter() - wall


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_of(run: Run, device: torch.device) -> float:
    """Bytes of live tensors on the device at the peak of one run, less those before it; ``run`` ran once already.

    Example:
        >>> peak_of(lambda: torch.ones(1000) + torch.ones(1000), torch.device("cpu"))  # three of 4 bytes a number
        12000.0
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        torch.cuda.synchronize(device)
        return float(torch.cuda.max_memory_allocated(device) - before)
    seen = profile(activities=[ProfilerActivity.CPU], profile_memory=True)
    with _quiet():
        seen.start()
    try:
        run()
    finally:
        with _quiet():
            seen.stop()
    assert seen.profiler is not None
    assert seen.profiler.kineto_results is not None
    events: list[Any] = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]
    live = most = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        live += event.nbytes()
        most = max(most, live)
    return float(most)


@contextmanager
def _quiet() -> Iterator[None]:
    """While open nothing is heard of stderr: the profiler says there that it starts and stops, past Python."""
    sys.stderr.flush()
    own, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(own, 2)
        os.close(own)
        os.close(nowhere)
