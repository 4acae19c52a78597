"""LLMBar: pairs of which one follows the instruction better, by label 1 or 2."""

from pathlib import Path

from ....models.items import Item, Pair
from .files import read_list


def llmbar(path: Path) -> list[Item]:
    """Pairs of one file ``[{input, output_1, output_2, label}, ...]``; label 1 is ``"a"``, 2 is ``"b"``.

    ``pair_id`` is ``FILE-RECORD`` (from 0).

    Raises:
        InnerjudgeError: Names file, record and field.
    """
    return [
        Pair(
            pair_id=f"{path.stem}-{number}",
            prompt=record.text("input"),
            response_a=record.text("output_1"),
            response_b=record.text("output_2"),
            preference="ab"[record.whole("label", (1, 2)) - 1],
        )
        for number, record in enumerate(read_list(path))
    ]
