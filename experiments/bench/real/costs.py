"""What ``compare`` costs on real models: ``python -m innerjudge.experiments.bench.real.costs MODEL...``.

Every measurement is a process of its own. Memory is sampled from the moment that the libraries are imported, so that
Python and torch themselves are left out. Times are CPU seconds, which other work on the machine hardly moves.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import torch
import typer

from ....extraction.provenance import versions
from ....models.loading import LanguageModel, load
from ...compare.compare import compare
from ...compare.settings import Settings
from ...data.datasets import load_data

#: Where the committed record lies.
RECORD = Path(__file__).with_name("costs.json")
SEED, SETTINGS = 0, Settings(reasoning_tokens=0)
#: Data of which whole comparisons are measured, and items of each.
DATA = {"sample:gsm8k-solutions": 160, "sample:mmlu": 100, "sample:topical-chat": 100, "sample:llmbar": 80}
#: Items in one part of the comparison with bare passes, and how many parts; the parts take turns.
PART, PARTS = 20, 2
#: What is asked for: bytes above the weights, prompts per item, compare by bare passes, loading by weights.
BARS = {
    "peak above weights (GB)": 1.0,
    "prompts asked per item": 3.0,
    "prompts per item": 3.0,
    "compare by bare passes": 1.15,
    "loading by weights": 1.2,
}


@contextmanager
def peak() -> Iterator[Callable[[], tuple[int, int]]]:
    """Bytes by which the memory of this process grows at most: all that is resident, and that without mapped files."""

    def now() -> list[int]:
        found = Path("/proc/self/status").read_text(encoding="ascii")
        return [int(found.split(f"{name}:")[1].split()[0]) * 1024 for name in ("VmRSS", "RssAnon")]

    start, most, over = now(), now(), threading.Event()

    def look() -> tuple[int, int]:
        most[:] = map(max, most, now())
        return most[0] - start[0], most[1] - start[1]

    def watch() -> None:
        while not over.wait(0.005):
            look()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield look
    finally:
        over.set()
        watcher.join()


def weight_bytes(lm: LanguageModel) -> int:
    """Bytes of the parameters, each once."""
    return sum(p.numel() * p.element_size() for p in lm.model.parameters())


def loading(model: str, dtype: str) -> dict[str, Any]:
    """Peak memory of loading, over the weights in memory."""
    load("reference")  # what loading imports is no part of it
    with peak() as grown:
        lm = load(model, device="cpu", dtype=dtype)
        resident, own = (most / weight_bytes(lm) for most in grown())
    found = {"loading by weights": own, "loading by weights, pages of mapped files included": resident}
    return {"weights (GB)": weight_bytes(lm) / 1e9} | found


def loading_bfloat16(model: str) -> dict[str, Any]:
    """The same for a folder with the model in bfloat16, loaded as float32."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-c", _HALVED, model, folder]
        subprocess.run(command, check=True, capture_output=True)
        return loading(folder, "float32")


_HALVED = """
import sys, torch
from innerjudge.models.loading import load
lm = load(sys.argv[1], device="cpu", dtype="bfloat16")
lm.model.save_pretrained(sys.argv[2]), lm.tokenizer.save_pretrained(sys.argv[2])
"""


def comparing(model: str, data: str, limit: int) -> dict[str, Any]:
    """A whole comparison at default settings, but without reasoned text: memory, prompts, tokens and CPU seconds."""
    load("reference")
    with peak() as grown:
        lm = load(model, device="cpu", dtype="float32")
        compare(lm, data, limit=24, settings=SETTINGS)  # what is tried once a model; fewer may have one label only
        asked = Asked()
        with read_by(lm) as seen:
            started = time.process_time()
            found = compare(lm, data, limit=limit, settings=SETTINGS, steps=asked)
            spent = time.process_time() - started
        most, _ = grown()
    (costs,) = found.found.results_json()["cost_per_item"].values()
    return {
        "peak above weights (GB)": (most - weight_bytes(lm)) / 1e9,
        "prompts asked per item": asked.prompts / limit,
        "tokens per item": seen.tokens / limit,
        "steps per item": seen.steps / limit,
        "CPU seconds": spent,
        "each judge": {name: {k: round(v, 2) for k, v in one.items()} for name, one in costs.items()},
    }


class Asked:
    """Steps of a comparison that show nothing and count the prompts that were asked or read, each once."""

    def __init__(self) -> None:
        self.prompts = 0

    def __call__(self, _description: str, _total: int, /) -> Callable[[int], None]:
        """Begin a step."""
        return self._count

    def _count(self, done: int) -> None:
        self.prompts += done


class Seen:
    """What the model read: the ids of every pass, and how many tokens of prompts and steps of writing there were."""

    def __init__(self) -> None:
        self.passes: list[torch.Tensor] = []
        self.tokens = self.steps = 0

    def note(self, _module: Any, given: tuple[Any, ...]) -> None:
        """A pass over prompts has several tokens a text; a step writes one."""
        ids = given[0]
        if ids.ndim == 2 and ids.shape[1] == 1:
            self.steps += len(ids)
            return
        self.passes.append(ids.clone())
        self.tokens += ids.numel()


@contextmanager
def read_by(lm: LanguageModel) -> Iterator[Seen]:
    """Notes what enters the embedding of a model."""
    seen = Seen()
    embedding: Any = lm.model.get_input_embeddings()
    hook = embedding.register_forward_pre_hook(seen.note)
    try:
        yield seen
    finally:
        hook.remove()


