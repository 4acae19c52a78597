"""The coverage table as JSON and Markdown: written from results, never by hand."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from ....models.errors import InnerjudgeError
from .checks import ASPECTS

#: The last column: another library's reading of the same model.
LENS = "TransformerLens"
COLUMNS = (*ASPECTS, LENS)
FOLDER = Path(__file__).parent
#: Type -> column -> ``"pass"`` or the reason why not.
Table = dict[str, dict[str, str]]


def write(table: Table, folder: Path = FOLDER) -> None:
    """Write ``coverage.json`` and ``coverage.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    versions = {name: version(name) for name in ("torch", "transformers", "transformer-lens")}
    text = json.dumps({"versions": versions, "types": table}, indent=1, ensure_ascii=False, sort_keys=True)
    (folder / "coverage.json").write_text(f"{text}\n", encoding="utf-8")
    (folder / "coverage.md").write_text(markdown(table, versions), encoding="utf-8")


def read(folder: Path = FOLDER) -> tuple[Table, dict[str, str]]:
    """The committed table and the versions that it was made with.

    Raises:
        InnerjudgeError: If there is none.
    """
    path = folder / "coverage.json"
    if not path.is_file():
        raise InnerjudgeError(
            f"given {str(folder)!r} without coverage.json: make it with python -m innerjudge.experiments.bench.coverage"
        )
    held = json.loads(path.read_text(encoding="utf-8"))
    return held["types"], held["versions"]


def differences(committed: Table, found: Table, columns: Sequence[str] = COLUMNS) -> list[str]:
    """What changed between two tables, a line each: types that came or went, and cells that differ.

    Example:
        >>> differences({"llama": {"lens": "pass"}, "old": {}}, {"llama": {"lens": "WRONG"}, "new": {}}, ["lens"])
        ['llama, lens: was pass, is WRONG', 'new: not in the table', 'old: no longer registered']
    """
    lines = [f"{name}: not in the table" for name in found.keys() - committed.keys()]
    lines += [f"{name}: no longer registered" for name in committed.keys() - found.keys()]
    for name in committed.keys() & found.keys():
        for column in columns:
            was, now = committed[name].get(column, ""), found[name].get(column, "")
            if was != now:
                lines.append(f"{name}, {column}: was {was}, is {now}")
    return sorted(lines)


def totals(table: Table, columns: Sequence[str] = COLUMNS) -> dict[str, int]:
    """Column -> how many types pass.

    Example:
        >>> totals({"llama": {"lens": "pass"}, "old": {"lens": "no"}})["lens"]
        1
    """
    return {column: sum(cells.get(column) == "pass" for cells in table.values()) for column in columns}


def markdown(table: Table, versions: Mapping[str, str]) -> str:
    """The page of the table.

    Example:
        >>> text = markdown({"llama": dict.fromkeys(COLUMNS, "pass")}, {"torch": "2.13.0"})
        >>> "| llama | yes | yes |" in text
        True
    """
    about = [
        f"Each of the {len(table)} model types that transformers registers for causal language modelling, as a",
        "small random model, is checked against what the model itself returns. *hidden*: states of every block against",
        "`output_hidden_states`; *lens*: logits of the last block against `logits`; *tokens*: every statistic of the",
        "response's tokens against `log_softmax` of `logits`; *attention*: rows against",
        "eager `output_attentions`; *spans*: the mass of every head on prompt and response and its weights of tokens",
        "on themselves, against the same; *entropy*: of what the final norm and the head make of every block's output,",
        "the labels' logits there, and the divergence from the last, against states and `logits`;",
        "*parts*: of what attention and MLP add, which must be the change of the stream;",
        "*qk*: query-key products before and after the rotary embedding, against the",
        "model's own weights and its own rotation run backwards; *early stop*: a pass that ends after half the",
        "blocks; *TransformerLens*: states, queries, keys and patterns against the cache of a `TransformerBridge`.",
        "Texts are padded left, right and not at all, in batches of one and of many.",
    ]
    return page("What is read of which model", about, table, COLUMNS, "innerjudge.experiments.bench.coverage", versions)


def page(
    title: str, about: Sequence[str], table: Table, columns: Sequence[str], script: str, versions: Mapping[str, str]
) -> str:
    """A table with a mark a cell, and the reasons below it; ``script`` is the module that writes it."""
    count, reasons, lines = totals(table, columns), dict[str, int](), list[str]()
    for name, cells in sorted(table.items()):
        said = [cells.get(column, "not tried") for column in columns]
        marks = ["yes" if one == "pass" else f"[{reasons.setdefault(one, len(reasons) + 1)}]" for one in said]
        lines.append(f"| {name} | {' | '.join(marks)} |")
    listed = [f"{number}. {_plain(reason)}" for reason, number in reasons.items()]
    made = ", ".join(f"{name} {number}" for name, number in sorted(versions.items()))
    return "\n".join(
        [
            f"# {title}",
            "",
            *about,
            "",
            f"Written by `python -m {script}` ({made}). Do not edit.",
            "",
            f"| type | {' | '.join(columns)} |",
            f"| --- |{' --- |' * len(columns)}",
            f"| **pass, of {len(table)}** | {' | '.join(f'**{count[c]}**' for c in columns)} |",
            *lines,
            "",
            "Why not:",
            "",
            *listed,
            "",
        ]
    )


def _plain(reason: str) -> str:
    return reason.replace("|", "\\|").replace("<", "&lt;")
