"""``python -m innerjudge.experiments.bench.coverage.mixing``: what a batch may mix, for rotary angles of every kind.

Every registered type is made as a small model with each kind of rotary angles that transformers has. States of a text
that is read beside longer ones (padded on either side, packed, after a shared prompt) are held to those of the text
alone, and what is written to what is written alone. Written are ``mixing.json`` and ``mixing.md``.
"""

import argparse
import copy
import json
import random
import re
import sys
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.utils import logging

from ....extraction import Features, HiddenStates, extract
from ....extraction.writing.generate import complete
from ....models.errors import InnerjudgeError
from ....models.loading import LanguageModel
from ....models.positions import Encoding
from .document import FOLDER, Table, differences, page
from .shrink import registered_types, small_config
from .small_model import random_items, readable, small_model

#: ``"default"`` is the kind that the type has by itself.
KINDS = ("default", *sorted(ROPE_INIT_FUNCTIONS))
#: Tokens beyond which longrope and dynamic NTK scaling change the angles.
UNTIL = 24
#: Tokens that the first texts have in common, and the lengths of all: at the threshold, beside it, and far from it.
_BEGINNING, _ALIKE, LENGTHS = 18, 4, (22, 40, 24, 33, 9, 25, 40, 12)
_NEW_TOKENS = 4
_READ = (HiddenStates("score"), HiddenStates("middle"))
_TOLERANCE = 2e-4
#: What a type wants beside.
_MORE = {"phimoe": {"short_mscale": 1.1, "long_mscale": 1.3}}
_NONE, _REFUSED = "no rotary angles to scale", "transformers refuses it"


def scaled(model_type: str, kind: str, only: str | None = None) -> PreTrainedConfig | None:
    """A small config of a type with angles of one kind, as it would be loaded; ``None`` where the type has none.

    ``only`` is the one kind of block that has them, where several kinds have angles of their own.

    Example:
        >>> scaled("gpt2", "yarn") is None, scaled("llama", "yarn").rope_parameters["factor"]
        (True, 4.0)
    """
    config = small_config(model_type)
    text = config.get_text_config(decoder=True)
    if hasattr(text, "index_topk"):
        text.index_topk = 64  # the scores of a small indexer tie, and which of tied keys it keeps follows the padding
    parts = list(_rotary_parts(text))
    if not parts:
        return None
    for part in parts if kind != "default" else ():
        nested = {key: value for key, value in part.rope_parameters.items() if isinstance(value, dict)}
        if nested:
            own = {
                key: {**value, **_parameters(kind, part, key, value)}
                for key, value in nested.items()
                if only in (None, key)
            }
            part.rope_parameters = {**part.rope_parameters, **own}
        else:
            part.rope_parameters = {**part.rope_parameters, **_parameters(kind, part, None, part.rope_parameters)}
        if hasattr(part, "max_position_embeddings"):
            part.max_position_embeddings = UNTIL if kind == "dynamic" else 128
        if hasattr(part, "original_max_position_embeddings"):
            part.original_max_position_embeddings = UNTIL
    return type(config).from_dict(copy.deepcopy(config.to_dict()))


def _rotary_parts(config: PreTrainedConfig) -> Iterator[Any]:
    rope = getattr(config, "rope_parameters", None) or {}
    if hasattr(config, "hidden_size") and any(isinstance(value, dict | str) for value in rope.values()):
        yield config
    for part in vars(config).values():
        if isinstance(part, PreTrainedConfig):
            yield from _rotary_parts(part)


def _parameters(kind: str, config: Any, layer: str | None, given: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"rope_type": kind, "rope_theta": 1e4, "factor": 4.0, **_MORE.get(config.model_type, {})}
    if kind in ("yarn", "longrope", "llama3"):
        found["original_max_position_embeddings"] = UNTIL
    if kind == "dynamic" and given.get("partial_rotary_factor", 1.0) < 0.5:
        found["partial_rotary_factor"] = 0.5  # with a single frequency there is nothing to interpolate
    if kind == "llama3":
        found |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
    if kind == "longrope":
        with suppress(AttributeError, ValueError, KeyError):  # one size for all blocks
            config = config.per_layer_config[layer] if layer else config
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        half = (int(size * given.get("partial_rotary_factor", 1.0)) + 1) // 2
        found |= {"short_factor": [1.0] * half, "long_factor": [1.0 + 9.0 * k for k in range(half)]}
    return found


def made(model_type: str, kind: str) -> LanguageModel | str:
    """The small model, or why there is none; with angles of the kind in as many kinds of block as may have them."""
    refused = ""
    for only in (None, "full_attention", "sliding_attention"):
        try:
            config = scaled(model_type, kind, only)
            if config is None:
                return _NONE
            plain = small_model(config)
            with torch.no_grad():
                for length in (9, 40):
                    plain(input_ids=torch.arange(20, 20 + length)[None], use_cache=False)
            break
        except Exception as error:  # whatever it raises
            refused = refused or f"{_REFUSED}: {_line(error)}"
    else:
        return refused
    try:
        lm = readable(plain)
    except InnerjudgeError as error:
        return _line(error)
    return replace(lm, anatomy=replace(lm.anatomy, context=None))


def check(model_type: str, kind: str) -> str:
    """``"pass"``, why there is nothing to try, or ``"WRONG: ..."``."""
    lm = made(model_type, kind)
    if isinstance(lm, str):
        return lm
    items = texts(lm)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a model that is read one text at a time
        try:
            return _read(lm, items) or _written(lm, items) or "pass"
        except Exception as error:  # what runs by itself must run through us
            return f"WRONG: {_line(error)}"


