"""vLLM's own protocol for extracting hidden states, and the grid: tokens a second with extraction and without.

The protocol is that of vLLM's ``benchmark_hidden_state_extraction``: random prompts, one new token each, without a
prefix cache; with extraction, eight clients that read each file and reduce it as soon as its request ends.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig

from ..passes.section import SHAPES
from .grid import BLOCKS
from .parts import Row, Sizes

_CLIENTS, _WARM = 8, 4
#: Tokens of one step, as in the protocol.
_STEP = 40_960


def protocol(sizes: Sizes) -> Iterator[Row]:
    """Rows without extraction, and with it the ratio to them, first of the protocol and then of the grid."""
    if find_spec("vllm") is None:
        yield Row(what="vLLM", reason="vllm is not installed")
        return
    with tempfile.TemporaryDirectory() as folder:
        words = _save_config(sizes, folder)
        n, length = sizes.prompts
        texts, lengths = sizes.grid
        asked = {f"{n} x {length:,}": _prompts(n, length, words)}
        asked |= {f"{texts} x {short}": _prompts(texts, short, words) for short in lengths}
        plain: dict[str, float] = {}
        with _plain(folder, sizes) as generate:
            for what, prompts in asked.items():
                plain[what] = _tokens(prompts) / _clock(generate, prompts)
                yield Row(what=f"{what}, without extraction", figures={"tokens/s": plain[what]})
        for what, way, speed in _extracting(folder, sizes, asked, f"{n} x {length:,}"):
            yield Row(what=f"{what}, {way}", figures={"tokens/s": speed, "slower than without": plain[what] / speed})


def _save_config(sizes: Sizes, folder: str) -> int:
    """A folder that holds a configuration and no weights: the engine makes them up. The size of the vocabulary."""
    shape = SHAPES[sizes.shape("8b")]
    if sizes.tiny:
        shape = shape | {"hidden_size": 256}  # heads of 64: an engine has kernels for few widths
    dtype = getattr(torch, sizes.dtype)
    config = LlamaConfig(**shape, max_position_embeddings=_STEP, architectures=["LlamaForCausalLM"], dtype=dtype)
    config.save_pretrained(folder)
    return int(shape["vocab_size"])


def _settings(folder: str, sizes: Sizes) -> dict[str, Any]:
    longest = max(sizes.prompts[1], *sizes.grid[1]) + 64
    return {
        "model": folder,
        "load_format": "dummy",
        "skip_tokenizer_init": True,
        "dtype": sizes.dtype,
        "enforce_eager": True,
        "enable_prefix_caching": False,
        "max_model_len": longest,
        "max_num_batched_tokens": 256 if sizes.tiny else _STEP,
        "enable_chunked_prefill": False,  # states of a prompt that is cut are not kept
        "gpu_memory_utilization": 0.15 if sizes.tiny else 0.9,
    }


def _prompts(n: int, length: int, words: int) -> list[list[int]]:
    random = torch.Generator().manual_seed(length)
    return torch.randint(4, words, (n, length), generator=random).tolist()


def _tokens(prompts: list[list[int]]) -> int:
    return sum(map(len, prompts))


def _clock(run: Callable[[list[list[int]]], object], prompts: list[list[int]]) -> float:
    run(prompts[:_WARM])
    begun = time.perf_counter()
    run(prompts)
    return time.perf_counter() - begun


@contextmanager
def _plain(folder: str, sizes: Sizes) -> Iterator[Callable[[list[list[int]]], object]]:
    from vllm import LLM, SamplingParams, TokensPrompt

    how: Any = SamplingParams(max_tokens=1, ignore_eos=True, detokenize=False)
    engine: Any = LLM(**_settings(folder, sizes))
    try:
        yield lambda ids: engine.generate([TokensPrompt(prompt_token_ids=one) for one in ids], how, use_tqdm=False)
    finally:
        engine.llm_engine.engine_core.shutdown()


def _extracting(
    folder: str, sizes: Sizes, asked: dict[str, list[list[int]]], first: str
) -> Iterator[tuple[str, str, float]]:
    """What was read, how, and tokens a second; one event loop holds the engine from row to row."""
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.v1.engine.async_llm import AsyncLLM

    shared = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with asyncio.Runner() as loop, tempfile.TemporaryDirectory(dir=shared) as files:
        draft = {"hf_config": {"eagle_aux_hidden_state_layer_ids": list(BLOCKS)}}
        speculative = {"method": "extract_hidden_states", "num_speculative_tokens": 1, "draft_model_config": draft}
        transfer = {"kv_connector": "ExampleHiddenStatesConnector", "kv_role": "kv_producer"}
        if sizes.device == "cpu":  # there is no pinned memory, which vLLM's own copies into
            transfer["kv_connector"] = "FilesConnector"
            transfer["kv_connector_module_path"] = "innerjudge.experiments.bench.engine.files"
        more: dict[str, Any] = {
            "speculative_config": speculative,
            "kv_transfer_config": transfer | {"kv_connector_extra_config": {"shared_storage_path": files}},
        }

        async def begin() -> Any:
            return AsyncLLM.from_engine_args(AsyncEngineArgs(**_settings(folder, sizes), **more))

        engine = loop.run(begin())
        try:
            for what, prompts in asked.items():
                for way, last in (("all tokens", False), ("last token", True))[: 1 if what == first else 2]:
                    seconds = _clock(lambda ids, last=last: loop.run(_read(engine, ids, last)), prompts)  # type: ignore[misc]
                    yield what, way, _tokens(prompts) / seconds
        finally:
            engine.shutdown()


async def _read(engine: Any, prompts: list[list[int]], last: bool) -> None:
    from vllm import SamplingParams, TokensPrompt
    from vllm.sampling_params import RequestOutputKind

    final = RequestOutputKind.FINAL_ONLY
    how: Any = SamplingParams(max_tokens=1, ignore_eos=True, detokenize=False, output_kind=final)
    waiting = iter(enumerate(prompts))
    began = time.monotonic_ns()

    async def client() -> None:
        for k, ids in waiting:  # shared: each client takes the next prompt
            given: Any = None
            async for output in engine.generate(TokensPrompt(prompt_token_ids=ids), how, request_id=f"{began}-{k}"):
                given = output
            await asyncio.to_thread(_consume, given.kv_transfer_params["hidden_states_path"], len(ids), last)

    await asyncio.gather(*(client() for _ in range(_CLIENTS)))


def _consume(path: str, length: int, last: bool) -> float:
    """Wait for the file, read it, and delete it."""
    from vllm.distributed.kv_transfer.kv_connector.v1 import example_hidden_states_connector as connector

    states = connector.load_hidden_states(path)["hidden_states"]
    assert states.shape[:2] == (length, len(BLOCKS)), states.shape
    mean = float((states[-1] if last else states).float().mean())
    connector.cleanup_hidden_states(path)
    return mean
