"""A judge as a reward: of strings and messages, and in a real step of GRPO."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from innerjudge import Judge
from innerjudge.experiments.judges.interfaces import as_reward
from innerjudge.models import reference as built_in

from .conftest import PROMPT, RIGHT, WRONG

WEIGHTS = str(Path(built_in.__file__).parent / "weights")
TOO_LONG = "12 " * 2000


def test_strings_and_messages_have_one_reward(judge: Judge, caplog: pytest.LogCaptureFixture) -> None:
    reward = as_reward(judge)
    assert reward.__name__ == "innerjudge"
    expected = judge.scores([(PROMPT, RIGHT), (PROMPT, WRONG)]).tolist()
    plain = reward(prompts=[PROMPT] * 2, completions=[RIGHT, WRONG], trainer_state=None, level=["easy", "hard"])
    assert plain == pytest.approx(expected, abs=1e-6)
    assert plain[0] > plain[1]
    user = [{"role": "user", "content": PROMPT}]
    said = [[{"role": "assistant", "content": one}] for one in (RIGHT, WRONG)]
    assert reward(prompts=[user] * 2, completions=said) == plain
    parts = [{"role": "user", "content": [{"type": "text", "text": PROMPT}]}]
    assert reward(prompts=[parts] * 2, completions=said) == plain
    assert caplog.text == ""


def test_what_cannot_be_scored_has_no_reward(judge: Judge, caplog: pytest.LogCaptureFixture) -> None:
    logged: dict[str, float] = {}
    tools = [{"role": "assistant", "content": "a"}, {"role": "tool", "content": "b"}]
    image = [{"role": "assistant", "content": [{"type": "image"}]}]
    given = [TOO_LONG, RIGHT, tools, image, None]
    with caplog.at_level(logging.WARNING):
        found = as_reward(judge, name="solver")(
            prompts=[PROMPT] * 5, completions=given, log_metric=lambda name, value: logged.update({name: value})
        )
    assert [score is None for score in found] == [True, False, True, True, True]
    assert logged == {"solver/unscored": 4}
    assert "solver: 4 of 5 unscored (first: " in caplog.text
    assert as_reward(judge)(prompts=[], completions=[]) == []


def test_messages_that_hold_no_text_have_no_reward(judge: Judge) -> None:
    reward = as_reward(judge)
    for odd in (None, 7, [], [None], [{"role": "user"}], [{"content": None}], [{"content": [7]}], {"a": 1}):
        assert reward(prompts=[PROMPT], completions=[odd]) == [None], odd
        assert reward(prompts=[odd], completions=[RIGHT]) == [None], odd
    system = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": PROMPT}]
    assert None not in reward(prompts=[system], completions=[RIGHT])


def test_reasoning_in_a_field_of_its_own(judge: Judge) -> None:
    said = {"role": "assistant", "content": "36", "reasoning_content": "7+5=12;12*3=36"}
    fields = ("reasoning_content", "reasoning", "thinking")
    every = [[{"role": "assistant", "content": "36", name: "7+5=12;12*3=36"}] for name in fields]
    parts = [{"content": [{"type": "text", "text": "36"}], "reasoning": "7+5=12;12*3=36"}]
    both = [{**said, "content": "<think>7+5=12;12*3=36</think>36"}]
    whole = "<think>7+5=12;12*3=36</think>36"
    *apart, together = as_reward(judge)(prompts=[PROMPT] * 6, completions=[*every, parts, both, whole])
    assert apart == [pytest.approx(together, abs=1e-6)] * 5


@pytest.mark.slow
@pytest.mark.parametrize("chat", [False, True], ids=["strings", "messages"])
def test_a_step_of_grpo(judge: Judge, solve_problems, tmp_path: Path, chat: bool) -> None:
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer

    prompts = [[{"role": "user", "content": p.prompt}] if chat else p.prompt for p in solve_problems[:2]]
    rows = [{"prompt": one, "answer": p.answer} for one, p in zip(prompts, solve_problems, strict=False)]
    seen: list[list[float | None]] = []
    reward = judge.as_reward()

    def watched(**given: object) -> list[float | None]:
        seen.append(reward(**given))
        assert given["answer"] == [p.answer for p in solve_problems[:2] for _ in range(4)]
        return seen[-1]

    watched.__name__ = reward.__name__
    model = AutoModelForCausalLM.from_pretrained(WEIGHTS)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    judged_before = judge.scores([(PROMPT, RIGHT)])
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=watched,
        args=GRPOConfig(
            output_dir=str(tmp_path), per_device_train_batch_size=8, num_generations=4, max_completion_length=32,
            max_steps=1, learning_rate=1e-3, logging_steps=1, report_to=[], use_cpu=True, save_strategy="no",
            bf16=False, disable_tqdm=True, seed=4, shuffle_dataset=False,
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(WEIGHTS),
    )  # fmt: skip
    trainer.train()
    log = next(row for row in trainer.state.log_history if "rewards/innerjudge/mean" in row)
    assert len(seen) == 1
    assert len(seen[0]) == 8
    assert log["rewards/innerjudge/mean"] == pytest.approx(np.mean(seen[0]), abs=1e-5)
    assert log["innerjudge/unscored"] == 0
    assert np.isfinite(log["loss"])
    moved = [name for name, value in trainer.model.named_parameters() if not before[name].equal(value.cpu())]
    assert moved
    assert judge.scores([(PROMPT, RIGHT)]) == judged_before  # the judge's own model is not the one that is trained
