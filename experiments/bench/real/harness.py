"""Accuracy of text verdicts beside lm-evaluation-harness: ``python -m ...bench.real.harness ORIGINALS MODEL...``.

Same model, items, words and shots (none). The harness loads the model folder by itself (its ``HFLM``), renders the
chat template by itself and ranks the labels by their log-likelihood; ours are the ways of asking that ``compare`` has.
Its own MMLU task is the way ``plain text, no chat, next label``: the tests hold our words against its template.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from ....extraction.provenance import versions
from ....models.extra import require
from ....models.items import Item, Trace
from ....models.loading import LanguageModel, load
from ....probes.judge import Verdict
from ...data.datasets import load_data
from ...data.labels import label_of
from ...reading.passes import Passes
from ...reading.read import read
from ...reading.ways import Said, Turn, Way, ask, question_of, questions_of, values_of, ways_of

#: Where the committed record lies.
RECORD = Path(__file__).with_name("harness.json")
SEED = 0
#: Subjects of MMLU that ask what ARC asks.
_SCIENCE = ("astronomy", "biology", "chemistry", "physics")


def _is_science(item: Item) -> bool:
    return any(word in str(item.extra.get("subject", "")) for word in _SCIENCE)


#: Name -> the data in the folder of originals, how many of its items are drawn, and from which.
DATA: dict[str, tuple[str, int, Callable[[Item], bool]]] = {
    "mmlu": ("mmlu:{}/mmlu/val", 150, lambda _: True),
    "mmlu-science": ("mmlu:{}/mmlu/val", 50, _is_science),
    "gsm8k-yes-no": ("gsm8k-solutions:{}/gsm8k/example_model_solutions.jsonl", 50, lambda _: True),
}
#: Ways that the harness is asked in as well: each turn with the spelling of the label that is usual there.
HELD = (Way("cue", "label"), Way("open", "label", spaced=False), Way("plain", "label"))
TURNS: tuple[Turn, ...] = ("cue", "open", "plain")


def ours(lm: LanguageModel, items: Sequence[Item], passes: Passes, *, text: bool = True) -> dict[Way, list[Verdict]]:
    """What every way of asking says of the items; ways that give an expected value are left out.

    Args:
        lm: The model.
        items: Choices or traces.
        passes: How the model is run.
        text: Whether texts are written, which takes longer.
    """
    kind = "trace" if isinstance(items[0], Trace) else "choice"
    needs = frozenset({"logits/score", "labels"} | ({"direct"} if text else set()))
    found = {
        "cue": read(lm, items, replace(passes, needs=needs)),
        "open": ask(lm, items, "open", passes, text=text),
        "plain": ask(lm, items, "plain", passes, text=False),
    }
    said = {turn: Said(questions=questions_of(items, turn, passes), features=found[turn]) for turn in TURNS}
    wanted = [way for way in ways_of(kind) if way.read != "expected" and (text or way.read != "text")]
    return {way: said[way.turn].verdicts(way, values_of(kind, passes.scale)) for way in wanted}


def theirs(model: Any, items: Sequence[Item], way: Way, passes: Passes) -> list[bool | int]:
    """What the harness takes for the model's answers, with the words and labels of one way.

    Args:
        model: An ``HFLM``.
        items: Choices or traces.
        way: One of :data:`HELD`.
        passes: Says whether choices have the two options to abstain.
    """
    require("lm_eval", "lm-eval")
    from datasets import Dataset
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    rows = []
    for item in items:
        prompt = question_of(item, way.turn, passes).prompt
        labels, words = list(prompt.labels), prompt.user
        rows.append({"words": words, "labels": labels, "answer": int(label_of(item))})
    chat = way.turn != "plain"
    task = {
        "task": "asked",
        "custom_dataset": lambda **_: {"test": Dataset.from_list(rows)},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": lambda row: row["words"],
        "doc_to_choice": lambda row: row["labels"],
        "doc_to_target": "answer",
        "target_delimiter": " " if way.spaced else "",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        "num_fewshot": 0,
    }
    if way.turn == "cue":
        task["gen_prefix"] = question_of(items[0], "cue", passes).prompt.cue
    none = TaskManager(include_defaults=False)  # its own tasks, of which there are thousands, would be looked for
    done = simple_evaluate(
        model, tasks=[task], task_manager=none, apply_chat_template=chat, bootstrap_iters=0, random_seed=SEED
    )
    samples = sorted(done["samples"]["asked"], key=lambda one: one["doc_id"])
    best = [int(np.argmax([likely for likely, _ in one["filtered_resps"]])) for one in samples]
    assert [one["acc"] for one in samples] == [float(k == row["answer"]) for k, row in zip(best, rows, strict=True)]
    return [bool(k) for k in best] if isinstance(items[0], Trace) else best


def compared(lm: LanguageModel, model: Any, items: Sequence[Item], passes: Passes, *, text: bool = True) -> list[Any]:
    """One line for each way: accuracy here and there, its standard error, and how many items get the same answer.

    Args:
        lm: The model.
        model: The same as an ``HFLM``; ``None`` asks here only.
        items: Choices or traces.
        passes: How the model is run.
        text: Whether texts are written.
    """
    lines = []
    truth = [label_of(item) for item in items]
    for way, verdicts in ours(lm, items, passes, text=text).items():
        labels = [verdict.label for verdict in verdicts]
        here = _accuracy(labels, truth)
        line: dict[str, Any] = {"way": way.name, "items": len(items), "ours": here}
        line["halves"] = [_accuracy(labels[k::2], truth[k::2]) for k in (0, 1)]
        line["without an answer"] = sum(verdict.unscored is not None for verdict in verdicts)
        if way in HELD and model is not None:
            other = theirs(model, items, way, passes)
            there = _accuracy(other, truth)
            error = max(np.sqrt(p * (1 - p) / len(items)) for p in (here, there))
            line |= {"harness": there, "standard error": round(float(error), 4)}
            line["halves of the harness"] = [_accuracy(other[k::2], truth[k::2]) for k in (0, 1)]
            line["same answer"] = sum(a == b for a, b in zip(labels, other, strict=True))
            line["within two standard errors"] = bool(abs(here - there) <= 2 * error)
        lines.append(line)
    return lines


def _accuracy(labels: Sequence[Any], truth: Sequence[Any]) -> float:
    return round(float(np.mean([a == b for a, b in zip(labels, truth, strict=True)])), 4)


def chosen(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The way that is best on every second item, and how it does on the others.

    Example:
        >>> chosen([{"way": "a", "halves": [0.5, 0.2]}, {"way": "b", "halves": [0.4, 0.9]}])
        {'way': 'a', 'fitting half': 0.5, 'other half': 0.2, 'other half of the harness': None}
    """
    best = max(lines, key=lambda line: line["halves"][0])
    there = best.get("halves of the harness")
    return {
        "way": best["way"],
        "fitting half": best["halves"][0],
        "other half": best["halves"][1],
        "other half of the harness": there[1] if there else None,
    }


