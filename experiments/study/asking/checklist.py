"""Checklists (TICK): one yes/no question a requirement; the share that a response passes is its score."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ....extraction.writing.generate import complete
from ....models.conversation import Text
from ....models.loading import LanguageModel
from ....models.positions import encode_prompt
from ....models.prompts import check_prompt, checklist_prompt
from ...data.verdict_table import Row
from ...stats.statistic import SHARE, Statistic, finite, ratio
from .ask import Manner, Question
from .candidate import Candidate

#: Most questions kept of a written checklist.
MOST_CHECKS = 10


def written_checklists(
    lm: LanguageModel, candidates: Sequence[Candidate], *, manner: Manner, tokens: int = 160
) -> dict[Text, tuple[str, ...]]:
    """A checklist for every prompt, written once by the model and used for all its candidates.

    Returns:
        Prompt -> questions, none where the model wrote none.

    Source:
        TICK (arXiv 2410.03608). A checklist reused for a question makes verdicts steadier (Sage, arXiv 2512.16041).
    """
    prompts = list(dict.fromkeys(c.prompt for c in candidates))
    encoded = [
        encode_prompt(lm.tokenizer, str(k), str(k), checklist_prompt(p), reasoned=True) for k, p in enumerate(prompts)
    ]
    advance = manner.steps("writing checklists", len(encoded))
    found = complete(lm, encoded, max_new_tokens=tokens, batch_size=manner.batch_size, on_batch=advance)
    return {p: () if isinstance(f, str) else parsed_checklist(f.text) for p, f in zip(prompts, found, strict=True)}


def parsed_checklist(text: str) -> tuple[str, ...]:
    r"""The questions of a written checklist: lines that end in a question mark, without bullet or number.

    Example:
        >>> parsed_checklist("Checklist:\n1. Is it a greeting?\n- Is it short?\n- Is it short?\nThat is all.")
        ('Is it a greeting?', 'Is it short?')
    """
    lines = (re.sub(r"^\s*(?:[-*\u2022]|\d+[.)]|\[.?\])?\s*", "", line).strip() for line in text.splitlines())
    return tuple(dict.fromkeys(line for line in lines if line.endswith("?") and len(line) > 3))[:MOST_CHECKS]


def checks(candidates: Sequence[Candidate], checklists: Mapping[Text, Sequence[str]]) -> list[Question]:
    """One question a candidate and check; rows have the template ``check-1`` ... and the words as the tag ``check``.

    A prompt without questions in ``checklists`` gives none.

    Example:
        >>> one = Candidate(prompt="Say hi.", response="hi", question="q", candidate="0")
        >>> [q.columns["template"] for q in checks([one], {"Say hi.": ["Is it a greeting?", "Is it short?"]})]
        ['check-1', 'check-2']
    """
    return [
        Question(
            prompt=check_prompt(c.prompt, c.response, question),
            values=(0, 1),
            answers=(False, True),
            columns=c.columns
            | {"template": f"check-{number}", "truth": None, "tags": dict(c.tags) | {"check": question}},
        )
        for c in candidates
        for number, question in enumerate(checklists.get(c.prompt, ()), start=1)
    ]


def pass_rates(candidates: Sequence[Candidate], rows: Sequence[Row], *, judge: str) -> list[Row]:
    """One row a candidate: mean over its checks of P(yes) (rows by logits) or of yes (rows by text).

    Checks without a verdict are left out, and counted in the tag ``unscored_checks``; a candidate with none left is
    unscored. There is no verdict, since nothing says which share is enough.

    Example:
        >>> one = Candidate(prompt="", response="hi", question="q", candidate="0")
        >>> said = {"question": "q", "candidate": "0", "judge": "c"}
        >>> rows = [Row(**said, template="check-1", score=1.0), Row(**said, template="check-2", score=0.0)]
        >>> pass_rates([one], rows, judge="checklist")[0].score
        0.5
    """
    held: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        held.setdefault(row.item, []).append(row)
    found = []
    for c in candidates:
        mine = held.get((c.data, c.question, c.candidate), [])
        scores = [row.score for row in mine if row.score is not None]
        why = None if scores else "no check has a verdict" if mine else "no checklist was written"
        score = sum(scores) / len(scores) if scores else None
        row = Row(**c.columns, judge=judge, score=score, unscored=why)
        lost = len(mine) - len(scores)
        found.append(replace(row, tags=dict(row.tags) | {"unscored_checks": str(lost)}) if lost else row)
    return found


def requirement_share(rows: Sequence[Row], items: Sequence[tuple[str, str, str]]) -> Statistic:
    """DRFR: share of all checks of all responses that are passed (rows of :func:`checks`), pooled over instructions.

    It weighs instructions with more requirements more than the mean of pass rates does. ``n`` counts checks;
    ``items`` is the order of the statistic's rows.

    Source:
        The decomposed requirements following ratio, as TICK (arXiv 2410.03608) reports it.

    Example:
        >>> said = {"question": "q", "candidate": "0", "judge": "c"}
        >>> rows = [Row(**said, template="check-1", score=1.0), Row(**said, template="check-2", score=0.0)]
        >>> requirement_share(rows, [("", "q", "0")]).value
        0.5
    """
    place = {item: k for k, item in enumerate(items)}
    passed, asked = [0.0] * len(items), [0.0] * len(items)
    for row in rows:
        if row.score is not None and row.item in place:
            passed[place[row.item]] += row.score
            asked[place[row.item]] += 1.0
    return ratio(finite(passed), finite(asked), n=int(sum(asked)), reason="no check has a verdict", limits=SHARE)
