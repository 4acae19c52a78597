"""A text that is being written is looked at where the finished text has the ends of its ranges, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from innerjudge.extraction import Features, HiddenStates, ResponseLogProb, States, extract
from innerjudge.extraction.writing.checks import RangeWatch
from innerjudge.extraction.writing.write_and_read import CARRIED, write_and_read
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Trace
from innerjudge.models.loading import LanguageModel
from innerjudge.models.positions import Encoding, encode_trace
from innerjudge.models.reference.solve import problems
from innerjudge.models.reference.words import HELD_OUT_SEED
from innerjudge.models.roles import Role, Tokens, checked_roles, ranges_within

from .test_generating import WORDS, asked, spaced

READOUTS: list[Any] = [*(HiddenStates(role) for role in CARRIED), ResponseLogProb()]


def looks(lm: LanguageModel, questions: list[Trace], role: str, **how: Any) -> tuple[dict[str, list[Any]], list[Trace]]:
    """Item -> its tokens and its states at every look, and the finished answers."""
    seen: dict[str, list[Any]] = {}

    def look(features: Features) -> list[str | None]:
        end = features["hidden/reasoning_end" if role.startswith("reasoning/") else "hidden/response_end"]
        for k, item in enumerate(features.ids):
            seen.setdefault(item, []).append((int(features["logprob"][k, 1]), end[k]))
        return [None] * len(features)

    found = write_and_read(lm, questions, READOUTS, reject=look, reject_at=[role], **how)
    return seen, found.traces


def check(lm: LanguageModel, questions: list[Trace], role: str, *, markers: tuple[str, str], **how: Any) -> int:
    """Every look is at the end of a range of the finished text, with its states; the number of looks."""
    seen, traces = looks(lm, questions, role, markers=markers, **how)
    plain = write_and_read(lm, questions, READOUTS, markers=markers, **how).traces
    assert traces == plain, "looking changes nothing"
    encoded = [encode_trace(lm.tokenizer, t, markers=markers, sampled_by=lm.fingerprint, roles=[role]) for t in traces]
    there = [one for one in encoded if one.ranges.get(role)]
    states = extract(lm, there, [States(role, "last")], batch_size=1, share_prompts=False).ragged[f"hidden/{role}.last"]
    total = 0
    for k, one in enumerate(there):
        begin = one.positions["prompt_end"][0] + 1
        ends = [end - begin for _, end in one.ranges[role]]
        found = dict(seen.pop(one.id, []))
        # The last range ends with its part, which only the finished text shows, unless it is full. So does a reasoning
        # that nothing opened show only where something closes it.
        opened = role.startswith("reasoning") and one.positions["reasoning_start"] != one.positions["prompt_end"]
        if opened or not role.startswith("reasoning"):
            assert [n for n in ends[:-1] if n not in found] == []
        assert set(found) <= set(ends)
        for n, state in found.items():
            expected = states[k][ends.index(n)]
            np.testing.assert_allclose(state, expected, atol=2e-4 * max(1.0, np.abs(expected).max()))
        total += len(found)
    if not role.startswith("reasoning"):
        assert not seen
    return total


SOLVE = {"max_new_tokens": 100, "seed": 5, "batch_size": 4, "temperature": 1.0}


@pytest.mark.parametrize("role", ["segment(7)", "response/segment(16)", "reasoning/segment(5)"])
def test_the_built_in_model(reference: LanguageModel, role: str) -> None:
    questions = asked([p.prompt for p in problems(3, seed=HELD_OUT_SEED)], 2)
    total = check(reference, questions, role, markers=("<think>", "</think>"), **SOLVE)
    assert total > 0


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize(
    "role",
    [
        "segment(3)",
        "reasoning/segment(2)",
        "cue(w5,w8)",
        "reasoning/cue(w1,w2,w12,w21,w30,w31,w40,w41)",
        "reasoning/segment(1)",
    ],
)
def test_random_families(tiny: Callable[..., LanguageModel], family: str, role: str) -> None:
    lm = spaced(tiny(family).model)
    questions = asked(["w4 w8 w10 w11 w12", "w5", "w20 w21 w22 w23 w24"], 8)
    how: dict[str, Any] = {"max_new_tokens": 40, "temperature": 1.5, "seed": 2, "batch_size": 24}
    assert check(lm, questions, role, markers=WORDS, **how) > 0


@pytest.mark.parametrize("role", ["cue(the,a,was)", "segment(10)"])
def test_a_real_model(tinystories: LanguageModel, role: str) -> None:
    """Cues of letters that other words begin with."""
    questions = asked(["Tell me a story of a cat.", "Hello!"], 4)
    how: dict[str, Any] = {"max_new_tokens": 150, "temperature": 1.0, "seed": 4, "batch_size": 8}
    assert check(tinystories, questions, role, markers=("<think>", "</think>"), **how) > 0


def test_a_stopped_answer_ends_with_the_range(reference: LanguageModel) -> None:
    questions = asked([p.prompt for p in problems(2, seed=HELD_OUT_SEED)], 2)
    plain = write_and_read(reference, questions, READOUTS, **SOLVE)

    def second_look(features: Features) -> list[str | None]:
        return ["no" if n >= 14 and i.endswith("/1") else None
                for i, n in zip(features.ids, features["logprob"][:, 1], strict=True)]  # fmt: skip

    found = write_and_read(reference, questions, READOUTS, reject=second_look, reject_at=["segment(7)"], **SOLVE)
    assert found.replayed == 0
    for trace, whole in zip(found.traces, plain.traces, strict=True):
        ids, every = trace.extra["response_ids"], whole.extra["response_ids"]
        stopped = trace.candidate_id == "1" and len(every) > 14
        assert ids == (every[:14] if stopped else every)
        assert (trace.extra.get("rejected") == "no") == stopped
    encoded = [encode_trace(reference.tokenizer, t, sampled_by=reference.fingerprint) for t in found.traces]
    naive = extract(reference, encoded, READOUTS, batch_size=1, share_prompts=False)
    assert found.features.missing == naive.missing
    for name, expected in naive.arrays.items():
        np.testing.assert_allclose(found.features[name], expected, atol=2e-4 * max(1.0, np.abs(expected).max()))


def test_no_state_is_kept_that_nobody_names(reference: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    from innerjudge.extraction.writing import watch as watching

    kept: list[int] = []
    old = watching.Watch.run

    def run(self: Any, *how: Any) -> None:
        old(self, *how)
        kept.extend(len(states) for states in self.record.states)

    monkeypatch.setattr(watching.Watch, "run", run)
    looks(reference, asked(["Start with 7. Add 5. Times 3."], 2), "segment(2)", **SOLVE)
    assert len(kept) == 2
    assert max(kept) <= 4  # the ends of prompt and text, and the two markers


class Pieces:
    """A tokenizer of a few written pieces."""

    def __init__(self, *pieces: str) -> None:
        self.pieces = pieces

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(self.pieces[k] for k in ids)


#: Three tokens, of which the last opens the reasoning.
PROMPT = Encoding(id="a", group="a", ids=(0, 0, 0), positions={"prompt_end": (2,), "reasoning_start": (2,)})


@pytest.mark.parametrize(
    ("pieces", "role", "ends"),
    [
        # Known once the next piece is: "wait" goes on as "waiting"; "Wait," and " wait." do not.
        ((" wait", "ing", " Wait", ",", " wait", "."), "cue(wait)", [3, 5]),
        # A blank line that a third newline makes longer ends the step where it ends.
        (("a", "\n\n", "\n", "b", "\n\n", "c"), "step", [3, 5]),
        (("a", "\n", "b", "c", "\n", "d"), "step(line)", [2, 5]),
        # A fence is not cut.
        (("```", "\n\n", "x", "\n", "```", "\n\n", "y"), "step", [6]),
        # No segment ends within a closing marker, whole or begun.
        (("a", "b", "<", "/x", ">", "c", "d", "e"), "reasoning/segment(1)", [1, 6, 7]),
        (("a", "b", "<", "/x", ">", "c", "d", "e"), "segment(2)", [2, 4, 6]),
        (("a", "b", "c", "d"), "segment(2)", [2]),
    ],
)
def test_ends_by_hand(pieces: tuple[str, ...], role: str, ends: list[int]) -> None:
    """At each token the next one is known; the last token has none."""
    watch = RangeWatch(Pieces(*pieces), checked_roles([role]), "</x>", PROMPT)  # type: ignore[arg-type]
    ids = range(len(pieces))
    found = [n for n in ids[1:] if watch.may_end(ids[:n]) and watch.ends(ids[:n], n)]
    assert found == ends


def naive_ends(watch: RangeWatch, pieces: Sequence[str], role: Role, n: int, start: int) -> bool:
    """Whether token ``n - 1`` ends a range, from the whole text."""
    text = "".join(pieces[: n + 1])
    cuts = [sum(map(len, pieces[:k])) for k in (start, n - 1, n)]
    spans = list(zip(cuts, [*cuts[1:], len(text)], strict=True))
    return 2 in [end for _, end in ranges_within(role, Tokens(text, spans), (0, 3))]


PIECES = [
    "\n",
    "\n\n",
    "a",
    "x. ",
    " ",
    "```",
    "~~~",
    "`",
    "```py",
    "  ",
    "\r\n",
    "\n```\n",
    ".\n\nB",
    "a\n",
    "\t\n",
    "no",
]


@pytest.mark.parametrize("role", ["step", "step_end(line)", "cue(no,a no)", "cue(aa,a,..)", "step(line)"])
@given(data=st.data(), start=st.integers(0, 5))
@settings(max_examples=300, deadline=None)
def test_what_stands_for_the_rest_changes_nothing(role: str, data: st.DataObject, start: int) -> None:
    """Against the whole text, decoded and searched anew at every token; fences, runs of newlines, cues that overlap."""
    some = [*PIECES, "..", "."] if role.startswith("cue") else PIECES
    pieces = data.draw(st.lists(st.sampled_from(some), min_size=start + 2, max_size=60))
    (kind,) = checked_roles([role])
    watch = RangeWatch(Pieces(*pieces), [kind], "</x>", PROMPT)  # type: ignore[arg-type]
    for n in range(start + 1, len(pieces)):
        ids = range(n)
        if watch.may_end(ids):
            found = watch._ends_in_text(kind, ids, n, start)
            assert found == naive_ends(watch, pieces, kind, n, start), (n, pieces)


@pytest.mark.parametrize("role", ["step", "step(line)", "cue(wait,a)"])
@pytest.mark.parametrize(
    "text", [["a"], ["\n"], ["```", "\n", "a", "\n"], ["a", "\n"], ["```", "\n"], ["wait", ",", "\n"]]
)
def test_a_look_takes_no_longer_in_a_long_text(role: str, text: list[str]) -> None:
    """What is decoded at a look is bounded, however long the text is: 3,000 tokens."""
    longest = [0]

    class Counting(Pieces):
        def decode(self, ids: Sequence[int]) -> str:
            longest[0] = max(longest[0], len(ids))
            return super().decode(ids)

    pieces = text * (3000 // len(text))
    watch = RangeWatch(Counting(*pieces), checked_roles([role]), "</x>", PROMPT)  # type: ignore[arg-type]
    for n in range(1, len(pieces)):
        if watch.may_end(range(n)):
            watch.ends(range(n), n)
    assert 0 < longest[0] <= 20
    assert all(len(head) <= 20 for _, head, _ in watch._heads.values())


@pytest.mark.parametrize("role", ["step", "step(line)", "cue(the,a,it)"])
def test_looks_in_real_texts(tinystories: LanguageModel, reference: LanguageModel, role: str) -> None:
    """Tokens that write half a character or drop their space: against the text decoded whole."""
    words = "The cat, it sat — ünïcödé 🦙 漢字.\n\nA line\n```py\n\nx = it\n```\nit's the end. A\n\n\nIt is.\n"
    (kind,) = checked_roles([role])
    for tokenizer in (tinystories.tokenizer, reference.tokenizer):
        ids = tokenizer(words * 4)["input_ids"]
        pieces = [tokenizer.decode(ids[:n]) for n in range(len(ids) + 1)]
        watch, seen = RangeWatch(tokenizer, [kind], "</x>", PROMPT), 0
        for n in range(1, len(ids)):
            if watch.may_end(ids[:n]) and not pieces[n + 1].endswith("\ufffd"):
                text, cuts = pieces[n + 1], [0, len(pieces[n - 1]), len(pieces[n])]
                spans = list(zip(cuts, [*cuts[1:], len(text)], strict=True))
                expected = 2 in [end for _, end in ranges_within(kind, Tokens(text, spans), (0, 3))]
                assert watch.ends(ids[:n], ids[n]) == expected, n
                seen += expected
        assert seen > 3


def test_the_reasoning_is_open_between_its_markers() -> None:
    """The prompt has 3 tokens: reasoning that begins at token 4 has one written token before it.

    That of a prompt which opens it, at token 1, begins with the first that is written.
    """
    watch = RangeWatch(Pieces(*"abcdefgh"), checked_roles(["reasoning/segment(2)"]), "</x>", PROMPT)  # type: ignore[arg-type]
    for start, ends in ((None, []), (3, [3, 5, 7]), (1, [2, 4, 6])):
        watch.positions = {} if start is None else {"reasoning_start": (start,)}
        assert [n for n in range(1, 8) if watch.may_end(range(n)) and watch.ends(range(n), n)] == ends
    watch.positions = {"reasoning_start": (3,), "reasoning_end": (5,)}
    assert not watch.may_end(range(3))


@pytest.mark.parametrize(
    "role",
    [
        "response",
        "reasoning/step(sentence)",
        "before_step",
        "prompt/segment(3)",
        "nth_last(2)",
        "segment(3)@-1",
        "score",
    ],
)
def test_other_roles_are_refused(role: str) -> None:
    with pytest.raises(InnerjudgeError, match="to look at an answer while it is written"):
        checked_roles([role])
