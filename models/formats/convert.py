"""Write a GGUF file as a Hugging Face folder: a program of its own, so that all of its memory is freed at the end.

A file that crashes the reader, or asks for more memory than there is, ends this process and not the one that loads the
model. It prints lines ``done total`` while it works and ``error: ...`` where it gives up.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any


def convert(file: Path, out: Path, dtype: str) -> None:
    """Write ``file``, as transformers' GGUF reader reads it, to ``out``; ``ValueError`` if tensors are missing."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, modeling_gguf_pytorch_utils
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    setattr(modeling_gguf_pytorch_utils, "tqdm", _told)  # noqa: B010 - a name that it does not export
    what: dict[str, Any] = {"gguf_file": file.name}
    AutoTokenizer.from_pretrained(file.parent, **what).save_pretrained(out)
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        file.parent, dtype=getattr(torch, dtype), output_loading_info=True, ignore_mismatched_sizes=True, **what
    )
    model, info = loaded
    if lacking := sorted(map(str, (*info["missing_keys"], *info["mismatched_keys"]))):
        raise ValueError(f"{len(lacking)} tensors are missing or of another shape (first: {lacking[0]})")
    # The weights are plain now; left in the config, these fields would have them read as blocks.
    model.hf_quantizer, model.is_quantized = None, False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(out)


def _told(tensors: Sequence[Any], **_options: Any) -> Iterator[Any]:
    """Stands in for the progress bar of transformers' reader."""
    total, done = sum(int(tensor.n_elements) for tensor in tensors), 0
    for tensor in tensors:
        print(done, total, flush=True)  # noqa: T201
        yield tensor
        done += int(tensor.n_elements)


if __name__ == "__main__":
    try:
        convert(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
    except Exception as error:  # whatever transformers finds wrong with anybody's file
        print("error:", type(error).__name__, " ".join(str(error).split())[:200], flush=True)  # noqa: T201
        sys.exit(1)
