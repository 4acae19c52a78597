"""No reader of files stands outside the fuzz suite, and none parses without limits."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("models", "extraction", "probes", "experiments")
#: What measures and trains reads files of its own making, and is not in the wheel.
APART = ("experiments/bench/", "models/reference/training/")
FILES = [
    path
    for floor in FLOORS
    for path in sorted((ROOT / floor).rglob("*.py"))
    if not path.relative_to(ROOT).as_posix().startswith(APART)
]
#: Parsers without limits, by their last names.
BARE = {
    "json.loads", "json.load", "safe_open", "load_file", "yaml.load", "yaml.safe_load", "yaml.parse", "np.load",
    "torch.load", "pickle.load", "pickle.loads", "joblib.load", "ZipFile", "csv.reader", "ParquetFile", "read_parquet",
    "read_json", "read_csv", "open_stream", "read_eval_log", "raw_decode", "GzipFile", "stream_reader",
}  # fmt: skip
#: File and function in which one of them stands, and why it may.
MAY: dict[str, str] = {
    "models/foreign.py:parse_yaml": "the reader of YAML, within its limits",
    "models/tokens.py:_without_added": "the tokenizers library's own dump of a tokenizer in memory",
    "models/conversation.py:Message.calls": "text that was dumped when the message was read",
    "models/conversation.py:Message.to_json": "likewise",
    "models/conversation.py:_said": "likewise",
    "experiments/compare/report/folder.py:write": "our own dump, rounded as a reader will see it",
    "experiments/runs/job.py:claim": "our own dump: tuples become lists",
    "experiments/runs/job.py:Job.begun": "likewise",
    "experiments/runs/job.py:_require_same": "likewise",
    "experiments/data/tables.py:_plain": "a value in memory, as JSON has it",
    "experiments/data/tables.py:_json": "finds where a value ends; what it is, is parsed by parse_json",
    "experiments/data/tables.py:_csv": "the reader of tables: the file is bounded, a cell as well",
    "experiments/data/tables.py:_parquet": "the reader of Parquet, of a bounded size when it is unpacked",
    "experiments/data/tables.py:_saved": "the reader of Arrow streams, of a bounded size",
    "experiments/data/tables.py:unpacked": "the reader of archives of one file, of a bounded size when unpacked",
    "experiments/data/loaders/choices.py:_subject": "CSV without a header, of a bounded size",
    "experiments/data/loaders/files.py:require_archive": "the bound itself: unpacked once into nothing",
    "experiments/data/loaders/inspect_log.py:inspect_log": "behind require_archive",
    "experiments/reading/state_files.py:_array": "the reader of arrays of numpy: mapped, and no pickles",
    "extraction/store/export.py:_npz": "it writes",
    "extraction/store/index.py:write_index": "what was just written, in memory",
    "extraction/store/index.py:_opened": "the reader of an index, of a bounded size when it is unpacked",
}
#: What takes bytes from a file, or parses them: who calls one of these is a reader.
READS = BARE | {
    "read_file", "parse_json", "parse_yaml", "parse_sealed", "unsealed", "TensorFile", "read_text", "read_bytes",
    "open", "readline", "mmap.mmap", "from_pretrained",
}  # fmt: skip
#: What is called ``open`` and opens no file by itself.
NO_FILES = {"FeatureStore.open", "found.open", "source.open"}
#: Readers that no fuzz reader goes through, and why.
NOT_FUZZED: dict[str, str] = {
    "models/conversation.py:Message.calls": "text that was dumped when the message was read",
    "models/conversation.py:_said": "likewise",
    "models/tokens.py:_without_added": "the tokenizers library's own dump of a tokenizer in memory",
    "models/formats/convert.py:convert": "a process of its own, which anything may end; its header was read before",
    "models/formats/source.py:_make": "syncs what it has written",
    "models/formats/source.py:adapted": "peft's reader, whose every error is told; tests/models/test_lora.py",
    "models/precision.py:cpu_units": "the system's own file",
    "models/caching.py:free_memory": "the system's own file",
    "extraction/store/export.py:_npz": "it writes",
    "extraction/store/index.py:write_index": "what was just written, in memory",
    "extraction/store/place.py:LocalPlace.range": "bytes of the lines of a job, which are parsed as items",
    "extraction/store/place.py:_sync": "opens a folder, to have its names on the disk",
    "probes/pooled.py:_items": "spans as they were dumped when the item was read",
    "experiments/judges/openai_judge.py:ChatServer.kept": "sealed; a damaged one is asked for again",
    "experiments/judges/openai_judge.py:_read": "tests/experiments/judges/test_openai_judge.py mutates replies",
    "experiments/judges/openai_judge.py:_RefusalError.__init__": "likewise; there they are drawn",
    "experiments/cli/plan.py:label.ask": "a key that a person types, of which one letter is looked at",
    "experiments/compare/report/folder.py:write": "our own dump",
    "experiments/compare/steps.py:made_with": "our own source files, hashed",
    "models/errors.py:_messages": "sentences of ours",
    "experiments/drawing/options.py:_page": "a template of ours",
    "experiments/judges/opponent.py:_notes": "likewise",
    "experiments/selection/curve_job.py:_page": "likewise",
    "experiments/stats/agreement/checked.py:Checked.__str__": "likewise",
    "experiments/runs/fit_job.py:_typed": "what a person types, by the parser of JSON that all readers have",
    "experiments/runs/job.py:claim": "our own dump",
    "experiments/runs/job.py:Job.begun": "likewise",
    "experiments/runs/job.py:_require_same": "likewise",
}


def functions(path: Path) -> Iterator[tuple[str, int, ast.AST]]:
    """Qualified name, first line (that of a decorator, if any), and node of each function and of the module."""

    def inside(node: ast.AST, names: tuple[str, ...]) -> Iterator[tuple[str, int, ast.AST]]:
        for one in ast.iter_child_nodes(node):
            if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                own = (*names, one.name)
                if not isinstance(one, ast.ClassDef):
                    yield ".".join(own), min([one.lineno, *(d.lineno for d in one.decorator_list)]), one
                yield from inside(one, own)
            else:
                yield from inside(one, names)

    yield from inside(ast.parse(path.read_text("utf-8")), ())


def calls(function: ast.AST, names: set[str]) -> set[str]:
    """Which of these a function calls itself, and not by a function inside it; ``open`` only to read."""
    found, left = set(), list(ast.iter_child_nodes(function))
    while left:
        node = left.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        left += ast.iter_child_nodes(node)
        if isinstance(node, ast.Call):
            said = ast.unparse(node.func)
            short = next((name for name in names if said == name or said.endswith(f".{name}")), None)
            modes = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            if said in NO_FILES:
                continue
            if short is not None and not (short == "open" and any(set(mode) & set("wax+") for mode in modes[-1:])):
                found.add(short)
    return found


def standing(names: set[str]) -> dict[str, tuple[str, set[str]]]:
    """``FILE:FUNCTION`` that calls one of these -> its place as a trace has it, and which."""
    found = {}
    for path in FILES:
        for name, line, node in functions(path):
            if used := calls(node, names):
                found[f"{path.relative_to(ROOT).as_posix()}:{name}"] = f"{path}:{line}", used
    return found


def test_every_format_has_one_reader() -> None:
    found = {name: used for name, (_, used) in standing(BARE).items()}
    assert {name: used for name, used in found.items() if name not in MAY} == {}, "read it by models/foreign.py"
    assert MAY.keys() - found.keys() == set(), "it is gone: take it off the list"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="each reader is forked")
def test_every_reader_is_fuzzed(tmp_path: Path) -> None:
    """What the fuzz readers call for their good input, held against every function of the package that reads."""
    command = [sys.executable, str(Path(__file__).with_name("run.py")), "--traced", "0", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True)
    told = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [one for one in told if one["bad"]] == []
    called = {place for one in told for place in one["called"]}
    files = {str(Path(place.rpartition(":")[0]).resolve()) + ":" + place.rpartition(":")[2] for place in called}
    found = standing(READS)
    missing = sorted(name for name, (place, _) in found.items() if place not in files and name not in NOT_FUZZED)
    assert missing == [], "give it a reader in tests/fuzzing/readers, or say in NOT_FUZZED why it needs none"
    gone = [name for name in NOT_FUZZED if name not in found]
    assert gone == [], "it is gone: take it off the list"
