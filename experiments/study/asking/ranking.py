"""Batch ranking: all candidates of a question shown at once, best first."""

import re
from collections.abc import Sequence
from dataclasses import replace

from ....extraction.writing.generate import complete
from ....models.errors import UnreadableError
from ....models.loading import LanguageModel
from ....models.positions import encode_prompt, unreadable
from ....models.prompts import ranking_prompt
from ...data.splits import rows_by_group
from ...data.verdict_table import Row
from .ask import Manner
from .candidate import Candidate

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

    Example:
        >>> parsed_ranking("Ranking: B > A > C. B is best.", 3), parsed_ranking("Ranking: B, B, A", 3)
        ([1, 0, 2], "no ranking of 3 letters in the text 'Ranking: B, B, A'")
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