def items_of(name: str, originals: Path) -> list[Item]:
    """The items of a data set, drawn from the originals; those of two data sets may overlap."""
    spec, n, wanted = DATA[name]
    every = [item for item in load_data(spec.format(originals)).items if wanted(item)]
    drawn = np.sort(np.random.default_rng(SEED).permutation(len(every))[:n])
    return [every[k] for k in drawn]


def main(
    originals: Annotated[Path, typer.Argument(help="Folder with the originals, as bench/real/samples.py takes it.")],
    models: Annotated[list[Path], typer.Argument(help="Folders of models.")],
    data: Annotated[list[str] | None, typer.Option(help="Data sets to run; repeatable. All by default.")] = None,
    out: Annotated[Path, typer.Option(help="Record to write, with a document beside it.")] = RECORD,
) -> None:
    """Compare, and write the record after each data set; lines of other models and data are kept."""
    require("lm_eval", "lm-eval")
    from lm_eval.models.huggingface import HFLM

    kept: list[dict[str, Any]] = json.loads(out.read_text("utf-8")) if out.is_file() else []
    for folder in models:
        lm = load(str(folder), device="cpu", dtype="float32")
        model = HFLM(pretrained=str(folder), dtype="float32", device="cpu", batch_size=4)
        for name in data or DATA:
            for abstain in (True, False) if name == "mmlu" else (True,):
                started = time.perf_counter()
                passes = Passes(batch_size=8, abstain=abstain)
                lines = compared(lm, model if abstain else None, items_of(name, originals), passes, text=abstain)
                title = name if abstain else f"{name}, four options"
                one = {"model": folder.name, "data": title, "seed": SEED, "shots": 0, "dtype": "float32"}
                one |= {"ways": lines, "chosen": chosen(lines), "seconds": round(time.perf_counter() - started)}
                one["versions"] = dict(versions()) | {"lm_eval": version("lm_eval")}
                kept = [old for old in kept if (old["model"], old["data"]) != (folder.name, title)] + [one]
                out.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
                out.with_suffix(".md").write_text(document(kept), "utf-8")
                typer.echo(f"{folder.name} {title}: {one['seconds']} s, chosen {one['chosen']}")


def document(kept: Sequence[dict[str, Any]]) -> str:
    """The record as Markdown.

    Example:
        >>> document([]).splitlines()[0]
        '# Text verdicts beside lm-evaluation-harness'
    """
    found = [
        "# Text verdicts beside lm-evaluation-harness",
        "Written by `python -m innerjudge.experiments.bench.real.harness ORIGINALS MODEL...`. Accuracy, on the same "
        "items, without shots, in float32; an item without an answer counts as wrong. `mmlu` is a draw from MMLU's "
        "validation part, asked with the two options to abstain and with its four only; `mmlu-science` is one from "
        f"its subjects {', '.join(_SCIENCE)} (the nearest to ARC that is at hand); `gsm8k-yes-no` asks whether "
        "solutions of GSM8K are correct. Chosen is the way that was best on every second item; its accuracy there is "
        "that on the others.",
    ]
    for one in kept:
        rows = [
            "| way of asking | ours | harness | standard error | same answer | no answer |",
            "| --- | --: | --: | --: | --: | --: |",
        ]
        for line in one["ways"]:
            cells = [line["way"], f"{line['ours']:.3f}"]
            if "harness" in line:
                cells += [f"{line['harness']:.3f}", f"{line['standard error']:.3f}"]
                cells += [f"{line['same answer']} of {line['items']}"]
            else:
                cells += ["-", "-", "-"]
            rows.append(f"| {' | '.join([*cells, str(line['without an answer'])])} |")
        pick = one["chosen"]
        there = pick["other half of the harness"]
        rest = "" if there is None else f" (harness {there:.3f})"
        found += [f"## {one['model']}, {one['data']}", "\n".join(rows)]
        found.append(f"Chosen: {pick['way']}, {pick['other half']:.3f} on the other half{rest}.")
    if kept:
        used = ", ".join(f"{name} {number}" for name, number in sorted(kept[-1]["versions"].items()))
        found.append(f"Seed {SEED}; {used}.")
    return "\n\n".join(found) + "\n"


if __name__ == "__main__":
    typer.run(main)
