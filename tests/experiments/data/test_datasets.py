from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from innerjudge.experiments.data.datasets import load_data, take_groups
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.items import Trace


def traces(sizes: list[int]) -> list[Trace]:
    return [
        Trace(question_id=f"q{q}", candidate_id=str(c), prompt="", response="")
        for q, n in enumerate(sizes)
        for c in range(n)
    ]


@given(st.lists(st.integers(1, 6), min_size=1, max_size=12), st.integers(1, 40), st.integers(0, 99))
def test_limit_draws_whole_questions(sizes: list[int], limit: int, seed: int) -> None:
    items = traces(sizes)
    taken = take_groups(items, limit, seed=seed)
    assert 1 <= len(taken) <= limit
    assert taken == [i for i in items if i in taken]  # order kept, nothing twice
    assert taken == take_groups(items, limit, seed=seed)
    whole = [g for g in {i.group for i in taken} if sum(i.group == g for i in taken) == sizes[int(g[1:])]]
    groups = {i.group for i in taken}
    if limit >= len(items):
        assert taken == items
    elif set(sizes) == {1}:
        assert len(taken) == limit
    elif limit >= 2 * max(sizes):
        assert len(whole) == len(groups)
        assert len(taken) > limit - max(sizes)
    if limit > 1 and len(sizes) > 1:
        assert len(groups) > 1
    if len(whole) < len(groups):  # thinned
        assert len(groups) <= 2
        assert len(taken) == min(limit, sum(sizes[int(g[1:])] for g in groups))


def test_seed_decides_the_draw() -> None:
    items = traces([1] * 50)
    assert take_groups(items, 10, seed=0) != take_groups(items, 10, seed=1)


def test_a_jsonl_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    rows = [{"item_id": str(k), "prompt": "p", "response": "r"} for k in range(5)]
    path.write_text("\n".join(map(json.dumps, rows)))
    data = load_data(str(path))
    assert (data.name, data.kind, len(data.items), data.problems) == ("mine.jsonl", "rating", 5, ())
    assert len(load_data(str(path), limit=2).items) == 2
    with pytest.raises(AttributeError):
        data.name = "other"  # type: ignore[misc]


def test_a_loader(shared: Path) -> None:
    spec = f"gsm8k-solutions:{shared / 'data/gsm8k/example_model_solutions.jsonl'}"
    data = load_data(spec, limit=300, seed=0)
    assert (data.name, data.kind) == ("gsm8k-solutions:example_model_solutions.jsonl", "trace")
    assert len(data.items) == 300
    assert len({i.group for i in data.items}) == 75
    mmlu = load_data(f"mmlu:{shared / 'data/mmlu/val'}", limit=300)
    assert (mmlu.name, mmlu.kind, len(mmlu.items)) == ("mmlu:val", "choice", 300)
    chat = load_data(f"topical-chat:{shared / 'data/topical_chat/topical_chat.json'}", limit=300)
    # Of each conversation with its 36 ratings only 300 // 40 = 7 are drawn: 300 // 7 = 42 conversations, 294 ratings.
    assert (len(chat.items), len({i.group for i in chat.items})) == (294, 42)
    # 180 // 40 = 4 of each: 45 conversations, where whole ones would be five.
    few = load_data(f"topical-chat:{shared / 'data/topical_chat/topical_chat.json'}", limit=180)
    assert (len(few.items), len({i.group for i in few.items})) == (180, 45)


@pytest.mark.parametrize(
    ("name", "kind", "items", "questions"),
    [
        ("mmlu", "choice", 120, 120),
        ("llmbar", "pair", 80, 80),
        ("topical-chat", "rating", 360, 60),
        ("gsm8k-solutions", "trace", 200, 50),
    ],
)
def test_samples_come_with_the_package(name: str, kind: str, items: int, questions: int) -> None:
    data = load_data(f"sample:{name}")
    assert (data.name, data.kind, len(data.items)) == (f"sample:{name}", kind, items)
    assert len({item.group for item in data.items}) == questions
    assert len({item.id for item in data.items}) == items


def test_samples_are_drawn_from_the_originals(shared: Path) -> None:
    from innerjudge.experiments.bench.real.samples import DRAWINGS, draw
    from innerjudge.experiments.data.datasets import SAMPLES
    from innerjudge.experiments.data.loaders import load

    for name in SAMPLES:
        items = load(DRAWINGS[name].source.format(shared / "data"))
        assert list(load_data(f"sample:{name}").items) == draw(items, DRAWINGS[name])


def test_builtin_problems_wait_for_a_model() -> None:
    data = load_data("builtin:solve")
    assert (data.name, data.kind, data.items, len(data.problems)) == ("builtin:solve", "trace", (), 100)
    assert len(load_data("builtin:solve", limit=7).problems) == 7
    assert load_data("builtin:solve", limit=7, seed=1).problems != load_data("builtin:solve", limit=7).problems


@pytest.mark.parametrize(("task", "kind"), [("rate", "rating"), ("choose", "choice")])
def test_builtin_items(task: str, kind: str) -> None:
    data = load_data(f"builtin:{task}")
    assert (data.kind, len(data.items)) == (kind, 400)
    few = load_data(f"builtin:{task}", limit=10, seed=3)
    assert len(few.items) == 10
    assert few == load_data(f"builtin:{task}", limit=10, seed=3)
    assert few != load_data(f"builtin:{task}", limit=10, seed=4)


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("no.jsonl", {}, "given 'no.jsonl', expected a file or pattern, builtin:solve|rate|choose|steps, sample:mmlu|"),
        ("imdb:no", {}, "given 'imdb:no', expected a file or pattern"),
        ("mmlu:no", {}, "given 'no', expected a folder or file"),
        ("sample:cat", {}, "given 'sample:cat', expected sample:mmlu, sample:llmbar"),
        ("builtin:sing", {}, "given 'builtin:sing', expected builtin:solve"),
        ("builtin:solve", {"limit": 0}, "given --limit 0, expected at least 1"),
        ("builtin:solve", {"seed": -1}, "given --seed -1, expected 0 or more"),
    ],
)
def test_bad_specs(spec: str, options: dict[str, int], message: str) -> None:
    with pytest.raises(InnerjudgeError) as caught:
        load_data(spec, **options)
    assert message in str(caught.value)
