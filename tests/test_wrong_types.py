"""Every public name, given something of another type, says in one line what was given and what was expected."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import innerjudge
import numpy as np
import pytest
import torch
from innerjudge import CLUE, LAGER, BaseJudge, Features, InnerjudgeError, Judge, LanguageModel

#: Objects of types that no parameter below expects at the place where they are given.
WRONG: dict[str, Any] = {
    "None": None,
    "int": 3,
    "float": 1.5,
    "str": "no such thing",
    "list": [1, 2],
    "dict": {"a": 1},
    "module": torch.nn.Linear(1, 1),
    "object": object(),
}
#: Public names that are not called with arguments of the user's: what is returned, and what others are made from.
NOT_CALLED = {
    "BaseJudge": "abstract",
    "LearningJudge": "abstract",
    "StreamingJudge": "abstract",
    "EngineJudge": "made by EngineJudge.load, which is called below",
    "InnerjudgeError": "the error itself",
    "Comparison": "what compare returns",
    "Diagnosis": "what doctor returns",
    "ComparisonSettings": "checked by the comparison that it is given to",
    "LanguageModel": "made by load and wrap",
    "ResponseLogProb": "takes nothing",
    "Task": "what a judge says of the items that it judges",
    "Verdict": "what judges return",
    "StoreRows": "what FeatureStore.rows returns",
    "Promise": "what calibrate returns",
    "Ragged": "its offsets are checked in test_ranges.py",
    "Conversation": "checked by the items and judges that it is given to",
    "JudgePrompt": "checked field by field in test_judge_prompt.py",
}
JUDGES = [
    name
    for name in innerjudge.__all__
    if isinstance(getattr(innerjudge, name), type)
    and issubclass(getattr(innerjudge, name), BaseJudge)
    and name not in NOT_CALLED
]


@pytest.fixture(scope="module")
def features() -> Features:
    return Features.from_arrays({"logprob": [[-6, 3], [-4, 4]]}, provenance="m")


def refused(call: Callable[[], Any], expected: str = "expected") -> None:
    with pytest.raises(InnerjudgeError) as found:
        call()
    said = str(found.value)
    assert "given" in said, said
    assert expected in said, said
    assert len(said) < 1000, said
    assert "\n" not in said, said


def not_of(*kinds: str) -> list[Any]:
    return [value for name, value in WRONG.items() if name not in kinds]


#: Public function or class -> arguments that are right but for the one named, and the types that are right for that.
#: ``LM`` stands for a model.
LM = "the model"
_FIELDS = ("model", "revision", "dtype", "attention", "chat_template")
CALLS: list[tuple[str, dict[str, Any], str, tuple[str, ...]]] = [
    ("load", {}, "name", ("str",)),
    ("load", {"name": "reference"}, "device", ("str",)),
    ("wrap", {"model": torch.nn.Linear(1, 1)}, "tokenizer", ()),
    ("read", {"items": []}, "lm", ()),
    ("read", {"lm": LM}, "items", ("list",)),
    ("read", {"lm": LM, "items": []}, "judges", ()),
    ("read", {"lm": LM, "items": []}, "passes", ("None",)),
    ("extract", {"items": [], "readouts": []}, "lm", ()),
    ("extract", {"lm": LM, "readouts": []}, "items", ()),
    ("extract", {"lm": LM, "items": []}, "readouts", ()),
    ("describe", {}, "lm", ()),
    ("register_judge", {}, "judge", ()),
    ("compare", {"items": []}, "lm", ()),
    ("compare", {"lm": LM}, "items", ("str",)),
    ("compare", {"lm": LM, "items": []}, "judges", ("None",)),
    ("doctor", {}, "source", ()),
    ("calibrate", {"labels": [], "groups": [], "risk": "lost good answers"}, "scores", ("list", "None")),
    ("calibrate", {"scores": [1.0], "labels": [True], "groups": ["q"]}, "risk", ()),
    ("Cascade", {}, "judges", ()),
    ("sweep", {"labels": [], "kind": "trace"}, "features", ()),
    ("sentences", {}, "found", ()),
    ("causal_test", {"choices": [], "heads": []}, "lm", ()),
    ("causal_test", {"lm": LM, "heads": []}, "choices", ()),
    ("ablated", {"heads": []}, "lm", ()),
    ("ablated", {"lm": LM}, "heads", ()),
    ("encode_trace", {"tokenizer": None}, "trace", ()),
    ("render", {"tokenizer": None, "thinking": False}, "user", ("str",)),
    ("permuted", {"seed": 0}, "choices", ()),
    ("sample_traces", {"problems": []}, "lm", ()),
    ("sample_and_judge", {"questions": ["q"], "judge": LAGER(values=(0, 1))}, "lm", ()),
    ("sample_and_judge", {"lm": LM, "questions": ["q"]}, "judge", ()),
    ("sample_and_judge", {"lm": LM, "judge": LAGER(values=(0, 1))}, "questions", ()),
    ("sample_and_judge", {"lm": LM, "questions": ["q"], "judge": LAGER(values=(0, 1))}, "n", ("int",)),
    ("fit_stream", {"lm": LM, "traces": [], "labels": []}, "judge", ()),
    ("fit_stream", {"judge": CLUE(), "traces": [], "labels": []}, "lm", ()),
    ("fit_many", {"x": np.zeros((1, 2, 3)), "labels": [0, 1], "groups": ["p", "q"]}, "kind", ("str",)),
    ("label_widget", {"out": "x.jsonl"}, "items", ()),
    ("label_widget", {"items": []}, "out", ("str",)),
    ("fit_many", {"kind": "ridge", "labels": [0, 1], "groups": ["p", "q"]}, "x", ()),
    ("fit_many", {"kind": "ridge", "x": np.zeros((1, 2, 3)), "labels": [0, 1]}, "groups", ()),
    ("split_by_group", {"seed": 0}, "groups", ()),
    ("load_data", {}, "spec", ("str",)),
    ("items_from", {}, "data", ()),
    ("items_from", {"data": []}, "kind", ("str", "None")),
    ("read_items", {}, "path", ("str",)),
    ("save_judge", {"folder": "x"}, "judge", ()),
    ("save_judge", {"judge": CLUE()}, "folder", ("str",)),
    ("load_judge", {}, "folder", ("str",)),
    ("Judge", {"lm": LM}, "judge", ()),
    ("Judge", {"judge": LAGER(values=(0, 1))}, "lm", ()),
    ("Judge", {"judge": LAGER(values=(0, 1)), "lm": LM}, "kind", ("None", "str")),
    ("Passes", {}, "batch_size", ("int",)),
    ("Passes", {}, "markers", ()),
    ("HiddenStates", {}, "position", ("str",)),
    ("LabelLogits", {}, "position", ("str",)),
    ("QueryKey", {}, "rotary", ("str",)),
    ("States", {}, "role", ("str",)),
    ("TokenStats", {}, "role", ("str",)),
    ("TokenStats", {"role": "response"}, "what", ("str",)),
    ("AttentionSpans", {}, "role", ("str",)),
    ("Lens", {}, "role", ("str",)),
    ("AttentionWeights", {}, "query", ("str",)),
    ("RowSelector", {}, "readout", ("str",)),
    ("Trace", {"candidate_id": "", "prompt": "", "response": ""}, "question_id", ("str",)),
    ("Trace", {"candidate_id": "", "question_id": "", "prompt": ""}, "response", ("str",)),
    ("Rating", {"item_id": "", "prompt": ""}, "response", ("str",)),
    ("Choice", {"question_id": "", "options": ()}, "question", ("str",)),
    ("Choice", {"question_id": "", "question": ""}, "options", ()),
    ("Pair", {"pair_id": "", "prompt": "", "response_a": ""}, "response_b", ("str",)),
    (
        "Provenance",
        dict.fromkeys(("model", "revision", "dtype", "attention", "chat_template"), ""),
        "fingerprint",
        ("str",),
    ),
    ("Features", {"groups": (), "provenance": None}, "ids", ()),
    ("Features", {"groups": (), "ids": ()}, "provenance", ()),
    ("Features.from_arrays", {"provenance": "m"}, "arrays", ()),
    ("Features.from_arrays", {"arrays": {"x": [1]}}, "provenance", ("str",)),
    ("FeatureStore.open", {}, "where", ("str",)),
    ("FeatureStore.save", {"where": "x"}, "features", ()),
    ("FeatureStore.create", {"where": "x"}, "header", ()),
    ("Judge.load", {}, "folder_or_hub_name", ("str",)),
    ("EngineJudge.load", {}, "folder_or_hub_name", ("str",)),
    ("BaseJudge.load", {}, "folder", ("str",)),
]


@pytest.mark.parametrize(
    ("name", "others", "argument", "right"), CALLS, ids=[f"{name}-{argument}" for name, _, argument, _ in CALLS]
)
def test_functions_and_constructors(
    name: str, others: dict[str, Any], argument: str, right: tuple[str, ...], reference: LanguageModel
) -> None:
    target: Any = innerjudge
    for part in name.split("."):
        target = getattr(target, part)
    others = {key: reference if value is LM else value for key, value in others.items()}
    for value in not_of(*right):
        refused(lambda value=value: target(**others, **{argument: value}))


def test_wrapping_what_is_no_model(reference: LanguageModel) -> None:
    for value in WRONG.values():
        refused(lambda value=value: innerjudge.wrap(value, reference.tokenizer))


def test_a_loaded_model_is_to_be_wrapped(reference: LanguageModel) -> None:
    refused(lambda: innerjudge.load(reference.model), "wrap(model, tokenizer)")


def test_every_public_name_is_called_or_said_why_not() -> None:
    called = {name.partition(".")[0] for name, *_ in CALLS}
    modules = {name for name in innerjudge.__all__ if inspect.ismodule(getattr(innerjudge, name))}
    assert set(innerjudge.__all__) - modules <= called | NOT_CALLED.keys() | set(JUDGES)


def parameters() -> Iterator[tuple[str, str]]:
    for name in JUDGES:
        for parameter in inspect.signature(getattr(innerjudge, name)).parameters:
            yield name, parameter


@pytest.mark.parametrize(("name", "parameter"), list(parameters()))
def test_parameters_of_judges(name: str, parameter: str) -> None:
    for value in (WRONG["dict"], WRONG["module"], WRONG["object"]):
        refused(lambda value=value: getattr(innerjudge, name)(**{parameter: value}))
        refused(lambda value=value: getattr(innerjudge, name)().set_params(**{parameter: value}))


@pytest.mark.parametrize("name", JUDGES)
@pytest.mark.parametrize(
    "method", ["fit", "decision_function", "predict", "verdicts", "unscored", "score", "partial_fit", "predict_proba"]
)
def test_methods_of_judges(name: str, method: str, features: Features) -> None:
    judge = getattr(innerjudge, name)()
    call = getattr(judge, method, None)
    if call is None:
        pytest.skip(f"{name} has no {method}")
    labels = ([True, False],) if method in ("fit", "score", "partial_fit") else ()
    for value in WRONG.values():
        refused(lambda value=value: call(value, *labels), "expected Features: innerjudge.read(lm, items) reads them")
    if method == "fit" and judge.learns:
        for value in not_of("list"):
            refused(lambda value=value: call(features, value))


@pytest.mark.parametrize("name", JUDGES)
def test_saving_to_what_is_no_path(name: str) -> None:
    for value in not_of("str"):
        refused(lambda value=value: getattr(innerjudge, name)().save(value))


def test_features_of_wrong_types(features: Features) -> None:
    for value in not_of("int", "list"):
        refused(lambda value=value: features[value])
        refused(lambda value=value: features.take(value))
    for value in WRONG.values():
        refused(lambda value=value: features.join(value))
        refused(lambda value=value: Features.concat([value]))
        refused(lambda value=value: features.frame(value))
        refused(lambda value=value: features.present(value))


def test_methods_of_a_judge_with_its_model(reference: LanguageModel, tmp_path: Path) -> None:
    judge = Judge(LAGER(values=(0, 1)), reference)
    face = judge.as_cross_encoder()
    for value in not_of("list"):
        for call in (judge.scores, judge.predict, judge.verdicts, face.predict):
            refused(lambda call=call, value=value: call(value))
        refused(lambda value=value: judge.rank("q", value))
        refused(lambda value=value: judge.rank_many(["q"], value))
    for value in not_of("int"):
        refused(lambda value=value: judge.scores([], batch_size=value))
        refused(lambda value=value: judge.rank("q", [], batch_size=value))
    for value in not_of("int", "None"):
        refused(lambda value=value: judge.rank("q", [], top_k=value))
    for value in not_of("str"):
        refused(lambda value=value: judge.save(value))
        refused(lambda value=value: judge.rank(value, ["a"]))
