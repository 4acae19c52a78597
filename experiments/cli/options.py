"""Options that several commands share, with the help that they show."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ...models.errors import InnerjudgeError
from ...models.markers import THINK as THINK
from ..judges.between import Between as Between, positions as positions
from ..runs.log import LogStyle as LogStyle

#: Parts of a model that a user may name.
PARTS = ("blocks", "final_norm", "unembedding")

#: Loaders, written out since they would be imported for every help text; a test holds them to it.
LOADER_NAMES = (
    "gsm8k-solutions, mmlu, llmbar, pandalm, summeval, topical-chat, prometheus, inspect-log, mt-bench-human, "
    "rewardbench, rewardbench2, judgebench, "
    "ultrafeedback, helpsteer2, processbench, arc, hellaswag, openai-messages, vllm-outputs, lm-eval-samples, trec"
)
DATA = (
    "A file (JSONL, JSON, CSV, TSV, Parquet; also .gz and .zst), a folder that `datasets` saved, or a pattern in "
    f"quotes; LOADER:PATH of a public format ({LOADER_NAMES}), PATH a file or folder; "
    "sample:mmlu|llmbar|topical-chat|gsm8k-solutions; or builtin:solve|rate|choose. `innerjudge look` shows what is "
    "understood of it."
)

Data = Annotated[list[str], typer.Option("--data", help=DATA, show_default=False)]
OneData = Annotated[str, typer.Option("--data", help=DATA, show_default=False)]
SomeData = Annotated[str | None, typer.Option("--data", help=DATA, show_default=False)]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="FIELD=COLUMN",
        help="Which column of a file is which field, such as prompt=question; repeatable; doc.question is inside doc.",
        show_default=False,
    ),
]
Model = Annotated[
    str,
    typer.Option(
        "--model", help="Hub name, local folder, GGUF file, LoRA folder, or 'reference' (the built-in model)."
    ),
]
ModelOfJudge = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="Hub name, folder, GGUF file, LoRA folder, or 'reference'; left out, the model the judge was fitted on.",
    ),
]
OutFolder = Annotated[Path, typer.Option("--out", help="Folder to write.", file_okay=False, show_default=False)]
OutPlace = Annotated[
    str, typer.Option("--out", help="Folder to write, or a URI: s3://..., gs://... .", show_default=False)
]
StoreDtype = Annotated[
    Literal["float32", "bfloat16", "float16", "int8"],
    typer.Option("--store-dtype", help="Type of the stored hidden states; int8 has scales."),
]
ShardItems = Annotated[
    int, typer.Option("--shard-items", min=1, help="Items per shard: the most that a killed run loses.")
]
Workers = Annotated[
    int, typer.Option("--workers", min=1, help="Processes on this machine; if several, each uses its own GPU.")
]
Ray = Annotated[
    str | None,
    typer.Option("--ray", metavar="[ADDRESS]", help="Run on a Ray cluster; without an address on one of this machine."),
]
Gpus = Annotated[
    float, typer.Option("--gpus-per-worker", min=0, help="With --ray: GPUs per worker; may be a fraction.")
]
Yes = Annotated[
    bool, typer.Option("--yes", help="Do not ask where the store would leave less than 5 % of the disk free.")
]
Log = Annotated[
    LogStyle, typer.Option("--log", help="How progress is shown: auto is rich on a terminal, plain elsewhere.")
]
OutFile = Annotated[Path, typer.Option("--out", help="JSONL file to write.", dir_okay=False, show_default=False)]
Limit = Annotated[
    int | None,
    typer.Option(
        "--limit", help="At most this many items, whole questions kept together (builtin:solve: this many problems)."
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of every random draw: items, sampling, split.")]
BatchSize = Annotated[int, typer.Option("--batch-size", min=1, help="Items per forward pass.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 ...")]
Dtype = Annotated[
    str,
    typer.Option(
        "--dtype", help="auto (as stored; float32 where the CPU has no units for it), float32, bfloat16 or float16."
    ),
]
_IDLE = "Accepted by every command that is about a model; has no effect in this one."
#: What such commands take that do nothing with it: parameter, type and option, default.
IDLE: tuple[tuple[str, Any, Any], ...] = (
    ("limit", Annotated[int | None, typer.Option("--limit", help=_IDLE)], None),
    ("seed", Annotated[int, typer.Option("--seed", help=_IDLE)], 0),
    ("batch_size", Annotated[int, typer.Option("--batch-size", min=1, help=_IDLE)], 16),
    ("device", Annotated[str, typer.Option("--device", help=_IDLE)], "auto"),
    ("dtype", Annotated[str, typer.Option("--dtype", help=_IDLE)], "auto"),
)
Revision = Annotated[str | None, typer.Option("--revision", help="Branch, tag or commit on the hub.")]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code",
        help="Run the Python files that come with the model, with your rights: they can read, change and send whatever "
        "you can.",
    ),
]
Module = Annotated[
    list[str] | None,
    typer.Option(
        "--module",
        help="Where a part of a model that is not recognised is, as PART=PATH, such as blocks=model.layers; parts are "
        "blocks, final_norm and unembedding; repeatable.",
    ),
]
#: The options that one parameter ``on`` of a command, the model that it names, stands for: name, type, default.
OF_MODEL: tuple[tuple[str, Any, Any], ...] = (
    ("model", Model, "reference"),
    ("device", Device, "auto"),
    ("dtype", Dtype, "auto"),
    ("revision", Revision, None),
    ("trust_remote_code", Trust, False),
    ("module", Module, None),
)
#: The same where the parameter has a default, the judge's own model.
OF_JUDGE = (("model", ModelOfJudge, None), *OF_MODEL[1:])
Candidates = Annotated[int, typer.Option("--candidates", min=1, help="Answers sampled a question (builtin:solve).")]
Between_ = Annotated[
    Between,
    typer.Option(
        "--between", help="Where CLUE and the probes read: at the reasoning markers, or at prompt end and response end."
    ),
]
Scale = Annotated[str, typer.Option("--scale", help="Lowest and highest score of ratings.")]
Abstain = Annotated[
    bool,
    typer.Option(help="Ask choices with None of the above and I don't know as their last two options, as published."),
]
Prompt = Annotated[
    str | None,
    typer.Option(
        "--prompt",
        help="The words in which items are asked: a YAML file of a judge prompt, or the name of one that is shipped "
        "(g-eval, judgelm, lager, mt-bench-pair, mt-bench-single, p-true, prometheus, rewardbench-ratings, simpleqa, "
        "umbrela).",
        show_default=False,
    ),
]
MergeSystem = Annotated[
    bool, typer.Option("--merge-system", help="Put a system turn before the user's where the chat template knows none.")
]
Markers = Annotated[
    tuple[str, str],
    typer.Option(
        "--markers", metavar="OPENING CLOSING", help="What reasoning stands between, if the template is silent."
    ),
]
Embedder = Annotated[
    str | None,
    typer.Option(help="Folder or hub name of a sentence-transformers model, for an opponent that reads texts alone."),
]
Memory = Annotated[
    float | None,
    typer.Option(
        "--memory",
        min=0.01,
        help="Gigabytes that a batch of texts may take beside the weights, read or written; left out, half of what is "
        "free. A text that takes more alone is unscored.",
    ),
]
TopMaj = Annotated[
    list[int] | None,
    typer.Option(
        "--top-maj", min=1, help="The k of top-maj@k, a vote of the k best; repeatable; 4, 8 and 16 if not given."
    ),
]
ReasoningTokens = Annotated[
    int,
    typer.Option("--reasoning-tokens", min=0, help="Most new tokens of a verdict after reasoning; 0 leaves it out."),
]
TokensOfJudge = Annotated[
    int | None,
    typer.Option(
        "--reasoning-tokens",
        min=0,
        help="Most new tokens of a verdict after reasoning; left out, as many as the judge was made with.",
    ),
]
InspectFile = Annotated[
    Path | None,
    typer.Option(
        "--inspect",
        help="Also write the scores for Inspect's precomputed_scores, to this JSONL file.",
        dir_okay=False,
        show_default=False,
    ),
]
SamplesFolder = Annotated[
    Path | None,
    typer.Option(
        "--lm-eval", help="Of lm-eval-samples: also write them with their scores, to this folder.", file_okay=False
    ),
]
_FEATURES = "Folder (or URI) that `extract` wrote."
FeaturesFolder = Annotated[str, typer.Option("--features", help=_FEATURES, show_default=False)]
SomeFeatures = Annotated[str | None, typer.Option("--features", help=_FEATURES, show_default=False)]
LoseAtMost = Annotated[float | None, typer.Option(help="Promise: at most this share of the good answers is stopped.")]
PassAtMost = Annotated[
    float | None,
    typer.Option(
        help="Promise: of the answers that would close their reasoning and end up wrong at most this share reaches "
        "the score at which it is closed for them. The shortened answer may still be wrong."
    ),
]
JudgeFolder = Annotated[
    Path,
    typer.Option("--judge", help="Folder that `fit` or Judge.save wrote, or its name on the hub.", show_default=False),
]


def typed() -> str:
    """The command as it was typed, for the record."""
    return shlex.join(["innerjudge", *sys.argv[1:]])


def bounds(scale: str) -> tuple[int, int]:
    """Lowest and highest score of a scale such as ``"1-5"``."""
    low, dash, high = scale.partition("-")
    if not (dash and low.isdigit() and high.isdigit() and int(low) < int(high)):
        raise InnerjudgeError(f"given --scale {scale!r}, expected two whole numbers such as 1-5")
    return int(low), int(high)


def modules(named: list[str] | None) -> dict[str, str]:
    """Parts and paths of ``--module``, as :func:`innerjudge.load` takes them."""
    found = {}
    for one in named or ():
        part, equals, path = one.partition("=")
        if part not in PARTS or not equals or not path or part in found:
            raise InnerjudgeError(
                f"given --module {one!r}, expected PART=PATH once for each of {', '.join(PARTS)}, such as "
                "blocks=model.layers: print(model) shows the paths"
            )
        found[part] = path
    return found


def mapped(given: list[str] | None, *data: str, kind: str | None = None) -> dict[str, str]:
    """Columns of ``--map``, once the data are known to be there and to have them: before anything heavy is imported."""
    columns = parts_of(given or [], "--map", "FIELD=COLUMN once a field: prompt=question")
    from ..data.datasets import check_spec

    for spec in data:
        check_spec(spec, columns, kind)
    return columns


def parts_of(given: list[str], option: str, expected: str) -> dict[str, str]:
    """What is given as NAME=VALUE, each name once."""
    found = dict(one.partition("=")[::2] for one in given)
    if not all(found.values()) or len(found) < len(given):
        raise InnerjudgeError(f"given {option} {f' {option} '.join(given)}, expected {expected}")
    return found


def share(value: float, option: str = "--fit-share") -> float:
    """A share of the questions, strictly between 0 and 1."""
    if not 0 < value < 1:
        raise InnerjudgeError(f"given {option} {value:g}, expected more than 0 and less than 1, such as 0.5")
    return value
