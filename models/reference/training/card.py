"""The model card, written from JSON files: ``python -m innerjudge.models.reference.training.card --model DIR``."""

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import WEIGHTS
from .card_text import HEAD, LIMITS

#: Trials that led to the data, one JSON object each: what was changed, what was measured, what was concluded.
TRIALS = Path(__file__).parent / "trials.json"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a Markdown table.

    Example:
        >>> print(table(["a", "b"], [[1, 2]]))
        | a | b |
        | --- | --- |
        | 1 | 2 |
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _number(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() and abs(value) > 1 else f"{value:.3f}"


def _figures(title: str, figures: Mapping[str, float]) -> str:
    rows = [(name.replace("_", " "), _number(value)) for name, value in figures.items()]
    return f"### {title}\n\n{table(['figure', 'value'], rows)}\n"


def _trial(trial: Mapping[str, Any]) -> str:
    figures = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in trial["figures"].items())
    return f"- **{trial['trial']}**: {trial['change']} Measured: {figures}. {trial['conclusion']}"


def _mixtures(training: Mapping[str, Any]) -> str:
    columns = {"beginning": training["early_mixture"], "after it": training["mixture"]}
    forms = list(dict.fromkeys(form for mixture in columns.values() for form in mixture))
    rows = [[form, *(f"{m.get(form, 0) / sum(m.values()):.1%}" for m in columns.values())] for form in forms]
    return "Share of examples of each form:\n\n" + table(["form", *columns], rows) + "\n"


def _training(training: Mapping[str, Any]) -> str:
    curve = training["curve"]
    picked = [*curve[: -1 : max(1, len(curve) // 16)], curve[-1]]
    rows = [(c["step"], f"{c['loss']:.3f}", f"{c['pointing']:.2f}", c["seconds"]) for c in picked]
    command = (
        f"python -m innerjudge.models.reference.training.train --out DIR --seed {training['seed']} "
        f"--steps {training['steps']} "
        f"--tokens {training['tokens_per_step']} --peak {training['peak']} --threads {training['threads']}"
    )
    return (
        f"{training['seen']:,} tokens (padding included) in {training['seconds'] / 60:.0f} minutes on "
        f"{training['threads']} shared CPU threads ({training['cpu_seconds'] / 60:.0f} CPU minutes); Muon for the "
        f"matrices of the blocks, AdamW for the rest, a straight fall of the learning rate.\n\n```\n{command}\n```\n\n"
        "Pointing: attention weight of the head that was given a start, from the cue to the end of the right option's "
        "line, on one batch.\n\n" + table(["step", "loss", "pointing", "seconds"], rows) + "\n"
    )


def card(training: Mapping[str, Any], figures: Mapping[str, Any], config: Mapping[str, Any], trials: Any) -> str:
    """Write the card's text; every number in it comes from the arguments or from the generators' constants."""
    from ..solve import FREE_ORDER
    from ..words import HELD_OUT_SEED
    from . import pointing
    from .mixtures import EARLY_SHARE, KEY_WEIGHT, OPTION_WEIGHT, SOLUTION_WEIGHT, VERDICT_WEIGHT
    from .simulated import VERDICT_SHARE

    head = HEAD.format(
        parameters=training["parameters"], blocks=config["num_hidden_layers"], width=config["hidden_size"],
        heads=config["num_attention_heads"], kv=config["num_key_value_heads"],
        context=config["max_position_embeddings"],
        verdicts=VERDICT_SHARE, free=FREE_ORDER, weight=VERDICT_WEIGHT, early=EARLY_SHARE,
        option=OPTION_WEIGHT, solution=SOLUTION_WEIGHT, key=KEY_WEIGHT, held_out=HELD_OUT_SEED,
        pointing=pointing.POINTING_WEIGHT, block=pointing.BLOCK, head=pointing.HEAD,
    )  # fmt: skip
    parts = [
        head + _mixtures(training) + "\n",
        "## Training\n",
        _training(training),
        "## Figures on held-out items\n\n`python -m innerjudge.models.reference.training.measure --model DIR --seed "
        f"{figures['seed']} --scale {figures['scale']:g}` ({figures['seconds']:.0f} seconds). "
        "AUROC: right against wrong; within: mean over questions.\n",
        _figures("solve: the model's own traces, temperature 1, 8 a problem", figures["solve"]),
        _figures("rate: against the noiseless quality, unmarked responses", figures["rate"]),
        _figures("verdict: is the response right, unmarked responses", figures["verdict"]),
        *(_figures(f"choose: {name}", row) for name, row in figures["choose"].items()),
        "## What was tried\n",
        "\n".join(_trial(trial) for trial in trials) + "\n",
        LIMITS,
    ]
    return "\n".join(parts)


def main() -> None:
    """Command line: read the JSON files of a weights folder and write its README."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=WEIGHTS)
    folder = parser.parse_args().model
    names = ("training.json", "measure.json", "config.json")
    training, figures, config = (json.loads((folder / name).read_text()) for name in names)
    (folder / "README.md").write_text(card(training, figures, config, json.loads(TRIALS.read_text())))


if __name__ == "__main__":
    main()
