"""Run one ``innerjudge`` command and count what the model read: ``python counted.py RESULT.json ARGUMENTS...``.

It is run as a file and imports the ``innerjudge`` that is on the path, which may be one of an earlier commit. Passes
are counted where every model begins, at the embedding of its vocabulary.
"""

import json
import resource
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

#: Embeddings of positions or token types have fewer rows.
_VOCABULARY = 10_000


def main() -> None:
    """Run, and write what was counted."""
    found, arguments = Path(sys.argv[1]), sys.argv[2:]
    count: dict[str, float] = {"passes": 0, "tokens": 0, "steps": 0}
    embed: Any = torch.nn.Embedding.forward

    def counted(self: torch.nn.Embedding, ids: torch.Tensor) -> torch.Tensor:
        if self.num_embeddings >= _VOCABULARY:
            step = ids.ndim == 2 and ids.shape[1] == 1
            count["steps" if step else "passes"] += 1
            count["tokens"] += ids.numel()
        result: torch.Tensor = embed(self, ids)
        return result

    torch.nn.Embedding.forward = counted  # type: ignore[method-assign, assignment]
    started = time.perf_counter()
    sys.argv = ["innerjudge", *arguments]
    code: object = 0
    try:
        _entry_point()()
    except SystemExit as end:
        code = end.code
    used = resource.getrusage(resource.RUSAGE_SELF)
    count |= {
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
    }
    count |= {"peak_bytes": used.ru_maxrss * 1024}
    found.write_text(json.dumps(count | {"code": code or 0}), "utf-8")


def _entry_point() -> Any:
    """``main`` of the command line, where this or an earlier version has it."""
    try:
        return import_module("innerjudge.experiments.cli.main").main
    except ModuleNotFoundError:
        return import_module("innerjudge.experiments.cli").main


if __name__ == "__main__":
    main()
