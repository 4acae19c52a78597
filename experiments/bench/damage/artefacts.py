"""What the commands write: each kind of artefact, what is typed to make it, and what reads it."""

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ....extraction.extract import extract
from ....extraction.readouts import States
from ....models.items import Trace
from ....models.loading import load
from ....models.positions import encode_trace
from ....models.reference.training.simulated import traces
from .asked import JUDGE
from .typed import Typist

Command = tuple[str, ...]

_CHOOSE = ("--data", "builtin:choose")
_JUDGES = ("--judges", "qk-score,letter-logits", "--reasoning-tokens", "0", "--batch-size", "4")
_TRACES = ("extract", "--data", "builtin:solve", "--limit")
_STUDY = """name: Damage
data: [{source: builtin:choose, limit: 140}]
judges: [qk-score, letter-logits]
reasoning_tokens: 0
"""
_AGREE = ("agree", "--labels", "said.jsonl", "--labels", "labels.jsonl", "--judge", "a-judge", "--people", "me")
#: What is typed to make something; an output that another command is given is made first.
MADE: dict[str, Command] = {
    "extract": ("extract", *_CHOOSE, "--limit", "16", "--shard-items", "8", "--out", "store"),
    "extract traces": (*_TRACES, "16", "--candidates", "4", "--out", "traces"),
    "extract others": (*_TRACES, "8", "--candidates", "1", "--seed", "1", "--out", "others"),
    "fit heads": ("fit", "--features", "store", "--judge", "qk-score", "--out", "heads"),
    "fit": ("fit", "--features", "traces", "--judge", "clue", "--out", "judge"),
    "score": ("score", "--features", "traces", "--judge", "judge", "--out", "verdicts.jsonl"),
    "score items": ("score", *_CHOOSE, "--limit", "260", "--judge", "heads", "--out", "scored.jsonl"),
    "score for Inspect": ("score", "--features", "others", "--judge", "judge", "--inspect", "records.jsonl",
                          "--out", "inspected.jsonl"),
    "rank": ("rank", "--features", "traces", "--judge", "judge", "--out", "ranking.jsonl"),
    "rank items": ("rank", "--data", "traces.jsonl", "--judge", "judge", "--out", "ranked.jsonl"),
    "sample": (*("sample", "--data", "builtin:solve", "--limit", "10", "--judge", "judge", "--n", "2"),
               *("--max-new-tokens", "48", "--batch-size", "1", "--out", "answers.jsonl")),
    # A draft is written at every step, not every 20 s.
    "sample with drafts": ("sample", "--data", "builtin:solve", "--limit", "4", "--judge", "judge", "--n", "2",
                           "--max-new-tokens", "48", "--batch-size", "4", "--out", "drafted.jsonl"),
    "ask": ("ask", "--data", "traces.jsonl", "--limit", "20", "--text-judge", JUDGE, "--out", "said.jsonl"),
    "label": ("label", "traces.jsonl", "--limit", "20", "--out", "labels.jsonl"),
    "select": ("select", "--scores", "verdicts.jsonl", "--rule", "weighted", "--temperature", "auto",
               "--out", "picks.jsonl"),
    "curves": ("curves", "--scores", "verdicts.jsonl", "--orders", "20", "--out", "curves"),
    "sweep": ("sweep", "--features", "store", "--splits", "4", "--out", "sweep"),
    "sweep traces": ("sweep", "--features", "traces", "--splits", "4", "--out", "sweep-traces"),
    "compare": ("compare", *_CHOOSE, "--limit", "24", *_JUDGES, "--out", "comparison"),
    "study": ("study", "study.yaml", "--out", "study"),
    "doctor": ("doctor", "--scores", "scores.jsonl", "--out", "examination"),
    "store merge": ("store", "merge", "traces", "others", "--out", "merged"),
    "store export": ("store", "export", "traces", "--out", "features.parquet"),
    "store export npz": ("store", "export", "traces", "--out", "features.npz"),
    "bench": ("bench", "--quick", "--shape", "tiny", "--rounds", "1", "--only", "early-stop", "--out", "benchmark"),
}  # fmt: skip
#: Commands that write nothing: what they print must be the same, but for a plan's seconds and room.
SAID: dict[str, Command] = {
    "store info": ("store", "info", "traces"),
    "store verify": ("store", "verify", "traces"),
    "verify": ("verify", "--states", "arrays:q0_0.npy", "--data", "traces.jsonl", "--limit", "300"),
    "look": ("look", "traces.jsonl", "--limit", "20"),
    "plan": ("plan", *_CHOOSE, "--limit", "20"),
    "models": ("models",),
    "judges": ("judges", "trace"),
    "diff": ("diff", "examination", "examination", "--all"),
    "agree": _AGREE,
}
#: Every command that ends by itself; what another one needs is made before it is killed.
KILLED = (
    *("extract", "fit", "score", "score items", "score for Inspect", "rank", "rank items", "sample"),
    *("sample with drafts", "ask", "label", "select"),
    *("curves", "sweep traces", "compare", "study", "doctor", "store merge", "store export", "store export npz"),
    *("bench", *SAID),
)
#: Files with times in them, which differ from run to run.
TIMED = ("timings.json", "benchmark.json", "benchmark.md")
#: Files whose names are made of files with times in them, and locks, which may stay.
UNNAMED = ("index", "lock")
#: Files whose numbers are the same but for the rounding of other batches, and those with their checksums.
ROUNDED, _NUMBER = ("drafted.jsonl", "drafted.jsonl.sha256"), re.compile(rb"-?\d+\.\d+(?:e-?\d+)?")


