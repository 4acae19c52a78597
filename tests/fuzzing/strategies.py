"""Good input made odd, as hypothesis strategies: bytes, JSON, YAML, headers of safetensors, GGUF and zip archives.

What is drawn are bytes, six for each edit: which kind of edit, where, and what is put there. Smaller bytes change less,
and earlier, so that hypothesis shrinks what fails to one small change of the good input. A draw costs as much as many a
reader, so that several inputs are drawn at once, and as one draw: of several, hypothesis makes most alike.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

#: What breaks readers: numbers beyond every type, towers of brackets, other people's markup, control characters.
WORDS: tuple[bytes, ...] = (
    *(b"0", b"-1", b"1.5", b"-0.0", b"1e999", b"99999999999999999999999", b"9" * 5000, b"0x" + b"f" * 40),
    *(b"null", b"NaN", b"-Infinity", b"true", b'""', b'"x"', b"[]", b"{}", b'"\\ud800"', b",", b"\\", b"%"),
    *(b"[" * 300, b'{"a":' * 200, b"&a [*a, *a]", b"<<: *a", b'!!python/object/apply:os.system ["true"]', b"---\n"),
    *(b"\x00", b"\xff\xfe", b"\r", b"\n", b"\n\n", b"\t", b"\x1b[31m", "\u2028\u202e".encode(), b"\xf0\x9f\x98\x80"),
    *(b"1:1:1:1:1:1:1:1:1:1:1:1", b"2001-13-45", b"2026-01-01", b"{{", b"{% for a in range(10**9) %}"),
    *(struct.pack("<Q", n) for n in (0, 1, 8, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)),
    *(struct.pack("<I", n) for n in (0, 1, 8, 9, 2**16, 2**31, 2**32 - 1)),
)
#: Values in the place of others.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 10**6, 2**63, 10**30, 0.5, -1e308, float("nan"), float("inf")),
    *("", " ", "x", "1", "None", "x" * 20_000, "\ud800", "\x1b[31m", "a\nb", "../../etc", "<script>", "\u202ex"),
    *([], [[]], [1, 2, 3], ["a", "b"], [None], [5, 1], [0.1] * 1000, ["\x1b[2J" + "x" * 100] * 100),
    *({}, {"a": 1}, {"": {}}, {f"name {k}": k for k in range(1000)}, {"\x1b[2J" * 50: {"role": "user"}}),
)
#: Names in the place of others; the last ones mean something to innerjudge.
NAMES = ("", "x" * 3000, "\x1b[2J", "a\nb", "\u202e", "\ud800", "scale", "response_ids", "question_id", "sampled_by")

#: Inputs that are drawn at once.
BATCH = 10
#: The kind of an edit, its place, what is put there.
Edit = tuple[int, int, int]
#: Bytes of an edit, edits of an input at most, and bytes of an input: how many edits it has stands first.
_EDIT, _MOST = 6, 4
_INPUT = 1 + _EDIT * _MOST


def edits_of(raw: bytes) -> list[Edit]:
    """The edits that some bytes stand for."""
    places = range(1, 1 + _EDIT * (1, 1, 2, _MOST)[raw[0] % 4], _EDIT)
    return [
        (raw[k] % 100, int.from_bytes(raw[k + 1 : k + 4], "big"), int.from_bytes(raw[k + 4 : k + 6], "big"))
        for k in places
    ]


#: Kinds of input whose parts are known: how they are taken apart, and put together again.
Form = tuple[Callable[[bytes], Any], Callable[[Any, bytes], bytes]]


def odd(good: bytes, kind: str) -> st.SearchStrategy[list[bytes]]:
    """Odd forms of ``good``: of its bytes and, where ``kind`` is one of :data:`FORMS` or ``"zip"``, of its parts."""
    drawn = st.binary(min_size=_INPUT * BATCH, max_size=_INPUT * BATCH)
    pieces = [slice(k, k + _INPUT) for k in range(0, _INPUT * BATCH, _INPUT)]
    return drawn.map(lambda raw: [edited(good, kind, edits_of(raw[piece])) for piece in pieces])


def edited(good: bytes, kind: str, edits: list[Edit]) -> bytes:
    """The input after some edits: those of its parts come first, then those of its bytes."""
    inner = [edit for edit in edits if edit[0] < 80] if kind != "bytes" else []
    raw = good
    if inner and kind == "zip":
        for _, where, what in inner:
            raw = _archive(raw, where, what)
    elif inner:
        apart, together = FORMS[kind]
        value = apart(good)
        for how, where, what in inner:
            value = changed(value, how, where, what)
        raw = together(value, good)
    for edit in edits:
        if edit not in inner:
            raw = _bytes(raw, *edit)
    return raw


def changed(value: Any, how: int, where: int, what: int) -> Any:
    """The JSON value with one place in it changed: ``where`` is read as the way down, a digit a level."""
    if not isinstance(value, dict | list) or not value:
        return VALUES[what % len(VALUES)]
    where, at = divmod(where, len(value) + 1)
    if at == len(value):
        return VALUES[what % len(VALUES)] if how < 40 else {"a": value}
    name = at if isinstance(value, list) else list(value)[at]
    if how < 55:
        inner = changed(value[name], how, where, what)
        return [*value[:at], inner, *value[at + 1 :]] if isinstance(value, list) else value | {name: inner}
    if how < 60:  # left out
        return (
            value[:at] + value[at + 1 :] if isinstance(value, list) else {k: v for k, v in value.items() if k != name}
        )
    if isinstance(value, list):
        return [*value, value[name]]
    if how < 66:
        return value | {NAMES[what % len(NAMES)]: VALUES[what // 16 % len(VALUES)]}
    if how < 73:
        return {(NAMES[what % len(NAMES)] if k == name else k): v for k, v in value.items()}
    for _ in range((1, 30, 100)[what % 3]):
        value = {name: value}
    return value


def _bytes(raw: bytes, how: int, where: int, what: int) -> bytes:
    at, size = where % (len(raw) + 1), (1, 1, 2, 8, 64)[what % 5]
    word = WORDS[what % len(WORDS)]
    return (
        lambda: raw[:at] + word + raw[at:],
        lambda: raw[:at] + word + raw[at + len(word) :],
        lambda: raw[:at] + raw[at + size :],
        lambda: raw[:at] + raw[at : at + size] + raw[at:],
        lambda: raw[:at] + bytes(byte ^ 1 << what % 8 for byte in raw[at : at + 1]) + raw[at + 1 :],
        lambda: raw[:at] + bytes([what % 256]) + raw[at + 1 :],
        lambda: raw[:at] if what % 4 == 0 else raw[: len(raw) - at % 9],
    )[how % 7]()


def _archive(raw: bytes, where: int, what: int) -> bytes:
    """The archive with a file changed, left out, twice there, under another name, or of many zeros."""
    made = io.BytesIO()
    where, how = divmod(where, 8)
    with (
        zipfile.ZipFile(io.BytesIO(raw)) as old,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        names = old.namelist()
        where, at = divmod(where, len(names) or 1)
        for name in names:
            content, chosen = old.read(name), name == names[at]
            if chosen and how < 4:
                content = edited(
                    content, "json" if how < 3 and _is_json(content) else "bytes", [(how * 13, where, what)]
                )
            if chosen and how == 4:
                continue
            if chosen and how == 5:
                content = bytes((0, 10**5, 30 * 10**6)[what % 3])
            new.writestr(f"../{name}" if chosen and how == 6 else name, content)
            if chosen and how == 7:
                new.writestr(f"{name}2", content)
    return made.getvalue()


def _is_json(raw: bytes) -> bool:
    try:
        json.loads(raw)
    except (ValueError, RecursionError):
        return False
    return True


def dump(value: Any) -> bytes:
    """JSON, with NaN and infinity as Python writes them, and a number that no float holds."""
    return json.dumps(value).replace("1e+308", "1e999").encode()


def _lines(value: Any, _good: bytes) -> bytes:
    return b"\n".join(map(dump, value)) if isinstance(value, list) else dump(value)


def _header(good: bytes) -> Any:
    return json.loads(good[8 : 8 + struct.unpack("<Q", good[:8])[0]])


def _tensors(value: Any, good: bytes) -> bytes:
    header, end = dump(value), 8 + struct.unpack("<Q", good[:8])[0]
    return struct.pack("<Q", len(header)) + header + good[end:]


def _of_yaml(good: bytes) -> Any:
    import yaml

    return yaml.safe_load(good)


FORMS: dict[str, Form] = {
    "json": (json.loads, lambda value, _good: dump(value)),
    "lines": (lambda good: [json.loads(line) for line in good.splitlines() if line], _lines),
    "yaml": (_of_yaml, lambda value, _good: dump(value)),  # JSON is YAML
    "safetensors": (_header, _tensors),
}
