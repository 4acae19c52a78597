"""Saved judges inside vLLM: each finished answer comes back with their scores. No file, no second pass.

A connector that vLLM loads by name, offline and in its OpenAI-compatible server (extra: vLLM itself)::

    --enforce-eager --kv-transfer-config '{"kv_connector": "JudgeConnector", "kv_role": "kv_both",
      "kv_connector_module_path": "innerjudge.experiments.adapters.vllm",
      "kv_connector_extra_config": {"judges": {"clue": "FOLDER OF THE JUDGE"}}}'

Every answer then has ``kv_transfer_params["judges"]["clue"]``: the ``id`` of the judge, ``score`` and ``label``, and
``unscored``, the reason where there is no score. To judge an answer that exists, send it behind its prompt with
``max_tokens=1`` and ``kv_transfer_params={"answer_tokens": n}``: its last ``n`` tokens are the answer.

Hooks on the model's blocks keep the rows that the judges read of each token at that token's place in the engine's key
and value cache. So prefix caching, chunked prefill and many requests at once need nothing, and the memory (told in the
log) does not grow with answers. Judges of hidden states only, one worker (no tensor parallelism), eager mode.
"""

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from vllm.distributed.kv_transfer.kv_connector.v1 import base
from vllm.forward_context import get_forward_context
from vllm.logger import init_logger

from ...extraction.given_states import GivenStates
from ...models.errors import InnerjudgeError, shown
from ...models.positions import Encoding
from ...probes.promising import identity
from ..judges.engine import EngineJudge

_log = init_logger("vllm.innerjudge")


class StateCache:
    """Rows of hidden states beside a key and value cache: one place a token, whoever owns its block.

    The engine's worker writes and its scheduler reads, which are two processes: both map one file, in memory where the
    system has such a folder. Whoever maps it second removes its name, so nothing is left when the engine is killed.

    Args:
        path: The file; ids are beside it.
        shape: Number of tokens that the cache holds, of rows, and the width.
        dtype: Type of the states.
    """

    def __init__(self, path: Path, shape: tuple[int, int, int], dtype: torch.dtype) -> None:
        ids, second = path.with_suffix(".ids"), path.exists()
        self._states = torch.from_file(str(path), shared=True, size=math.prod(shape), dtype=dtype).view(shape)
        self._ids = torch.from_file(str(ids), shared=True, size=shape[0], dtype=torch.long)
        self._real: slice | Tensor = slice(0)
        self._waiting: dict[int, Tensor] = {}
        if second:
            path.unlink()
            ids.unlink()

    def begin(self, places: Tensor, ids: Tensor) -> None:
        """A pass over tokens ``ids`` ``[N]`` begins; they go to ``places``, of which those below 0 are paddings."""
        real = places >= 0
        self._real = slice(len(places)) if bool(real.all()) else real.nonzero()[:, 0]
        self._at = places[self._real].cpu()
        # An empty place has the id 0.
        self._ids[self._at] = ids[self._real].cpu().long() + 1

    def keep(self, row: int, states: Tensor) -> None:
        """Put one row's states ``[N, D]`` of the pass to their places; those of a GPU wait for :meth:`end`.

        In ordinary memory one copy is made, and what the model is done with is not held until the pass ends.
        """
        if states.is_cpu:
            self._states[self._at, row] = states[self._real]
        else:  # a copy: blocks may add to their input in place
            self._waiting[row] = states[self._real].clone()

    def end(self) -> None:
        """The pass ends: what waits on a GPU comes over at once."""
        if self._waiting:  # all rows, one after another
            self._states[self._at] = torch.stack([*self._waiting.values()], 1).cpu()
            self._waiting.clear()

    def of(self, places: Sequence[int]) -> GivenStates:
        """Ids and states of the tokens at some places."""
        at = torch.tensor(places, dtype=torch.long)
        return GivenStates(tuple((self._ids[at] - 1).tolist()), self._states[at].float().numpy())


