"""Public data formats, a loader each, and logs of Inspect."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness import Reader, from_file, lines

_RUBRIC = (
    "###The instruction to evaluate:\nDo it.\n\n###Response to evaluate:\nDone.\n\n###Reference Answer (Score 5):\n"
    "Good.\n\n###Score Rubrics:\n[Is it?]\nScore 1: no\n\n###Feedback: "
)
_TALK = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "x"}]
_ASPECTS = ("understandability", "naturalness", "coherence", "engagingness", "groundedness", "overall")
#: Loader -> good records: a list is a file of lines, a list of one list or an object one JSON value.
FORMATS: dict[str, Any] = {
    "gsm8k-solutions": [{"question": "?", "ground_truth": "A: 1", "m": {"solution": "A: 1", "is_correct": True}}],
    "llmbar": [[{"input": "?", "output_1": "x", "output_2": "y", "label": 1}]],
    "pandalm": [[{"idx": 0, "instruction": "?", "input": "", "response1": "x", "response2": "y"}
                 | {f"annotator{k}": 1 for k in (1, 2, 3)}]],
    "summeval": {"d": {"src": "s", "sys_summs": {"M1": {"sys_summ": "x", "scores": dict.fromkeys(
        ("coherence", "consistency", "fluency", "relevance"), 3.0)}}}},
    "topical-chat": [[{"source": "s", "context": "c", "system_id": "m", "system_output": "x",
                       "scores": dict.fromkeys(_ASPECTS, 1)}]],
    "prometheus": [[{"idx": 1, "response_source": "m", "category": None, "instruction": _RUBRIC, "gpt4_score": [5]}]],
    "rewardbench": [{"prompt": "?", "chosen": "x", "rejected": "y", "subset": "s"}],
    "rewardbench2": [{"id": "1", "prompt": "?", "chosen": ["x"], "rejected": ["y", "z"], "subset": "s"}],
    "judgebench": [{"pair_id": "1", "question": "?", "response_A": "x", "response_B": "y", "label": "A>B"}],
    "ultrafeedback": [{"instruction": "?", "completions": [{"model": "m", "response": "x", "overall_score": 5}]}],
    "helpsteer2": [{"prompt": "?", "response": "x"}
                   | dict.fromkeys(("helpfulness", "correctness", "coherence", "complexity", "verbosity"), 1)],
    "processbench": [{"id": "1", "problem": "?", "steps": ["x"], "label": -1}],
    "prm800k": [{"question": {"problem": "?", "pre_generated_steps": ["x", "y"]}, "label": {"finish_reason": "solution",
        "steps": [{"completions": [{"text": "x", "rating": 1}], "chosen_completion": 0}]}}],
    "math-shepherd": [{"input": "? Step 1: x \u043a\u0438", "label": "? Step 1: x +", "task": "GSM8K"}],
    "arc": [{"id": "1", "question": "?", "choices": {"text": ["x", "y"], "label": ["A", "B"]}, "answerKey": "A"}],
    "hellaswag": [{"ctx": "?", "endings": ["x", "y"], "label": "1"}],
    "openai-messages": [{"messages": _TALK}],
    "vllm-outputs": [{"request_id": "1", "prompt": "?", "outputs": [{"text": "x"}]}],
    "mt-bench-human": [{"question_id": 1, "model_a": "m", "model_b": "o", "winner": "model_a", "turn": 1,
                        "conversation_a": _TALK, "conversation_b": _TALK}],
    "lm-eval-samples": [{"doc_id": 1, "target": "4", "arguments": {"gen_args_0": {"arg_0": "?", "arg_1": {}}},
                         "resps": [["x"]], "filtered_resps": ["x"], "exact_match": 1.0}],
}  # fmt: skip

#: The three files of judged passages.
TREC = {"qrels.txt": "1 0 p 2\n1 0 o 0\n", "queries.tsv": "1\t?\n", "passages.tsv": "p\tx\no\ty\n"}


def loader_readers(folder: Path) -> Iterator[tuple[str, Reader]]:
    """Every loader but that of Inspect's logs."""
    from innerjudge.experiments.data.loaders import LOADERS, load

    def by(name: str, file: str) -> Callable[[bytes], object]:
        return from_file(folder, file, lambda at: load(f"{name}:{at}"))

    lacking = LOADERS.keys() - FORMATS.keys() - {"mmlu", "trec", "inspect-log"}
    assert not lacking, f"loaders without good input here: {lacking}"
    for name, good in FORMATS.items():
        if isinstance(good, list) and isinstance(good[0], dict):
            yield f"loader: {name}", Reader(by(name, "f.jsonl"), lines(*good), "lines")
        else:
            whole = good[0] if isinstance(good, list) else good
            yield f"loader: {name}", Reader(by(name, "f.json"), json.dumps(whole).encode(), "json")
    for name, good in TREC.items():
        beside = folder / f"trec-{name}"
        beside.mkdir(exist_ok=True)
        for other, text in TREC.items():
            (beside / other).write_text(text)
        read = from_file(beside, name, lambda at: load(f"trec:{at.parent / 'qrels.txt'}"))
        yield f"loader: trec, {name}", Reader(read, good.encode())
    yield "loader: mmlu", Reader(by("mmlu", "x_val.csv"), b'"one, ""two""\n",1,2,3,4,A\nq,1,2,3,4,D\n')


def log_readers(folder: Path) -> Iterator[tuple[str, Reader]]:
    """Logs of Inspect: the archive before its library reads it, and the whole."""
    try:
        from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalSample, EvalSpec, write_eval_log
        from inspect_ai.model import ChatMessageUser, ModelOutput
    except ImportError:
        return
    from innerjudge.experiments.data.loaders import load
    from innerjudge.experiments.data.loaders.files import require_archive

    spec = EvalSpec(
        created="2025-01-01T00:00:00+00:00", task="t", dataset=EvalDataset(), model="m", config=EvalConfig()
    )
    samples = [EvalSample(id=k, epoch=1, input="?", target="x", messages=[ChatMessageUser(content="?")],
                          output=ModelOutput.from_content("m", "y")) for k in (1, 2)]  # fmt: skip
    for end, kind in (("eval", "zip"), ("json", "json")):
        path = folder / f"good.{end}"
        write_eval_log(EvalLog(status="success", eval=spec, samples=samples), str(path))
        read = from_file(folder, f"l.{end}", lambda at: load(f"inspect-log:{at}"))
        if kind == "zip":
            archive = from_file(folder, "a.eval", require_archive)
            yield "loader: inspect-log, the archive", Reader(archive, path.read_bytes(), kind)
        yield f"loader: inspect-log, .{end}", Reader(read, path.read_bytes(), kind)
