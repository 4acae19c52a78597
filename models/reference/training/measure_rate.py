"""The *rate* figures: scores and verdicts against the noiseless quality."""

import re

import numpy as np
import torch
from scipy.stats import spearmanr
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from ...prompts import rating_prompt, verdict_prompt
from ..rate import ratings
from .measure_solve import auroc
from .passes import label_ids, passes
from .sampling import replies
from .tokenizer import render


def measure_rate(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, seed: int, scale: float
) -> dict[str, float]:
    """Score held-out unmarked responses, directly and after reasoning."""
    items = ratings(max(16, round(480 * scale)), seed=seed)
    truth = [float(item.extra["quality"]) for item in items]
    prompts = [rating_prompt(item.prompt, item.response) for item in items]
    scores = label_ids(tokenizer, prompts[0].labels)
    scale_points = torch.arange(1.0, 6.0)
    expected, greedy, uniform = [], [], []
    for _, _, states, logits in passes(model, tokenizer, [render(p.user, p.cue) for p in prompts]):
        few = logits[-1, scores]
        expected.append(float(few.softmax(-1) @ scale_points))
        greedy.append(float(few.argmax() + 1))
        lens = (states[:, -1] @ model.lm_head.weight[scores].detach().T).mean(0)
        uniform.append(float(lens.softmax(-1) @ scale_points))
    reasoned = [rating_prompt(item.prompt, item.response, reasoned=True) for item in items]
    said = [
        re.search(r"Score: ([1-5])", text) for text in replies(model, tokenizer, [render(p.user) for p in reasoned])
    ]
    parsed = [(float(found.group(1)), t) for found, t in zip(said, truth, strict=True) if found]
    figures = {
        "n": float(len(items)),
        "panel_spearman": _rho([item.mean_score or 0.0 for item in items], truth),
        "expected_score_spearman": _rho(expected, truth),
        "argmax_spearman": _rho(greedy, truth),
        "uniform_lager_spearman": _rho(uniform, truth),
        "expected_score_auroc_flawless": auroc(expected, [t == 5 for t in truth]),
        "reasoned_spearman": _rho([s for s, _ in parsed], [t for _, t in parsed]),
        "reasoned_unparsed": float(len(items) - len(parsed)),
    }
    return {name: round(value, 4) for name, value in figures.items()}


def _rho(scores: list[float], truth: list[float]) -> float:
    """Spearman correlation; 0 where one side is constant."""
    return float(spearmanr(scores, truth).statistic) if len(set(scores)) > 1 and len(set(truth)) > 1 else 0.0


def measure_verdict(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, seed: int, scale: float
) -> dict[str, float]:
    """Ask yes or no about held-out unmarked responses, directly and after reasoning."""
    items = ratings(max(16, round(320 * scale)), seed=seed)
    labels = [item.extra["quality"] == 5 for item in items]
    no, yes = label_ids(tokenizer, ("no", "yes"))
    prompts = [verdict_prompt(item.prompt, item.response) for item in items]
    margins = [
        float(logits[-1, yes] - logits[-1, no])
        for *_, logits in passes(model, tokenizer, [render(p.user, p.cue) for p in prompts])
    ]
    asked = [verdict_prompt(item.prompt, item.response, reasoned=True) for item in items]
    said = [re.search(r"Verdict: (yes|no)", t) for t in replies(model, tokenizer, [render(p.user) for p in asked])]
    figures = {
        "n": float(len(items)),
        "direct_auroc": auroc(margins, labels),
        "direct_accuracy": float(np.mean([(m > 0) == y for m, y in zip(margins, labels, strict=True)])),
        "reasoned_accuracy": float(
            np.mean([s is not None and (s.group(1) == "yes") == y for s, y in zip(said, labels, strict=True)])
        ),
    }
    return {name: round(value, 4) for name, value in figures.items()}
