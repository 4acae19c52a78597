"""GGUF files load like the folders that they are converted to; what cannot be converted is one clear line."""

from __future__ import annotations

import contextlib
import shutil
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from innerjudge.extraction.provenance import provenance
from innerjudge.models.description import describe
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.formats import source
from innerjudge.models.formats.gguf import read
from innerjudge.models.loading import load
from transformers import AutoModelForCausalLM, AutoTokenizer

gguf = pytest.importorskip("gguf")

WIDTH, HEADS, MLP = 32, 2, 64
#: 256 bytes spelled as GPT-2 spells them, one merge, and two control tokens.
TEMPLATE = "{% for m in messages %}<s>{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"


def bytes_alphabet() -> list[str]:
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return list(bytes_to_unicode().values())


def write_gguf(
    path: Path,
    *,
    architecture: str = "llama",
    tokenizer: bool = True,
    kind: Any = None,
    change: Callable[[Any], None] = lambda writer: None,
) -> dict[str, np.ndarray]:
    """A Llama of two blocks, with a byte-level vocabulary; the weights as float32, by GGUF name."""
    rng = np.random.default_rng(0)
    tokens = ["<s>", "</s>", *bytes_alphabet(), "ab"]
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("tiny")
    writer.add_block_count(2)
    writer.add_context_length(128)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(MLP)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(tokens))
    if tokenizer:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("qwen2")
        writer.add_token_list(tokens)
        writer.add_token_types([3, 3, *[1] * (len(tokens) - 2)])
        writer.add_token_merges(["a b"])
        writer.add_bos_token_id(0)
        writer.add_eos_token_id(1)
        writer.add_chat_template(TEMPLATE)
    change(writer)
    shapes = {"token_embd.weight": (len(tokens), WIDTH), "output.weight": (len(tokens), WIDTH)}
    shapes["output_norm.weight"] = (WIDTH,)
    for block in range(2):
        for name, shape in {
            **dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (WIDTH, WIDTH)),
            **dict.fromkeys(("ffn_gate", "ffn_up"), (MLP, WIDTH)),
            "ffn_down": (WIDTH, MLP),
            **dict.fromkeys(("attn_norm", "ffn_norm"), (WIDTH,)),
        }.items():
            shapes[f"blk.{block}.{name}.weight"] = shape
    weights = {}
    for name, shape in shapes.items():
        value = rng.normal(0, 0.2, shape).astype(np.float32)
        if kind is not None and value.ndim == 2:
            packed = gguf.quantize(value, kind)
            weights[name] = gguf.dequantize(packed, kind)
            writer.add_tensor(name, packed, raw_dtype=kind)
        else:
            weights[name] = value
            writer.add_tensor(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return weights


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_gguf(path, kind=gguf.GGMLQuantizationType.Q8_0)
    return path


@pytest.fixture(scope="module")
def converted(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds the copy of ``tiny``: each conversion starts a process, which takes seconds."""
    folder = tmp_path_factory.mktemp("converted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(source.CACHE, str(folder))
        load(str(tiny), device="cpu")
    return folder


@pytest.fixture(autouse=True)
def cache(
    converted: Path, forks: Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A cache of the test's own, with that copy in it. Other files are converted by forks: nothing is imported."""
    folder = tmp_path_factory.mktemp("cache")
    shutil.copytree(converted, folder, dirs_exist_ok=True)
    monkeypatch.setenv(source.CACHE, str(folder))

    @contextlib.contextmanager
    def forked(command: list[str], **_how: Any) -> Iterator[Any]:
        python, option, name, *arguments = command
        assert (python, option) == (sys.executable, "-m")
        code = f"import runpy, sys\nsys.argv = {[name, *arguments]!r}\nrunpy.run_module({name!r}, run_name='__main__')"
        with forks.begin(code, tmp_path_factory.mktemp("fork")) as process:
            said, _ = process.communicate()
            yield SimpleNamespace(stdout=said.splitlines(), wait=lambda: process.returncode, kill=lambda: None)

    monkeypatch.setattr(source, "subprocess", SimpleNamespace(Popen=forked, PIPE=None, DEVNULL=None))
    return folder


def refusal(name: Path | str, **options: Any) -> str:
    with pytest.raises(InnerjudgeError) as caught:
        load(str(name), **options)
    message = str(caught.value)
    assert message.startswith("given ")
    assert "expected" in message
    assert "\n" not in message
    assert len(message) < 700
    return message


def naive_folder(path: Path, out: Path) -> Path:
    """What transformers makes of the file by itself, saved as a folder."""
    model: Any = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    model.hf_quantizer, model.is_quantized = None, False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name).save_pretrained(out)
    model.save_pretrained(out)
    return out


def require_same(one: Any, other: Any) -> None:
    mine, theirs = one.model.state_dict(), other.model.state_dict()
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert one.fingerprint == other.fingerprint
    assert one.tokenizer.get_vocab() == other.tokenizer.get_vocab()
    assert one.tokenizer.chat_template == other.tokenizer.chat_template
    text = "Tab 12 345, ab!\n<s>x"
    assert one.tokenizer(text)["input_ids"] == other.tokenizer(text)["input_ids"]


def test_a_file_equals_the_folder_that_it_is_converted_to(tiny: Path, tmp_path: Path, cache: Path) -> None:
    lm = load(str(tiny), device="cpu")
    require_same(lm, load(str(naive_folder(tiny, tmp_path / "naive")), device="cpu"))
    assert lm.tokenizer.chat_template == TEMPLATE
    assert lm.dtype == "float32"
    assert lm.origin.startswith("GGUF Q8_0, SHA-256 ")
    assert provenance(lm).origin == lm.origin
    assert type(provenance(lm)).from_json(provenance(lm).to_json()) == provenance(lm)
    facts = describe(lm)
    assert facts["made from"] == lm.origin
    # Neither a padding token nor the flag for a first token was written.
    assert "no padding token" in facts["to know"]
    assert "does not say whether texts begin with a first token" in facts["to know"]
    assert not list((cache / "gguf").glob("*.partial"))


def test_weights_are_those_that_the_blocks_stand_for(tmp_path: Path) -> None:
    """Against the package ``gguf``: what it dequantises is what the model holds, rows of rotary heads put in order."""
    path = tmp_path / "q.gguf"
    weights = write_gguf(path, kind=gguf.GGMLQuantizationType.Q4_0)
    state = load(str(path), device="cpu").model.state_dict()
    assert np.array_equal(state["model.embed_tokens.weight"].numpy(), weights["token_embd.weight"])
    assert np.array_equal(state["model.layers.1.mlp.down_proj.weight"].numpy(), weights["blk.1.ffn_down.weight"])
    # llama.cpp keeps the two halves of a rotary head interleaved: rows 0, h/2, 1, h/2+1, ... of the original.
    query = weights["blk.0.attn_q.weight"].reshape(HEADS, WIDTH // HEADS // 2, 2, WIDTH).swapaxes(1, 2)
    assert np.array_equal(state["model.layers.0.self_attn.q_proj.weight"].numpy(), query.reshape(WIDTH, WIDTH))


def test_the_second_start_converts_nothing(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(str(tiny), device="cpu")
    moved = shutil.copy(tiny, tmp_path / "other-name.gguf")
    monkeypatch.setattr(source, "_make", lambda *_: pytest.fail("converted again"))
    require_same(load(str(moved), device="cpu"), first)
    require_same(load(str(tmp_path), device="cpu"), first)  # a folder that holds one
    require_same(load(str(tmp_path), gguf_file="other-name.gguf", device="cpu"), first)  # as transformers has it


def test_a_damaged_copy_and_one_half_written_are_made_again(tiny: Path, cache: Path) -> None:
    first = load(str(tiny), device="cpu")
    folder = next(one for one in (cache / "gguf").iterdir() if one.is_dir())
    (folder / "model.safetensors").unlink()  # not written over: the first model has its weights mapped from there
    (folder / "model.safetensors").write_bytes(b"cut")
    half = folder.with_name(f"{folder.name}.partial")
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    require_same(load(str(tiny), device="cpu"), first)
    assert not half.exists()


def test_the_type_that_is_asked_for(tiny: Path, cache: Path) -> None:
    half = load(str(tiny), device="cpu", dtype="bfloat16").model.state_dict()
    whole = load(str(tiny), device="cpu").model.state_dict()
    assert all(torch.equal(half[name], whole[name].to(torch.bfloat16)) for name in whole)
    assert len([one for one in (cache / "gguf").iterdir() if one.is_dir()]) == 2
    assert "'float8'" in refusal(tiny, dtype="float8")


def test_a_killed_conversion_leaves_nothing_that_is_taken_for_whole(tiny: Path, cache: Path, forks: Any) -> None:
    shutil.rmtree(cache / "gguf")
    code = f"import os; os.environ[{source.CACHE!r}] = {str(cache)!r}\n"
    code += "from innerjudge.models.formats import gguf as g, source as c; from pathlib import Path\n"
    code += "c._run = lambda f, out, d: ((out / 'model.safetensors').write_bytes(b'half'), __import__('os')._exit(9))\n"
    code += f"c.copy_of(g.read_header(Path({str(tiny)!r})), 'float32')"
    with forks.begin(code, cache) as process:
        pass
    assert process.returncode == 9
    assert list((cache / "gguf").glob("*.partial/model.safetensors"))
    assert load(str(tiny), device="cpu").anatomy.n_blocks == 2
    assert not list((cache / "gguf").glob("*.partial"))


def test_what_is_odd_in_a_file_is_said(tmp_path: Path) -> None:
    def change(writer: Any) -> None:
        writer.add_pad_token_id(1)
        writer.add_add_bos_token(False)
        writer.add_tensor("rope_freqs.weight", np.ones(8, np.float32))

    path = tmp_path / "odd.gguf"
    write_gguf(path, change=change)
    notes = " ".join(load(str(path), device="cpu").notes)
    assert "the end token 1 as padding token" in notes
    assert "rope_freqs" in notes
    assert "first token (BOS)" not in notes
    assert "the original's is not on this machine" in notes


def test_a_chat_template_is_compared_with_the_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Path
) -> None:
    path, original = tmp_path / "known.gguf", tmp_path / "chat_template.jinja"
    write_gguf(path, change=lambda w: w.add_string("general.source.huggingface.repository", "you/original"))
    monkeypatch.setattr(
        "innerjudge.models.formats.gguf.try_to_load_from_cache",
        lambda repository, file: str(original) if (repository, file) == ("you/original", original.name) else None,
    )
    original.write_text("{{ other }}")
    assert "differs from the original model's" in " ".join(load(str(path), device="cpu").notes)
    original.write_text(TEMPLATE)
    assert "template" not in " ".join(load(str(path), device="cpu").notes)


def test_fields_of_quantisation_left_in_a_config(tiny: Path, tmp_path: Path) -> None:
    folder = naive_folder(tiny, tmp_path / "left")
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace("{", '{"quantization_config": {"quant_method": "gguf"},', 1))
    assert "still says quantization_config gguf" in refusal(folder)


def test_files_that_cannot_be_read(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bad.gguf"
    write_gguf(path, architecture="nonesuch")
    assert "'nonesuch'" in refusal(path)
    assert "qwen2" in refusal(path)  # what could be read
    write_gguf(path, tokenizer=False)
    assert "without a tokenizer" in refusal(path)
    part = shutil.copy(tiny, tmp_path / "m-00001-of-00003.gguf")
    assert "one of 3 parts" in refusal(part)
    assert "llama-gguf-split --merge" in refusal(part)
    Path(part).unlink()
    shutil.copy(tiny, tmp_path / "second.gguf")
    assert "2 GGUF files, expected the name of one" in refusal(tmp_path)
    assert "does not exist" in refusal(tmp_path / "none.gguf")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "check the spelling and the network" in refusal("you/model:q4.gguf")
    monkeypatch.setattr("innerjudge.models.formats.gguf.find_spec", lambda name: None)
    assert "pip install 'innerjudge[gguf]'" in refusal(tiny)


def test_a_file_without_a_tensor_is_refused(tiny: Path, tmp_path: Path) -> None:
    """Its weights would be random, and saved as if they were the model's."""
    path = tmp_path / "lacking.gguf"
    path.write_bytes(tiny.read_bytes().replace(b"blk.1.ffn_down.weight", b"blk.1.ffn_dawn.weight"))
    assert "model.layers.1.mlp.down_proj.weight" in refusal(path)


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.01, 0.3, 0.9, 0.9999])
def test_a_file_cut_short(tiny: Path, tmp_path: Path, share: float) -> None:
    data = tiny.read_bytes()
    path = tmp_path / "short.gguf"
    path.write_bytes(data[: int(len(data) * share)])
    assert "is no whole GGUF file" in refusal(path)


def test_every_byte_of_the_header_may_lie(tiny: Path, tmp_path: Path) -> None:
    """Reading ends at once, in a header or a ``ValueError``, whatever the lengths say."""
    data, path = tiny.read_bytes(), tmp_path / "lie.gguf"
    end = read(tiny).data
    rng = np.random.default_rng(1)
    for place in [*range(4, 200), *rng.integers(200, end, 300)]:
        path.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        with contextlib.suppress(ValueError):
            read(path)
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 2**63, 2**63))
    with pytest.raises(ValueError, match=f"it says that it has {2**63} tensors"):
        read(path)
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 1, 0, 0))
    with pytest.raises(ValueError, match="version is 1"):
        read(path)


def test_no_room_and_no_folder(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(source.CACHE, str(tmp_path / "new"))
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
    assert "expected as much room" in refusal(tiny)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(source.CACHE, str(tmp_path / "file"))
    assert "name another in INNERJUDGE_CACHE" in refusal(tiny)


@pytest.mark.parametrize("name", ["smollm2-135m", "qwen2.5-coder-0.5b"])
def test_real_files_equal_their_folders(name: str, real_models: Path) -> None:
    require_same(load(str(real_models / f"{name}.gguf")), load(str(real_models / name), dtype="float32"))
