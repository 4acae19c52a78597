"""Graded relevance of passages to queries, as TREC writes it: judgments (qrels), topics, passages."""

import re
from collections.abc import Iterator, Sequence
from html import unescape
from pathlib import Path

from ....models.errors import InnerjudgeError, shown
from ....models.items import Item
from ..records import Record
from ..tables import decoded, is_lines, read_table, unpacked
from .files import item_of

#: What the files are called, and what stands in them.
_ROLES = {
    "judgments": ("qrel", "lines `topic 0 passage grade`"),
    "topics": ("topic|quer", "lines `id TAB text`, JSONL, or <top> with <num> and <title>"),
    "passages": ("passage|collection|corpus|docs", "lines `id TAB text`, or JSONL"),
}
_TOP = re.compile(r"(?si)<num>\s*(?:number:)?\s*([^\s<]+)\s*(?:</num>)?\s*<title>\s*(?:topic:)?([^<]*)")
_IDS = ("_id", "id", "docid", "pid", "qid", "query_id", "doc_id", "docno")
_TEXTS = ("text", "contents", "passage", "segment", "body", "query", "title")


def trec(path: Path) -> list[Item]:
    """Judged passages: a rating each, ``TOPIC/PASSAGE``, of the passage (response) to the topic's text (prompt).

    Of a folder, the files are told apart by their names: ``qrel``, then ``topic`` or ``quer``, then ``passage``,
    ``collection``, ``corpus`` or ``docs``; a file is the judgments, with the others beside it (or beside its folder
    ``qrels``, as in BEIR). A title in a field of its own stands before the text. Topics and passages without a judgment
    are left out. A grade below 0 counts as 0, as in trec_eval; the scale ends at the highest grade of the file.
    ``question_id`` is the topic. ``InnerjudgeError``: a file that is missing or there twice; a line with other fields;
    a grade that is not a whole number; a judgment of a topic or passage that its file does not hold. Named by file,
    line, field and value.
    """
    home, judged = (path, _one_of(path, "judgments")) if path.is_dir() else (path.parent, path)
    home = home.parent if home.name == "qrels" else home
    rows = list(_judgments(judged))
    topics = _named(_one_of(home, "topics"), [record for record, _ in rows], "topic")
    passages = _named(_one_of(home, "passages"), [record for record, _ in rows], "passage")
    highest = max([1, *(grade for _, grade in rows)])
    shared = {"criterion": "Relevance: the passage answers what the query asks for.", "scale": [0, highest]}
    items = []
    for record, grade in rows:
        topic, passage = record.label("topic"), record.label("passage")
        texts = {"prompt": topics[topic], "response": passages[passage]}
        own = {"item_id": f"{topic}/{passage}", "question_id": topic, "scores": [max(grade, 0)]}
        items.append(item_of(own | texts | shared, record.where))
    return items


def _one_of(home: Path, role: str) -> Path:
    """The file of this role in a folder."""
    pattern, inside = _ROLES[role]
    inner = home / "qrels"
    files: list[Path] = [*home.iterdir(), *(inner.iterdir() if role == "judgments" and inner.is_dir() else ())]
    found: list[Path] = sorted(one for one in files if one.is_file() and _role_of(one) == role)
    if len(found) != 1:
        given = ", ".join(shown(one.name) for one in found) or "no such file"
        do = "pass one as trec:FILE" if role == "judgments" and found else "keep one there, under such a name"
        raise InnerjudgeError.of("data.trec", shown(home), given, role, pattern.replace("|", " or "), inside, do)
    return found[0]


def _role_of(path: Path) -> str | None:
    """What a file is by its name, the judgments first: ``qrels-docs.txt`` holds no passages."""
    named = path.name.lower() if path.parent.name != "qrels" else "qrels"
    return next((role for role, (pattern, _) in _ROLES.items() if re.search(pattern, named)), None)


def _judgments(path: Path) -> Iterator[tuple[Record, int]]:
    """Topic, passage and grade of each line; three columns below a header are those of BEIR."""
    for number, line in enumerate(decoded(unpacked(path), shown(path.name)).split("\n"), start=1):
        cells, where = line.split(), f"{shown(path.name)} line {number}"
        if not cells or (number == 1 and cells[-1] == "score"):
            continue
        if len(cells) not in (3, 4):
            raise InnerjudgeError.of("data.four-columns", where, len(cells))
        record = Record({"topic": cells[0], "passage": cells[-2], "grade": cells[-1]}, where)
        if not re.fullmatch(r"-?\d{1,3}", cells[-1]):
            raise record.error("grade", repr(shown(cells[-1])), "a whole number", "correct it")
        yield record, int(cells[-1])


def _named(path: Path, judged: Sequence[Record], field: str) -> dict[str, str]:
    """The texts of a file of topics or passages that judgments name in a field, by id."""
    wanted, found, where = {record.label(field) for record in judged}, dict[str, str](), shown(path.name)
    for name, text in _texts(path):
        if name in wanted and found.setdefault(name, text) != text:
            raise InnerjudgeError(f"{where}: given two texts of {shown(name)!r}, expected one: leave one out")
    for record in judged:
        if (name := record.label(field)) not in found:
            held = f"an id that {where} holds"
            raise record.error(field, repr(shown(name)), held, "add its text, or take the line out")
    return found


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    if is_lines(path):
        for record in read_table(path):
            name, text = (next((k for k in keys if record.has(k)), keys[0]) for keys in (_IDS, _TEXTS))
            value = record.values.get(name)
            said = [record.text(key) for key in dict.fromkeys(("title", text)) if key == text or record.has(key)]
            yield str(value) if isinstance(value, int) else record.label(name), " ".join(filter(None, said))
        return
    content = decoded(unpacked(path), shown(path.name))
    if content.lstrip().lower().startswith("<top"):
        found = [(unescape(name), " ".join(unescape(text).split())) for name, text in _TOP.findall(content)]
        if not found:
            raise InnerjudgeError(f"{shown(path.name)}: given <top> without topics, expected <num> and <title> in each")
        yield from found
        return
    for number, line in enumerate(content.split("\n"), start=1):
        name, tab, text = line.rstrip("\r").partition("\t")
        if line.strip() and not (tab and name.strip() and text.strip()):
            raise InnerjudgeError.of("data.no-tab", shown(path.name), number, shown(line, 60))
        yield name.strip(), text.strip()
