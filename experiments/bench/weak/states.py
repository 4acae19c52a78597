"""Real states of answers: of the built-in model on its own, and of a language model on solutions of others."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from ....extraction.extract import extract
from ....extraction.readouts import HiddenStates, States
from ....extraction.store import FeatureStore
from ....models.items import Trace
from ....models.loading import load
from ....models.positions import encode_trace
from ...data.datasets import load_data
from ...data.jsonl import read_items
from .facts import kinds, of_solutions, of_solved
from .worlds import Answers

#: Answers of a question of GSM8K solutions.
SOLUTIONS = 4


def solved(folder: Path, questions: int) -> None:
    """States of the built-in model on its own answers to ``builtin:solve``, in a new folder."""
    command = [sys.executable, "-m", "innerjudge.experiments.cli.main", "extract", "--data", "builtin:solve"]
    sizes = ["--limit", str(questions), "--candidates", "8", "--out", str(folder)]
    subprocess.run([*command, *sizes], check=True)


def of_store(folder: Path, position: str, row: int) -> Answers:
    """The answers of an extracted ``builtin:solve`` that have a state there."""
    features = FeatureStore.open(folder).features([f"hidden/{position}", "hidden/prompt_end", "logprob"])
    kept = features.present(f"hidden/{position}")
    traces = [item for item in read_items(folder / "items.jsonl") if isinstance(item, Trace)]
    length = features["logprob"][:, 1].astype(np.float64)
    whole = Answers(
        features[f"hidden/{position}"][:, row].astype(np.float64),
        np.array([bool(trace.correct) for trace in traces]),
        np.array([trace.question_id for trace in traces]),
        np.array([trace.answer or "" for trace in traces]),
        length,
        features["hidden/prompt_end"][:, row].astype(np.float64),
        kinds([str(trace.prompt) for trace in traces]),
        of_solved([str(trace.response) for trace in traces], length),
    )[kept]
    return replace(whole, question=np.unique(whole.question, return_inverse=True)[1])


def keep_states(model: str, data: str, questions: int, out: Path, seed: int = 0) -> None:
    """States at the end of each answer of drawn whole questions, and their mean over it, as the file ``out``.

    It holds, of every row of the model, ``end`` and ``mean`` ``[n, rows, width]`` (float16) of the answer, ``asked`` at
    the end of the prompt, and of every answer whether it is ``right``, its ``question``, what it ``said``, its
    ``length`` in tokens, and the texts of both.
    """
    items = load_data(data, limit=questions * SOLUTIONS, seed=seed).items
    traces = [item for item in items if isinstance(item, Trace) and item.correct is not None]
    lm = load(model)
    texts = [encode_trace(lm.tokenizer, trace) for trace in traces]
    ends = [HiddenStates("response_end"), HiddenStates("prompt_end")]
    read = extract(lm, texts, [*ends, States("response", "mean")], batch_size=16)
    whole = read.present("hidden/response_end") & read.present("hidden/response.mean")
    np.savez_compressed(
        out,
        end=read["hidden/response_end"][whole].astype(np.float16),
        mean=read["hidden/response.mean"][whole].astype(np.float16),
        right=np.array([bool(trace.correct) for trace in traces])[whole],
        question=np.array([trace.question_id for trace in traces])[whole],
        said=np.array([trace.answer or "" for trace in traces])[whole],
        asked=read["hidden/prompt_end"][whole].astype(np.float16),
        length=np.array([one.places("response_end")[0][1] - one.places("prompt_end")[0][1] for one in texts])[whole],
        response=np.array([str(trace.response) for trace in traces])[whole],
        prompt=np.array([str(trace.prompt) for trace in traces])[whole],
    )


def of_file(path: Path, where: str, row: int) -> Answers:
    """The answers that :func:`keep_states` kept, with the states of one row: at the ``"end"``, or their ``"mean"``."""
    with np.load(path) as kept:
        length = kept["length"].astype(np.float64)
        return Answers(
            kept[where][:, row].astype(np.float64),
            kept["right"],
            np.unique(kept["question"], return_inverse=True)[1],
            kept["said"],
            length,
            kept["asked"][:, row].astype(np.float64),
            kinds(kept["prompt"].tolist()),
            of_solutions(kept["response"].tolist(), length),
        )
