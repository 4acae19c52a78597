"""The report: the figures of the rows and no others, nothing executable, nothing fetched, nothing oversold."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from innerjudge.experiments.compare.report import words as words
from innerjudge.experiments.compare.report.page import html, markdown, markdown_escape
from innerjudge.experiments.compare.report.reasons import unscored_reasons
from innerjudge.experiments.compare.report.row_text import figure, interval
from innerjudge.experiments.compare.report.table import lines
from innerjudge.experiments.compare.report.words import chance_level, reading
from innerjudge.experiments.compare.results import Comparison, ResultRow, Run
from innerjudge.experiments.drawing.spelling import NOTHING

FAMILIES = {"clue": "hidden", "text": "text", "length": "baseline"}


class Page(HTMLParser):
    """Tags, attributes and texts of a page; every tag that opens must close."""

    VOID = ("meta", "img", "br", "path", "circle")

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
        if tag in ("td", "th", "li", "p", "h2", "dd"):
            self.cells.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data

    @property
    def texts(self) -> list[str]:
        return [" ".join(cell.split()) for cell in self.cells]


@pytest.fixture(scope="module")
def page(fake_run: Run) -> tuple[str, Page]:
    text = html(fake_run)
    return text, Page(text)


def compared(
    figures: dict[str, tuple[float, float, float] | None],
    gaps: dict[str, tuple[float, float, float]],
    metric: str = "within_question_auroc",
    n: int = 200,
) -> Comparison:
    """A comparison of three judges with the given figures and paired differences to text."""

    def row(judge: str, name: str, given: tuple[float, float, float] | None) -> ResultRow:
        value, low, high = given or (None, None, None)
        return ResultRow(
            data="d", judge=judge, metric=name, value=value, low=low, high=high, n=n, unscored=0, seconds_per_item=None,
            reason=None if given else "all labels are true",
        )  # fmt: skip

    rows = [row(judge, metric, given) for judge, given in figures.items()]
    rows += [row(judge, f"{metric}_minus_text", given) for judge, given in gaps.items()]
    return Comparison(
        data="d", kind="trace", n_items=2 * n, n_fit=n, n_test=n, judges=FAMILIES, headline=(metric,), rows=tuple(rows),
        verdicts=(),
    )  # fmt: skip


def test_every_row_stands_in_the_page_with_its_figures(fake_run: Run, page: tuple[str, Page]) -> None:
    texts = page[1].texts
    for comparison in fake_run.comparisons:
        for row in comparison.rows:
            name = " ".join(row.judge.split())
            at = [k for k, text in enumerate(texts) if text == name and texts[k + 1] == row.metric]
            value = figure(row).split(" [")[0]
            assert any(
                texts[k + 2 : k + 6] == [value, interval(row) or NOTHING, str(row.n), str(row.unscored)] for k in at
            ), row


def test_the_short_table_has_the_headline_figures(fake_run: Run, page: tuple[str, Page]) -> None:
    for line in lines(fake_run.comparisons[0]):
        start = page[1].texts.index(line.judge)
        shown = page[1].texts[start + 1 : start + 10]
        for cell in line.cells:
            assert cell is not None
            assert (figure(cell) if cell.value is not None else NOTHING) in shown
        marks = [text for text in shown if "▲" in text or "▼" in text]
        assert marks == ([f"{'▲' if line.minus_value > 0 else '▼'} {figure(line.minus)}"] if line.marked else [])


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


def test_hostile_names_are_text(fake_run: Run, page: tuple[str, Page]) -> None:
    hostile = fake_run.comparisons[4]
    name = next(iter(hostile.judges))
    assert "<script" in name
    assert "<script" not in page[0]
    assert hostile.data in page[1].texts
    assert hostile.notes[0] in page[1].texts
    images = [attributes for tag, attributes in page[1].tags if tag == "img"]
    assert images
    assert all(attributes["alt"] for attributes in images)
    text = markdown(fake_run)
    assert "<script" not in text
    assert "![x](http" not in text
    assert "- \\# not a heading" in text


def test_markdown_tables_have_as_many_cells_in_every_row(fake_run: Run) -> None:
    text = markdown(fake_run)
    blocks = re.findall(r"(?:^\|.*\|$\n?)+", text, flags=re.M)
    assert len(blocks) >= 11
    for block in blocks:
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(counts) == 1, block[:300]
    for row in fake_run.comparisons[0].rows:
        if row.value is not None:
            assert interval(row) in text
    assert "\n\n\n" not in text


@pytest.mark.parametrize(
    ("given", "shown"),
    [("a_b", "a_b"), ("_a_", "\\_a\\_"), ("1. x", "1\\. x"), ("a\nb", "a b"), ("[x]: y", "[x\\]: y")],
)
def test_markdown_escape(given: str, shown: str) -> None:
    assert markdown_escape(given) == shown


def test_undefined_figures_carry_their_reason(fake_run: Run, page: tuple[str, Page]) -> None:
    reason = "every question has one value only: a judge of the question cannot tell its answers apart"
    shown = [attributes.get("title") for tag, attributes in page[1].tags if tag == "abbr"]
    assert reason in shown
    assert reason in markdown(fake_run)
    assert "nan" not in re.sub(r"base64,[^\"]*", "", page[0]).lower().split()


def test_a_winner_is_said_to_win_by_its_paired_difference() -> None:
    said = reading(
        compared(
            {"clue": (0.74, 0.68, 0.80), "text": (0.62, 0.56, 0.68), "length": (0.51, 0.45, 0.57)},
            {"clue": (0.12, 0.05, 0.19), "length": (-0.11, -0.18, -0.04)},
        )
    )
    assert "Above the text judge: clue by +0.12 [0.05, 0.19]." in said
    assert "Below the text judge: length (a baseline) by ~0.11 [~0.18, ~0.04].".replace("~", "\N{MINUS SIGN}") in said
    assert any(s.startswith("Clear of the strongest baseline, length (0.51 [0.45, 0.57])") for s in said)
    assert "Chance (0.50) lies within the interval of 1 of 3 judges (length)." in said


def test_a_judge_that_does_not_win_is_said_not_to_win() -> None:
    said = reading(
        compared(
            {"clue": (0.55, 0.48, 0.61), "text": (0.53, 0.47, 0.59), "length": (0.54, 0.48, 0.60)},
            {"clue": (0.02, -0.05, 0.09), "length": (0.01, -0.06, 0.08)},
            n=40,
        )
    )
    assert "No judge is above the text judge." in said
    assert any(s.startswith("Not told apart from the text judge") and "clue" in s for s in said)
    assert any(
        s.startswith("No hidden-state or logit judge stands clear of the strongest baseline, length") for s in said
    )
    assert "Chance (0.50) lies within the interval of every judge." in said
    assert any("only 40 cases" in s for s in said)
    assert not any(s.startswith(("Above", "Clear of")) for s in said)


def test_a_baseline_that_beats_text_is_named_as_one() -> None:
    said = reading(compared({"text": (0.5, 0.4, 0.6), "length": (0.9, 0.8, 1.0)}, {"length": (0.4, 0.3, 0.5)}))
    assert "Above the text judge: length (a baseline) by +0.40 [0.30, 0.50]." in said


def test_nothing_is_claimed_without_figures() -> None:
    assert "nothing can be said" in reading(compared({"clue": None}, {}))[0]
    assert "nothing is claimed" in " ".join(reading(compared({"clue": (0.7, 0.6, 0.8)}, {})))
    empty = replace(compared({}, {}), headline=())
    assert "no figures" in reading(empty)[0]


def test_a_judge_of_difficulty_is_told(fake_run: Run) -> None:
    pooled = compared({"clue": (0.7, 0.6, 0.8)}, {}, metric="auroc")
    within = compared({"clue": (0.52, 0.45, 0.58)}, {})
    both = replace(within, headline=("within_question_auroc", "auroc"), rows=(*within.rows, *pooled.rows))
    assert any(s.startswith("Separates right from wrong over all questions but not within one") for s in reading(both))


def test_chance_is_known_only_where_it_is() -> None:
    verdicts = (
        {"score": [0.1] * 4, "judge": "qk"},
        {"score": [0.1] * 2, "judge": "qk"},
        {"score": None, "judge": "qk"},
    )
    choice = replace(compared({}, {}), kind="choice", verdicts=verdicts)
    assert chance_level(choice, "accuracy") == pytest.approx(0.375)
    other = replace(choice, verdicts=(*verdicts, {"score": [0.1] * 5, "judge": "no-abstain"}))
    assert chance_level(other, "accuracy", "no-abstain") == pytest.approx(0.2)
    assert chance_level(other, "accuracy", "qk") == pytest.approx(0.375)
    assert chance_level(other, "accuracy") is None
    assert chance_level(choice, "spearman") == 0.0
    assert chance_level(choice, "top@1") is None
    assert chance_level(choice, "auroc_minus_text") is None


def test_reasons_that_differ_in_numbers_are_one() -> None:
    verdicts = tuple(
        {"judge": judge, "unscored": reason}
        for judge in ("clue", "length")
        for reason in ("given 700 tokens", "given 800 tokens", "empty", None)
    )
    found = unscored_reasons(replace(compared({}, {}), verdicts=verdicts))
    assert [(r.example, r.similar, r.items, r.judges) for r in found] == [
        ("given 700 tokens", 1, 2, ("clue", "length")),
        ("empty", 0, 1, ("clue", "length")),
    ]


def test_reasons_that_differ_in_what_they_quote_are_one() -> None:
    said = (
        "no verdict in the text ' Once upon a time'",
        'no verdict in the text " it\'s blue"',
        "no verdict in the text ' the girl\\'s ball'",
        "9 tokens, longer than the model's context of 8; the model's own",
    )
    verdicts = tuple({"judge": "text", "unscored": reason} for reason in said)
    comparison = replace(compared({}, {}), judges={"text": "text"}, verdicts=verdicts)
    assert [(r.example, r.similar, r.items) for r in unscored_reasons(comparison)] == [(said[0], 2, 3), (said[3], 0, 1)]


def test_how_it_was_made_and_how_to_read(fake_run: Run, page: tuple[str, Page]) -> None:
    for text in (page[0], markdown(fake_run)):
        assert fake_run.command in text
        assert "2.13.0" in text
        for sentence in words.HOW_TO_READ:
            assert re.split("[\"']", sentence)[0] in text


def test_the_empty_run_has_a_report() -> None:
    run = Run(command="innerjudge compare", seed=0, versions={}, model={}, comparisons=())
    assert "Judges compared" in html(run)
    assert "Judges compared" in markdown(run)
