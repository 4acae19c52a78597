"""Judging with a reference (none, the judge's own answer, the given one, a wrong one), and of dummy answers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ....extraction.writing.generate import complete
from ....models.conversation import Text, plain_text
from ....models.items import Trace
from ....models.loading import LanguageModel
from ....models.positions import encode_trace
from ....models.reference.solve import final_answer
from ...data.answers import normalise
from ...data.splits import rows_by_group
from .ask import Candidate, Manner


def references(
    candidates: Sequence[Candidate], condition: str, *, own: Mapping[Text, str] | None = None
) -> list[str | None]:
    """The reference shown with each candidate under a condition of a study; ``None`` where there is none to show.

    ``"self"`` is the model's own answer, from ``own`` (prompt -> answer); ``"wrong"`` the given reference of the
    next question that has another one.

    Source:
        The reference conditions of "No Free Labels" (arXiv 2503.05061).
    """
    if condition == "none":
        return [None] * len(candidates)
    if condition == "self":
        return [(own or {}).get(c.prompt) for c in candidates]
    if condition == "given":
        return [c.reference for c in candidates]
    known = [c.reference for c in candidates]
    found: list[str | None] = []
    for k, one in enumerate(candidates):
        turned = [r for r in (*known[k + 1 :], *known[:k]) if r is not None and r != one.reference]
        found.append(turned[0] if one.reference is not None and turned else None)
    return found


def own_answers(lm: LanguageModel, candidates: Sequence[Candidate], *, manner: Manner) -> dict[Text, str]:
    """What the model itself answers to every prompt (greedy): prompt -> text; prompts that leave no room are absent.

    The final answer where the text has reasoning markers, else the whole text.
    """
    prompts = list(dict.fromkeys(c.prompt for c in candidates))
    traces = [Trace(question_id=str(k), candidate_id="", prompt=p, response="") for k, p in enumerate(prompts)]
    encoded = [encode_trace(lm.tokenizer, t) for t in traces]
    advance = manner.steps("answering the questions", len(encoded))
    written = complete(lm, encoded, max_new_tokens=160, batch_size=manner.batch_size, on_batch=advance)
    texts = {p: one.text for p, one in zip(prompts, written, strict=True) if not isinstance(one, str)}
    return {p: final_answer(text) or text.strip() for p, text in texts.items()}


def could_answer(candidates: Sequence[Candidate], own: Mapping[Text, str]) -> list[bool | None]:
    """Whether the model's own answer is the reference; ``None`` without a reference or an answer.

    Agreement with people is far higher where the judge could have answered itself: print figures for both parts.
    """
    return [
        normalise(own[c.prompt]) == normalise(c.reference) if c.reference is not None and c.prompt in own else None
        for c in candidates
    ]


def dummies(candidates: Sequence[Candidate]) -> list[tuple[str, Candidate]]:
    """The dummy answers to every question: ``"Yes"``, ``"Sure"``, the question repeated, and the reference answer.

    A judge that calls the first three right reads the form of an answer; one that calls the gold answer wrong reads
    something else than its content. Questions without a reference have no gold answer. Gives the name of the dummy, and
    a candidate whose truth is whether it is right (ratings: the end of the scale), where it is known.

    Source:
        The sanity checks of "Judging the Judges" (arXiv 2406.12624).
    """
    found = []
    for rows in rows_by_group([(c.data, c.question, c.criterion) for c in candidates]):
        one = candidates[rows[0]]
        texts = {"yes": "Yes", "sure": "Sure", "question": plain_text(one.prompt), "gold": one.reference}
        # A short answer may be right by chance ("Yes"): only then it is not known.
        right = (one.reference or "").strip().lower().rstrip(".")
        for name, text in texts.items():
            if text is None:
                continue
            label = name == "gold" if name == "gold" or text.lower() != right else None
            made = label if one.scale is None or label is None else float(one.scale[int(label)])
            found.append((name, replace(one, response=text, candidate=f"dummy-{name}", truth=made)))
    return found
