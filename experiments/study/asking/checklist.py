"""Checklists (TICK): the share of yes/no questions that a response passes; candidates ranked at once; references."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ....extraction.writing.generate import complete
from ....models.conversation import Text, plain_text
from ....models.errors import UnreadableError
from ....models.items import Trace
from ....models.loading import LanguageModel
from ....models.positions import Encoding, encode_prompt, encode_trace, unreadable
from ....models.prompts import check_prompt, checklist_prompt, ranking_prompt
from ....models.reference.solve import final_answer
from ...data.answers import normalise
from ...data.splits import rows_by_group
from ...data.verdict_table import Row
from ...stats.statistic import SHARE, Statistic, finite, ratio
from .ask import Candidate, Manner, Question

MOST_CHECKS = 10


def written_checklists(
    lm: LanguageModel, candidates: Sequence[Candidate], *, manner: Manner
) -> dict[Text, tuple[str, ...]]:
    """Prompt -> checklist, written once by the model for all its candidates; no questions where it wrote none.

    Source: TICK (arXiv 2410.03608). A checklist reused for a question makes verdicts steadier (Sage, arXiv 2512.16041).
    """
    prompts = list(dict.fromkeys(c.prompt for c in candidates))
    asked = [checklist_prompt(p) for p in prompts]
    encoded = [encode_prompt(lm.tokenizer, str(k), str(k), p, reasoned=True) for k, p in enumerate(asked)]
    said = _written(lm, encoded, "writing checklists", manner)
    return {p: () if text is None else parsed_checklist(text) for p, text in zip(prompts, said, strict=True)}


def _written(lm: LanguageModel, encoded: Sequence[Encoding], what: str, manner: Manner) -> list[str | None]:
    """The text that the model writes after each prompt; ``None`` where there is no room for one."""
    advance = manner.steps(what, len(encoded))
    found = complete(lm, encoded, max_new_tokens=160, batch_size=manner.batch_size, on_batch=advance)
    return [None if isinstance(one, str) else one.text for one in found]


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
        row = Row(**c.columns, judge=judge, score=sum(scores) / len(scores) if scores else None, unscored=why)
        lost = len(mine) - len(scores)
        found.append(replace(row, tags=dict(row.tags) | {"unscored_checks": str(lost)}) if lost else row)
    return found


def requirement_share(rows: Sequence[Row], items: Sequence[tuple[str, str, str]]) -> Statistic:
    """DRFR: share of all checks of all responses that are passed (rows of :func:`checks`), pooled over instructions.

    It weighs instructions with more requirements more than the mean of pass rates does. ``n`` counts checks;
    ``items`` is the order of the statistic's rows.

    Source: The decomposed requirements following ratio, as TICK (arXiv 2410.03608) reports it.
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

    Source: The batch-ranking setting of MLLM-as-a-Judge (arXiv 2402.04788).
    """
    groups = rows_by_group([(c.data, c.question, c.criterion) for c in candidates])
    reasoned = manner.by == "reasoned"
    encoded = []
    for k, rows in enumerate(groups):
        try:
            responses = [candidates[i].response for i in rows]
            prompt = replace(ranking_prompt(candidates[rows[0]].prompt, responses, reasoned=reasoned), labels=())
            # As a reasoned prompt: its labels are no single next token.
            encoded.append(encode_prompt(lm.tokenizer, str(k), str(k), prompt, reasoned=True))
        except UnreadableError as error:
            encoded.append(unreadable(str(k), str(k), str(error)))
    tokens = manner.reasoning_tokens if reasoned else max(16, 4 * max(len(rows) for rows in groups))
    advance = manner.steps(f"asking ({judge})", len(encoded))
    written = complete(lm, encoded, max_new_tokens=tokens, batch_size=manner.batch_size, on_batch=advance)
    found: dict[int, Row] = {}
    for rows, one in zip(groups, written, strict=True):
        said = one if isinstance(one, str) else parsed_ranking(one.text, len(rows))
        for place, i in enumerate(rows.tolist()):
            why = said if isinstance(said, str) else None
            above = None if isinstance(said, str) else (len(rows) - 1 - said.index(place)) / (len(rows) - 1)
            found[i] = Row(**candidates[i].columns, judge=judge, score=above, unscored=why)
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


def references(
    candidates: Sequence[Candidate], condition: str, *, own: Mapping[Text, str] | None = None
) -> list[str | None]:
    """The reference shown with each candidate under a condition of a study; ``None`` where there is none to show.

    ``"self"`` is the model's own answer, from ``own`` (prompt -> answer); ``"wrong"`` the given reference of the
    next question that has another one.

    Source: The reference conditions of "No Free Labels" (arXiv 2503.05061).
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
    said = _written(lm, [encode_trace(lm.tokenizer, t) for t in traces], "answering the questions", manner)
    texts = {p: text for p, text in zip(prompts, said, strict=True) if text is not None}
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
    something other than its content. Questions without a reference have no gold answer. Gives the name of the dummy,
    and a candidate whose truth is whether it is right (ratings: the end of the scale), where it is known.

    Source: The sanity checks of "Judging the Judges" (arXiv 2406.12624).
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
