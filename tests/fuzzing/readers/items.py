"""Items as JSONL, by kind, and questions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness import Reader, from_file, lines

ITEMS: dict[str, bytes] = {
    "trace": lines(
        *(
            {
                "question_id": f"q{k // 2}",
                "candidate_id": str(k),
                "prompt": "2+2?",
                "response": "<think>a</think>4",
                "answer": "4",
                "correct": k == 0,
                "tags": ["a"],
                "seconds": 0.5,
            }
            for k in range(4)
        )
    ),
    "rating": lines(
        {
            "item_id": "r",
            "prompt": "?",
            "response": "!",
            "scores": [1, 4.5],
            "scale": [1, 5],
            "reference": "x",
            "criterion": "Is it?",
        },
        {"item_id": "s", "prompt": "?", "response": "!", "group": "g"},
    ),
    "choice": lines(
        {"question_id": "c", "question": "?", "options": ["x", "y"], "answer": 1},
        {"question_id": "3", "question": "?", "options": ["x", "y", "z"], "subject": None},
    ),
    "pair": lines(
        {"pair_id": "p", "prompt": "?", "response_a": "x", "response_b": "y", "preference": "a"},
        {"pair_id": "q", "prompt": "?", "response_a": "x", "response_b": "z", "preference": "tie"},
    ),
    "ids": lines(
        {
            "question_id": "q",
            "candidate_id": "0",
            "prompt": "?",
            "response": "ab",
            "response_ids": [1, 2],
            "prompt_ids": [3],
        }
    ),
    "conversation": lines(
        {
            "question_id": "q",
            "candidate_id": "0",
            "prompt": [
                {"role": "system", "content": "s"},
                {"role": "user", "content": [{"type": "text", "text": "?"}]},
            ],
            "response": [
                {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]},
                {"role": "tool", "content": "r"},
                {"role": "assistant", "content": "4", "reasoning_content": "why"},
            ],
        }
    ),
}


def item_readers(folder: Path) -> Iterator[tuple[str, Reader]]:
    """Items in memory and one by one, written back as they were read; questions to sample answers to."""
    from innerjudge.experiments.data.datasets import load_data, open_data
    from innerjudge.experiments.data.kinds import item_to_row
    from innerjudge.experiments.runs.sample_job import load_questions

    def items(at: Path) -> None:
        for item in load_data(str(at)).items:
            item_to_row(item)

    for kind, good in ITEMS.items():
        yield f"items: {kind}", Reader(from_file(folder, "i.jsonl", items), good, "lines")
    one_by_one = from_file(folder, "i.jsonl", lambda at: list(open_data(str(at)).items))
    yield "items, one by one", Reader(one_by_one, ITEMS["trace"], "lines")
    rows = lines({"question_id": "q", "prompt": "?"}, {"question_id": "r", "prompt": "!"})
    yield "questions", Reader(from_file(folder, "q.jsonl", lambda at: load_questions(str(at))), rows, "lines")
