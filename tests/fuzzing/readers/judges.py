"""Saved judges, file by file, with checksums that fit; the final norm beside them; states from an engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from harness import Reader, from_file


def judge_readers(folder: Path) -> Iterator[tuple[str, Reader]]:
    """A judge's header, arrays and record; a final norm; files of states that other tools wrote."""
    import torch
    from innerjudge.experiments.judges import saved
    from innerjudge.experiments.reading.state_files import FORMATS
    from innerjudge.extraction import Features, Provenance
    from innerjudge.models.final_norm import FinalNorm
    from innerjudge.models.foreign import digest_of_parts, dump_sealed, parse_sealed
    from innerjudge.probes import LogisticProbe, storage
    from innerjudge.probes.steps import StepOpponent
    from innerjudge.probes.text_only import options_of
    from safetensors.torch import save

    draw = np.random.default_rng(0)
    some = Features(
        ids=tuple(map(str, range(12))),
        groups=tuple(str(k // 2) for k in range(12)),
        provenance=Provenance("m", None, "f", "float32", "sdpa", "none"),
        arrays={"hidden/reasoning_end": draw.normal(size=(12, 3, 4)).astype(np.float32)},
    )
    judge = LogisticProbe(positions=["reasoning_end"], row=1).fit(some, np.arange(12) % 2 == 0)
    home = folder / "judge"
    saved.save(judge, saved.JudgeRecord("logistic", "trace"), home)
    header = json.dumps(parse_sealed((home / "judge.json").read_bytes())).encode()
    arrays, made = ((home / name).read_bytes() for name in ("judge.safetensors", "made.json"))

    def load(header_: bytes, arrays_: bytes, made_: bytes) -> object:
        try:
            record = json.loads(header_)
            if isinstance(record, dict) and isinstance(record.get("files"), dict) and header_ is header:
                record["files"] = {
                    "judge.safetensors": digest_of_parts([arrays_]),
                    "made.json": digest_of_parts([made_]),
                }
            raw = dump_sealed(record)
        except (ValueError, TypeError, RecursionError):
            raw = header_
        for name, content in (("judge.json", raw), ("judge.safetensors", arrays_), ("made.json", made_)):
            (home / name).write_bytes(content)
        return saved.load(home)

    yield "judge: header", Reader(lambda raw: load(raw, arrays, made), header, "json")
    yield "judge: arrays", Reader(lambda raw: load(header, raw, made), arrays, "safetensors")
    yield "judge: how it was made", Reader(lambda raw: load(header, arrays, raw), made, "json")
    whole = (home / "judge.json").read_bytes()

    def replaced(raw: bytes) -> object:
        """A judge that may be damaged, in a folder that another is to be saved in."""
        (home / "judge.json").write_bytes(raw)
        return saved.is_damaged(home), storage._files_of(home)

    yield "judge: one that is replaced", Reader(replaced, whole, "json")
    options = Features(
        ids=("a",), groups=("q",), provenance=some.provenance, arrays={"labels": np.ones(1)}, texts={"options": ("",)}
    )
    read = lambda raw: options_of(replace(options, texts={"options": (raw.decode("utf-8", "replace"),)}))  # noqa: E731
    yield "features: options", Reader(read, b'["x", "y"]', "json")
    in_steps = lambda raw: StepOpponent(by="length")._read(  # noqa: E731
        replace(options, texts={"steps": (raw.decode("utf-8", "replace"),)})
    )
    yield "features: steps", Reader(in_steps, b'["x", "y"]', "json")
    FinalNorm(np.ones(4), np.zeros(4), 1e-6, centred=False).save(folder / "norm")
    norm = from_file(folder, "n.safetensors", FinalNorm.load)
    yield "judge: final norm", Reader(norm, (folder / "norm").read_bytes(), "safetensors")
    states = save({"token_ids": torch.arange(3), "hidden_states": torch.ones(3, 2, 4, dtype=torch.bfloat16)})

    def text(kind: str, name: str) -> Callable[[bytes], object]:
        return from_file(folder, name, lambda path: FORMATS[kind].read(path).states[-1:])

    said = json.dumps({"meta_info": {"hidden_states": [[[1.0, 2.0]], [3.0, 4.0]]}}).encode()
    lens = save({"residual_stream": torch.ones(2, 3, 4)})
    np.save(folder / "plain.npy", np.ones((3, 4), np.float32))
    yield "states of vLLM", Reader(text("vllm", "v.safetensors"), states, "safetensors")
    yield "states of vllm-lens", Reader(text("vllm-lens", "l.safetensors"), lens, "safetensors")
    yield "states of speculators", Reader(text("speculators", "s.safetensors"), states, "safetensors")
    yield "states in one tensor", Reader(text("arrays", "o.safetensors"), lens, "safetensors")
    yield "states of numpy", Reader(text("token_embed", "t.npy"), (folder / "plain.npy").read_bytes(), "bytes")
    yield "states of SGLang", Reader(text("sglang", "g.json"), said, "json")
