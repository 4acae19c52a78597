"""What looks like a verdict and is none: the scale said again, ties, numbers that go on, marks of reasoning."""

import pytest
from innerjudge.models.markers import FORMATS
from innerjudge.probes.verdict_text import _REASONING, find_answer

from .test_text import NONE, SCALE, parsed


@pytest.mark.parametrize(
    ("text", "labels", "cue", "verdict"),
    [
        # The scale said again is no score; what is said of it after that is.
        ("Score: 1 (worst) to 5 (best): 4", SCALE, "Score:", NONE),
        ("Score: 1 (worst) to 5 (best). Score: 4", SCALE, "Score:", "4"),
        ("Score: 1 (worst)", SCALE, "Score:", "1"),
        ("Score: 1 (worst) - 5 (best)", SCALE, "Score:", NONE),
        ("Score: from 1 to 5: 4", SCALE, "Score:", NONE),
        # Numbers that go on.
        ("Score: 4 1/2", SCALE, "Score:", NONE),
        ("Score: 4\N{VULGAR FRACTION ONE HALF}", SCALE, "Score:", NONE),
        ("Score: 4 \N{VULGAR FRACTION ONE HALF}", SCALE, "Score:", NONE),
        (" 4 5", SCALE, None, NONE),
        (" 4\n5", SCALE, None, "4"),
        ("4 1/2", SCALE, None, NONE),
        ("Score: 4 4", SCALE, "Score:", "4"),
        ("Score: 4 and a half", SCALE, "Score:", NONE),
        ("Score: 4-and-a-half", SCALE, "Score:", NONE),
        ("Score: 4\u204410", SCALE, "Score:", NONE),
        ("Score: 4\u20445", SCALE, "Score:", "4"),
        ("Score: 4 (out of 10)", SCALE, "Score:", NONE),
        ("Score: 4 (out of 5)", SCALE, "Score:", "4"),
        ("Score: 4 stars out of 10", SCALE, "Score:", NONE),
        ("Score: 4 stars out of 5", SCALE, "Score:", "4"),
        ("Score: 4 stars", SCALE, "Score:", "4"),
        ("Score: 3..4", SCALE, "Score:", NONE),
        ("Score: 3\u20264", SCALE, "Score:", NONE),
        ("Score: 3 \u2192 4", SCALE, "Score:", NONE),
        ("Score: 4 (or 3)", SCALE, "Score:", NONE),
        ("Score: 4 (5 is best)", SCALE, "Score:", "4"),
        ("Score: 4... it is good", SCALE, "Score:", "4"),
        ("Score: 1=worst, 5=best: 4", SCALE, "Score:", NONE),
        ("Score: 1 = worst, 5 = best: 4", SCALE, "Score:", NONE),
        # Ties and comparisons.
        *(
            (f"Better: A{sign}B", ["A", "B"], "Better:", NONE)
            for sign in "\u2261\u2245\u2260\u223c\u227b\u2192\uff1d\u00d7\uff5c"
        ),
        *((f"Better: A {sign} B", ["A", "B"], "Better:", NONE) for sign in ("\u2261", "==", "<=>", "\u2ab0")),
        ("Better: A (not B)", ["A", "B"], "Better:", "A"),
        ("Better: A. B is worse", ["A", "B"], "Better:", "A"),
        ("Better: A: B is worse", ["A", "B"], "Better:", "A"),
        ("Better: A=B", ["A", "B"], "Better:", NONE),
        ("Better: A = B", ["A", "B"], "Better:", NONE),
        ("Better: A < B", ["A", "B"], "Better:", NONE),
        ("Better: A>B", ["A", "B"], "Better:", NONE),
        ("Better: [[A=B]]", ["A", "B"], "Better:", NONE),
        ("Better: [[A]]", ["A", "B"], "Better:", "A"),
        ("Better: [[A]]=[[B]]", ["A", "B"], "Better:", NONE),
        (" A<B", ["A", "B"], None, NONE),
        ("A\N{ALMOST EQUAL TO}B", ["A", "B"], None, NONE),
        ("Better: A vs B", ["A", "B"], "Better:", NONE),
        ("Better: A vs. B", ["A", "B"], "Better:", NONE),
        # Reasoning of other families that is cut off, and that ends.
        ("[THINK]A first guess is Score: 2, but", SCALE, "Score:", NONE),
        ("[THINK]Score: 2[/THINK]Score: 4", SCALE, "Score:", "4"),
        ("<|channel|>analysis<|message|>A first guess is Score: 2, but", SCALE, "Score:", NONE),
        (
            "<|channel|>analysis<|message|>Score: 2<|end|><|start|>assistant<|channel|>final<|message|>Score: 4",
            SCALE,
            "Score:",
            "4",
        ),
    ],
)
def test_what_is_said_of_the_scale_is_no_verdict(text, labels, cue, verdict):
    assert parsed(text, labels, cue) == verdict


@pytest.mark.parametrize(("opening", "closing"), _REASONING)
def test_markers_of_every_format(opening, closing):
    """Text inside the marks is not the verdict, and without the closing one nothing is."""
    assert parsed(f"{opening}So Score: 2, no.{closing}Score: 4", SCALE, "Score:") == "4"
    assert parsed(f"{opening}A first guess is Score: 2, but", SCALE, "Score:") is None
    assert parsed(f"{opening}Score: 2{closing}All is well.", SCALE, "Score:") is None
    assert find_answer(f"{opening}The answer is A.{closing}The answer is B.", list("ABCD")).index == 1
    assert find_answer(f"{opening}The answer is A.", list("ABCD")).index is None


def test_every_format_of_a_template_is_known_here():
    assert {pair for pair in FORMATS.values() if not pair[0].startswith("Here is")} <= set(_REASONING)
