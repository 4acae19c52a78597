"""The model card of a saved judge, written from what the judge knows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import ModelCardData

from ...probes import BaseJudge

if TYPE_CHECKING:
    from .saved import JudgeRecord

#: Name of the card in a judge's folder, as the hub shows it.
CARD = "README.md"

_READS = {"trace": "a prompt and a response to it", "choice": "a question and its options"}


def model_card(judge: BaseJudge, made: JudgeRecord) -> str:
    """Markdown with the hub's header: what the judge is, of which model, how it was fitted, how it is used.

    Example:
        >>> from innerjudge.experiments.judges.saved import JudgeRecord
        >>> from innerjudge.probes import LAGER
        >>> print(model_card(LAGER(), JudgeRecord("lager", "rating")).split("---")[2].strip().splitlines()[0])
        # lager: a judge of innerjudge
    """
    origin = judge.provenance_
    name = "" if origin is None else origin.model
    base = name if name.count("/") == 1 and not name.startswith((".", "/")) and not Path(name).exists() else None
    header = ModelCardData(
        library_name="innerjudge",
        base_model=base,
        tags=["innerjudge", "judge", "reranking"],
        pipeline_tag="text-ranking",
    )
    ranked = "question, options" if made.kind == "choice" else "prompt, candidates"
    lines = ["---", header.to_yaml(), "---", "", f"# {made.name}: a judge of innerjudge", ""]
    how = "lets its model write a verdict on" if judge.reads_text else "reads in one forward pass"
    lines += [f"`{judge!r}` {how} {_READS.get(made.kind, _READS['trace'])}. Higher is better, always.", ""]
    lines += [
        "```python",
        "from innerjudge import Judge",
        "",
        'judge = Judge.load("this folder, or its name on the hub")',
    ]
    lines += [f"judge.rank({ranked})"] + (
        []
        if made.kind == "choice"
        else ["judge.scores([(prompt, response)])", "judge.predict([(prompt, response)])  # labels"]
    )
    lines += ["```", "", "| | |", "| --- | --- |"]
    lines += [f"| {name} | {value} |" for name, value in _facts(judge, made).items()]
    lines += ["", "It belongs to these weights, dtype, attention kernel and chat template; others are refused."]
    lines += ["Nobody else has tested it: compare it with its baselines on your own items (`innerjudge compare`)."]
    return "\n".join(lines) + "\n"


def _facts(judge: BaseJudge, made: JudgeRecord) -> dict[str, str]:
    facts = {"judge": type(judge).__name__, "reads": ", ".join(judge.needs), "items": made.kind or "not recorded"}
    origin = judge.provenance_
    if origin is not None:
        facts |= {"model": f"{origin.model}{f' at {origin.revision}' if origin.revision else ''}"}
        facts |= {"fingerprint": origin.fingerprint, "dtype": origin.dtype, "attention kernel": origin.attention}
        facts |= {"chat template": origin.chat_template, "layers": origin.layers}
        facts |= {"made with": ", ".join(f"{name} {found}" for name, found in origin.versions)}
    if made.kind in ("rating", "pair"):
        facts["scale"] = "{} to {}".format(*made.scale) + (f", for: {made.criterion}" if made.criterion else "")
    if made.kind == "choice":
        facts["abstain lines"] = "yes" if made.abstain else "no"
    if any("reasoning" in need for need in judge.needs):
        facts["reasoning markers"] = " ".join(f"`{marker}`" for marker in made.markers)
    if judge.reads_reasoning:
        facts["reasoning tokens"] = str(made.reasoning_tokens)
    if judge.n_left_out is not None:
        facts["items left out of the fit"] = str(judge.n_left_out)
    return facts
