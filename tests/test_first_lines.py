"""What new users type first works, or is answered in one line that says what to type instead."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import innerjudge as ij
import numpy as np
import pandas as pd
import pytest
from innerjudge import Choice, InnerjudgeError, Rating, Trace

pytestmark = pytest.mark.usefixtures("no_pixels")

PROMPT = "Start with 7. Add 5. Times 3."
RIGHT, WRONG = "<think>7+5=12;12*3=36</think>36", "<think>7+5=13;13*3=39</think>39"
MESSAGES = [{"role": "system", "content": "Answer in numbers."}, {"role": "user", "content": PROMPT}]


@pytest.fixture(scope="module")
def lm() -> Any:
    return ij.load("reference")


@pytest.fixture(scope="module")
def traces() -> list[Trace]:
    return [
        Trace(question_id=f"q{q}", candidate_id=str(c), prompt=PROMPT, response=RIGHT if c else WRONG, correct=bool(c))
        for q in range(6)
        for c in range(2)
    ]


@pytest.fixture(scope="module")
def features(lm: Any, traces: list[Trace]) -> Any:
    return ij.read(lm, traces)


@pytest.fixture(scope="module")
def labels(traces: list[Trace]) -> np.ndarray[Any, Any]:
    return np.array([bool(one.correct) for one in traces])


@pytest.fixture(scope="module")
def judge(lm: Any, features: Any, labels: Any) -> Any:
    return ij.Judge(ij.CLUE(rank_by="margin").fit(features, labels), lm)


def answered(call: Callable[[], object], *words: str) -> None:
    """The call is refused in one line with these words in it."""
    with pytest.raises(InnerjudgeError) as caught:
        call()
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 1200
    for word in words:
        assert word in said, said


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_1_and_11_the_end_of_a_cell_is_a_short_table(lm: Any, features: Any, judge: Any) -> None:
    for one in (lm, features, judge):
        html = one._repr_html_()
        assert "<table" in html
        assert len(html) < 5000
        assert len(repr(one)) < 5000


def test_2_messages_as_a_prompt(lm: Any) -> None:
    rating = Rating(item_id="r", prompt=MESSAGES, response="36")  # type: ignore[arg-type]
    assert ij.read(lm, [rating]).ids == ("r",)


def test_3_a_system_text_beside_items(lm: Any, traces: list[Trace]) -> None:
    answered(lambda: ij.read(lm, traces, system="Be brief."), "system turn", "'role': 'system'")  # type: ignore[call-arg]


def test_4_a_prompt_that_is_rendered_already(lm: Any) -> None:
    rendered = lm.tokenizer.apply_chat_template(
        [{"role": "user", "content": PROMPT}], tokenize=False, add_generation_prompt=True
    )
    read = ij.read(lm, [Trace(question_id="q", candidate_id="0", prompt=rendered, response=RIGHT)])
    assert any("template" in reason for reasons in read.missing.values() for reason in reasons.values())


def test_5_a_prompt_of_ones_own(lm: Any, tmp_path: Path) -> None:
    answered(lambda: ij.VScore(prompt="my.yaml"), "Judge(judge, lm, prompt='my.yaml')", "JudgePrompt.of('my.yaml')")  # type: ignore[call-arg]
    asked = 'Is it good? {{ prompt }} {{ response }} {{ ask }}"\ncue: "Score:"\nlabels: [1, 2, 3, 4, 5]\n'
    (tmp_path / "my.yaml").write_text('kind: rating\nuser: "' + asked)
    own = str(tmp_path / "my.yaml")
    rating = [Rating(item_id="r", prompt="Say hi.", response="hi")]
    (said,) = ij.Judge(ij.LAGER(), lm, kind="rating", prompt=own).verdicts(rating)
    features = ij.read(lm, rating, ij.Passes(prompt=ij.JudgePrompt.of(own)))
    assert said.score == pytest.approx(ij.LAGER().decision_function(features)[0])
    mine, usual = ij.LAGER(prompt=own), ij.LAGER().decision_function(ij.read(lm, rating))[0]
    assert mine.decision_function(ij.read(lm, rating, judges=[mine]))[0] == pytest.approx(said.score) != usual
    judge = ij.Judge(mine, lm)
    assert judge.scores(rating)[0] == pytest.approx(said.score)
    judge.save(tmp_path / "j")
    (tmp_path / "my.yaml").unlink()
    assert ij.Judge.load(tmp_path / "j", lm=lm).scores(rating)[0] == pytest.approx(said.score), "the file is not needed"
    answered(lambda: ij.read(lm, rating, judges=[mine]), "my.yaml", "a YAML file of a judge prompt")
    two = [ij.LAGER(prompt="g-eval"), ij.LAGER(prompt="prometheus")]
    answered(lambda: ij.read(lm, rating, judges=two), "g-eval, prometheus", "once for each")
    for some in ([ij.LAGER(), two[0]], [two[0], ij.TextJudge()]):  # neither is read in the other's prompt
        answered(lambda some=some: ij.read(lm, rating, judges=some), "(the usual one)", "g-eval", "once for each")  # type: ignore[misc]
    assert {"logprob", "logits/score"} <= ij.read(lm, rating, judges=[ij.TokenLogProb(), two[0]]).arrays.keys()
    three = ij.LAGER(prompt="umbrela")
    answered(lambda: ij.read(lm, rating, judges=[three]), "5 values", "4 labels")
    answered(lambda: ij.Judge(three, lm), "0-3", "1-5", "values=(0, 1, 2, 3)")
    assert ij.Judge(ij.LAGER(prompt="umbrela", values=(0, 1, 2, 3)), lm).passes.scale == (0, 3)
    answered(lambda: ij.Judge(ij.LAGER(prompt="umbrela", values=(2, 3, 4, 5)), lm), "0-3", "2-5")


def test_6_and_8_answers_and_scales_that_do_not_fit_are_refused_before_the_pass(lm: Any) -> None:
    rating = [Rating(item_id="r", prompt="Say hi.", response="hi")]
    answered(lambda: ij.read(lm, rating, ij.Passes(scale=(1, 100))), "100")
    two = ij.LAGER(values=(0, 1), answers=("bad", "good"))
    assert two.predict(ij.read(lm, rating, judges=[two]))[0] in ("bad", "good")
    answered(lambda: ij.read(lm, rating, ij.Passes(), judges=[two]), "2 values", "5 labels", "scale")
    features = ij.read(lm, rating)
    answered(lambda: two.decision_function(features), "2", "5")


def test_7_a_scale_is_said_once(lm: Any) -> None:
    judge = ij.LAGER(values=(0, 1, 2, 3))
    rating = [Rating(item_id="r", prompt="Say hi.", response="hi")]
    once, twice = ij.read(lm, rating, judges=[judge]), ij.read(lm, rating, ij.Passes(scale=(0, 3)), judges=[judge])
    assert judge.decision_function(once).tolist() == judge.decision_function(twice).tolist()
    assert 0 <= judge.decision_function(once)[0] <= 3
    answered(lambda: ij.LAGER(scale=(0, 3)), "values=(0, 1, 2, 3)")  # type: ignore[call-arg]


def test_9_tables_are_items(lm: Any) -> None:
    datasets = pytest.importorskip("datasets")
    rows = [{"prompt": PROMPT, "response": text, "correct": k} for k, text in enumerate((WRONG, RIGHT))]
    for table in (rows, pd.DataFrame(rows), datasets.Dataset.from_list(rows)):
        assert [one.correct for one in ij.items_from(table)] == [False, True]
        answered(lambda table=table: ij.read(lm, table), "items_from(data", "columns=")
    answered(lambda: ij.items_from(pd.DataFrame({"question": ["?"], "response": ["!"], "label": [1]})), "columns={")


def test_10_what_is_no_score_and_no_index_is_refused_at_once() -> None:
    answered(lambda: Rating(item_id="r", prompt="?", response="!", scores=4), "scores", "(4,)")  # type: ignore[arg-type]
    answered(lambda: Choice(question_id="c", question="?", options=("x", "y"), answer="B"), "answer", "1")  # type: ignore[arg-type]
    answered(lambda: Choice(question_id="c", question="?", options=("x", "y"), answer=2), "answer", "from 0 to 1")


def test_12_clue_without_reasoning_says_what_to_type(lm: Any) -> None:
    plain = [Trace(question_id=str(k), candidate_id="0", prompt=PROMPT, response=str(k)) for k in range(4)]
    features = ij.read(lm, plain)
    answered(lambda: ij.CLUE().fit(features, [True, False, True, False]), "no <think>")


def test_13_one_word_for_where_a_judge_reads() -> None:
    assert ij.CLUE(start="prompt_end", end="response_end").needs == ("hidden/prompt_end", "hidden/response_end")
    answered(lambda: ij.CLUE(between="response"), "start='prompt_end', end='response_end'")  # type: ignore[call-arg]


def test_14_to_17_rows_of_other_tools(tmp_path: Path) -> None:
    one = {"question_id": "q", "candidate_id": "0", "prompt": "?", "response": "!", "correct": 1}
    assert ij.load_data(str(lines(tmp_path / "a.jsonl", one))).items[0].correct is True  # type: ignore[union-attr]
    pair = {"prompt": "?", "chosen": "x", "rejected": "y"}
    assert ij.load_data(str(lines(tmp_path / "b.jsonl", pair))).kind == "pair"
    other = lines(tmp_path / "c.jsonl", {"question": "?", "response": "!", "label": 1})
    answered(lambda: ij.load_data(str(other)), "trace:", "rating:", "choice:", "pair:", "--map prompt=question")
    frame = pd.DataFrame([one])
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.to_parquet(tmp_path / "rows.parquet")
    for name in ("rows.csv", "rows.parquet"):
        assert ij.load_data(str(tmp_path / name)).items == ij.load_data(str(tmp_path / "a.jsonl")).items


def test_18_and_19_folders_and_the_example_of_the_help(tmp_path: Path, cli: Callable[..., Any]) -> None:
    lines(tmp_path / "part-1.jsonl", {"input": "?", "output_1": "x", "output_2": "y", "label": 1})
    assert len(ij.load_data(f"llmbar:{tmp_path}").items) == 1
    said = cli("compare", "--help")
    assert said.code == 0
    assert "--data sample:mmlu" in " ".join(said.out.split())
    assert ij.load_data("sample:mmlu").kind == "choice"


def test_20_features_as_tables_and_parts(features: Any, tmp_path: Path) -> None:
    assert len(features.frame()) == 12
    assert features[0:4].ids == features.ids[:4]
    assert features[[0, 2]].ids == (features.ids[0], features.ids[2])
    assert features.to_pandas().equals(features.frame())
    features.save(tmp_path / "f")
    assert ij.FeatureStore.open(tmp_path / "f").features().ids == features.ids


def test_21_and_22_layers_and_averages_have_one_place(lm: Any, traces: list[Trace]) -> None:
    whole, some = ij.read(lm, traces), ij.read(lm, traces, layers=[2, 3])
    for name in ("hidden/prompt_end", "hidden/response_end", "hidden/reasoning_end"):
        assert np.array_equal(some[name], whole[name][:, [2, 3]])
    assert np.array_equal(ij.read(lm, traces, layers=-1)["hidden/prompt_end"], whole["hidden/prompt_end"][:, -1:])
    own = ij.Passes(needs=frozenset({"hidden/reasoning/step.mean"}))
    steps, two = ij.read(lm, traces, own), ij.read(lm, traces, own, layers=[3, 2])
    step = "hidden/reasoning/step.mean"
    assert np.array_equal(two.ragged[step].values, steps.ragged[step].values[:, [3, 2]])
    right = [bool(one.correct) for one in traces]
    fitted = ij.LogisticProbe(row=1).fit(some, right)
    assert fitted.predict(some).shape == (12,)
    answered(lambda: fitted.predict(whole), "layers", "rows 2, 3 of h[0..L]")
    for odd in ([99], [1, 1], [], "x", 1.5):
        answered(lambda odd=odd: ij.read(lm, traces, layers=odd), "rows")  # type: ignore[arg-type]
    answered(lambda: ij.read(lm, traces, judges=[ij.CLUE()], layers=[2]), "LogisticProbe(row=2)")
    answered(lambda: ij.LogisticProbe(pooling="mean"), "positions=['response.mean']")  # type: ignore[call-arg]
    mean = ij.LogisticProbe(positions=["response.mean"], row=2)
    averaged = ij.read(lm, traces, judges=[mean])
    assert mean.fit(averaged, [one.correct for one in traces]).predict(averaged).shape == (12,)
    answered(lambda: ij.read(lm, traces, judges=[ij.LogisticProbe(positions=["response_mean"])]), "response.mean")
    judge = ij.LogisticProbe(positions=["response_end"], row=2).fit(
        ij.read(lm, traces), [one.correct for one in traces]
    )
    assert ij.read(lm, traces[:2], judges=[judge])["hidden/response_end"].shape[0] == 2  # the pass stops at its block


def test_21_beside_judges_what_its_message_says_works(lm: Any, traces: list[Trace]) -> None:
    judge = ij.LogisticProbe(row=2)
    assert judge.fit(ij.read(lm, traces, judges=[judge]), [one.correct for one in traces]).classes_.tolist() == [0, 1]


def test_a_role_alone_is_read_as_its_mean() -> None:
    from innerjudge.experiments.judges.panel import needs_of

    for typed_, meant in (
        ("response", "hidden/response.mean"),
        ("hidden/response", "hidden/response.mean"),
        ("reasoning/step", "hidden/reasoning/step.mean"),
        ("response.last", "hidden/response.last"),
        ("prompt_end", "hidden/prompt_end.mean"),
        ("hidden/step.mean", "hidden/step.mean"),
        ("tokens/response.entropy", "tokens/response.entropy"),
    ):
        assert needs_of([typed_]) == {meant}
    assert needs_of(["step"]) == {
        *ij.experiments.judges.panel.panel("trace", between=("reasoning_start", "reasoning_end"), scale=(1, 5))[
            "step"
        ].judge.needs
    }, "a judge of that name"
    answered(lambda: needs_of(["steps"]), "'steps'", "hidden/response.mean", "innerjudge judges")


def test_fit_between_response(tmp_path: Path, cli: Callable[..., Any]) -> None:
    stored, out = tmp_path / "f", tmp_path / "j"
    assert cli("extract", "--data", "builtin:solve", "--limit", 4, "--candidates", 3, "--out", stored).code == 0
    said = cli("fit", "--features", stored, "--judge", "clue", "--between", "response", "--out", out)
    assert said.code == 0, said.err
    assert ij.Judge.load(out).judge.needs == ("hidden/prompt_end", "hidden/response_end")


def test_23_and_24_searches_of_scikit_learn(features: Any, labels: Any) -> None:
    from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score

    groups = np.array(features.groups)
    probe = ij.LogisticProbe(positions=["reasoning_end"], row=1)
    assert len(cross_val_score(probe, features, labels, groups=groups, cv=GroupKFold(3))) == 3
    assert GridSearchCV(probe, {"row": [1, 2]}, cv=2).fit(features, labels).best_params_["row"] in (1, 2)


def test_25_a_pipeline_on_features(features: Any, labels: Any) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    chain = make_pipeline(ij.RowSelector("hidden/reasoning_end", row=1), LogisticRegression()).fit(features, labels)
    assert chain.predict(features).shape == (12,)
    answered(lambda: ij.save_judge(chain, "nowhere"), "judge")


def test_26_a_judge_of_ones_own_says_how_it_is_registered(tmp_path: Path) -> None:
    class Mine(ij.BaseJudge):
        def _scores(self, features: Any) -> Any:
            return np.zeros(len(features))

        def _labels(self, features: Any, scores: Any) -> Any:
            return scores > 0

    answered(lambda: ij.save_judge(Mine(), tmp_path / "m"), "register_judge")


def test_27_features_of_stored_arrays() -> None:
    made = ij.Features.from_arrays({"x": [1.0, 2.0]}, provenance="mine", ids=["a", "b"])
    assert made["x"].tolist() == [1.0, 2.0]


def test_28_probabilities_and_scores_where_they_mean_something(features: Any, labels: Any) -> None:
    probe = ij.LogisticProbe(positions=["reasoning_end"], row=1).fit(features, labels)
    assert probe.predict_proba(features).shape == (12, 2)
    assert 0 <= probe.score(features, labels) <= 1


def test_30_and_34_messages_rank(judge: Any) -> None:
    assert {one["score"] is not None for one in judge.rank(MESSAGES, [RIGHT, WRONG])} == {True}


def test_30_and_31_what_is_no_text_is_not_silently_unscored(judge: Any) -> None:
    outputs = [SimpleNamespace(index=k, text=text) for k, text in enumerate((RIGHT, WRONG))]
    assert judge.rank(PROMPT, outputs) == judge.rank(PROMPT, [RIGHT, WRONG]), "outputs of vLLM are read as their text"
    for one in judge.rank(PROMPT, [5, 6]):
        assert one["score"] is None
        assert "of type int, not a string or a list of messages" in one["unscored"]


def test_32_reasoning_apart_in_an_item(lm: Any) -> None:
    said: Any = {"role": "assistant", "content": "36", "reasoning_content": "7+5=12;12*3=36"}
    read = ij.read(lm, [Trace(question_id="q", candidate_id="0", prompt=PROMPT, response=said)])
    assert "hidden/reasoning_end" not in read.missing


def test_33_scores_as_a_cross_encoder_gives_them(judge: Any) -> None:
    pairs = [(PROMPT, RIGHT), (PROMPT, WRONG)]
    assert np.allclose(judge.scores(pairs), [one.score for one in judge.verdicts(pairs)])
    scores = judge.scores(pairs)
    assert judge.predict(pairs).tolist() == [True, False]
    for given in ({"activation_fn": None}, {"apply_softmax": True}, {"activation_fn": None, "apply_softmax": False}):
        assert judge.predict(pairs, **given).tolist() == pytest.approx(scores.tolist())
    as_there = judge.as_cross_encoder().predict(pairs, activation_fn=lambda x: x.sigmoid(), apply_softmax=True)
    assert np.allclose(as_there, 1 / (1 + np.exp(-scores)))
    assert np.allclose(judge.predict(pairs, activation_fn=lambda x: x.sigmoid()), as_there)
    assert judge.predict(pairs[0], activation_fn=None) == pytest.approx(scores[0])
    answered(lambda: judge.predict(pairs, activation=None), "did you mean activation_fn?")


def test_35_and_36_the_command_line(tmp_path: Path, cli: Callable[..., Any]) -> None:
    assert cli("--version").code == 0
    out = tmp_path / "out"
    said = cli(
        *("compare", "--data", "builtin:rate", "--limit", 12, "--judges", "lager", "--reasoning-tokens", 0),
        *("--out", out),
    )
    assert said.code == 0, said.err
    assert (out / "kept").is_dir()
    said = cli("compare", "--data", "builtin:rat", "--out", out)
    assert said.code == 2
    assert len(said.err.splitlines()) == 1


def test_29_parameters_of_a_judge_on_the_command_line(tmp_path: Path, cli: Callable[..., Any]) -> None:
    stored, out = tmp_path / "f", tmp_path / "j"
    assert cli("extract", "--data", "builtin:rate", "--limit", 12, "--out", stored).code == 0
    fit = ("fit", "--features", stored, "--judge", "ridge-probe", "--out", out)
    said = cli(*fit, "--row", 3)
    assert (said.code, len(said.err.splitlines())) == (2, 1)
    assert "--set row=VALUE" in said.err
    for odd, word in (("rwo=3", "positions, row"), ("row=x", "'best'"), ("row", "NAME=VALUE"), ("row=99", "8 rows")):
        said = cli(*fit, "--set", odd)
        assert said.code == 2, odd
        assert word in said.err, said.err
    assert cli(*fit, "--set", "row=3", "--set", 'positions=["prompt_end"]').code == 0
    assert repr(ij.Judge.load(out).judge) == "RidgeProbe(positions=['prompt_end'], row=3)"
    said = cli(*fit, "--set", "row=4")
    assert said.code == 2
    assert "row=3" in said.err