class BlockHooks:
    """Hand rows ``layers`` of an engine's model on while it runs: to ``keep``, with their number in ``layers``.

    ``begin`` is called before, with the ids of the pass: the first whole numbers that a module is given. The model's
    blocks are the modules of its one list of ``n_blocks``; each returns the residual stream, or it in two summands.
    """

    def __init__(
        self, model: nn.Module, layers: Sequence[int], n_blocks: int, begin: Callable[[Tensor], None],
        keep: Callable[[int, Tensor], None]
    ) -> None:  # fmt: skip
        lists = [m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) == n_blocks]
        if len(lists) != 1:
            raise InnerjudgeError.of("adapters.blocks", type(model).__name__, len(lists), n_blocks)
        self._begin, self._keep = begin, keep
        model.register_forward_pre_hook(self._start, with_kwargs=True)
        for row, layer in enumerate(layers):
            if layer == 0:
                lists[0][0].register_forward_pre_hook(partial(self._enter, row), with_kwargs=True)
            else:
                lists[0][layer - 1].register_forward_hook(partial(self._leave, row))

    def begin(self, given: Sequence[Any]) -> bool:
        """Whether there are ids among what a module is given; they are handed on."""
        ids = next((one for one in given if isinstance(one, Tensor) and not one.is_floating_point()), None)
        if ids is not None:
            self._begin(ids)
        return ids is not None

    def _start(self, _: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self.begin((*args, *kwargs.values()))

    def _enter(self, row: int, _: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        given = [*args, *(kwargs[name] for name in ("hidden_states", "residual") if name in kwargs)]
        states, *others = (one for one in given if one is not None and one.is_floating_point())
        self._keep(row, states + others[0] if others else states)

    def _leave(self, row: int, _: nn.Module, __: Any, found: Any) -> None:
        states, rest = found if isinstance(found, tuple) else (found, None)
        self._keep(row, states if rest is None else states + rest)


def _parts(request: Any) -> tuple[list[int], list[int]]:
    """Ids of a request's prompt and of the answer to judge, without a token that ended it."""
    prompt, answer = list(request.prompt_token_ids or ()), list(request.output_token_ids)
    if not prompt:
        raise InnerjudgeError("given a prompt without token ids, as embeddings are, expected token ids or text")
    if "answer_tokens" in (asked := request.kv_transfer_params or {}):
        n, most = asked["answer_tokens"], len(prompt) - 1
        if type(n) is not int or not 0 < n <= most:
            raise InnerjudgeError(f"given answer_tokens={shown(n)}, expected a whole number from 1 to {most}")
        return prompt[:-n], prompt[-n:]
    if answer and answer[-1] in (request.sampling_params.all_stop_token_ids or ()):
        answer.pop()
    return prompt, answer


class JudgeConnector(base.KVConnectorBase_V1):  # type: ignore[misc]
    """The part of :mod:`innerjudge.experiments.adapters.vllm` that vLLM calls."""

    #: A score that is lost with a preempted request is not worth computing the request again.
    requires_kv_delivery = False

    def __init__(self, vllm_config: Any, role: Any, kv_cache_config: Any) -> None:
        super().__init__(vllm_config, role, kv_cache_config)
        folders = self._kv_transfer_config.get_from_extra_config("judges", None)
        config = vllm_config.model_config
        wrong = {
            "no judges": not isinstance(folders, dict) or not folders,
            "compiled graphs": not config.enforce_eager,
            "several workers": vllm_config.parallel_config.world_size != 1,
            "several kinds of caches": len(kv_cache_config.kv_cache_groups) != 1,
        }
        if any(wrong.values()):
            raise InnerjudgeError.of("adapters.engine", ", ".join(name for name, found in wrong.items() if found))
        self._judges = {name: EngineJudge.load(folder) for name, folder in folders.items()}
        self._model, self._n_blocks = config.model, config.get_total_num_hidden_layers()
        for judge in self._judges.values():
            judge.require(judge.origin.model, "states")
        rows = {row for judge in self._judges.values() for row in judge.judge.rows_read(self._n_blocks + 2)}
        self._layers = sorted({min(row, self._n_blocks) for row in rows})
        self._block = kv_cache_config.kv_cache_groups[0].kv_cache_spec.block_size
        self._hooks: BlockHooks | None = None
        self._running = False
        memory = Path("/dev/shm")
        folder = memory if memory.is_dir() else Path(tempfile.gettempdir())
        self._shape = kv_cache_config.num_blocks * self._block, len(self._layers), config.get_hidden_size()
        rank = vllm_config.parallel_config.data_parallel_rank
        self._cache = StateCache(folder / f"innerjudge-{vllm_config.instance_id}-{rank}", self._shape, config.dtype)
        if role == base.KVConnectorRole.WORKER:
            megabytes = math.prod(self._shape) * config.dtype.itemsize / 2**20
            _log.info("innerjudge keeps rows %s of %d tokens: %.0f MiB", self._layers, self._shape[0], megabytes)
            self._seen = nn.modules.module.register_module_forward_pre_hook(self._see)

    def _see(self, module: nn.Module, args: Sequence[Any]) -> None:
        """The engine shows a connector its model only when it first runs it: the first module that runs."""
        if self._hooks is None:
            self._hooks = BlockHooks(module, self._layers, self._n_blocks, self._begin, self._keep)
        if self._hooks.begin(args):  # the model's own hook comes too late for its first pass
            self._seen.remove()

    def _begin(self, ids: Tensor) -> None:
        places = next(iter(get_forward_context().slot_mapping.values()), None)
        self._running = places is not None
        if places is not None:
            self._cache.begin(places, ids)

    def _keep(self, row: int, states: Tensor) -> None:
        if self._running:
            self._cache.keep(row, states)

    def _nothing(self, *_given: Any, **_named: Any) -> None:
        """No key or value is loaded or kept."""

    start_load_kv = wait_for_layer_load = save_kv_layer = update_state_after_alloc = _nothing

    def wait_for_save(self) -> None:
        """After a pass of the worker."""
        self._cache.end()

    def get_num_new_matched_tokens(self, request: Any, num_computed_tokens: int) -> tuple[int, bool]:
        """Nothing is loaded."""
        return 0, False

    def build_connector_meta(self, scheduler_output: Any) -> Any:
        """Nothing is told to the worker."""
        return base.KVConnectorMetadata()

    def request_finished(self, request: Any, block_ids: list[int]) -> tuple[bool, dict[str, Any]]:
        """The judges' verdicts of an answer; its blocks may be freed."""
        try:
            prompt, answer = _parts(request)
        except InnerjudgeError as error:
            return False, {"judges": {name: {"unscored": str(error)} for name in self._judges}}
        n = min(len(prompt) + len(answer), request.num_computed_tokens)
        states = self._cache.of([block * self._block + k for block in block_ids for k in range(self._block)][:n])
        items: dict[Any, Encoding] = {}
        said = {name: self._said(judge, prompt, answer, states, items) for name, judge in self._judges.items()}
        return False, {"judges": said}

    def _said(
        self, judge: EngineJudge, prompt: list[int], answer: list[int], states: GivenStates, items: dict[Any, Encoding]
    ) -> dict[str, Any]:
        """One judge's verdict; judges that look at the same places share ``items``, what the ids were read as."""
        places = judge.made.markers, judge.roles
        try:
            if places not in items:
                items[places] = judge.encode_sampled(prompt, answer)
            how = {"model": self._model, "layers": self._layers, "n_blocks": self._n_blocks}
            [v] = judge.verdicts([items[places]], [states], **how)
        except InnerjudgeError as error:
            return {"unscored": str(error)}
        return {"id": identity(judge.judge), "score": v.score, "label": v.label, "unscored": v.unscored}
