"""Text from the reference model: its own traces of held-out problems, and greedy replies."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from ...items import Trace
from ..solve import Problem, final_answer
from .tokenizer import END, render


def replies(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, prompts: Sequence[str], *, sample: bool = False,
    longest: int = 120, batch: int = 128
) -> list[str]:  # fmt: skip
    """Generate one reply to each rendered prompt; sampling is at temperature 1 over the whole vocabulary.

    Example:
        >>> from innerjudge.models.reference.training.measure import load
        >>> replies(*load(), [render("Start with 7. Add 5.")])[0].startswith("<think>")
        True
    """
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    texts = [""] * len(prompts)
    tokenizer.padding_side = "left"
    loose: Any = model  # transformers types ``generate`` for other classes
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        coded = tokenizer([prompts[i] for i in rows], return_tensors="pt", padding=True, add_special_tokens=False)
        kind = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0} if sample else {"do_sample": False}
        with torch.inference_mode():
            out = loose.generate(**coded, max_new_tokens=longest, **kind)
        for i, ids in zip(rows, out[:, coded["input_ids"].shape[1] :], strict=True):
            texts[i] = str(tokenizer.decode(ids)).split(END)[0]
    tokenizer.padding_side = "right"
    return texts


def sampled_traces(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, problems: Sequence[Problem], *, k: int, seed: int
) -> list[Trace]:
    """Sample ``k`` traces of each problem at temperature 1 and label them.

    Example:
        >>> from innerjudge.models.reference.training.measure import load
        >>> from innerjudge.models.reference.solve import problems
        >>> len(sampled_traces(*load(), problems(2, seed=1_000_000), k=2, seed=0))
        4
    """
    torch.manual_seed(seed)
    asked = [problem for problem in problems for _ in range(k)]
    texts = replies(model, tokenizer, [render(p.prompt) for p in asked], sample=True)
    made = []
    for i, (problem, text) in enumerate(zip(asked, texts, strict=True)):
        answer = final_answer(text)
        made.append(
            Trace(
                question_id=problem.question_id,
                candidate_id=str(i % k),
                prompt=problem.prompt,
                response=text,
                answer=answer,
                correct=answer == problem.answer,
            )
        )
    return made
