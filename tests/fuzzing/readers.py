"""Every public reader, each with good input to begin with: `python readers.py SHARE SEED FOLDER [NAME...]`.

Each reader runs in a process of its own with limits, for a share of 2,000 inputs (less where one costs much). What it
may do is give a result or raise our error, within 5 s of processor time and 500 MB. A line of JSON says how it went.
"""

from __future__ import annotations

import json
import logging
import os
import random
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from innerjudge.models.errors import InnerjudgeError

sys.path.insert(0, str(Path(__file__).parent))
from mutations import mutate

RUNS, SECONDS, BYTES = 2000, 5.0, 500 << 20
#: Seconds after which a reader that waits, rather than works, is stopped.
WAITING = 120.0


class TooMuch(BaseException):
    """An input took longer than it may."""


@dataclass(frozen=True)
class Reader:
    """What reads bytes, bytes that are good, how they are changed, and the share of the inputs that is affordable."""

    read: Callable[[bytes], object]
    good: bytes
    kind: str = "bytes"
    share: float = 1.0


def _lines(*rows: dict[str, Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


ITEMS: dict[str, bytes] = {
    "trace": _lines(
        *(
            {
                "question_id": f"q{k // 2}",
                "candidate_id": str(k),
                "prompt": "2+2?",
                "response": "<think>a</think>4",
                "answer": "4",
                "correct": k == 0,
                "tags": ["a"],
                "seconds": 0.5,
            }
            for k in range(4)
        )
    ),
    "rating": _lines(
        {
            "item_id": "r",
            "prompt": "?",
            "response": "!",
            "scores": [1, 4.5],
            "scale": [1, 5],
            "reference": "x",
            "criterion": "Is it?",
        },
        {"item_id": "s", "prompt": "?", "response": "!", "group": "g"},
    ),
    "choice": _lines(
        {"question_id": "c", "question": "?", "options": ["x", "y"], "answer": 1},
        {"question_id": "3", "question": "?", "options": ["x", "y", "z"], "subject": None},
    ),
    "pair": _lines(
        {"pair_id": "p", "prompt": "?", "response_a": "x", "response_b": "y", "preference": "a"},
        {"pair_id": "q", "prompt": "?", "response_a": "x", "response_b": "z", "preference": "tie"},
    ),
    "ids": _lines(
        {
            "question_id": "q",
            "candidate_id": "0",
            "prompt": "?",
            "response": "ab",
            "response_ids": [1, 2],
            "prompt_ids": [3],
        }
    ),
    "conversation": _lines(
        {
            "question_id": "q",
            "candidate_id": "0",
            "prompt": [
                {"role": "system", "content": "s"},
                {"role": "user", "content": [{"type": "text", "text": "?"}]},
            ],
            "response": [
                {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]},
                {"role": "tool", "content": "r"},
                {"role": "assistant", "content": "4", "reasoning_content": "why"},
            ],
        }
    ),
}
RUBRIC = (
    "###The instruction to evaluate:\nDo it.\n\n###Response to evaluate:\nDone.\n\n###Reference Answer (Score 5):\n"
    "Good.\n\n###Score Rubrics:\n[Is it?]\nScore 1: no\n\n###Feedback: "
)
FORMATS: dict[str, Any] = {
    "gsm8k-solutions": _lines({"question": "?", "ground_truth": "A: 1", "m": {"solution": "A: 1", "is_correct": True}}),
    "llmbar": [{"input": "?", "output_1": "x", "output_2": "y", "label": 1}],
    "pandalm": [{"idx": 0, "instruction": "?", "input": "", "response1": "x", "response2": "y"}
                | {f"annotator{k}": 1 for k in (1, 2, 3)}],
    "summeval": {"d": {"src": "s", "sys_summs": {"M1": {"sys_summ": "x", "scores": dict.fromkeys(
        ("coherence", "consistency", "fluency", "relevance"), 3.0)}}}},
    "topical-chat": [{"source": "s", "context": "c", "system_id": "m", "system_output": "x", "scores": dict.fromkeys(
        ("understandability", "naturalness", "coherence", "engagingness", "groundedness", "overall"), 1)}],
    "prometheus": [{"idx": 1, "response_source": "m", "category": None, "instruction": RUBRIC, "gpt4_score": [5]}],
}  # fmt: skip
STUDY = b"""name: Rate
data:
  - {source: "builtin:rate", limit: 40}
judges: [lager, text]
splits: {fit: 0.4, calibrate: 0.2}
seeds: {data: 1}
prompts: [lager, g-eval]
audits: {pairs: true, label_errors: 0.8}
scale: [1, 5]
reasoning_tokens: 0
"""

PROMPT = b"""system: Be strict.
user: "{% for line in rubric %}{{ line.label }} {{ line.text }}{% endfor %}{{ prompt }} {{ response }} {{ ask }}"
cue: "Score:"
labels: {"1": 1, "2": 2}
rubric: {1: bad, 2: good}
few_shot: [{user: "?", assistant: "Score: 1"}]
"""


def from_file(folder: Path, name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """A reader of a file, as one of its bytes."""

    def of(raw: bytes) -> object:
        (folder / name).write_bytes(raw)
        return read(folder / name)

    return of


def data_readers(folder: Path) -> Iterator[tuple[str, Reader]]:
    """Items by kind, tables of other formats, public formats."""
    from innerjudge.experiments.data.datasets import load_data, open_data
    from innerjudge.experiments.data.loaders import load
    from innerjudge.experiments.runs.sample_job import load_questions

    for kind, good in ITEMS.items():
        yield f"items: {kind}", Reader(from_file(folder, "i.jsonl", lambda at: load_data(str(at))), good, "lines")
    yield "items, one by one", Reader(
        from_file(folder, "i.jsonl", lambda at: list(open_data(str(at)).items)), ITEMS["trace"], "lines")  # fmt: skip
    rows = _lines({"question_id": "q", "prompt": "?"}, {"question_id": "r", "prompt": "!"})
    yield "questions", Reader(from_file(folder, "q.jsonl", lambda at: load_questions(str(at))), rows, "lines")
    for name, good in FORMATS.items():
        raw, kind = (good, "lines") if isinstance(good, bytes) else (json.dumps(good).encode(), "json")
        yield f"loader: {name}", Reader(from_file(folder, "f", lambda at, n=name: load(f"{n}:{at}")), raw, kind)  # type: ignore[misc]
    yield from more_readers(folder)
    mmlu = b'"one, ""two""\n",1,2,3,4,A\nq,1,2,3,4,D\n'
    yield "loader: mmlu", Reader(from_file(folder, "x_val.csv", lambda at: load(f"mmlu:{at}")), mmlu)


def more_readers(folder: Path) -> Iterator[tuple[str, Reader]]:
    """Tables of every form, columns of anybody's, and public formats row by row."""
    import gzip

    import pandas as pd
    from innerjudge.experiments.data.loaders import load
    from innerjudge.experiments.data.mapping import items_from

    rows = [{"q": "2+2?", "r": f"so, {k}", "ok": k % 2, "more": {"a": [k]}} for k in range(4)]
    columns = {"prompt": "q", "response": "r", "correct": "ok"}

    def table(name: str) -> Callable[[bytes], object]:
        return from_file(folder, name, lambda at: items_from(at, columns))

    frame, parquet = pd.DataFrame(rows).drop(columns=["more"]), BytesIO()
    frame.to_parquet(parquet)
    yield "table: JSONL", Reader(table("t.jsonl"), _lines(*rows), "lines")
    yield "table: JSON", Reader(table("t.json"), json.dumps(rows, indent=1).encode(), "json")
    yield "table: CSV", Reader(table("t.csv"), frame.to_csv(index=False).encode())
    yield "table: Parquet", Reader(table("t.parquet"), parquet.getvalue(), share=0.5)
    yield "table: gzip", Reader(table("t.gz"), gzip.compress(_lines(*rows), mtime=0))
    with suppress(ImportError):
        import zstandard

        yield "table: zstandard", Reader(table("t.zst"), zstandard.ZstdCompressor().compress(_lines(*rows)))
    with suppress(ImportError):
        import datasets

        datasets.Dataset.from_list(rows).save_to_disk(folder / "saved")
        for end, kind in (("state.json", "json"), (".arrow", "bytes")):
            part = next(one for one in (folder / "saved").iterdir() if one.name.endswith(end))
            good = part.read_bytes()

            def saved(raw: bytes, part: Path = part, good: bytes = good) -> object:
                part.write_bytes(raw)
                try:
                    return items_from(part.parent, columns)
                finally:
                    part.write_bytes(good)

            yield f"table: saved, {end}", Reader(saved, good, kind, 0.5)
    pairs = _lines(*({"prompt": "?", "chosen": "x", "rejected": [{"role": "assistant", "content": "y"}]} for _ in "ab"))
    yield "table: preferences", Reader(from_file(folder, "p.jsonl", items_from), pairs, "lines")
    choice = _lines({"question": "?", "choices": ["x", "y"], "answer": "B"}, {"question": "!", "choices": ["x", "y"]})
    yield "table: choices", Reader(from_file(folder, "c.jsonl", items_from), choice, "lines")
    talk = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "x"}]
    for name, row in {
        "rewardbench": {"prompt": "?", "chosen": "x", "rejected": "y", "subset": "s"},
        "rewardbench2": {"id": "1", "prompt": "?", "chosen": ["x"], "rejected": ["y", "z"], "subset": "s"},
        "judgebench": {"pair_id": "1", "question": "?", "response_A": "x", "response_B": "y", "label": "A>B"},
        "ultrafeedback": {"instruction": "?", "completions": [{"model": "m", "response": "x", "overall_score": 5}]},
        "helpsteer2": {"prompt": "?", "response": "x", "helpfulness": 1, "correctness": 1, "coherence": 1,
                       "complexity": 1, "verbosity": 1},
        "processbench": {"id": "1", "problem": "?", "steps": ["x"], "label": -1},
        "arc": {"id": "1", "question": "?", "choices": {"text": ["x", "y"], "label": ["A", "B"]}, "answerKey": "A"},
        "hellaswag": {"ctx": "?", "endings": ["x", "y"], "label": "1"},
        "openai-messages": {"messages": talk},
        "vllm-outputs": {"request_id": "1", "prompt": "?", "outputs": [{"text": "x"}]},
        "mt-bench-human": {"question_id": 1, "model_a": "m", "model_b": "o", "winner": "model_a", "turn": 1,
                           "conversation_a": talk, "conversation_b": talk},
        "lm-eval-samples": {"doc_id": 1, "target": "4", "arguments": {"gen_args_0": {"arg_0": "?", "arg_1": {}}},
                            "resps": [["x"]], "filtered_resps": ["x"], "exact_match": 1.0},
    }.items():  # fmt: skip
        read = from_file(folder, "m.jsonl", lambda at, n=name: load(f"{n}:{at}"))  # type: ignore[misc]
        yield f"loader: {name}", Reader(read, _lines(row), "lines", 0.5)


