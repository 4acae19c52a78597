"""Good input made odd: bytes, JSON, headers of safetensors and archives, each by a seeded draw."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from typing import Any

#: What breaks readers: numbers beyond every type, towers of brackets, other people's markup, control characters.
WORDS: tuple[bytes, ...] = (
    b"1e999",
    b"-1",
    b"0",
    b"1.5",
    b"-0.0",
    b"99999999999999999999999",
    b"9" * 5000,
    b"null",
    b"NaN",
    b"-Infinity",
    b"true",
    b'""',
    b'"x"',
    b"[]",
    b"{}",
    b'"\\ud800"',
    b"[" * 300,
    b'{"a":' * 200,
    b"&a [*a, *a]",
    b"<<: *a",
    b"\x00",
    b"\xff\xfe",
    b'!!python/object/apply:os.system ["true"]',
    b"\r",
    b"\n",
    b"\n\n",
    b"\t",
    b"\x1b[31m",
    "\u2028\u202e".encode(),
    b",",
    b"0x" + b"f" * 40,
    b"1:1:1:1:1:1:1:1:1:1:1:1",
    b"2001-13-45",
    b"2026-01-01",
    b"---\n",
    b"%",
    b"{{",
    b"\\",
    b"\xf0\x9f\x98\x80",
    *(struct.pack("<Q", n) for n in (0, 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)),
)
#: Values in the place of others.
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    2,
    10**6,
    2**63,
    10**30,
    0.5,
    -1e308,
    float("nan"),
    float("inf"),
    "",
    " ",
    "x",
    "1",
    "None",
    "x" * 20_000,
    "\ud800",
    "\x1b[31m",
    "a\nb",
    "../../etc",
    "<script>",
    [],
    [[]],
    [1, 2, 3],
    ["a", "b"],
    [None],
    {},
    {"a": 1},
    {"": {}},
    [0.1] * 1000,
)


def mutate(good: bytes, kind: str, draw: random.Random) -> bytes:
    """One odd input: structured where ``kind`` is ``json``, ``lines`` or ``safetensors``, in half of the draws."""
    if draw.random() < 0.5:
        return _bytes(good, draw)
    if kind == "json":
        return _dump(_json(json.loads(good), draw))
    if kind == "lines":
        lines = [json.loads(line) for line in good.decode().splitlines() if line]
        for _ in range(draw.randint(1, 2)):
            at = draw.randrange(len(lines))
            lines[at] = _json(lines[at], draw)
        if draw.random() < 0.1:
            lines.append(draw.choice(lines))
        return b"\n".join(map(_dump, lines))
    if kind == "safetensors":
        (length,) = struct.unpack("<Q", good[:8])
        header = _dump(_json(json.loads(good[8 : 8 + length]), draw))
        return struct.pack("<Q", len(header)) + header + good[8 + length :]
    if kind == "zip":
        return _zip(good, draw)
    return _bytes(good, draw)


def _bytes(good: bytes, draw: random.Random) -> bytes:
    raw = bytearray(good)
    for _ in range(draw.choice((1, 1, 1, 2, 4, 16))):
        at, size = draw.randrange(len(raw) + 1), draw.choice((1, 1, 2, 8, 64))
        how = draw.randrange(7)
        if how == 0 and at < len(raw):
            raw[at] ^= 1 << draw.randrange(8)
        elif how == 1 and at < len(raw):
            raw[at] = draw.randrange(256)
        elif how == 2:
            raw[at:at] = draw.choice(WORDS)
        elif how == 3:
            raw[at : at + size] = b""
        elif how == 4:
            raw[at:at] = raw[at : at + size]
        elif how == 5:
            word = draw.choice(WORDS)
            raw[at : at + len(word)] = word
        elif draw.random() < 0.2:
            del raw[at:]
    return bytes(raw)


def _json(value: Any, draw: random.Random) -> Any:
    """The value with one place in it changed."""
    if not isinstance(value, dict | list) or not value or draw.random() < 0.05:
        return draw.choice(VALUES)
    if isinstance(value, list):
        at = draw.randrange(len(value))
        how = draw.random()
        if how < 0.1:
            return [*value, value[at]]
        if how < 0.2:
            return value[:at] + value[at + 1 :]
        return [*value[:at], _json(value[at], draw), *value[at + 1 :]]
    name, how = draw.choice(sorted(value)), draw.random()
    if how < 0.1:
        return {k: v for k, v in value.items() if k != name}
    if how < 0.15:
        return value | {
            draw.choice(("", "x" * 3000, "\x1b[2J", "a\nb", "scale", "response_ids", "\ud800")): value[name]
        }
    if how < 0.2:
        return {(f"{k}\u202e" if k == name else k): v for k, v in value.items()}
    if how < 0.25:
        for _ in range(draw.choice((1, 30, 100))):
            value = {name: value}
        return value
    return value | {name: _json(value[name], draw)}


def _dump(value: Any) -> bytes:
    text = json.dumps(value)  # NaN and infinity as Python writes them
    return text.replace("1e+308", "1e999").encode()


def _zip(good: bytes, draw: random.Random) -> bytes:
    """The archive with a file changed, left out, twice there, under another name, or of many zeros."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        names = old.namelist()
        chosen, how = draw.choice(names), draw.randrange(6)
        for name in names:
            raw = old.read(name)
            if name == chosen and how == 0:
                continue
            if name == chosen and how in (1, 2):
                raw = mutate(raw, "json" if raw[:1] in b"{[" else "bytes", draw)
            if name == chosen and how == 3:
                raw = bytes(draw.choice((0, 10**6, 30 * 10**6)))
            new.writestr(f"../{name}" if name == chosen and how == 4 else name, raw)
            if name == chosen and how == 5:
                new.writestr(f"{name}2", raw)
    return made.getvalue()
