"""Checklists (TICK): the share of yes/no questions that a response passes; and all candidates ranked at once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ....extraction.writing.generate import complete
from ....models.conversation import Text
from ....models.errors import UnreadableError
from ....models.loading import LanguageModel
from ....models.positions import encode_prompt, unreadable
from ....models.prompts import check_prompt, checklist_prompt, ranking_prompt
from ...data.splits import rows_by_group
from ...data.verdict_table import Row
from ...stats.statistic import SHARE, Statistic, finite, ratio
from .ask import Candidate, Manner, Question

#: Most questions kept of a written checklist.
MOST_CHECKS = 10
_TOKENS = 160  # of a written checklist


def written_checklists(
    lm: LanguageModel, candidates: Sequence[Candidate], *, manner: Manner
) -> dict[Text, tuple[str, ...]]:
    """Prompt -> checklist, written once by the model for all its candidates; no questions where it wrote none.

    Source:
        TICK (arXiv 2410.03608). A checklist reused for a question makes verdicts steadier (Sage, arXiv 2512.16041).
    """
    prompts = list(dict.fromkeys(c.prompt for c in candidates))
    encoded = [
        encode_prompt(lm.tokenizer, str(k), str(k), checklist_prompt(p), reasoned=True) for k, p in enumerate(prompts)
    ]
    advance = manner.steps("writing checklists", len(encoded))
    found = complete(lm, encoded, max_new_tokens=_TOKENS, batch_size=manner.batch_size, on_batch=advance)
    return {p: () if isinstance(f, str) else parsed_checklist(f.text) for p, f in zip(prompts, found, strict=True)}


def parsed_checklist(text: str) -> tuple[str, ...]:
    r"""The questions of a written checklist: lines that end in a question mark, without bullet or number."""
    lines = (re.sub(r"^\s*(?:[-*\u2022]|\d+[.)]|\[.?\])?\s*", "", line).strip() for line in text.splitlines())
    return tuple(dict.fromkeys(line for line in lines if line.endswith("?") and len(line) > 3))[:MOST_CHECKS]


def checks(candidates: Sequence[Candidate], checklists: Mapping[Text, Sequence[str]]) -> list[Question]:
    """One question a candidate and check; rows have the template ``check-1`` ... and the words as the tag ``check``.

    A prompt without questions in ``checklists`` gives none.
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
    """
    place = {item: k for k, item in enumerate(items)}
    passed, asked = [0.0] * len(items), [0.0] * len(items)
    for row in rows:
        if row.score is not None and row.item in place:
            passed[place[row.item]] += row.score
            asked[place[row.item]] += 1.0
    return ratio(finite(passed), finite(asked), n=int(sum(asked)), reason="no check has a verdict", limits=SHARE)


_BETWEEN = re.compile(r"[\s,;>=.()\[\]-]+|then|and", re.IGNORECASE)


def ranked(lm: LanguageModel, candidates: Sequence[Candidate], *, judge: str, manner: Manner) -> list[Row]:
    """Rank the candidates of each question; the score is the share of the others that a candidate stands above.

    Candidates are shown in the order given. Questions of one candidate, and texts that are not one ranking of all
    letters, are unscored.

    Source:
        The batch-ranking setting of MLLM-as-a-Judge (arXiv 2402.04788).
    """
    groups = rows_by_group([(c.data, c.question, c.criterion) for c in candidates])
    reasoned = manner.by == "reasoned"
    encoded = []
    for k, rows in enumerate(groups):
        try:
            prompt = ranking_prompt(
                candidates[rows[0]].prompt, [candidates[i].response for i in rows], reasoned=reasoned
            )
            # As a reasoned prompt: its labels are no single next token.
            text = replace(prompt, labels=())
            encoded.append(encode_prompt(lm.tokenizer, str(k), str(k), text, reasoned=True))
        except UnreadableError as error:
            encoded.append(unreadable(str(k), str(k), str(error)))
    tokens = manner.reasoning_tokens if reasoned else max(16, 4 * max(len(rows) for rows in groups))
    advance = manner.steps(f"asking ({judge})", len(encoded))
    written = complete(lm, encoded, max_new_tokens=tokens, batch_size=manner.batch_size, on_batch=advance)
    found: dict[int, Row] = {}
    for rows, one in zip(groups, written, strict=True):
        said = one if isinstance(one, str) else parsed_ranking(one.text, len(rows))
        for place, i in enumerate(rows.tolist()):
            columns = candidates[i].columns
            if isinstance(said, str):
                found[i] = Row(**columns, judge=judge, unscored=said)
            else:
                above = (len(rows) - 1 - said.index(place)) / (len(rows) - 1)
                found[i] = Row(**columns, judge=judge, score=above)
    return [found[i] for i in range(len(candidates))]


def parsed_ranking(text: str, n: int) -> list[int] | str:
    """Places of the letters of a ranking of ``n``, best first, or why the text holds none.

    Read after the last ``Ranking:`` (from the beginning without one); every letter must stand there once, with nothing
    but separators between, and what follows the last letter does not count.
    """
    tail = re.split(r"ranking\s*:", text, flags=re.IGNORECASE)[-1]
    why = f"no ranking of {n} letters in the text {text[:40]!r}"
    letters: list[int] = []
    at = 0
    while len(letters) < n:
        gap = _BETWEEN.match(tail, at)
        while gap:
            at, gap = gap.end(), _BETWEEN.match(tail, gap.end())
        letter = re.compile(r"[A-Z](?![^\W_])").match(tail, at)
        if letter is None or not 0 <= ord(letter[0]) - 65 < n or ord(letter[0]) - 65 in letters:
            return why
        letters.append(ord(letter[0]) - 65)
        at = letter.end()
    return letters