def against_bare_passes(model: str, data: str) -> dict[str, Any]:
    """CPU seconds of whole comparisons over those of bare passes on the same batches, taken in turns."""
    lm = load(model, device="cpu", dtype="float32")
    items = load_data(data, limit=PART * PARTS, seed=SEED).items
    compare(lm, items[:4], settings=SETTINGS)  # what is tried once a model
    pairs = []
    for k in range(PARTS):
        with read_by(lm) as seen:
            started = time.process_time()
            compare(lm, items[k * PART : (k + 1) * PART], settings=SETTINGS)
            whole = time.process_time() - started
        pairs.append((whole, bare(lm, seen.passes)))
    return {
        "items": PART * PARTS,
        "compare (CPU seconds)": [round(one, 1) for one, _ in pairs],
        "bare passes (CPU seconds)": [round(one, 1) for _, one in pairs],
        "compare by bare passes": sum(one for one, _ in pairs) / sum(one for _, one in pairs),
    }


@torch.inference_mode()
def bare(lm: LanguageModel, passes: Sequence[torch.Tensor]) -> float:
    """CPU seconds of the model alone on these batches, with the logits of the last token."""
    started = time.process_time()
    for ids in passes:
        lm.model(input_ids=ids, use_cache=False, logits_to_keep=1)
    return time.process_time() - started


JOBS: dict[str, Callable[..., dict[str, Any]]] = {
    "load": loading,
    "load-bfloat16": loading_bfloat16,
    "compare": lambda model, data, limit: comparing(model, data, int(limit)),
    "bare": against_bare_passes,
}


def measured(job: str, *words: str) -> dict[str, Any]:
    """A job in a process of its own."""
    command = [sys.executable, "-m", "innerjudge.experiments.bench.real.costs", "--job", job, *words]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {ended.returncode}: {ended.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def document(kept: Sequence[dict[str, Any]]) -> str:
    """The record as Markdown.

    Example:
        >>> document([]).splitlines()[0]
        '# What `compare` costs on real models'
    """
    found = [
        "# What `compare` costs on real models",
        "Written by `python -m innerjudge.experiments.bench.real.costs MODEL...`; float32 on a CPU, without reasoned "
        "text. Memory is resident memory beyond that of the imported libraries; while a model is loaded, the pages of "
        "its mapped file are among it, which the system drops where room is short, so both figures stand here. A "
        "prompt is a text that is asked about or read on its own, as in `results.json`: ways of asking that are tried, "
        "both orders of pairs and each of their responses, options permuted; where it says only *prompts*, a beginning "
        "that prompts share was counted as one more. A peak below 0 means that pages of mapped weights were dropped. "
        "Tokens are those that the model reads, padding included, what prompts share once; a step writes one token. "
        "At first, 160 solutions of GSM8K on the 0.5B model took 6.7 GB in all, 4.2 GB above its weights.",
        "| model | what | measured | asked for | met |\n| --- | --- | --- | --- | --- |\n"
        + "\n".join(row for one in kept for row in _rows(one)),
    ]
    if kept:
        used = ", ".join(f"{name} {number}" for name, number in sorted(kept[-1]["versions"].items()))
        found.append(f"Seed {SEED}; {used}.")
    return "\n\n".join(found) + "\n"


def _rows(one: dict[str, Any]) -> Iterator[str]:
    for name, value in one["found"].items():
        if isinstance(value, float):
            bar = BARS.get(name)
            asked, met = ("-", "-") if bar is None else (f"at most {bar:g}", "yes" if value <= bar else "no")
            yield f"| {one['model']} | {one['what']}: {name} | {value:.2f} | {asked} | {met} |"


def main(
    words: Annotated[list[str], typer.Argument(help="Folders of models.")],
    job: Annotated[str | None, typer.Option(help="Do one job in this process and print it; for this script.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Jobs to do; repeatable. All by default.")] = None,
    data: Annotated[list[str] | None, typer.Option(help="NAME=ITEMS to compare; repeatable.")] = None,
    out: Annotated[Path, typer.Option(help="Record to write, with a document beside it.")] = RECORD,
) -> None:
    """Measure, and write the record after each measurement; lines of others are kept."""
    if job is not None:
        print(json.dumps(JOBS[job](*words)))  # noqa: T201
        return
    sizes = DATA if data is None else {name: int(n) for name, _, n in (one.rpartition("=") for one in data)}
    kept: list[dict[str, Any]] = json.loads(out.read_text("utf-8")) if out.is_file() else []
    for model in words:
        jobs = [
            ("load", "loading float32", [model, "float32"]),
            ("load-bfloat16", "loading bfloat16 as float32", [model]),
        ]
        jobs += [("compare", f"{name}, {n} items", [model, name, str(n)]) for name, n in sizes.items()]
        jobs += [("bare", "sample:mmlu, in turns", [model, "sample:mmlu"])]
        for name, what, arguments in jobs:
            if only and name not in only:
                continue
            line: dict[str, Any] = {"model": Path(model).name, "what": what, "found": measured(name, *arguments)}
            line["versions"] = dict(versions())
            same = (line["model"], what)
            kept = [old for old in kept if (old["model"], old["what"]) != same] + [line]
            out.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
            out.with_suffix(".md").write_text(document(kept), "utf-8")
            typer.echo(json.dumps(line["found"]))


if __name__ == "__main__":
    typer.run(main)
