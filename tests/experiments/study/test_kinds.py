"""Whole small studies: of choices, of pairs, and of what is fitted on one data set and tested on another."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from innerjudge.experiments.data.datasets import load_data
from innerjudge.experiments.data.jsonl import write_jsonl
from innerjudge.experiments.data.kinds import item_to_row

pytestmark = pytest.mark.usefixtures("no_pixels")


def run(cli: Any, tmp_path: Path, text: str) -> dict[str, Any]:
    path = tmp_path / "s.yaml"
    path.write_text("reasoning_tokens: 0\n" + text, encoding="utf-8")
    said = cli("study", path)
    assert said.code == 0, said.err
    found: dict[str, Any] = json.loads((tmp_path / "s" / "results.json").read_text("utf-8"))
    page = (tmp_path / "s" / "report.html").read_text("utf-8")
    assert "nan" not in {word.strip(".,[]<>()").lower() for word in page.split("base64")[0].split()}
    return found | {"page": page}


def test_choices(cli: Any, tmp_path: Path) -> None:
    judges = "[qk-score, letter-logits, text, attention-score]"
    found = run(
        cli,
        tmp_path,
        f"data: [{{source: builtin:choose, limit: 30}}]\njudges: {judges}\naudits: {{selection: true, dummies: true}}",
    )
    parts = {f["part"] for f in found["figures"]}
    assert {"accuracy", "agreement", "calibration", "panels", "blocks"} <= parts
    figures = {(f["part"], f["judge"], f["metric"], f["against"]): f["value"] for f in found["figures"]}
    rows = [json.loads(line) for line in (tmp_path / "s" / "verdicts.jsonl").read_text("utf-8").splitlines()]
    said: dict[tuple[str, int], Counter[int]] = {}
    for row in rows:
        if row["split"] == "test" and row["order"] == "given" and row["label"] is not None:
            said.setdefault((row["question"], row["truth"]), Counter())[row["label"]] += 1
    won = [
        votes.most_common(1)[0][0] == label
        for (_, label), votes in said.items()
        if list(votes.values()).count(max(votes.values())) == 1
    ]
    voted = figures["panels", "majority of verdicts", "accuracy", None]
    assert voted == pytest.approx(sum(won) / len(won)), "a vote on options, not on their numbers"
    assert "Choices have no responses to ask about" in found["page"]
    assert "The luck of a pick" in found["page"]


def test_pairs(cli: Any, tmp_path: Path) -> None:
    texts = ("red red blue", "blue", "green red", "red")
    rows = [
        {
            "pair_id": f"p{k}",
            "prompt": f"Name colours, {k}.",
            "response_a": texts[k % 4],
            "response_b": texts[(k + 1) % 4],
            "preference": "ab"[k % 2],
        }
        for k in range(20)
    ]
    write_jsonl(tmp_path / "pairs.jsonl", rows)
    people = [{"question": f"p{k}", "candidate": "a|b", "judge": "ann", "label": "ab"[k % 2]} for k in range(20)]
    write_jsonl(tmp_path / "ann.jsonl", people)
    found = run(
        cli,
        tmp_path,
        "data: [{source: pairs.jsonl}]\nrows: [ann.jsonl]\n"
        "judges: [lager, e-score, verdict-logits, logistic-probe, text]\n"
        "audits: {items: 8, pairs: true, distractors: true, perturbation: true}",
    )
    figures = {(f["part"], f["judge"], f["metric"], f["against"]): f for f in found["figures"]}
    assert figures["accuracy", "ann", "accuracy as shown", None]["value"] == 1.0
    assert figures["accuracy", "ann", "accuracy in both orders", None]["value"] is None, "ann saw one order"
    assert {"bias", "steadiness", "distractors"} <= {f["part"] for f in found["figures"]}
    given = figures["bias", "lager", "position bias", None]
    assert given["value"] in (0.0, None), "a judge of single responses has no position"


@pytest.mark.parametrize("kind", ["rate", "choose"])
def test_fitted_on_one_data_set_and_tested_on_another(kind: str, cli: Any, tmp_path: Path) -> None:
    other = load_data(f"builtin:{kind}", limit=24, seed=5)
    write_jsonl(tmp_path / "other.jsonl", [item_to_row(item) for item in other.items])
    judges = {"rate": "[ridge-probe, e-score, text]", "choose": "[qk-score, text]"}[kind]
    found = run(
        cli,
        tmp_path,
        f"data: [{{source: builtin:{kind}, limit: 24}}, {{source: other.jsonl}}]\njudges: {judges}\n"
        "audits: {transfer: true}",
    )
    judge = {"rate": "ridge-probe", "choose": "qk-score"}[kind]
    cells = {(f["data"], f["metric"]): f["value"] for f in found["figures"] if f["part"] == "transfer"
             and f["judge"] == judge}  # fmt: skip
    name = {"rate": "Spearman", "choose": "accuracy"}[kind]
    data = (f"builtin:{kind}", "other.jsonl")
    assert {(a, f"{name}, fitted on {b}") for a in data for b in data} <= cells.keys()
    at_home = {f["data"]: f["value"] for f in found["figures"] if (f["part"], f["judge"], f["metric"], f["against"])
               == ("accuracy", judge, name, None)}  # fmt: skip
    for one in data:
        assert cells[one, f"{name}, fitted on {one}"] == pytest.approx(at_home[one])


def test_transfer_of_data_sets_of_several_kinds_stays_within_a_kind(cli: Any, tmp_path: Path) -> None:
    """A judge of one kind of item has cells under the data sets of that kind only, and none under the others."""
    found = run(
        cli,
        tmp_path,
        "data: [{source: builtin:rate, limit: 24}, {source: builtin:choose, limit: 24}, "
        "{source: builtin:solve, limit: 24}]\njudges: [text]\naudits: {transfer: true}",
    )
    cells = [(f["data"], f["metric"].split(", fitted on ")[1]) for f in found["figures"] if f["part"] == "transfer"]
    assert cells
    assert all(tested == fitted for tested, fitted in cells)


def test_pairs_fitted_on_one_data_set_and_tested_on_another(cli: Any, tmp_path: Path) -> None:
    """Where the longer response is preferred in one data set and the shorter in the other, what is learnt turns."""
    for name, longer in (("long", True), ("short", False)):
        rows = [
            {
                "pair_id": f"{name}{k}",
                "prompt": f"Name colours, {k}.",
                "response_a": "red " * (5 + k % 3) if k % 2 else "blue",
                "response_b": "blue" if k % 2 else "red " * (5 + k % 3),
                "preference": "a" if (k % 2 == 1) is longer else "b",
            }
            for k in range(24)
        ]
        write_jsonl(tmp_path / f"{name}.jsonl", rows)
    found = run(
        cli,
        tmp_path,
        "data: [{source: long.jsonl}, {source: short.jsonl}]\njudges: [logistic-probe, text]\naudits: {transfer: true}",
    )
    cells = {(f["judge"], f["data"], f["metric"].split(", fitted on ")[1]): f for f in found["figures"]
             if f["part"] == "transfer"}  # fmt: skip
    for at in ("long.jsonl", "short.jsonl"):
        for of in ("long.jsonl", "short.jsonl"):
            assert cells["length", at, of]["value"] == (1.0 if at == of else 0.0)
            assert cells["length", at, of]["low"] < cells["length", at, of]["high"], "one side is not certain"
        home = next(f for f in found["figures"] if (f["part"], f["judge"], f["metric"], f["data"], f["against"])
                    == ("accuracy", "logistic-probe", "accuracy in both orders", at, None))  # fmt: skip
        assert cells["logistic-probe", at, at]["value"] == pytest.approx(home["value"])


def test_people_on_another_scale_than_is_asked_for(cli: Any, tmp_path: Path) -> None:
    rows = [
        {"item_id": f"r{k}", "prompt": f"Say {k}.", "response": "red " * (k % 3 + 1), "scores": [k % 2],
         "scale": [0, 1], "question_id": f"q{k // 2}"}
        for k in range(32)
    ]  # fmt: skip
    write_jsonl(tmp_path / "r.jsonl", rows)
    found = run(
        cli,
        tmp_path,
        "data: [{source: r.jsonl}]\njudges: [e-score, text]\n"
        "audits: {items: 4, pairs: true, checklist: ['Is it red?']}",
    )
    met = [f for f in found["figures"] if f["metric"] == "requirements met (DRFR)"]
    assert {f["judge"] for f in met} == {"checklist, logits", "checklist, text"}
    rows = [json.loads(line) for line in (tmp_path / "s" / "verdicts.jsonl").read_text("utf-8").splitlines()]
    assert {row["truth"] for row in rows if row["candidate"].startswith("r") and "|" not in row["candidate"]
            and not row["template"].startswith("check-")} == {1.0, 5.0}  # fmt: skip
    assert {row["check"] for row in rows if row["template"] == "check-1"} == {"Is it red?"}
