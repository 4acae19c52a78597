"""Judges inside vLLM, in front of a small stand-in for its connector interface; ``make engine`` runs the real one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
import torch
from innerjudge import CLUE, InnerjudgeError, Judge, LanguageModel, LogisticProbe, TokenLogProb, Trace, read
from innerjudge.experiments.judges.engine import EngineJudge
from innerjudge.models.positions import encode_sampled, encode_trace
from innerjudge.probes.promising import identity

PROMPT = "Start with 7. Add 5. Times 3."
SAID = ["<think>7+5=12;12*3=36</think>36", "<think>7+5=13;13*3=39</think>39", "<think>7+5=12;12+3=15</think>15"]
BLOCK = 4


class Base:
    """What the connector takes from vLLM's base class."""

    def __init__(self, vllm_config: Any, role: str, kv_cache_config: Any) -> None:
        self._kv_transfer_config = vllm_config.kv_transfer_config


@pytest.fixture
def adapter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module, with stand-ins for what it imports of vLLM; ``adapter.context`` is the pass' context."""
    base = SimpleNamespace(
        KVConnectorBase_V1=Base, KVConnectorRole=SimpleNamespace(WORKER="w"), KVConnectorMetadata=object
    )
    context = SimpleNamespace(slot_mapping={})
    parts: dict[str, dict[str, Any]] = {
        "vllm": {},
        "vllm.distributed": {},
        "vllm.distributed.kv_transfer": {},
        "vllm.distributed.kv_transfer.kv_connector": {},
        "vllm.distributed.kv_transfer.kv_connector.v1": {"base": base},
        "vllm.forward_context": {"get_forward_context": lambda: context},
        "vllm.logger": {"init_logger": lambda _: SimpleNamespace(info=lambda *_: None)},
    }
    for name, held in parts.items():
        module = ModuleType(name)
        vars(module).update(held)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "innerjudge.experiments.adapters.vllm", raising=False)
    module = import_module("innerjudge.experiments.adapters.vllm")
    yield SimpleNamespace(module=module, context=context)
    sys.modules.pop("innerjudge.experiments.adapters.vllm", None)


