"""What the site takes from code and results: reference pages, tables, notebooks, and formulas as MathML.

Run by mkdocs as a hook (``make docs``), so that none of it is kept by hand. Nothing is fetched from anywhere.
"""

from __future__ import annotations

import re
import shutil
from html import unescape
from pathlib import Path
from typing import Any

import nbformat
from latex2mathml.converter import convert
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
_MATH = re.compile(r":math:`([^`]+)`")


def on_config(config: Any) -> Any:
    """Put the package where it is read under its name: the repository root is the package, and holds more than that."""
    shutil.rmtree(SOURCE.parent, ignore_errors=True)
    for path in sorted([ROOT / "__init__.py", *(p for room in ROOMS for p in (ROOT / room).rglob("*.py"))]):
        target = SOURCE / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_markdown(path.read_text(encoding="utf-8")), encoding="utf-8")
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages."""
    pages = {**_reference(), **_results(), **_notebooks()}
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Formulas become MathML, which browsers show without any script."""
    del page, config, files
    return re.sub(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', _mathml, html, flags=re.DOTALL)


def _mathml(found: re.Match[str]) -> str:
    formula = unescape(found[3]).strip()
    if found[2] == "(":
        return str(convert(formula, display="inline"))
    return f"<div>{convert(formula, display='block')}</div>"


def _markdown(source: str) -> str:
    """Docstrings with Markdown in place of the roles of reStructuredText, and examples where griffe looks for them."""
    source = re.sub(r"^( +)Example:$", r"\1Examples:", source, flags=re.MULTILINE)
    source = _ROLE.sub(lambda found: f"`{found[1].lstrip('.').removeprefix('innerjudge.')}`", source)
    return _MATH.sub(r"$\1$", source)


def _modules(room: str) -> list[str]:
    found = (p.relative_to(SOURCE) for p in sorted((SOURCE / room).rglob("*.py")))
    return [".".join(p.with_suffix("").parts) for p in found if p.name not in ("__init__.py", "__main__.py")]


def _reference() -> dict[str, str]:
    lines = ["# Reference\n", "Made from the docstrings. Every example in them is run by the tests.\n"]
    pages = {}
    for room, words in ROOMS.items():
        parts: dict[str, list[str]] = {}
        for module in _modules(room):
            parts.setdefault(".".join(module.split(".")[:-1]), []).append(module)
        lines.append(f"## {room}\n\n{words}.\n")
        for part, modules in sorted(parts.items()):
            name = part.replace(".", "-")
            body = "\n\n".join(f"::: innerjudge.{module}" for module in modules)
            pages[f"reference/{name}.md"] = f"# innerjudge.{part}\n\n{body}\n"
            listed = ", ".join(f"`{m.rsplit('.', 1)[1]}`" for m in modules)
            lines.append(f"- [innerjudge.{part}]({name}.md): {listed}")
        lines.append("")
    return {"reference/index.md": "\n".join(lines), **pages}


def _results() -> dict[str, str]:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.partition("<!-- demo:begin -->")[2].partition("<!-- demo:end -->")[0].strip()
    demo = (
        "# What the demo measured\n\nOn the small built-in model, which has learnt three toy jobs. What wins here and "
        "what does not is in the tables; they say how the judges behave on this model, and nothing about large ones. "
        "`innerjudge compare --model YOURS` makes them for another.\n\n"
    )
    coverage = (ROOT / "experiments" / "bench" / "coverage" / "coverage.md").read_text(encoding="utf-8")
    intervals = (ROOT / "experiments" / "bench" / "intervals" / "intervals.md").read_text(encoding="utf-8")
    worlds = (ROOT / "experiments" / "bench" / "doctor" / "worlds.md").read_text(encoding="utf-8")
    promises = (ROOT / "experiments" / "bench" / "promises" / "promises.md").read_text(encoding="utf-8")
    folder = ROOT / "experiments" / "bench" / "passes"
    measured = [page for page in (folder / "benchmark.md", folder / "generation" / "benchmark.md") if page.is_file()]
    overhead = (ROOT / "experiments" / "bench" / "study" / "overhead.md").read_text(encoding="utf-8")
    none = "# Benchmark\n\nNo benchmark is kept in this copy.\n"
    return {
        "results/demo.md": demo + table + "\n",
        "results/coverage.md": coverage,
        "results/overhead.md": overhead,
        "results/intervals.md": intervals,
        "results/worlds.md": worlds,
        "results/promises.md": promises,
        "results/benchmark.md": "\n".join(page.read_text(encoding="utf-8") for page in measured) or none,
    }


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