def log_readers(folder: Path) -> Iterator[tuple[str, Reader]]:
    """Logs of Inspect."""
    try:
        from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalSample, EvalSpec, write_eval_log
        from inspect_ai.model import ChatMessageUser, ModelOutput
    except ImportError:
        return
    from innerjudge.experiments.data.loaders import load

    spec = EvalSpec(
        created="2025-01-01T00:00:00+00:00", task="t", dataset=EvalDataset(), model="m", config=EvalConfig()
    )
    samples = [EvalSample(id=k, epoch=1, input="?", target="x", messages=[ChatMessageUser(content="?")],
                          output=ModelOutput.from_content("m", "y")) for k in (1, 2)]  # fmt: skip
    for end, kind in (("eval", "zip"), ("json", "json")):
        path = folder / f"good.{end}"
        write_eval_log(EvalLog(status="success", eval=spec, samples=samples), str(path))
        read = from_file(folder, f"l.{end}", lambda at: load(f"inspect-log:{at}"))
        yield f"loader: inspect-log, .{end}", Reader(read, path.read_bytes(), kind, 0.15)


def table_readers(folder: Path) -> Iterator[tuple[str, Reader]]:
    """Verdicts, columns to select from, scores to examine, results, studies."""
    import pandas as pd
    from innerjudge.experiments.compare.doctor.scores import read_scores
    from innerjudge.experiments.compare.report.folder import read_results
    from innerjudge.experiments.data.verdict_files import read_rows, read_table
    from innerjudge.experiments.reading.judge_prompt import JudgePrompt
    from innerjudge.experiments.runs.part_file import PartFile
    from innerjudge.experiments.selection.columns import judges_of, read_columns
    from innerjudge.experiments.study.spec import read_study
    from innerjudge.models.foreign import dump_sealed, parse_yaml, sealed
    from innerjudge.models.items import Rating

    rated = Rating(item_id="r", prompt="?", response="!", criterion="c")
    base = {
        "data": "d",
        "judge": "j",
        "score": 0.5,
        "label": True,
        "length": 3.0,
        "unscored": None,
        "scores": [0.1, 0.2],
    }
    base |= {"split": "test", "answer": "4", "label_again": True, "text": "so"}
    rows = _lines(
        *(base | {"question": f"q{k // 2}", "candidate": str(k), "truth": k % 2 == 0}
          | {"question_id": f"q{k // 2}", "candidate_id": str(k), "correct": k % 2 == 0} for k in range(24))
    )  # fmt: skip
    path = folder / "v.jsonl"
    yield "verdicts", Reader(from_file(folder, path.name, read_table), rows, "lines")
    yield "verdicts as rows", Reader(from_file(folder, path.name, read_rows), rows, "lines")
    yield "columns", Reader(from_file(folder, path.name, lambda at: (judges_of(at), read_columns(at))), rows, "lines")
    labels = _lines(*(json.loads(line) | {"label": k % 2 == 0} for k, line in enumerate(rows.splitlines())))
    yield "scores to examine", Reader(from_file(folder, path.name, read_scores), labels, "lines", 0.5)
    parquet = BytesIO()
    pd.read_json(BytesIO(labels), lines=True).drop(columns=["scores"]).to_parquet(parquet)
    read = from_file(folder, "s.parquet", read_scores)
    yield "scores to examine: Parquet", Reader(read, parquet.getvalue(), share=0.5)
    figure = {"data": "d", "part": "p", "judge": "j", "metric": "m", "value": 0.5, "low": None, "high": 1}
    results = {"spec": {}, "versions": {}, "figures": [figure]}

    def resealed(raw: bytes) -> object:
        try:
            raw = dump_sealed(json.loads(raw))
        except (ValueError, TypeError, RecursionError):
            return None
        return from_file(folder, "results.json", read_results)(raw)

    yield "results", Reader(resealed, json.dumps(results).encode(), "json")
    yield "study", Reader(from_file(folder, "s.yaml", read_study), STUDY)
    yield (
        "judge prompt",
        Reader(from_file(folder, "p.yaml", lambda at: JudgePrompt.of(at).ask(rated)), b"kind: rating\n" + PROMPT),
    )
    yield "YAML", Reader(lambda raw: parse_yaml(raw.decode("utf-8", "replace")), STUDY)
    part = _lines(sealed({"job": "j"}), *(sealed({"place": k, "row": {"score": k}}) for k in range(3)))
    yield (
        "part of a job",
        Reader(from_file(folder, "o.jsonl.part", lambda at: PartFile(at.with_suffix(""), "j", 1)), part, "lines"),
    )


