"""The site builds without a warning, and its pages fetch nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_EXTRAS = ("mkdocs", "material", "mkdocstrings", "latex2mathml", "nbconvert")


@pytest.mark.slow
@pytest.mark.skipif(any(find_spec(name) is None for name in _EXTRAS), reason="the extra 'docs' is not installed")
def test_strict_and_offline(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    command += ["--config-file", str(ROOT / "docs" / "mkdocs.yml"), "--site-dir", str(tmp_path)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = sorted(tmp_path.rglob("*.html"))
    assert {"judges.html", "coverage.html", "probes.html", "01-first-look.html"} <= {page.name for page in pages}
    for page in pages:
        text = page.read_text(encoding="utf-8")
        fetched = re.findall(
            r"<(?:script|img|iframe)[^>]+src=[\"']?https?:[^>]*|<link[^>]+stylesheet[^>]+https?:[^>]*", text
        )
        assert not fetched, (page.name, fetched[:2])
        assert not re.search(r":(func|class|mod|math):`", text), page.name
    assert "<math" in (tmp_path / "explanation" / "judges.html").read_text(encoding="utf-8")
    commands = (tmp_path / "reference" / "command-line.html").read_text(encoding="utf-8")
    for name in ("innerjudge compare", "innerjudge store verify", "--reasoning-tokens"):
        assert name in commands
    assert len(re.findall("<h1", (tmp_path / "results" / "coverage.html").read_text(encoding="utf-8"))) == 1


@pytest.mark.skipif(any(find_spec(name) is None for name in _EXTRAS), reason="the extra 'docs' is not installed")
def test_a_tag_that_swallows_the_page_stops_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from mkdocs.exceptions import PluginError

    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import hooks

    page = SimpleNamespace(file=SimpleNamespace(src_uri="a.md"))
    good = '<p>one<br><svg><path d="M0"/></svg> &lt;think&gt;</p>'
    assert hooks.on_post_page(good, page, None) == good
    for bad in ("<p>one <think> two</p>", "<p>one </think></p>", "<div>open"):
        with pytest.raises(PluginError, match=r"a\.md: unbalanced tags"):
            hooks.on_post_page(bad, page, None)
    formula = '<span class="arithmatex">\\(h(\\texttt{&lt;/think&gt;}) &lt; 1\\)</span>'
    made = hooks.on_page_content(formula, page, None, None)
    assert "&lt;/think&gt;" in made
    assert hooks.on_post_page(made, page, None) == made


@pytest.mark.skipif(any(find_spec(name) is None for name in _EXTRAS), reason="the extra 'docs' is not installed")
def test_long_names_and_options_break_where_they_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import hooks

    made = hooks.on_page_content("<h1 id=a>innerjudge.probes.x</h1><code>fit --judge x</code>", None, None, None)
    assert made == ('<h1 id=a>innerjudge.<wbr>probes.<wbr>x</h1><code>fit <span class="option">--judge</span> x</code>')
    block = "<pre><code>fit --judge x</code></pre>"
    assert hooks.on_page_content(block, None, None, None) == block