@dataclass(frozen=True, slots=True)
class Artefact:
    """A kind of file or folder.

    Args:
        name: What it is.
        made: The command of :data:`MADE` that makes it.
        files: Patterns of its files.
        readers: Commands that read it; what they write goes to the folder ``read``.
        outcome: Patterns of the files that must be the same once the command was typed again.
        again: Whether the command is typed again after each flip.
        at_once: Whether every file is flipped in each round, which costs much where the command is slow.
        begun: File whose first lines are waited for before the command is killed: the artefact is what it leaves.
    """

    name: str
    made: str
    files: tuple[str, ...]
    readers: tuple[Command, ...] = ()
    outcome: tuple[str, ...] = ()
    again: bool = True
    at_once: bool = False
    begun: str = ""


_SELECT = ("select", "--out", "read/picks.jsonl", "--scores")
_FIT = ("fit", "--judge", "clue", "--out", "read/j", "--features")


def _kept(folder: str, made: str) -> tuple[Artefact, ...]:
    """A comparison or study: finished, then killed when its first features were kept, then what is read later."""
    outcome = tuple(f"{folder}/{one}" for one in ("verdicts.jsonl*", "results.json", "plots/*", "report.*"))
    steps = (f"{folder}/kept/steps/*", f"{folder}/kept/features/**/*")
    begun = f"{folder}/kept/features/*/index/*.parquet"
    readers = (*_SELECT, f"{folder}/verdicts.jsonl", "--judge", "qk-score"), ("diff", "comparison", "study", "--all")
    return (
        Artefact(f"{folder}: kept steps", made, steps, (), outcome, at_once=True),
        Artefact(f"{folder}, killed: kept steps", made, steps, (), outcome, at_once=True, begun=begun),
        Artefact(
            f"{folder}: its JSON files", made, (f"{folder}/*.json", f"{folder}/kept/*.json"), (), outcome, at_once=True
        ),
        Artefact(f"{folder}: what is read later", made, outcome[:2], readers, again=False),
    )