def judge_readers(folder: Path) -> Iterator[tuple[str, Reader]]:
    """A saved judge: its header and its arrays, with checksums that fit whatever they hold."""
    from innerjudge.experiments.judges import saved
    from innerjudge.extraction import Features, Provenance
    from innerjudge.models.foreign import digest_of_parts, dump_sealed, parse_sealed
    from innerjudge.probes import LogisticProbe

    draw = np.random.default_rng(0)
    some = Features(
        ids=tuple(map(str, range(12))),
        groups=tuple(str(k // 2) for k in range(12)),
        provenance=Provenance("m", None, "f", "float32", "sdpa", "none"),
        arrays={"hidden/reasoning_end": draw.normal(size=(12, 3, 4)).astype(np.float32)},
    )
    judge = LogisticProbe(positions=["reasoning_end"], row=1).fit(some, np.arange(12) % 2 == 0)
    home = folder / "judge"
    saved.save(judge, saved.JudgeRecord("logistic", "trace"), home)
    header = json.dumps(parse_sealed((home / "judge.json").read_bytes())).encode()
    arrays, made = ((home / name).read_bytes() for name in ("judge.safetensors", "made.json"))

    def load(header_: bytes, arrays_: bytes, made_: bytes) -> object:
        try:
            record = json.loads(header_)
            if isinstance(record, dict) and isinstance(record.get("files"), dict) and header_ is header:
                record["files"] = {
                    "judge.safetensors": digest_of_parts([arrays_]),
                    "made.json": digest_of_parts([made_]),
                }
            raw = dump_sealed(record)
        except (ValueError, TypeError, RecursionError):
            raw = header_
        for name, content in (("judge.json", raw), ("judge.safetensors", arrays_), ("made.json", made_)):
            (home / name).write_bytes(content)
        return saved.load(home)

    yield "judge: header", Reader(lambda raw: load(raw, arrays, made), header, "json")
    yield "judge: arrays", Reader(lambda raw: load(header, raw, made), arrays, "safetensors")
    yield "judge: how it was made", Reader(lambda raw: load(header, arrays, raw), made, "json")


def store_readers(folder: Path) -> Iterator[tuple[str, Reader]]:
    """A store and a job: headers with checksums that fit, index and shard with names that do."""
    import hashlib

    from innerjudge.experiments.runs.job_files import read_job
    from innerjudge.extraction import Features, Provenance
    from innerjudge.extraction.store import FeatureStore
    from innerjudge.extraction.store.index import read_entry, read_rows
    from innerjudge.extraction.store.shard import OpenShard
    from innerjudge.models.foreign import dump_sealed, parse_sealed

    some = Features(
        ids=("a", "b"), groups=("q", "q"), provenance=Provenance("m", None, "f", "float32", "sdpa", "none"),
        arrays={"hidden/score": np.arange(24, dtype=np.float32).reshape(2, 3, 4), "labels": np.ones(2, np.float32)},
        texts={"direct": ("yes", "no")}, missing={"hidden/score": {"b": "no marker"}},
    )  # fmt: skip
    home = folder / "store"
    store = FeatureStore.save(some, home, dtype="int8")
    (index,), (shard,) = (list((home / name).iterdir()) for name in ("index", "shards"))

    def sealed_file(name: str, read: Callable[[], object]) -> Callable[[bytes], object]:
        def of(raw: bytes) -> object:
            with suppress(ValueError, TypeError, RecursionError):
                raw = dump_sealed(json.loads(raw))
            (home / name).write_bytes(raw)
            return read()

        return of

    def whole() -> object:
        opened = FeatureStore.open(home)
        return opened.features()

    header = json.dumps(parse_sealed((home / "store.json").read_bytes())).encode()
    yield "store: header", Reader(sealed_file("store.json", whole), header, "json")
    job = {"kind": "trace", "scale": [1, 5], "seed": 0, "items": "h", "files": {"items.jsonl": "0" * 64}}
    yield "store: job", Reader(sealed_file("job.json", lambda: read_job(home)), json.dumps(job).encode(), "json")

    def read_index(raw: bytes) -> object:
        path = index.with_name(f"000000-{hashlib.sha256(raw).hexdigest()[:16]}.parquet")
        path.write_bytes(raw)
        try:
            return read_rows(store.place, read_entry(store.place, 0, path.name))
        finally:
            path.unlink()

    yield "store: index", Reader(read_index, index.read_bytes())
    entry = store.entries[0]

    def read_shard(path: Path) -> None:
        opened = OpenShard(path, entry)
        for name, shape in entry.shapes.items():
            assert opened.read(name).shape == shape

    yield "store: shard", Reader(from_file(folder, "x.safetensors", read_shard), shard.read_bytes(), "safetensors")


def model_readers(folder: Path) -> Iterator[tuple[str, Reader]]:
    """Folders of models, GGUF files, LoRA adapters."""
    import shutil

    import innerjudge
    from innerjudge.models.formats.source import base_of, is_adapter

    home = folder / "model"
    shutil.copytree(Path(innerjudge.__file__).parent / "models" / "reference" / "weights", home)

    def part(name: str) -> Callable[[bytes], object]:
        good = (home / name).read_bytes()

        def of(raw: bytes) -> object:
            try:
                (home / name).write_bytes(raw)
                return innerjudge.load(str(home))
            finally:
                (home / name).write_bytes(good)

        return of

    weights = next(path.name for path in home.iterdir() if path.suffix == ".safetensors")
    parts = ("config.json", "tokenizer_config.json", "tokenizer.json", "generation_config.json", "chat_template.jinja")
    for name in (*parts, weights):
        kind = {".json": "json", ".safetensors": "safetensors"}.get(Path(name).suffix, "bytes")
        if (home / name).is_file():
            yield f"model: {name}", Reader(part(name), (home / name).read_bytes() or b"{{ messages }}", kind, 0.02)
    lora = json.dumps({"base_model_name_or_path": "owner/model", "peft_type": "LORA", "r": 8}).encode()
    (folder / "lora").mkdir()
    read = from_file(
        folder / "lora", "adapter_config.json", lambda at: is_adapter(str(at.parent)) and base_of(str(at.parent))
    )
    yield "model: LoRA adapter", Reader(read, lora, "json")
    try:
        import gguf
    except ImportError:
        return
    from innerjudge.models.formats.gguf import read_header

    writer = gguf.GGUFWriter(folder / "good.gguf", "llama")
    writer.add_block_count(1), writer.add_context_length(16), writer.add_embedding_length(4)
    writer.add_tokenizer_model("gpt2"), writer.add_token_list(["a", "b"]), writer.add_chat_template("{{ messages }}")
    writer.add_tensor("token_embd.weight", np.ones((2, 4), np.float32))
    writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file(), writer.close()
    yield "model: GGUF", Reader(from_file(folder, "m.gguf", read_header), (folder / "good.gguf").read_bytes())


def service_readers(folder: Path) -> Iterator[tuple[str, Reader]]:
    """Requests to the service."""
    try:
        from fastapi.testclient import TestClient
        from innerjudge.experiments.adapters.service.app import create_app
    except ImportError:
        return
    from types import SimpleNamespace

    from innerjudge.probes import Verdict

    def verdicts(pairs: Any, batch_size: int = 32) -> list[Verdict]:
        return [Verdict(str(k), score=float(len(response))) for k, (_, response) in enumerate(pairs)]

    def tokens(texts: list[str], add_special_tokens: bool) -> dict[str, Any]:
        return {"input_ids": [[0] * len(text) for text in texts]}

    judge: Any = SimpleNamespace(kind="trace", promise=None, verdicts=verdicts, lm=SimpleNamespace(tokenizer=tokens))
    begun: list[TestClient] = []  # in the process that asks: its threads do not survive a fork

    def post(path: str) -> Callable[[bytes], object]:
        def of(raw: bytes) -> object:
            if not begun:
                begun.append(TestClient(create_app({"judge": judge}), raise_server_exceptions=False).__enter__())
            said = begun[0].post(path, content=raw, headers={"content-type": "application/json"})
            assert said.status_code < 500, f"{said.status_code}: {said.text[:300]}"
            return said.json()

        return of

    rerank = {"model": "judge", "query": "?", "documents": ["a", {"text": "b"}], "top_n": 1, "return_documents": True}
    score = {"model": "judge", "text_1": "?", "text_2": ["a", "b"]}
    yield "service: rerank", Reader(post("/v1/rerank"), json.dumps(rerank).encode(), "json", 0.4)
    yield "service: score", Reader(post("/v1/score"), json.dumps(score).encode(), "json", 0.4)
    del folder


GROUPS = (data_readers, log_readers, table_readers, judge_readers, store_readers, model_readers, service_readers)


@contextmanager
def limits() -> Iterator[None]:
    """Processor time and patience for one input."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooMuch(f"signal {number}")

    signal.signal(signal.SIGPROF, stop)
    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, WAITING)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def fuzz(name: str, reader: Reader, share: float, seed: int, folder: Path) -> dict[str, Any]:
    """Try odd inputs on one reader; those that it does not take are kept in ``folder``."""
    reader.read(reader.good)  # must be taken, or nothing is tried
    pages = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (pages + BYTES, resource.RLIM_INFINITY))
    draw = random.Random(f"{seed} {name}")
    counts, bad, slowest = {"clean": 0, "refused": 0}, [], 0.0
    for number in range(max(1, round(RUNS * reader.share * share))):
        raw = mutate(reader.good, reader.kind, draw)
        begun = time.process_time()
        try:
            with limits():
                reader.read(raw)
            counts["clean"] += 1
        except InnerjudgeError:
            counts["refused"] += 1
        except BaseException as error:
            path = folder / f"{''.join(c if c.isalnum() else '-' for c in name)}-{number}"
            path.write_bytes(raw)
            said = traceback.extract_tb(error.__traceback__)
            ours = [f"{Path(one.filename).name}:{one.lineno}" for one in said if "innerjudge" in one.filename][-3:]
            bad.append(f"{path.name} {type(error).__name__} {str(error)[:150]!r} at {' '.join(ours)}")
            if len(bad) >= 40:
                break
        slowest = max(slowest, time.process_time() - begun)
    return {"name": name, **counts, "bad": bad, "slowest": round(slowest, 3)}


def main(share: float, seed: int, folder: Path, names: list[str]) -> None:
    """Fuzz every reader, or those whose names begin with one of these."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    os.environ["HF_HUB_OFFLINE"] = "1"
    said = os.dup(1)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1), os.dup2(nothing, 2)  # what libraries print of a broken file is of no interest
    for group in GROUPS:
        try:
            for name, reader in group(folder):
                if not names or name.startswith(tuple(names)):
                    _apart(name, reader, share, seed, folder, said)
        except Exception:  # what should be good cannot be made
            _tell(said, {"name": group.__name__, "bad": [traceback.format_exc()[-1000:]]})


def _apart(name: str, reader: Reader, share: float, seed: int, folder: Path, said: int) -> None:
    """Fuzz in a process of its own, whatever becomes of it."""
    child = os.fork()
    if not child:
        try:
            found = fuzz(name, reader, share, seed, folder)
        except BaseException as error:
            found = {"name": name, "bad": [f"the good input: {type(error).__name__} {error}"]}
        _tell(said, found)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if status:
        _tell(said, {"name": name, "bad": [f"its process ended with {status}"]})


def _tell(said: int, found: dict[str, Any]) -> None:
    os.write(said, f"{json.dumps(found)}\n".encode())


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
