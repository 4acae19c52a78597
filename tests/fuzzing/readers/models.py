"""Folders of models, file by file; GGUF files; copies of them; adapters.

A folder is that of a model of one block and a tokenizer of a few words, so that 2,000 inputs are affordable: each of
its files is read by what reads it first. Config and weights are read the whole way as well, from the folder to a model
that was run: most odd ones end early there, so that an input costs 4 to 6 ms. A generation config hardly ever ends
early, and a whole way costs 17 ms: with it the weights are read, which is half of that, and then what ends a text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from harness import Reader, from_file

TEMPLATE = (
    "{% for one in messages %}{{ one['role'] }} {{ one['content'] }} {% endfor %}"
    "{% if add_generation_prompt %}assistant {% endif %}"
)
WORDS = (
    *("<unk>", "<s>", "</s>", "user", "assistant", "system", "a", "b", "which", "Which", "is", "larger", "7", "or"),
    *("12", "?", "please", "Please", "name", "green", "fruit", ".", ",", "<think>", "</think>"),
)


def model_readers(folder: Path) -> Iterator[tuple[str, Reader]]:
    """Config, tokenizer, template, weights; adapters; GGUF."""
    import innerjudge
    from innerjudge.extraction.writing.answers import end_ids
    from innerjudge.models.checkpoint import read_tokenizer, read_weights, require_causal
    from innerjudge.models.formats.source import base_of, is_adapter
    from innerjudge.models.inputs import context_of, find_mixing
    from innerjudge.models.template import check_tokenizer

    home = folder / "model"
    make_model(home)

    def part(name: str, read: Callable[[str], object]) -> Callable[[bytes], object]:
        good = (home / name).read_bytes()

        def of(raw: bytes) -> object:
            try:
                (home / name).write_bytes(raw)
                return read(str(home))
            finally:
                (home / name).write_bytes(good)

        return of

    def config(at: str) -> object:
        found = require_causal(at, at, None).get_text_config()
        return context_of(found), find_mixing(found)

    def tokenizer(at: str) -> None:
        check_tokenizer(read_tokenizer(at, at, None), 64)

    lm = innerjudge.load(str(home))

    def generation(at: str) -> object:
        return end_ids(replace(lm, model=read_weights(at, at, None, "float32", {})))

    for name, kind, read in (
        ("config.json", "json", config),
        ("tokenizer.json", "json", tokenizer),
        ("tokenizer_config.json", "json", tokenizer),
        ("chat_template.jinja", "bytes", tokenizer),
        ("config.json", "json", innerjudge.load),
        ("generation_config.json", "json", generation),
        ("model.safetensors", "safetensors", innerjudge.load),
    ):
        whole = ", whole" if read is innerjudge.load else ""
        yield f"model: {name}{whole}", Reader(part(name, read), (home / name).read_bytes(), kind)
    lora = json.dumps({"base_model_name_or_path": "owner/model", "peft_type": "LORA", "r": 8}).encode()
    (folder / "lora").mkdir()
    adapter = from_file(
        folder / "lora", "adapter_config.json", lambda at: is_adapter(str(at.parent)) and base_of(str(at.parent))
    )
    yield "model: LoRA adapter", Reader(adapter, lora, "json")
    yield from _gguf(folder)


def make_model(home: Path) -> None:
    """A folder with a llama of one block and eight numbers a state, and a tokenizer of words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    made = Tokenizer(models.WordLevel({word: k for k, word in enumerate(WORDS)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(WORDS), hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=64, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(home)
    tokenizer.save_pretrained(home)


def _gguf(folder: Path) -> Iterator[tuple[str, Reader]]:
    """A header; what a converted copy says of itself; the template of the model that a file was made from."""
    try:
        import gguf
    except ImportError:
        return
    from innerjudge.models.formats import gguf as ours, source

    writer = gguf.GGUFWriter(folder / "good.gguf", "llama")
    writer.add_block_count(1), writer.add_context_length(16), writer.add_embedding_length(4)
    writer.add_tokenizer_model("gpt2"), writer.add_token_list(["a", "b"]), writer.add_chat_template("{{ messages }}")
    writer.add_tensor("token_embd.weight", np.ones((2, 4), np.float32))
    writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file(), writer.close()
    header = from_file(folder, "m.gguf", ours.read_header)
    yield "model: GGUF", Reader(header, (folder / "good.gguf").read_bytes())
    import transformers

    copy = folder / "copy"
    copy.mkdir()
    (copy / "weights").write_bytes(b"0")
    facts = {"source": "GGUF", "transformers": transformers.__version__, "files": {"weights": 1}}
    whole = from_file(copy, source._FACTS, lambda at: source._is_whole(at.parent))
    yield "model: converted copy", Reader(whole, json.dumps(facts).encode(), "json")
    cached = folder / "tokenizer_config.json"
    ours.try_to_load_from_cache = lambda repository, file: str(cached) if file == cached.name else None  # type: ignore[assignment]
    named = {"general.source.huggingface.repository": "owner/model"}
    template = from_file(folder, cached.name, lambda _at: ours._original_template(named))
    yield "model: template in the hub's cache", Reader(template, b'{"chat_template": "{{ messages }}"}', "json")
