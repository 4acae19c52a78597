"""Load a causal LM by hub name or folder, with its tokenizer and anatomy; every failure is one clear line."""

import hashlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import torch
from transformers import PreTrainedModel

from .anatomy import Anatomy, find_anatomy
from .arguments import checked
from .caching import Probe
from .checkpoint import read_tokenizer, read_weights, require_causal, say_meaning
from .errors import InnerjudgeError, html_table, one_line
from .fingerprint import fingerprint_of
from .formats.source import adapted, find_source
from .inputs import Mixing, find_mixing
from .observation import input_device
from .precision import cpu_dtype
from .rotary import Place, rotary_places
from .template import check_tokenizer
from .tokens import FastTokenizer
from .unwrapping import eagerly, unwrap

_Found = TypeVar("_Found")


@dataclass(frozen=True, repr=False)
class LanguageModel:
    """A causal LM ready to be read.

    Args:
        name: Hub name, folder or ``"reference"``, as given.
        revision: Revision on the hub, if one was asked for.
        model: The transformers model, in evaluation mode.
        tokenizer: Its fast tokenizer.
        anatomy: Its parts.
        origin: What the weights were made from where that is no Hugging Face folder, such as
            ``"GGUF Q4_K_M, SHA-256 0123456789abcdef"``.
        notes: What is odd in such a file, one sentence each.
        memory: Gigabytes that a batch of texts may take besides the weights, while it is read or written; ``None`` for
            half of what is free. A text that takes more alone is left out, with the reason.
    """

    name: str
    revision: str | None
    model: PreTrainedModel
    tokenizer: FastTokenizer
    anatomy: Anatomy
    origin: str = ""
    notes: tuple[str, ...] = ()
    memory: float | None = None

    def __post_init__(self) -> None:
        if self.memory is not None and not 0 < self.memory < float("inf"):
            raise InnerjudgeError(f"given memory={self.memory}, expected gigabytes above 0, or None")

    def __repr__(self) -> str:
        a, kind = self.anatomy, type(self.model).__name__
        sizes = f"{a.n_blocks} blocks, width {self.model.config.get_text_config().hidden_size}, {a.n_heads} heads"
        return f"LanguageModel({self.name!r}: {kind}, {sizes}, {self.dtype} on {self.device})"

    def _repr_html_(self) -> str:
        """A few lines for notebooks; :func:`~innerjudge.describe` says more."""
        a, kind = self.anatomy, type(self.model).__name__
        rows = [("model", kind), ("blocks", a.n_blocks), ("heads", a.n_heads), ("context", a.context or "no bound")]
        rows += [("weights", self.dtype), ("device", self.device), ("attention", self.attention)]
        return html_table(self.name, (), rows)

    @property
    def device(self) -> torch.device:
        """The device to put inputs on: that of the input embedding."""
        return input_device(self.model)

    @cached_property
    def padding_sides(self) -> frozenset[str]:
        """Sides on which padding changes nothing, ``"left"`` and ``"right"`` for most models; found on first use."""
        return self._tried(Probe.sides)

    @cached_property
    def shares_prompts(self) -> bool:
        """Whether texts with one prompt may share its keys and values; tried on first use."""
        return self._tried(Probe.shares)

    @cached_property
    def reads_packed(self) -> bool:
        """Whether texts may lie end to end in one row, with positions that restart for each; tried on first use."""
        return self._tried(Probe.packs)

    def _tried(self, trial: Callable[[Probe], _Found]) -> _Found:
        a = self.anatomy
        with self.uncompiled():
            return trial(Probe(self.model, a.stream, a.position_offset, self.pad_id, self.memory))

    @cached_property
    def mixing(self) -> Mixing:
        """Which texts may be in one batch."""
        return find_mixing(self.model.config.get_text_config(decoder=True))

    @cached_property
    def rotary_places(self) -> tuple[Place, ...]:
        """The rotary functions that the blocks can name."""
        return tuple(rotary_places({m for block in self.anatomy.blocks for m in block.modules()}))

    def uncompiled(self) -> AbstractContextManager[None]:
        """While open, compiled modules of the model run as they are written, so that they can be read."""
        return eagerly(self.model)

    @property
    def dtype(self) -> str:
        """The dtype of the weights, such as ``"float32"``."""
        return str(self.model.dtype).removeprefix("torch.")

    @property
    def attention(self) -> str:
        """Attention kernel of the language model, such as ``"sdpa"``; a vision tower may have another."""
        return str(self.model.config.get_text_config(decoder=True)._attn_implementation)

    @property
    def remote_code(self) -> bool:
        """Whether Python code that came with the model runs: its own class, config or tokenizer."""
        classes = (one for made in (self.model, self.model.config, self.tokenizer) for one in type(made).__mro__)
        return any(one.__module__.split(".")[0] == "transformers_modules" for one in classes)

    @property
    def pad_id(self) -> int:
        """A token id to pad with, which the model knows; only the attention mask says what is padding."""
        named = (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id)
        return next((one for one in named if isinstance(one, int) and one < self.n_ids), 0)

    @cached_property
    def n_ids(self) -> int:
        """How many token ids the model has states for; its tokenizer may know fewer, or more."""
        embedding: Any = self.model.get_input_embeddings()
        size = getattr(embedding, "num_embeddings", None) or len(getattr(embedding, "weight", ()))
        return int(size or self.model.config.get_text_config(decoder=True).vocab_size)

    @cached_property
    def n_known(self) -> int:
        """How many token ids the tokenizer can write; higher ids only pad the model's vocabulary."""
        return 1 + max(self.tokenizer.get_vocab().values())

    @cached_property
    def fingerprint(self) -> str:
        """First 16 digits of a SHA-256: the same model in two folders agrees.

        It covers the class of the model, the numbers of query and key heads, the head size, soft-cap, logit scale and
        rotary parameters; the size of the vocabulary and every 97th entry of it; and of every tensor its name, its
        shape and up to 64 evenly spaced values, rounded to bfloat16. It does not cover the dtype, the merges and chat
        template of the tokenizer, the rest of the config, or the other weights.
        """
        return fingerprint_of(self.model, self.tokenizer, self.anatomy)

    @property
    def chat_template_hash(self) -> str:
        """Hash of the chat template; ``"none"`` without one."""
        template = self.tokenizer.chat_template
        return hashlib.sha256(str(template).encode()).hexdigest()[:12] if template else "none"


