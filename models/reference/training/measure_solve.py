"""The *solve* figures: accuracy of sampled traces, and what tells right from wrong among them."""

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from scipy.stats import rankdata
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from ...conversation import plain_text
from ...items import Trace
from ...prompts import verdict_prompt
from ..solve import problems
from .passes import label_ids, passes
from .sampling import sampled_traces
from .tokenizer import END, render


def auroc(scores: Sequence[float], labels: Sequence[bool]) -> float:
    """Area under the ROC curve; ties count one half.

    Example:
        >>> auroc([0.1, 0.9, 0.9], [False, True, False])
        0.75
    """
    ranks, right = rankdata(scores), np.asarray(labels, dtype=bool)
    positives, negatives = int(right.sum()), int((~right).sum())
    return float((ranks[right].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def within(scores: Sequence[float], traces: Sequence[Trace]) -> float:
    """Mean AUROC within questions that have traces of both classes."""
    groups = defaultdict(list)
    for score, trace in zip(scores, traces, strict=True):
        groups[trace.group].append((score, bool(trace.correct)))
    mixed = [rows for rows in groups.values() if len({label for _, label in rows}) == 2]
    return float(np.mean([auroc([s for s, _ in rows], [y for _, y in rows]) for rows in mixed]))


def read(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, traces: Sequence[Trace]
) -> tuple[torch.Tensor, torch.Tensor, list[float], list[float]]:
    """Read the state differences, the prompts' last states, the mean log-probabilities and minus the lengths."""
    opening, closing = (tokenizer.convert_tokens_to_ids(marker) for marker in ("<think>", "</think>"))
    deltas, ends, likely, short = [], [], [], []
    for _, ids, states, logits in passes(
        model, tokenizer, [render(plain_text(t.prompt), plain_text(t.response)) + END for t in traces]
    ):
        start, end = (ids.tolist().index(marker) for marker in (opening, closing))
        each = logits[:-1].log_softmax(-1).gather(1, ids[1:, None])[start - 1 :]
        deltas.append((states[:, end] - states[:, start]).clone())
        ends.append(states[:, start - 1].clone())
        likely.append(each.mean().item())
        short.append(-float(len(ids)))
    return torch.stack(deltas), torch.stack(ends), likely, short


def distance(deltas: torch.Tensor, centroid: torch.Tensor) -> torch.Tensor:
    """Layer-mean of the unsquared norms, as CLUE has it."""
    each: torch.Tensor = torch.linalg.vector_norm(deltas - centroid, dim=-1)
    return each.mean(-1)


def measure_solve(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, seed: int, scale: float
) -> dict[str, float]:
    """Sample traces of two sets of held-out problems, fit on one and score the other."""
    sizes = max(4, round(150 * scale)), max(4, round(150 * scale))
    sets = []
    for k, size in enumerate(sizes):
        made = sampled_traces(model, tokenizer, problems(size, seed=seed + k), k=8, seed=seed + k)
        sets.append(([t for t in made if re.match("(?s)<think>.*</think>", plain_text(t.response))], made))
    (fit, _), (test, every) = sets
    known, asked, _, _ = read(model, tokenizer, fit)
    deltas, ends, likely, short = read(model, tokenizer, test)
    right = torch.tensor([bool(t.correct) for t in fit])
    labels = [bool(t.correct) for t in test]
    good, bad = known[right].mean(0), known[~right].mean(0)
    near, far = distance(deltas, good), distance(deltas, bad)
    question = ((ends - ends.mean(0)) * (asked[right].mean(0) - asked[~right].mean(0))).sum((1, 2))
    prompts = [verdict_prompt(t.prompt, t.response) for t in test]
    no, yes = label_ids(tokenizer, ("no", "yes"))
    texts = [render(p.user, p.cue) for p in prompts]
    said = [(row[-1, yes] - row[-1, no]).item() for _, _, _, row in passes(model, tokenizer, texts)]
    claims = [(re.search("</think>(ok|slip) ", plain_text(t.response)), t.correct) for t in test]
    sure = [(found.group(1) == "ok") == correct for found, correct in claims if found]
    figures = {
        "n": float(len(every)),
        "accuracy": float(np.mean([bool(t.correct) for t in every])),
        "unfinished": float(len(every) - len(test)),
        "oracle_of_8": float(np.mean([any(t.correct for t in every[i : i + 8]) for i in range(0, len(every), 8)])),
        "own_verdicts": float(len(sure)),
        "own_verdicts_right": float(np.mean(sure)) if sure else 0.0,
    }
    judges = {
        "clue_margin": (far - near).tolist(),
        "clue_success_distance": (-near).tolist(),
        "clue_last_block": ((deltas - bad)[:, -1].norm(dim=-1) - (deltas - good)[:, -1].norm(dim=-1)).tolist(),
        "difference_of_means": (deltas * (good - bad)).sum((1, 2)).tolist(),
        "log_probability": likely,
        "length": short,
        "question_only": question.tolist(),
        "text_verdict": said,
    }
    for name, scores in judges.items():
        figures[f"{name}_auroc"] = auroc(scores, labels)
        figures[f"{name}_auroc_within"] = within(scores, test)
    return {name: round(value, 4) for name, value in figures.items()}
