"""Retrieval as TREC has it: a folder of judgments (qrels), topics and passages becomes ratings of relevance."""

from pathlib import Path

from ....models.errors import InnerjudgeError
from ....models.items import Item, Rating
from ....models.shown import shown
from .files import read_text

_CRITERION = "Relevance: the passage answers the query."
_PARTS = {"qrels": ("qrel",), "topics": ("topic", "quer"), "passages": ("passage", "collection", "corpus", "docs")}


def trec(path: Path) -> list[Item]:
    """A rating of each judged passage: the query is the prompt, the passage the response, its relevance the score.

    The folder holds three files, known by their names: ``*qrels*`` (``query 0 passage relevance``), ``*topics*`` or
    ``*queries*``, and ``*passages*`` or ``*collection*`` (``id TAB text``, as MS MARCO). Judgments below 0 (not judged,
    or spam) count as 0. ``extra["scale"]`` goes from 0 to the highest relevance.
    """
    if not path.is_dir():
        raise InnerjudgeError(
            f"given {shown(path)!r}, expected a folder with qrels, topics and passages: name the folder"
        )
    files = {part: _file(path, part, words) for part, words in _PARTS.items()}
    queries, passages = _texts(files["topics"]), _texts(files["passages"])
    judged: list[tuple[str, str, int]] = []
    for number, line in enumerate(read_text(files["qrels"]).splitlines(), start=1):
        cells, where = line.split(), f"{shown(files['qrels'].name)} line {number}"
        if not cells:
            continue
        if len(cells) != 4 or not cells[3].lstrip("-").isdecimal() or len(cells[3]) > 4:
            raise InnerjudgeError(f"{where}: given {shown(line, 60)!r}, expected 'query 0 passage relevance'")
        for name, texts, part in ((cells[0], queries, "topics"), (cells[2], passages, "passages")):
            if name not in texts:
                raise InnerjudgeError(
                    f"{where}: given {shown(name, 60)!r}, expected an id of {shown(files[part].name)}: correct one"
                )
        judged.append((cells[0], cells[2], max(0, int(cells[3]))))
    highest = max((relevance for *_, relevance in judged), default=1) or 1
    return [
        Rating(
            item_id=f"{query}/{passage}",
            prompt=queries[query],
            response=passages[passage],
            criterion=_CRITERION,
            scores=(float(relevance),),
            extra={"question_id": query, "passage_id": passage, "scale": [0, highest]},
        )
        for query, passage, relevance in judged
    ]


def _file(folder: Path, part: str, words: tuple[str, ...]) -> Path:
    found = sorted(one for one in folder.iterdir() if one.is_file() and any(word in one.name.lower() for word in words))
    if len(found) != 1:
        names = shown(", ".join(one.name for one in found)) or "none"
        raise InnerjudgeError(
            f"{shown(folder.name)}: given {names}, expected one file of {part}, whose name has {' or '.join(words)}: "
            "rename it, or move the others away"
        )
    return found[0]


def _texts(file: Path) -> dict[str, str]:
    found = {}
    for number, line in enumerate(read_text(file).split("\n"), start=1):
        name, tab, text = line.rstrip("\r").partition("\t")
        if line.strip() and (not tab or not name or name in found):
            raise InnerjudgeError(
                f"{shown(file.name)} line {number}: given {shown(line, 60)!r}, expected an id of its own, a tab, a text"
            )
        if tab:
            found[name] = text
    return found