@checked
def load(
    name: str,
    *,
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
    trust_remote_code: bool = False,
    memory: float | None = None,
    blocks: str | None = None,
    final_norm: str | None = None,
    unembedding: str | None = None,
    **options: Any,
) -> LanguageModel:
    """Load a model to be read.

    Args:
        name: Name on the Hugging Face hub, local folder, or ``"reference"`` for the built-in model; also a GGUF file, a
            folder that holds one, ``hub-name:file.gguf`` (extra ``gguf``), or a folder of a LoRA adapter that names its
            base model (extra ``lora``). A GGUF file is converted once; the copy is kept in ``$INNERJUDGE_CACHE``, else
            ``~/.cache/innerjudge``.
        device: ``"auto"`` (CUDA if there is one, else the CPU) or a torch device such as ``"cuda:1"``.
        dtype: ``"auto"`` (as stored, but float32 for quantised GGUF files and where the CPU has no units for the stored
            type), ``"float32"``, ``"bfloat16"`` or ``"float16"``.
        revision: Branch, tag or commit on the hub.
        trust_remote_code: Run the Python files that come with the model, with your rights: they can read, change and
            send whatever you can. A model that transformers does not know by itself needs it. A warning says so, and
            provenances record whether such code ran.
        memory: Gigabytes that a batch may take besides the weights, as in :class:`LanguageModel`.
        blocks: Module path of the block list, for a model that is not recognised.
        final_norm: Module path of the final norm, likewise.
        unembedding: Module path of the map to the vocabulary, likewise.
        **options: Passed to ``from_pretrained``, such as ``device_map="auto"`` or ``attn_implementation="eager"``.

    Raises:
        InnerjudgeError: If weights, network or a fast tokenizer are missing, it is not a causal LM, its anatomy is
            unknown, or it needs code of its own that was not trusted.

    Example:
        >>> lm = load("reference")
        >>> lm.anatomy.n_blocks >= 6
        True
    """
    if "gguf_file" in options:  # as transformers would have it
        file = options.pop("gguf_file")
        name = f"{name}/{file}" if os.path.isdir(name) else f"{name}:{file}"
    if trust_remote_code:
        say_meaning(name)
    source = find_source(name, revision, dtype)
    called = f"{source.weights}, base_model_name_or_path of {name}" if source.adapter else name
    where = (source.weights, called, source.revision)
    config = require_causal(*where, trust=trust_remote_code)
    target = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    placed = "device_map" in options
    if dtype == "auto" and target == "cpu" and not placed and not hasattr(config, "quantization_config"):
        dtype = cpu_dtype(str(config.dtype or "auto").removeprefix("torch."))
    model = read_weights(*where, dtype, options, trust=trust_remote_code)
    if source.adapter:
        model = adapted(model, source.adapter)
    if not placed:
        try:
            model.to(target)  # type: ignore[arg-type]
        except (RuntimeError, AssertionError) as error:
            raise InnerjudgeError.of("models.device", device, one_line(error)) from None
    model.eval()
    tokenizer = read_tokenizer(source.tokenizer, name, source.revision, trust=trust_remote_code)
    anatomy = find_anatomy(model, blocks=blocks, final_norm=final_norm, unembedding=unembedding)
    check_tokenizer(tokenizer, anatomy.context)
    return LanguageModel(name, revision, model, tokenizer, anatomy, source.origin, source.notes, memory)


@checked
def wrap(
    model: Any,
    tokenizer: FastTokenizer,
    *,
    name: str = "model",
    memory: float | None = None,
    blocks: str | None = None,
    final_norm: str | None = None,
    unembedding: str | None = None,
) -> LanguageModel:
    """Read a model that is already in memory; it is put into evaluation mode.

    ``model`` is a transformers causal LM, also compiled, with PEFT adapters, quantised or spread over devices, or a
    TransformerLens ``TransformerBridge``; ``tokenizer`` is its fast one, ``name`` that in provenances. The rest is as
    in :func:`load`. ``InnerjudgeError`` if there is no transformers model inside, or its anatomy is unknown.

    Example:
        >>> lm = load("reference")
        >>> wrap(torch.nn.DataParallel(lm.model), lm.tokenizer).model is lm.model
        True
    """
    if not isinstance(model, torch.nn.Module):
        raise InnerjudgeError.of("models.wrap", type(model).__name__)
    model.eval()
    inner = unwrap(model)
    with eagerly(inner):
        anatomy = find_anatomy(inner, blocks=blocks, final_norm=final_norm, unembedding=unembedding)
    check_tokenizer(tokenizer, anatomy.context)
    return LanguageModel(name, None, inner, tokenizer, anatomy, memory=memory)
