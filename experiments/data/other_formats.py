"""Rows that are no items, and files of rows where lines must be: what they are, and what to type or write."""

import re
from collections.abc import Iterable

from ...models.errors import InnerjudgeError, shown

#: Fields that tell rows of a public format or tool -> what they are, and what to write of each.
_ROWS = {
    ("labeler", "question", "label"): (
        "a labelled solution of PRM800K",
        "question_id, candidate_id, prompt, response (the steps, joined) and correct",
    ),
    ("judgment", "user_prompt"): (
        "a judgment of MT-Bench",
        "question, candidate, judge and score, and name the file under `rows` of a study",
    ),
    ("custom_id", "response"): (
        "a result of a batch of requests (OpenAI)",
        "question_id, candidate_id, prompt (from the requests) and response (its message's content)",
    ),
}

#: What people call the fields: for the advice only, since nobody but them knows.
_OFTEN = {
    "prompt": ("question", "query", "instruction", "input", "problem", "user_prompt", "messages"),
    "response": ("output", "completion", "generation", "prediction", "model_output", "solution", "answer", "text"),
    "correct": ("label", "is_correct", "passed", "acc", "exact_match"),
    "scores": ("rating", "human_score", "overall_score"),
    "options": ("answers", "endings", "candidates"),
    "response_a": ("response1", "output_1", "response_1", "answer_a"),
    "response_b": ("response2", "output_2", "response_2", "answer_b"),
}
#: Columns by kind, in words.
FIELDS_OF_KINDS = (
    "trace: prompt, response, and correct where it is known; rating: prompt, response, scores; choice: question, "
    "options; pair: prompt, response_a, response_b, or prompt, chosen, rejected"
)


def known_rows(fields: Iterable[str]) -> str:
    """What rows with these fields are, and what to write instead; nothing of others."""
    given = set(fields)
    for names, (what, instead) in _ROWS.items():
        if given >= set(names):
            return f"{what}, expected an item: write {instead}"
    return ""


def not_known(columns: Iterable[str], has: set[str], where: str) -> InnerjudgeError:
    """The error for rows with these columns, which are the fields ``has``: what they are, or could be taken for."""
    if known := known_rows(columns):
        return InnerjudgeError(f"{where}: given {known}")
    guessed: dict[str, str] = {}
    for name, often in _OFTEN.items():
        one = next((one for one in often if one in has and one not in guessed.values()), None)
        guessed |= {} if one is None or name in has else {name: one}
    if not guessed.keys() & {"prompt", "response", "options"}:
        guessed = {"prompt": "QUESTION", "response": "ANSWER"}
    return InnerjudgeError(
        f"{where}: given the columns {shown(', '.join(columns))}, expected those of one kind ({FIELDS_OF_KINDS}): say "
        f"which is which, such as columns={guessed}, or {' '.join(f'--map {k}={v}' for k, v in guessed.items())}"
    )


#: First bytes of files that are tables, and no plain lines of JSON -> what they are.
_FILES = {
    rb"PAR1": "a Parquet file",
    rb"\x1f\x8b|\x28\xb5\x2f\xfd": "a compressed file",
    rb"[^\n]*\}\s*\r\s*\{": "lines that end with CR alone",
    rb"\s*\[\s*(\{|$)": "one JSON list",
    rb"\s*\{\s*\r?\n": "JSON objects of several lines each",
    rb"\w+(,\w+)+\r?\n": "a CSV file",
}


def known_file(start: bytes) -> str:
    """What a file with these first bytes is, where it is a table but no plain lines of JSON, and who reads it."""
    what = next((what for pattern, what in _FILES.items() if re.match(pattern, start)), "")
    return what and (
        f"{what}, expected JSONL: items are read from it by --data, load_data and items_from; other rows become "
        "lines by pandas, to_json(FILE, orient='records', lines=True)"
    )
