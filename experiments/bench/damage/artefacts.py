"""What the commands write: each kind of artefact, what is typed to make it, and what reads it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .typed import Typist

Command = tuple[str, ...]

_CHOOSE = ("--data", "builtin:choose")
_JUDGES = ("--judges", "qk-score,letter-logits", "--reasoning-tokens", "0", "--batch-size", "4")
STUDY = """name: Damage
data: [{source: builtin:choose, limit: 140}]
judges: [qk-score, letter-logits]
reasoning_tokens: 0
"""
#: What is typed to make everything, in this order.
MADE: dict[str, Command] = {
    "extract": ("extract", *_CHOOSE, "--limit", "16", "--shard-items", "8", "--out", "store"),
    "extract traces": ("extract", "--data", "builtin:solve", "--limit", "16", "--candidates", "4", "--out", "traces"),
    "fit": ("fit", "--features", "traces", "--judge", "clue", "--out", "judge"),
    "score": ("score", "--features", "traces", "--judge", "judge", "--out", "verdicts.jsonl"),
    "score items": ("score", *_CHOOSE, "--limit", "260", "--judge", "heads", "--out", "scored.jsonl"),
    "sample": (*("sample", "--data", "builtin:solve", "--limit", "10", "--judge", "judge", "--n", "2"),
               *("--max-new-tokens", "48", "--batch-size", "1", "--out", "answers.jsonl")),
    "sweep": ("sweep", "--features", "store", "--splits", "4", "--out", "sweep"),
    "sweep traces": ("sweep", "--features", "traces", "--splits", "4", "--out", "sweep-traces"),
    "compare": ("compare", *_CHOOSE, "--limit", "24", *_JUDGES, "--out", "comparison"),
    "study": ("study", "study.yaml", "--out", "study"),
}  # fmt: skip
#: Commands that are killed, and what they read of the others' output.
KILLED: dict[str, tuple[str, ...]] = {
    "extract": (),
    "fit": ("traces",),
    "score": ("traces", "judge"),
    "score items": ("heads",),
    "sample": ("judge",),
    "sweep traces": ("traces",),
    "compare": (),
    "study": ("study.yaml",),
}
#: What a command leaves that may differ from run to run: times, and names that are made of files with times in them.
TIMED = ("timings.json", "index", "lock")


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
        at_once: Whether every file is flipped in each round, which is dear where the command is slow.
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
    Artefact("part of sweep", "sweep traces", ("sweep-traces/sweep.json.part",), (), ("sweep-traces/*",),
             begun="sweep-traces/sweep.json.part"),
    *_kept("comparison", "compare"),
    *_kept("study", "study"),
)  # fmt: skip


def make(folder: Path, typist: Typist) -> None:
    """Everything, in a folder."""
    folder.mkdir()
    (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
    commands = [*MADE.values()]
    heads = ("fit", "--features", "store", "--judge", "qk-score", "--out", "heads")
    for typed in (commands[0], heads, *commands[1:]):
        ended = typist.run(folder, typed)
        if ended.code:
            raise SystemExit(f"innerjudge {' '.join(typed)}\n{ended.err}")


def matching(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """Files, sorted."""
    found = {path for one in patterns for path in folder.glob(one) if path.is_file()}
    return sorted(path for path in found if path.name != "lock")
