"""What the site takes from code and results: reference pages, tables, notebooks, and formulas as MathML.

Run by mkdocs as a hook (``make docs``), so that none of it is kept by hand. Nothing is fetched from anywhere.
"""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "build" / "docs-source" / "innerjudge"
ROOMS = {
    "models": "Loading models, their parts, prompts and token positions",
    "extraction": "One pass in, features out",
    "probes": "Judges",
    "experiments": "Data, comparison, metrics, studies, reranking, drawing",
}
_ROLE = re.compile(r":(?:py:)?(?:func|class|mod|meth|data|attr|ref|exc):`~?([^`]+)`")
_WORDS = re.compile(r"\\(?:text\w*|mathtt|mathrm)\{[^{}]*\}")
_NAME = re.compile(r'(<h1[^>]*>|doc-module-name">)(innerjudge\.[\w.]+)')
_CODE = re.compile(r"((?<!<pre>)<code>)([^<]*)(</code>)")
_OPTION = re.compile(r"(?<![\w-])(--?\w[\w-]*)")
_MATH = re.compile(r":math:`([^`]+)`")
_RULE = r"(=+(?: +=+)+)\n"
_TABLE = re.compile(rf"^{_RULE}((?:.+\n)+?)=+(?: +=+)+\n((?:.+\n)+?)=+(?: +=+)+$", re.MULTILINE)


