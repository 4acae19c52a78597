"""Opponents on planted worlds: text decides, the question decides, states decide; and their scores by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from innerjudge import Features, LanguageModel
from innerjudge.experiments.compare.compare import compare
from innerjudge.experiments.compare.lens import Lens
from innerjudge.experiments.compare.metrics import metrics
from innerjudge.experiments.compare.sections.opponents import opponents, standings
from innerjudge.experiments.compare.settings import Settings
from innerjudge.experiments.compare.trace_blind import (
    AGREEMENT,
    PASS_RATE,
    RANDOM,
    agreement_rows,
    of_another,
    of_the_question,
    pass_rate,
)
from innerjudge.experiments.data.verdict_table import Row, Table
from innerjudge.experiments.stats.metrics.accuracy import auroc, within_question_auroc
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.reference.training.simulated import traces as simulated_traces
from innerjudge.probes import CLUE, LogisticProbe, PromptSimilarity, QuestionOnly, TextClassifier, TokenLogProb

EACH, WIDTH = 6, 8


def world(
    *, words: float, states: float, question: float, questions: int = 60
) -> tuple[Features, np.ndarray[Any, Any]]:
    """Answers whose words, states and question know the label with such log-odds, and which of them are right."""
    draw = np.random.default_rng(0)
    n = questions * EACH
    groups = np.repeat(np.arange(questions), EACH)
    hard = draw.random(questions) < 0.5
    p = 1 / (1 + np.exp(-question * np.where(hard, -1.0, 1.0)))
    right = draw.random(n) < p[groups]
    side = np.where(right, 1.0, -1.0)
    said = draw.random(n) < 1 / (1 + np.exp(-words * side))
    end = draw.normal(size=(n, 3, WIDTH))
    end[:, :, 0] += states * side[:, None]
    start = draw.normal(size=(questions, 3, WIDTH))[groups]
    start[:, :, 1] += np.where(hard, -3.0, 3.0)[groups][:, None] * bool(question)
    fill = draw.choice(["red", "green", "blue"], size=n)
    features = Features.from_arrays(
        {"hidden/reasoning_start": start, "hidden/reasoning_end": end, "hidden/prompt_end": start},
        texts={
            "prompt": [f"{'prove' if hard[g] else 'add'} number {g}" for g in groups],
            "response": [f"{'so' if s else 'thus'} it is {f}" for s, f in zip(said, fill, strict=True)],
        },
        provenance="m",
        groups=[f"q{g}" for g in groups],
    )
    return features, right


def compared(features: Features, right: np.ndarray[Any, Any]) -> Lens:
    """A probe and its opponents, fitted on the first half of the questions, as a lens on the second."""
    half = len(features) // 2
    judges = {
        "probe": LogisticProbe(),
        "question-only": QuestionOnly(),
        "text-only": TextClassifier(),
        "question-only-text": TextClassifier(texts=("prompt",)),
        "similarity": PromptSimilarity(),
    }
    rows = []
    for name, judge in judges.items():
        judge.fit(features[:half], right[:half])
        for k, verdict in enumerate(judge.verdicts(features[half:]), start=half):
            known = {"question": features.groups[k], "candidate": str(k), "truth": bool(right[k])}
            rows.append(Row(**known, judge=name, score=verdict.score))
    families = {name: "hidden" if name == "probe" else "baseline" for name in judges}
    return traces(rows, families)


def traces(rows: Sequence[Row], families: Mapping[str, str]) -> Lens:
    none = Table([])
    return Lens(data="d", kind="trace", table=Table(rows), calibration=none, families=families, settings=Settings())


def figures(lens: Lens) -> dict[str, float]:
    section = opponents(lens)
    assert section is not None
    named = [f for f in section.figures if f.metric == "AUROC within questions" and f.against is None]
    return {f.judge: f.value or 0.0 for f in named}


def test_where_words_alone_decide_the_probe_is_not_called_better() -> None:
    lens = compared(*world(words=3.0, states=0.0, question=0.0))
    section = opponents(lens)
    assert section is not None
    assert section.found[0].startswith(
        "No judge is better than all its opponents after correction for 1 judge. The best,"
    )
    assert "the closest opponent, text-only, has" in section.found[0]
    [gap] = [f for f in section.figures if f.against]
    assert (gap.judge, gap.against, gap.verdict, gap.p_corrected) == ("probe", "text-only", "not told apart", 1.0)
    assert gap.value is not None
    assert gap.value < -0.2
    assert figures(lens)["text-only"] > 0.9


def test_where_states_decide_the_probe_is_better_than_every_opponent() -> None:
    section = opponents(compared(*world(words=0.3, states=1.5, question=0.0)))
    assert section is not None
    assert section.found[0].startswith("probe judges best: AUROC within questions")
    assert "better than all 4 opponents after correction for 1 judge" in section.found[0]


def test_where_the_question_decides_nobody_is_better_and_the_share_between_says_so() -> None:
    lens = compared(*world(words=0.0, states=0.0, question=2.5, questions=200))
    section = opponents(lens)
    assert section is not None
    assert section.found[0].startswith("No judge is better")
    pooled = auroc(lens.truths, lens.table.scores("probe")).value
    within = within_question_auroc(lens.truths, lens.table.scores("probe"), lens.groups)
    assert pooled is not None
    assert pooled > 0.85, "it reads the question"
    assert within.value == pytest.approx(0.5, abs=0.15)
    assert f"Pooled AUROC {pooled:.3f} = " in section.found[1]
    [made] = [g for g in section.grids if PASS_RATE in [row[0] for row in g.rows]]
    shuffled = {row[0]: row[-1] for row in made.rows}["probe"]
    assert shuffled.value > 0.8, "what another candidate's states say is as good"  # type: ignore[union-attr]
    alone = {row[0]: row[1:4] for row in made.rows}
    for name in ("question-only", "question-only-text"):
        assert alone[name][1] == 0.5
        assert float(alone[name][0]) > 0.85  # type: ignore[arg-type]
    assert alone[PASS_RATE][1] == 0.0


@pytest.mark.parametrize(("question", "states"), [(2.5, 0.0), (0.0, 1.5)])
def test_the_same_judge_on_random_projections_of_the_question(question: float, states: float) -> None:
    """It knows what the question gives away, and nothing of the answer."""
    features, right = world(words=0.0, states=states, question=question, questions=200)
    half = len(features) // 2
    sides = np.arange(half), np.arange(half, len(features))
    for judge in (LogisticProbe(), CLUE(rank_by="margin")):
        said = of_the_question(judge.fit(features[:half], right[:half]), features, right.tolist(), *sides, 0)
        assert said is not None
        scores, groups = [v.score for v in said], features.groups[half:]
        assert within_question_auroc(right[half:], scores, groups).value == 0.5, "one score a question"
        pooled = auroc(right[half:], scores).value
        assert pooled is not None
        assert pooled > 0.85 if question else pooled == pytest.approx(0.5, abs=0.1)
        before = judge.verdicts(features)
        assert of_the_question(judge, features, right.tolist(), *sides, 0) == said
        assert judge.verdicts(features) == before, "the judge itself is not fitted anew"
    for other, given in (
        (TextClassifier(), features),
        (CLUE(), without_question(features)),
        (TokenLogProb(), features),
    ):
        assert of_the_question(other, given, right.tolist(), *sides, 0) is None


def test_states_of_some_rows_are_those_rows_of_the_question(reference: LanguageModel) -> None:
    """A probe of the mean over the response reads one row; the others all of them."""
    found = compare(
        reference,
        simulated_traces(48, seed=7),
        judges=["mean-probe", "logistic-probe"],
        settings=Settings(reasoning_tokens=0),
    )
    rows = [row for row in found.verdicts if row.judge in ("mean-probe", "logistic-probe")]
    assert {row.judge for row in rows if RANDOM in row.tags} == {"mean-probe", "logistic-probe"}


def without_question(features: Features) -> Features:
    kept = {name: array for name, array in features.arrays.items() if name != "hidden/prompt_end"}
    return Features.from_arrays(kept, provenance="m", groups=features.groups)


def test_the_report_says_what_random_projections_reach() -> None:
    rows = [
        Row(question=f"q{q}", candidate=str(c), judge=judge, truth=c == 0, score=float(3 * (c == 0) + q % 3),
            tags={RANDOM: repr(float(q % 3)) if q else "None"} if judge == "probe" else {})
        for judge in ("probe", "length") for q in range(40) for c in range(3)
    ]  # fmt: skip
    section = opponents(traces(rows, {"probe": "hidden", "length": "baseline"}))
    assert section is not None
    assert "Fitted on random projections of the question: 0.50 [" in section.found[1]
    [figure] = [f for f in section.figures if f.metric == "AUROC, random projections of the question" and f.n]
    assert (figure.judge, figure.n) == ("probe", 117)  # that of q0 could not be read


def test_better_needs_the_largest_p_of_all_opponents() -> None:
    """Ahead of a weak opponent for sure and of a strong one by a hair: the hair decides."""
    draw = np.random.default_rng(0)
    rows: list[Row] = []
    for q in range(40):
        for c in range(4):
            side = 1.0 if c < 2 else -1.0
            shared = side + draw.normal()
            said = {"probe": shared + 0.01 * side, "strong": shared, "weak": draw.normal()}
            rows += [Row(question=str(q), candidate=str(c), judge=j, score=s, truth=c < 2) for j, s in said.items()]
    families = {"probe": "hidden", "strong": "text", "weak": "baseline"}
    lens = traces(rows, families)
    main, metric = next(iter(metrics(lens).items()))
    known = {j: lens.figure("p", j, main, metric(j, [True] * 160)) for j in families}
    [alone] = standings(lens, main, metric, {j: known[j] for j in ("probe", "weak")}, ["weak"])
    assert alone.gap.verdict == "better"
    [both] = standings(lens, main, metric, known, ["weak", "strong"])
    assert (both.gap.against, both.gap.verdict) == ("strong", "not told apart")
    assert both.gap.p is not None
    assert alone.gap.p is not None
    assert both.gap.p > alone.gap.p


def test_a_claim_is_seldom_made_where_the_probe_is_as_good_as_its_opponents() -> None:
    """Three opponents and a probe of one skill: better than the best by luck alone in no more than 5 % of 200 draws."""
    claims = 0
    for seed in range(200):
        draw = np.random.default_rng(seed)
        truth = np.tile([True, True, False, False], 20)
        families = {"probe": "hidden", "a": "text", "b": "baseline", "c": "baseline"}
        rows = [
            Row(question=str(k // 4), candidate=str(k), judge=j, score=float(t + draw.normal()), truth=bool(t))
            for j in families
            for k, t in enumerate(truth)
        ]
        lens = traces(rows, families)
        main, metric = next(iter(metrics(lens).items()))
        known = {j: lens.figure("p", j, main, metric(j, [True] * 80)) for j in families}
        [found] = standings(lens, main, metric, known, ["a", "b", "c"])
        claims += found.gap.verdict == "better"
    assert claims <= 10


def rows_of(answers: Sequence[str | None], questions: str) -> list[Row]:
    named = enumerate(zip(questions, answers, strict=True))
    return [Row(question=q, candidate=str(k), judge="j", score=0.0, answer=a, truth=k == 0) for k, (q, a) in named]


def test_majority_agreement_by_hand() -> None:
    """p: 36 in two spellings of three answers, 2 in 3 and 1 in 3; one without an answer; q has one candidate."""
    found = agreement_rows(rows_of(["36", "36.0", "35", None, "9"], "ppppq"))
    assert {row.judge for row in found} == {AGREEMENT}
    assert [row.score for row in found] == [2 / 3, 2 / 3, 1 / 3, None, None]
    assert [row.unscored is None for row in found] == [True, True, True, False, False]
    assert agreement_rows(rows_of(["9", "8"], "pq")) == []


def test_the_pass_rate_of_the_others_by_hand() -> None:
    """Q1 1 1 1 0, Q2 0 0 0 1, Q3 1 1 1 1 (arXiv 2609.03436): pooled .71875, and 0 within questions, never one half."""
    right = [1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    groups = list("aaaabbbbcccc")
    scores = pass_rate(right, groups)
    assert scores == pytest.approx([2 / 3, 2 / 3, 2 / 3, 1, 1 / 3, 1 / 3, 1 / 3, 0, 1, 1, 1, 1])
    assert auroc(right, scores).value == pytest.approx(0.71875)
    assert within_question_auroc(right, scores, groups).value == 0.0


def test_the_score_of_another_answer_is_never_its_own() -> None:
    assert of_another([1.0, 2.0, 3.0, None, 5.0], list("aaaab")) == [2.0, 3.0, 1.0, None, None]
    # A judge that knows the question only says the same of any answer to it.
    flat = of_another([1.0, 1.0, 2.0, 2.0], list("aabb"))
    assert flat == [1.0, 1.0, 2.0, 2.0]


def test_without_an_opponent_or_a_judge_there_is_nothing_to_say(made_up: Callable[..., Lens]) -> None:
    lens = made_up("trace")
    for kept in (("good", "fair"), ("text", "length")):
        table = Table(row for row in lens.table if row.judge in kept)
        families = {name: family for name, family in lens.families.items() if name in kept}
        assert opponents(traces(list(table), families)) is None


@pytest.mark.parametrize("kind", ["trace", "rating", "choice", "pair"])
def test_every_kind_has_the_section(kind: str, made_up: Callable[..., Lens]) -> None:
    section = opponents(made_up(kind, questions=80))
    assert section is not None
    assert section.found[0].startswith("good judges best: ")
    assert [row[0] for row in section.grids[0].rows] == ["good", "fair"]
    assert (len(section.found) > 2) == (kind == "trace")


# The judges of texts themselves.


def test_similarity_by_hand() -> None:
    """Of two documents, `a b` and `a`: idf of a is ln(3/3) + 1 = 1, of b and `a b` ln(3/2) + 1 = 1.405465."""
    texts = {"prompt": ["a b"], "response": ["a"]}
    features = Features.from_arrays({}, texts=texts, provenance="m")
    judge = PromptSimilarity().fit(features)
    assert judge.vocabulary_ == ("a", "a b", "b")
    assert judge.idf_ == pytest.approx([1.0, 1.405465, 1.405465])
    # The prompt's row has length sqrt(1 + 2 x 1.405465 ** 2) = 2.224745; the response's is (1, 0, 0).
    assert judge.decision_function(features) == pytest.approx([1 / np.sqrt(1 + 2 * (np.log(1.5) + 1) ** 2)])


def test_constant_text_tells_nothing_and_leaked_text_everything() -> None:
    right = np.arange(40) % 2 == 0
    groups = [str(k // 4) for k in range(40)]
    for texts, expected in ((["same"] * 40, 0.5), ([f"{'right' if r else 'wrong'} it is" for r in right], 1.0)):
        features = Features.from_arrays({}, texts={"response": texts}, provenance="m", groups=groups)
        judge = TextClassifier(texts=("response",)).fit(features[:20], right[:20])
        assert auroc(right[20:], judge.decision_function(features[20:])).value == expected


def test_words_that_were_never_seen_count_for_nothing() -> None:
    texts = {"response": ["so", "thus", "hence and then"]}
    features = Features.from_arrays({}, texts=texts, provenance="m")
    judge = TextClassifier(texts=("response",)).fit(features[:2], [True, False])
    assert judge.decision_function(features)[2] == pytest.approx(judge.intercept_)


def test_what_cannot_be_read_says_so() -> None:
    features = Features.from_arrays({}, texts={"prompt": ["?", "?"], "response": ["so", " "]}, provenance="m")
    judge = PromptSimilarity().fit(features)
    assert judge.unscored(features) == {"1": "the response has no text"}
    empty = Features.from_arrays({}, texts={"prompt": ["?"], "response": ["\u200b"]}, provenance="m")
    with pytest.raises(InnerjudgeError, match="expected"):
        TextClassifier(texts=("neither",))
    with pytest.raises(InnerjudgeError, match="expected 'prompt': extract with that readout"):
        judge.decision_function(Features.from_arrays({"logprob": [[1, 2]]}, provenance="m"))
    assert judge.decision_function(empty).shape == (1,)


def test_nothing_is_decomposed_where_all_scored_answers_are_of_one_kind() -> None:
    from innerjudge.experiments.stats.metrics.accuracy import decomposition

    assert decomposition([1, 1, 0], [0.5, 0.2, None], "aab") is None