class Engine:
    """Two halves of a connector around a model of transformers, and blocks handed out from the highest on."""

    def __init__(self, adapter: Any, lm: LanguageModel, folders: Any, **how: Any) -> None:
        config = SimpleNamespace(
            enforce_eager=True,
            model=lm.name,
            dtype=torch.float32,
            get_total_num_hidden_layers=lambda: lm.anatomy.n_blocks,
            get_hidden_size=lambda: lm.model.config.hidden_size,
        )
        vars(config).update({k: v for k, v in how.items() if hasattr(config, k)})
        extra = SimpleNamespace(get_from_extra_config=lambda name, default: folders)
        whole = SimpleNamespace(
            model_config=config,
            kv_transfer_config=extra,
            parallel_config=SimpleNamespace(world_size=how.get("world_size", 1), data_parallel_rank=0),
            instance_id=f"test-{uuid4()}",
        )
        caches = SimpleNamespace(
            num_blocks=64, kv_cache_groups=[SimpleNamespace(kv_cache_spec=SimpleNamespace(block_size=BLOCK))]
        )
        self.lm, self.context = lm, adapter.context
        self.worker = adapter.module.JudgeConnector(whole, "w", caches)
        self.scheduler = adapter.module.JudgeConnector(whole, "s", caches)
        self.free = list(range(64))
        cache = self.worker._cache
        begin, keep = cache.begin, cache.keep
        # transformers has a batch axis, which an engine has not
        cache.begin = lambda places, ids: begin(places, ids.view(-1))
        cache.keep = lambda row, states: keep(row, states.view(-1, states.shape[-1]))

    def blocks(self, n: int) -> list[int]:
        return [self.free.pop() for _ in range(-(-n // BLOCK))]

    @torch.inference_mode()
    def run(self, ids: list[int], blocks: list[int], *, chunk: int = 1000, known: int = 0) -> None:
        """Passes over the tokens after ``known``, ``chunk`` at a time, each with two paddings at its end."""
        past: Any = None
        if known:
            past = self.lm.model(torch.tensor([ids[:known]]), use_cache=True).past_key_values
        for start in range(known, len(ids), chunk):
            part = ids[start : start + chunk]
            slots = [blocks[k // BLOCK] * BLOCK + k % BLOCK for k in range(start, start + len(part))]
            self.context.slot_mapping = {"0": torch.tensor(slots)}
            past = self.lm.model(torch.tensor([part]), past_key_values=past, use_cache=True).past_key_values
            self.worker.wait_for_save()
            self.context.slot_mapping = {}  # what the model reads else is not the engine's

    def finish(self, prompt: list[int], answer: list[int], blocks: list[int], **how: Any) -> Any:
        request = SimpleNamespace(
            prompt_token_ids=prompt,
            output_token_ids=answer,
            kv_transfer_params=how.get("params"),
            sampling_params=SimpleNamespace(all_stop_token_ids=how.get("stops", set())),
            num_computed_tokens=how.get("computed", len(prompt) + max(len(answer) - 1, 0)),
        )
        freed_later, said = self.scheduler.request_finished(request, blocks)
        assert not freed_later
        return said["judges"]


@pytest.fixture
def judges(reference: LanguageModel, tmp_path: Path) -> tuple[dict[str, Judge], dict[str, str]]:
    traces = [Trace(question_id="q", candidate_id=str(k), prompt=PROMPT, response=one) for k, one in enumerate(SAID)]
    made: dict[str, Any] = {
        "clue": CLUE(rank_by="margin"),
        "probe": LogisticProbe(row=3),
        "end": LogisticProbe(positions=["response_end"], row=-1),
        "start": LogisticProbe(positions=["prompt_end"], row=0),
    }
    found = {}
    for name, judge in made.items():
        features = read(reference, traces, judges=[judge])
        found[name] = Judge(judge.fit(features, [True, False, False]), reference)
        found[name].save(tmp_path / name)
    return found, {name: str(tmp_path / name) for name in found}


@pytest.fixture
def engine(adapter: Any, reference: LanguageModel, judges: Any) -> Iterator[Engine]:
    reference.model(torch.tensor([[1]]), output_hidden_states=True)  # type: ignore[operator] # hooks of transformers stay
    every = [hooks for m in reference.model.modules() for hooks in (m._forward_hooks, m._forward_pre_hooks)]
    before = [set(hooks) for hooks in every]
    yield Engine(adapter, reference, judges[1])
    for hooks, own in zip(every, before, strict=True):  # those of a connector end with it: other tests have this model
        for key in set(hooks) - own:
            del hooks[key]


def near(said: Any, judges: dict[str, Judge], pair: tuple[str, str]) -> bool:
    expected = {}
    for name, judge in judges.items():
        [own] = judge.verdicts([pair])
        score = pytest.approx(own.score, abs=1e-4)
        expected[name] = {"id": identity(judge.judge), "score": score, "label": own.label, "unscored": None}
    return bool(said == expected)


@pytest.mark.parametrize("chunk", [1000, 5, 1])
def test_an_answer_scores_as_in_the_own_pass(engine: Engine, judges: Any, chunk: int) -> None:
    """Read in one pass, in chunks, or token by token as it is sampled; the model's first pass counts too."""
    encoded = EngineJudge.load(judges[1]["clue"]).encode([(PROMPT, one) for one in SAID])
    held = []
    for one in encoded:
        ids, cut = list(one.ids), one.positions["prompt_end"][0] + 1
        blocks = engine.blocks(len(ids))
        engine.run(ids, blocks, chunk=chunk)
        held.append((ids[:cut], ids[cut:], blocks))
    # Others' tokens came between; the last sampled token, here the end of the text, never went through the model.
    for (prompt, answer, blocks), text in zip(held, SAID, strict=True):
        assert near(engine.finish(prompt, [*answer, 1], blocks, stops={1}), judges[0], (PROMPT, text))
        said = engine.finish([*prompt, *answer], [5], blocks, params={"answer_tokens": len(answer)})
        assert near(said, judges[0], (PROMPT, text))


def test_blocks_of_the_prefix_cache_bring_their_states(engine: Engine, judges: Any) -> None:
    one, other = EngineJudge.load(judges[1]["clue"]).encode([(PROMPT, SAID[0]), (PROMPT, SAID[1])])
    first = engine.blocks(len(one.ids))
    engine.run(list(one.ids), first)
    shared = next(k for k, (a, b) in enumerate(zip(one.ids, other.ids, strict=False)) if a != b) // BLOCK
    blocks = first[:shared] + engine.blocks(len(other.ids) - shared * BLOCK)
    engine.run(list(other.ids), blocks, known=shared * BLOCK)
    cut = other.positions["prompt_end"][0] + 1
    said = engine.finish(list(other.ids), [5], blocks, params={"answer_tokens": len(other.ids) - cut})
    assert shared > 1
    assert near(said, judges[0], (PROMPT, SAID[1]))


def test_what_has_no_state_has_a_reason(engine: Engine, judges: Any) -> None:
    [one] = EngineJudge.load(judges[1]["clue"]).encode([(PROMPT, SAID[0])])
    ids, cut = list(one.ids), one.positions["prompt_end"][0] + 1
    blocks = engine.blocks(len(ids))
    engine.run(ids[:-1], blocks)
    said = engine.finish(ids[:cut], ids[cut:], blocks)  # cut off by max_tokens: the last token has no state
    assert said["clue"]["score"] is not None
    assert "include_output_tokens" in said["end"]["unscored"]
    other = engine.finish(ids[:cut], [ids[cut] + 1, *ids[cut + 1 :]], blocks)
    assert "read other tokens" in other["clue"]["unscored"]
    assert "answer_tokens" in engine.finish(ids, [5], blocks, params={"answer_tokens": 1000})["clue"]["unscored"]
    assert "answer_tokens" in engine.finish(ids, [5], blocks, params={"answer_tokens": "x"})["clue"]["unscored"]
    assert "embeddings" in engine.finish([], [5], blocks)["clue"]["unscored"]


@pytest.mark.parametrize(
    ("how", "given"), [({"enforce_eager": False}, "compiled graphs"), ({"world_size": 2}, "several workers")]
)
def test_what_it_cannot_do_is_refused_at_the_start(
    adapter: Any, reference: Any, judges: Any, how: Any, given: str, tmp_path: Path
) -> None:
    with pytest.raises(InnerjudgeError, match=given):
        Engine(adapter, reference, judges[1], **how)
    Judge(TokenLogProb(), reference).save(tmp_path)
    with pytest.raises(InnerjudgeError, match="expected log-probabilities: it reads logprob"):
        Engine(adapter, reference, {"a": str(tmp_path)})
    with pytest.raises(InnerjudgeError, match="no judges"):
        Engine(adapter, reference, {})


@pytest.mark.parametrize("text", [*SAID, "36", "<think>7+5=12", "12</think>36", "the <think> tag is mentioned", ""])
def test_ids_alone_give_the_positions_of_the_text(reference: LanguageModel, text: str) -> None:
    roles = ("response", "reasoning/step", "reasoning/segment(4)")
    trace = Trace(question_id="", candidate_id="", prompt=PROMPT, response=text)
    ids = encode_trace(reference.tokenizer, trace).ids
    cut = encode_trace(reference.tokenizer, trace).positions["prompt_end"][0] + 1
    stored = {"response_ids": list(ids[cut:]), "sampled_by": "m"}
    sampled = Trace(question_id="", candidate_id="", prompt=PROMPT, response=text, extra=stored)
    whole = encode_trace(reference.tokenizer, sampled, sampled_by="m", roles=roles)
    alone = encode_sampled(reference.tokenizer, ids[:cut], ids[cut:], roles=roles)
    assert (alone.ids, alone.positions, alone.ranges) == (whole.ids, whole.positions, whole.ranges)
    assert alone.missing == whole.missing


class Elsewhere:
    """Stands in for a tensor of a GPU."""

    is_cpu = False

    def __init__(self, states: torch.Tensor) -> None:
        self.states = states

    def __getitem__(self, at: Any) -> torch.Tensor:
        return self.states[at]


def test_states_of_a_gpu_come_over_at_the_end(adapter: Any, tmp_path: Path) -> None:
    """By hand: places 3 and 1 get the second and the first token; the third is a padding."""
    cache = adapter.module.StateCache(tmp_path / "cache", (4, 2, 1), torch.float32)
    cache.begin(torch.tensor([1, 3, -1]), torch.tensor([7, 8, 9]))
    for row in range(2):
        cache.keep(row, Elsewhere(states := torch.tensor([[1.0 + 10 * row], [2.0 + 10 * row], [0.0]])))
        states += 100  # a block adds to its input in place
    assert cache.of([3]).states.tolist() == [[[0.0], [0.0]]]
    cache.end()
    given = cache.of([3, 1])
    assert given.ids == (8, 7)
    assert given.states.tolist() == [[[2.0], [12.0]], [[1.0], [11.0]]]
    assert not cache._waiting