def texts(lm: LanguageModel) -> list[Encoding]:
    """Texts of several lengths, the first of which begin alike."""
    items = random_items(lm, LENGTHS)
    begins = items[0].ids[:_BEGINNING]
    return [replace(one, ids=begins + one.ids[_BEGINNING:]) if k < _ALIKE else one for k, one in enumerate(items)]


def _read(lm: LanguageModel, items: Sequence[Encoding]) -> str:
    alone = [extract(lm, [item], _READ) for item in items]
    for name, found in (
        ("padded right", extract(lm, items, _READ, batch_size=4, share_prompts=False)),
        ("padded left", extract(lm, items, _READ, batch_size=4, share_prompts=False, padding_side="left")),
        ("packed", extract(lm, items, _READ, max_tokens=500, share_prompts=False, packed=True)),
        ("shared", extract(lm, items, _READ, batch_size=4)),
    ):
        if (off := _apart(found, alone)) is not None:
            return f"WRONG: {name}, {off}"
    return ""


def _apart(found: Features, alone: Sequence[Features]) -> str | None:
    for name, states in found.arrays.items():
        for row, one in zip(states, alone, strict=True):
            off = float(np.abs(row - one[name][0]).max() / max(float(np.abs(one[name]).max()), 1e-6))
            if not off <= _TOLERANCE:
                return f"{one.ids[0]}: {name} differs by {off:.1g}"
    return None


def _written(lm: LanguageModel, items: Sequence[Encoding]) -> str:
    try:
        lm.model.generate(input_ids=torch.tensor([items[0].ids]), max_new_tokens=1, do_sample=False)  # type: ignore[operator]
    except Exception:  # a model that does not write at all
        return ""
    alone = [complete(lm, [item], max_new_tokens=_NEW_TOKENS)[0] for item in items]
    together = complete(lm, items, max_new_tokens=_NEW_TOKENS, batch_size=len(items))
    odd = [item.id for item, a, b in zip(items, alone, together, strict=True) if a != b]
    return f"WRONG: written, {', '.join(odd)}" if odd else ""


def sample(table: Table, seed: int = 0) -> list[tuple[str, str]]:
    """Pairs of a type and a kind: every type with rotary angles once, every kind with several types.

    Kinds whose angles follow the length are drawn twice as often as others.

    Example:
        >>> pairs = sample({f"t{k}": {kind: "pass" for kind in KINDS} for k in range(30)})
        >>> len(pairs), {kind for _, kind in pairs} == set(KINDS)
        (30, True)
    """
    types = [name for name, cells in sorted(table.items()) if _NONE not in cells.values()]
    random.Random(seed).shuffle(types)
    others = [kind for kind in KINDS if kind not in ("dynamic", "longrope")]
    order = [kind for other in others for kind in ("longrope", other, "dynamic")]
    return [(name, order[k % len(order)]) for k, name in enumerate(types)]


def _line(error: BaseException) -> str:
    said = re.sub(r"\{[^}]*\}", "{...}", " ".join(str(error).split()))  # sets come in any order
    return textwrap.shorten(f"{type(error).__name__}: {said}", 160, placeholder=" ...")


def markdown(table: Table, versions: dict[str, str]) -> str:
    """The page of the table."""
    about = [
        f"Each of the {len(table)} model types that transformers registers for causal language modelling, as a",
        "small random model with each kind of rotary angles. *yes*: the states of texts read beside longer ones",
        "(padded left and right, packed, after a shared prompt) are those of the texts alone, and so is what is",
        "written. *default* is the kind that the type has by itself.",
    ]
    return page("What a batch may mix", about, table, KINDS, "innerjudge.experiments.bench.coverage.mixing", versions)


def read(folder: Path = FOLDER) -> tuple[Table, dict[str, str]]:
    """The committed table and the versions that it was made with."""
    held = json.loads((folder / "mixing.json").read_text(encoding="utf-8"))
    return held["types"], held["versions"]


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0, or 1 if something is wrong or, with ``--check``, another than committed."""
    parser = argparse.ArgumentParser(
        prog="python -m innerjudge.experiments.bench.coverage.mixing", description=(__doc__ or "").split("\n\n")[1]
    )
    parser.add_argument("types", nargs="*", help="model types; all that are registered if left out")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of mixing.json and mixing.md")
    parser.add_argument("--check", action="store_true", help="compare with the table in --out and write nothing")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    committed = read(given.out)[0] if (given.out / "mixing.json").is_file() else {}
    found: Table = {}
    for name in given.types or registered_types():
        found[name] = {kind: check(name, kind) for kind in KINDS}
        sys.stdout.write(f"{name}: {'; '.join(f'{k}: {said}' for k, said in found[name].items() if said != 'pass')}\n")
        sys.stdout.flush()
    wrong = [name for name, cells in found.items() if any(said.startswith("WRONG") for said in cells.values())]
    sys.stdout.write(f"of {len(found)} types wrong: {', '.join(wrong) or 'none'}\n")
    if given.check:
        changed = differences({k: v for k, v in committed.items() if k in found or not given.types}, found, KINDS)
        sys.stdout.write("\n".join(changed or ["as committed"]) + "\n")
        return int(bool(changed or wrong))
    table = {**committed, **found} if given.types else found
    versions = {name: version(name) for name in ("torch", "transformers")}
    text = json.dumps({"versions": versions, "types": table}, indent=1, ensure_ascii=False, sort_keys=True)
    (given.out / "mixing.json").write_text(f"{text}\n", encoding="utf-8")
    (given.out / "mixing.md").write_text(markdown(table, versions), encoding="utf-8")
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