ARTEFACTS = (
    Artefact("store", "extract", ("store/**/*",),
             (("store", "verify", "store"), ("fit", "--features", "store", "--judge", "qk-score", "--out", "read/j"))),
    Artefact("judge", "fit", ("judge/*",),
             (("score", "--features", "traces", "--judge", "judge", "--out", "read/v.jsonl"),),
             ("judge/judge.*", "judge/made.json")),
    Artefact("verdicts", "score", ("verdicts.jsonl*",), ((*_SELECT, "verdicts.jsonl"),), ("verdicts.jsonl*",)),
    Artefact("answers", "sample", ("answers.jsonl*",),
             (("extract", "--data", "answers.jsonl", "--out", "read/f"), (*_SELECT, "answers.jsonl")),
             ("answers.jsonl*",)),
    Artefact("part of score", "score items", ("scored.jsonl.part",), (), ("scored.jsonl*",), begun="scored.jsonl.part"),
    Artefact("part of sample", "sample", ("answers.jsonl.part",), (), ("answers.jsonl*",), begun="answers.jsonl.part"),
    Artefact("drafts of sample", "sample with drafts", ("drafted.jsonl.drafts",), (), ("drafted.jsonl",),
             begun="drafted.jsonl.drafts"),
    Artefact("replies", "ask", ("said.jsonl.replies/*",), (), ("said.jsonl*",), at_once=True),
    Artefact("verdicts of a server", "ask", ("said.jsonl", "said.jsonl.sha256"), (_AGREE,), ("said.jsonl*",)),
    Artefact("labels of a person", "label", ("labels.jsonl", "labels.jsonl.sha256"), (_AGREE,), ("labels.jsonl*",)),
    Artefact("part of sweep", "sweep traces", ("sweep-traces/sweep.json.part",), (), ("sweep-traces/*",),
             begun="sweep-traces/sweep.json.part"),
    *_kept("comparison", "compare"),
    # What says how a judge was chosen, alone: the rows that it belongs to are whole then.
    Artefact("comparison: kept notes", "compare", ("comparison/kept/steps/notes-*",), (),
             ("comparison/verdicts.jsonl*", "comparison/results.json", "comparison/plots/*", "comparison/report.*")),
    *_kept("study", "study"),
    Artefact("merged store", "store merge", ("merged/**/*",), (("store", "verify", "merged"), (*_FIT, "merged"))),
    Artefact("store that select reads", "extract traces", ("traces/**/*",),
             ((*_SELECT, "verdicts.jsonl", "--rule", "vec-cisc", "--features", "traces"),), again=False),
    Artefact("ranking", "rank", ("ranking.jsonl*",), ((*_SELECT, "ranking.jsonl.verdicts.jsonl"),),
             ("ranking.jsonl*",)),
    Artefact("records for Inspect", "score for Inspect", ("records.jsonl*", "inspected.jsonl*"), (),
             ("records.jsonl*", "inspected.jsonl*")),
    Artefact("picks", "select", ("picks.jsonl*",), ((*_SELECT, "picks.jsonl"),), ("picks.jsonl*",)),
    Artefact("examination: what is read later", "doctor", ("examination/results.json",),
             (("diff", "examination", "comparison", "--all"),), again=False),
)  # fmt: skip


def typed_of(name: str) -> Command:
    """What is typed for a command of :data:`KILLED`."""
    return SAID[name] if name in SAID else MADE[name]


def output_of(typed: Sequence[str]) -> str:
    """What a command writes; nothing where it only prints."""
    return typed[typed.index("--out") + 1] if "--out" in typed else ""


def inputs_of(typed: Sequence[str]) -> list[str]:
    """Commands whose output this one is given, in the order of :data:`MADE`."""
    given = {word.split("/")[0].removesuffix(".verdicts.jsonl") for word in typed[1:]} - {output_of(typed)}
    return [name for name, made in MADE.items() if output_of(made) in given]


def make(folder: Path, typist: Typist, names: Sequence[str]) -> None:
    """In a folder, what these commands make, and all that they are given."""
    folder.mkdir()
    (folder / "study.yaml").write_text(_STUDY, encoding="utf-8")
    (folder / "keys.txt").write_text("r\n" * 20, encoding="utf-8")  # the same, wherever a killed run goes on
    draw = random.Random(0)
    rows = [{"question": f"q{k // 5}", "candidate": k % 5, "label": draw.random() < 0.4} for k in range(200)]
    scored = [
        row | {"score": draw.random() + (row["label"] is True), "text": "a" * draw.randrange(9, 99)} for row in rows
    ]
    known: list[dict[str, Any]] = [
        {"question_id": f"q{k // 2}", "candidate_id": str(k % 2), "prompt": one.prompt, "response": one.response}
        for k, one in enumerate(traces(150, seed=2))
    ]
    for name, lines in (("scores.jsonl", scored), ("traces.jsonl", known)):
        (folder / name).write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    lm = load("reference")
    encoded = encode_trace(lm.tokenizer, Trace(**known[0]), sampled_by=lm.fingerprint)
    np.save(
        folder / "q0_0.npy", extract(lm, [encoded], [States("text", "none")]).ragged["hidden/text.none"].values[:, :-1]
    )
    done: set[str] = set()
    for name in names:
        _make(name, folder, typist, done)


def _make(name: str, folder: Path, typist: Typist, done: set[str]) -> None:
    if name in done:
        return
    for other in inputs_of(MADE[name]):
        _make(other, folder, typist, done)
    ended = typist.run(folder, MADE[name])
    if ended.code:
        raise SystemExit(f"innerjudge {' '.join(MADE[name])}\n{ended.err}")
    done.add(name)


def content_of(path: Path) -> bytes:
    """What a file says: its bytes, numbers rounded where they may differ by that."""
    if path.name not in ROUNDED:
        return path.read_bytes()
    return b"" if path.suffix == ".sha256" else _NUMBER.sub(lambda one: b"%.4g" % float(one[0]), path.read_bytes())


def matching(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """Files, sorted."""
    found = {path for one in patterns for path in folder.glob(one) if path.is_file()}
    return sorted(path for path in found if path.name != "lock")