def on_startup(command: str, dirty: bool) -> None:
    """Put the package where it is read under its name: the repository root is the package, and holds more than that.

    At the very start: later, the reader of docstrings has already dropped a folder that is not there, and would take
    the installed package, whose roles and formulas are not Markdown yet.
    """
    del command, dirty
    shutil.rmtree(SOURCE.parent, ignore_errors=True)
    for path in sorted([ROOT / "__init__.py", *(p for room in ROOMS for p in (ROOT / room).rglob("*.py"))]):
        target = SOURCE / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_markdown(path.read_text(encoding="utf-8")), encoding="utf-8")


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages."""
    pages = {**_reference(), "reference/command-line.md": _commands(), **_results(), **_notebooks()}
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Formulas become MathML, which browsers show without any script; an option is never cut after its dashes."""
    del page, config, files
    html = _NAME.sub(lambda found: found[1] + found[2].replace(".", ".<wbr>"), html)
    html = _CODE.sub(lambda found: found[1] + _OPTION.sub(r'<span class="option">\1</span>', found[2]) + found[3], html)
    return re.sub(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', _mathml, html, flags=re.DOTALL)


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Stop at a page with a tag that is not closed: a browser would swallow what follows."""
    del config
    tags = _Tags()
    tags.feed(output)
    if tags.wrong or tags.open:
        raise PluginError(f"{page.file.src_uri}: unbalanced tags: {', '.join(tags.wrong or tags.open)}")
    return output


class _Tags(HTMLParser):
    """Tags that are open, and those that were closed where another was open."""

    void = frozenset(
        ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
    )

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.void:
            return
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.wrong.append(f"</{tag}> in line {self.getpos()[0]}")


def _mathml(found: re.Match[str]) -> str:
    # The converter writes the words of a formula as they are, and <think> would be a tag: U+E000 and U+E001 stand in.
    formula = _WORDS.sub(lambda one: one[0].replace("<", "\ue000").replace(">", "\ue001"), unescape(found[3]).strip())
    display = "inline" if found[2] == "(" else "block"
    made = str(convert(formula, display=display)).replace("\ue000", "&lt;").replace("\ue001", "&gt;")
    return made if display == "inline" else f"<div>{made}</div>"


def _markdown(source: str) -> str:
    """Docstrings with Markdown in place of the roles of reStructuredText, and what griffe looks for as it knows it.

    These are examples, and the parameters of a judge, which are those of a dataclass.
    """
    source = source.replace("\n@parameters\n", "\n@dataclasses.dataclass(kw_only=True)\n")
    source = re.sub(r"^( +)Example:$", r"\1Examples:", _TABLE.sub(_table, source), flags=re.MULTILINE)
    source = _ROLE.sub(lambda found: f"`{found[1].lstrip('.').removeprefix('innerjudge.')}`", source)
    return _MATH.sub(r"$\1$", source)


def _table(found: re.Match[str]) -> str:
    """A simple table of reStructuredText as Markdown: a line that begins with a space goes on in the row above it."""
    starts = [column.start() for column in re.finditer("=+", found[1])]
    rows: list[list[str]] = []
    for line in (found[2] + found[3]).splitlines():
        cells = [line[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)]
        if line[0] == " ":
            rows[-1] = [" ".join(both).strip() for both in zip(rows[-1], cells, strict=True)]
        else:
            rows.append(cells)
    rows.insert(1, ["---"] * len(starts))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _modules(room: str) -> list[str]:
    """Modules of a room; those of the command line have a page of their own, of what their help says."""
    found = (p.relative_to(SOURCE) for p in sorted((SOURCE / room).rglob("*.py")))
    shown = (p for p in found if p.name not in ("__init__.py", "__main__.py") and p.parts[1] != "cli")
    return [".".join(p.with_suffix("").parts) for p in shown]


def _commands() -> str:
    """What ``--help`` says of every command, as one page."""
    from innerjudge.experiments.cli.main import app
    from typer.main import get_command

    lines = ["# Command line\n", "What `innerjudge COMMAND --help` says, of every command.\n"]
    for name, command in _leaves("innerjudge", get_command(app)):
        lines += [f"## {name}\n", f"{(command.help or '').strip()}\n"]
        lines += ["| given | what it is | if left out |", "| --- | --- | --- |"]
        for given in command.params:
            shown = " / ".join(f"`{one}`" for one in (*given.opts, *given.secondary_opts) if given.opts[0][0] == "-")
            shown = shown or f"`{given.name.upper()}`"
            about = " ".join((getattr(given, "help", "") or "").split()).replace("|", "\\|")
            several = given.multiple and "repeatable" not in about
            about += " Repeatable." if several else ""
            lines.append(f"| {shown} | {about} | {_left_out(given)} |")
        lines.append("")
    return "\n".join(lines)


def _leaves(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    inside = getattr(command, "commands", None)
    if not inside:
        yield name, command
    for word, one in (inside or {}).items():
        yield from _leaves(f"{name} {word}", one)


def _left_out(given: Any) -> str:
    if given.required:
        return "it is required"
    if isinstance(given.default, bool):
        return f"`{(given.opts if given.default else given.secondary_opts)[0]}`" if given.secondary_opts else ""
    value = getattr(given.default, "value", given.default)
    value = " ".join(map(str, value)) if isinstance(value, tuple | list) else value
    return "" if value in (None, "") else f"`{value}`"


def _names() -> Iterator[str]:
    """The names of ``innerjudge`` itself, each with a link to where it is described."""
    import innerjudge

    for name in sorted(innerjudge.__all__, key=str.lower):
        one = getattr(innerjudge, name)
        module = one.__name__ if isinstance(one, ModuleType) else one.__module__
        if hasattr(one, "__path__"):  # a package has a page
            yield f"[`{name}`]({_page(f'{module}.')})"
        else:
            inside = "" if isinstance(one, ModuleType) else f".{one.__qualname__}"
            yield f"[`{name}`]({_page(module)}#{module}{inside})"


def _page(module: str) -> str:
    return f"{'-'.join(module.split('.')[1:-1])}.md"


def _reference() -> dict[str, str]:
    lines = ["# Reference\n", "Made from the docstrings. Every example in them is run by the tests.\n"]
    lines.append("The [command line](command-line.md) has a page of its own.\n")
    lines.append(f"## innerjudge\n\nWhat `import innerjudge` gives: {', '.join(_names())}.\n")
    pages = {}
    for room, words in ROOMS.items():
        parts: dict[str, list[str]] = {}
        for module in _modules(room):
            parts.setdefault(".".join(module.split(".")[:-1]), []).append(module)
        lines.append(f"## {room}\n\n{words}.\n")
        for part, modules in sorted(parts.items()):
            name = part.replace(".", "-")
            about = ast.get_docstring(ast.parse((SOURCE / part.replace(".", "/") / "__init__.py").read_text("utf-8")))
            body = "\n\n".join([about or "", *(f"::: innerjudge.{module}" for module in modules)])
            pages[f"reference/{name}.md"] = f"# innerjudge.{part}\n\n{body}\n"
            listed = ", ".join(f"[`{m.rsplit('.', 1)[1]}`]({name}.md#innerjudge.{m})" for m in modules)
            lines.append(f"- [innerjudge.{part}]({name}.md): {listed}")
        lines.append("")
    return {"reference/index.md": "\n".join(lines), **pages}


def _results() -> dict[str, str]:
    """What scripts wrote of the project itself, by the folder of ``experiments/bench`` that it lies in."""
    bench = ROOT / "experiments" / "bench"
    pages = {
        "demo": ["documents/demo.md"],
        "real": ["documents/real.md"],
        "measured": ["documents/measured.md"],
        "coverage": ["coverage/coverage.md", "coverage/mixing.md"],
        "overhead": ["study/overhead.md"],
        "intervals": ["intervals/intervals.md"],
        "worlds": ["doctor/worlds.md"],
        "promises": ["promises/promises.md", "promises/exits.md"],
        "weak": ["weak/weak.md", "weak/weak-judges.md", "weak/weak-aspects.md"],
        "damage": ["damage/damage.md"],
        "benchmark": [
            "passes/benchmark.md",
            "passes/readers/benchmark.md",
            "passes/readers-1b/benchmark.md",
            "passes/response-tokens/benchmark.md",
            "passes/generation/benchmark.md",
        ],
    }
    return {
        f"results/{name}.md": "\n\n".join(
            _below(k, (bench / part).read_text(encoding="utf-8")) for k, part in enumerate(parts)
        )
        for name, parts in pages.items()
    }


def _below(k: int, text: str) -> str:
    """The first document of a page has its title, and the others have theirs one level lower."""
    return re.sub(r"^#", "##", text, flags=re.MULTILINE) if k else text


def _notebooks() -> dict[str, str | bytes]:
    pages: dict[str, str | bytes] = {}
    listed = ["# Notebooks\n", "Lessons that run on the built-in model in a minute each; one line changes the model.\n"]
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        body, resources = MarkdownExporter().from_notebook_node(notebook)
        for name, data in resources["outputs"].items():
            unique = f"{path.stem}-{name}"
            body = body.replace(f"({name})", f"({unique})")
            pages[f"notebooks/{unique}"] = data
        body = re.sub(r"\]\((\d\d-[\w-]+)\.ipynb\)", r"](\1.md)", body)
        body = re.sub(r"\[([^\]]+)\]\(\.\./[^)]+\)", r"\1", body)  # files of the repository are not on the site
        body = re.sub(r"<style scoped>.*?</style>", "", body, flags=re.DOTALL).replace(
            "![png]", f"![plot of {path.stem}]"
        )
        pages[f"notebooks/{path.stem}.md"] = body
        heading, _, rest = notebook.cells[0].source.partition("\n")
        first = rest.strip().split("\n\n")[0].replace("\n", " ")
        listed.append(f"- [{heading.lstrip('# ')}]({path.stem}.md): {first}\n")
    return {"notebooks/index.md": "\n".join(listed), **pages}
