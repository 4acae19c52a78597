"""Dummy answers and the gold answer: how a judge scores them."""

from collections.abc import Sequence
from dataclasses import replace

from ...data.splits import rows_by_group
from .candidate import Candidate

#: Dummy answers by name, and the answer each gives; ``gold`` is the reference.
DUMMIES = ("yes", "sure", "question", "gold")


def dummies(candidates: Sequence[Candidate]) -> list[tuple[str, Candidate]]:
    """The dummy answers to every question: ``"Yes"``, ``"Sure"``, the question repeated, and the reference answer.

    A judge that calls the first three right reads the form of an answer; one that calls the gold answer wrong reads
    something else than its content. Questions without a reference have no gold answer.

    Returns:
        Name of the dummy and a candidate whose truth is whether it is right (ratings: the end of the scale), where it
        is known.

    Source:
        The sanity checks of "Judging the Judges" (arXiv 2406.12624).

    Example:
        >>> one = Candidate(prompt="2+2?", response="5", question="q", candidate="0", reference="4")
        >>> [(name, c.response, c.truth) for name, c in dummies([one])]
        [('yes', 'Yes', False), ('sure', 'Sure', False), ('question', '2+2?', False), ('gold', '4', True)]
    """
    found = []
    for rows in rows_by_group([(c.data, c.question, c.criterion) for c in candidates]):
        one = candidates[rows[0]]
        texts = {"yes": "Yes", "sure": "Sure", "question": one.prompt, "gold": one.reference}
        # A short answer may be right by chance ("Yes"): only then it is not known.
        right = (one.reference or "").strip().lower().rstrip(".")
        for name, text in texts.items():
            if text is None:
                continue
            label = name == "gold" if name == "gold" or text.lower() != right else None
            made = label if one.scale is None or label is None else float(one.scale[int(label)])
            found.append((name, replace(one, response=text, candidate=f"dummy-{name}", truth=made)))
    return found
