"""The report: the figures that were found and no others, nothing executable, nothing fetched."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from innerjudge.experiments.compare.figures import Figure
from innerjudge.experiments.compare.findings import Report, unscored_reasons
from innerjudge.experiments.compare.lens import Lens
from innerjudge.experiments.compare.report.page import (
    HOW_TO_READ,
    cell,
    html,
    interval,
    markdown,
    markdown_escape,
    spelt,
    value,
)
from innerjudge.experiments.compare.sections.confounds import confounds
from innerjudge.experiments.data.verdict_table import Row
from innerjudge.experiments.drawing.style import NOTHING


class Page(HTMLParser):
    """Tags, attributes and texts of a page; every tag that opens must close."""

    VOID = ("meta", "img", "br")

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in ("td", "th", "li", "p", "h2", "h3", "dd", "summary", "caption", "figcaption"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data

    @property
    def texts(self) -> list[str]:
        return [" ".join(cell.split()) for cell in self.cells]


@pytest.fixture(scope="module")
def page(fake_report: Report) -> tuple[str, Page]:
    text = html(fake_report)
    return text, Page(text)


def test_every_figure_stands_in_the_page_beside_its_judge(fake_report: Report, page: tuple[str, Page]) -> None:
    texts = page[1].texts
    for part in fake_report.parts:
        for grid in (grid for section in part.sections for grid in section.grids):
            for row in grid.rows:
                name = " ".join(str(row[0]).split())
                places = [k for k, text in enumerate(texts) if text == name]
                shown = [cell(one) for one in row[1:]]
                assert any(texts[k + 1 : k + len(row)] == shown for k in places), (grid.caption, name)


def test_judges_stand_under_their_families(page: tuple[str, Page]) -> None:
    texts = page[1].texts
    heads = [texts.index(words) for words in ("Hidden state", "Verdict logits", "Text", "Baseline")]
    assert heads == sorted(heads)
    assert heads[0] < texts.index("good") < heads[1] < texts.index("noise") < heads[2] < texts.index("text")


def test_the_page_fetches_nothing_and_runs_nothing(page: tuple[str, Page]) -> None:
    text, parsed = page
    tags = [tag for tag, _ in parsed.tags]
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & set(tags)
    for tag, attributes in parsed.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "srcset", "action", "data", "poster", "xlink:href"):
            address = attributes.get(name)
            assert address is None or address.startswith(("data:image/png;base64,", "#")), (tag, name)
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    policy = next(attributes["content"] for tag, attributes in parsed.tags if "http-equiv" in attributes)
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_hostile_names_are_text(fake_report: Report, page: tuple[str, Page]) -> None:
    hostile = fake_report.parts[4]
    name = next(iter(hostile.families))
    assert "<script" in name
    assert "<script" not in page[0]
    assert hostile.name in page[1].texts
    assert hostile.notes[0] in page[1].texts
    images = [attributes for tag, attributes in page[1].tags if tag == "img"]
    assert len(images) == len({plot.name for section in fake_report.sections for plot in section.plots})
    assert all(attributes["alt"] for attributes in images)
    text = markdown(fake_report)
    assert "<script" not in text
    assert "![x](http" not in text
    assert "- \\# not a heading" in text


def test_markdown_tables_have_as_many_cells_in_every_row(fake_report: Report) -> None:
    text = markdown(fake_report)
    blocks = re.findall(r"(?:^\|.*\|$\n?)+", text, flags=re.M)
    assert len(blocks) >= 11
    for block in blocks:
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(counts) == 1, block[:300]
        assert len(block.splitlines()) >= 3, "a table without its rows"
    for section in fake_report.sections:
        for figure in (f for grid in section.grids for f in grid.figures):
            assert figure.value is None or markdown_escape(spelt(figure)) in text
    assert "\n\n\n" not in text


@pytest.mark.parametrize(
    ("given", "shown"),
    [("a_b", "a_b"), ("_a_", "\\_a\\_"), ("1. x", "1\\. x"), ("a\nb", "a b"), ("[x]: y", "[x\\]: y")],
)
def test_markdown_escape(given: str, shown: str) -> None:
    assert markdown_escape(given) == shown


def test_undefined_figures_carry_their_reason(fake_report: Report, page: tuple[str, Page]) -> None:
    reasons = {figure.reason for figure in fake_report.figures if figure.value is None}
    shown = [attributes.get("title") for tag, attributes in page[1].tags if tag == "abbr"]
    assert reasons
    assert reasons >= set(shown) - {None}
    assert all(str(reason) in page[0].replace("&#39;", "'") for reason in reasons)
    assert "nan" not in re.sub(r"base64,[^\"]*", "", page[0]).lower().split()


def figure(
    number: float | None, low: float | None, high: float | None, *, against: str | None = None, p: float | None = None
) -> Figure:
    words = {None: None, True: "better" if (number or 0) > 0 else "worse", False: "not told apart"}
    verdict = words[None if p is None else p <= 0.05]
    return Figure(data="d", part="p", judge="j", metric="AUROC", value=number, low=low, high=high, n=9,
                  against=against, p_corrected=p, verdict=verdict)  # fmt: skip


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (figure(0.7149, 0.652, 0.7703), "0.71 [0.65, 0.77]"),
        (figure(None, None, None), NOTHING),
        (figure(0.7, None, None), "0.70"),
        (figure(0.98765, 0.9811, 0.9922), "0.988 [0.981, 0.992]"),
        (figure(0.12, 0.05, 0.19, against="text", p=0.003), "▲ +0.12 [0.05, 0.19] p = 0.003"),
        (figure(-0.12, -0.19, -0.05, against="text", p=1e-5), "▼ ~0.12 [~0.19, ~0.05] p < 0.001"),
        (figure(0.031, 0.003, 0.059, against="text", p=0.2), "+0.031 [0.003, 0.059] p = 0.200"),
        (figure(-0.001, -0.2, 0.2, against="text", p=1.0), "0.00 [~0.20, 0.20] p = 1.000"),
    ],
)
def test_how_figures_are_spelt(given: Figure, shown: str) -> None:
    assert spelt(given) == shown.replace("~", "\N{MINUS SIGN}")
    assert value(given) in spelt(given)
    assert interval(given) in spelt(given)


def test_the_uncorrected_claim_is_nowhere(fake_report: Report, page: tuple[str, Page]) -> None:
    for text in (page[0], markdown(fake_report)):
        assert "excludes 0" not in text
        assert "_minus_" not in text
    marked = [f for f in fake_report.figures if f.verdict in ("better", "worse")]
    assert marked
    assert all(f.p_corrected is not None and f.p_corrected <= 0.05 for f in marked)


def test_a_judge_of_difficulty_is_told(made_up: Callable[..., Lens]) -> None:
    assert confounds(made_up("trace")) is not None
    assert confounds(made_up("pair")) is None


def test_reasons_that_differ_in_numbers_are_one() -> None:
    rows = [
        Row(question=str(k), candidate="0", judge=judge, unscored=reason)
        for judge in ("clue", "length")
        for k, reason in enumerate(("given 700 tokens", "given 800 tokens", "empty"))
    ]
    found = unscored_reasons(rows)
    assert [(r.example, r.similar, r.items, r.judges) for r in found] == [
        ("given 700 tokens", 1, 2, ("clue", "length")),
        ("empty", 0, 1, ("clue", "length")),
    ]
    both = [Row(question="0", candidate="a|b", judge="text", order=o, unscored="no") for o in ("given", "swapped")]
    assert [r.items for r in unscored_reasons(both)] == [1], "an item in two forms is one item"


def test_reasons_that_differ_in_what_they_quote_are_one() -> None:
    said = (
        "no verdict in the text ' Once upon a time'",
        'no verdict in the text " it\'s blue"',
        "no verdict in the text ' the girl\\'s ball'",
        "9 tokens, longer than the model's context of 8; the model's own",
    )
    rows = [Row(question=str(k), candidate="0", judge="text", unscored=reason) for k, reason in enumerate(said)]
    assert [(r.example, r.similar, r.items) for r in unscored_reasons(rows)] == [(said[0], 2, 3), (said[3], 0, 1)]


def test_how_it_was_made_and_how_to_read(fake_report: Report, page: tuple[str, Page]) -> None:
    for text in (page[0], markdown(fake_report)):
        assert fake_report.command in text
        assert "2.13.0" in text
        for sentence in HOW_TO_READ:
            assert re.split("[\"']", sentence)[0] in text


def test_the_empty_run_has_a_report() -> None:
    report = Report(name="Judges compared", command="innerjudge compare", spec={}, versions={}, model={}, parts=())
    assert "Judges compared" in html(report)
    assert "Judges compared" in markdown(report)
