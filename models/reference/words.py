"""The small world (``words.toml``) that the *choose* job asks about, and which of all texts are held out."""

import tomllib
from hashlib import blake2b
from pathlib import Path

_WORLD = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
#: Members of each kind; no word stands in two kinds.
KINDS: dict[str, tuple[str, ...]] = {kind: tuple(members.split()) for kind, members in _WORLD["kinds"].items()}
#: Capital of each country.
CAPITALS: dict[str, str] = _WORLD["capitals"]
#: Opposites, asked in both directions.
OPPOSITES: dict[str, str] = _WORLD["opposites"]
#: Young of each animal.
YOUNG: dict[str, str] = _WORLD["young"]
#: What each kind of question asks, and how often it is drawn; how problems and each of their operations are worded.
QUESTIONS: dict[str, str] = _WORLD["questions"]
ODDS: dict[str, int] = _WORLD["odds"]
PROBLEMS: dict[str, list[str]] = _WORLD["problems"]
#: Words that may stand before an option's word and say nothing about it.
DECOR = ("the", "a certain", "that old", "some new", "this", "one small", "my", "any plain")
#: Training never uses seeds from here on.
HELD_OUT_SEED = 1_000_000
_HELD_OUT_ONE_IN = 10
#: Every word that the named-word task draws from.
ALL_WORDS: tuple[str, ...] = tuple(
    sorted({w for ws in KINDS.values() for w in ws} | set(CAPITALS.values()) | set(OPPOSITES) | set(YOUNG.values()))
)


def is_held_out(text: str) -> bool:
    """Say whether a problem's text is reserved for held-out items (one in ten, by a stable hash)."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") % _HELD_OUT_ONE_IN == 0


def belongs(text: str, seed: int) -> bool:
    """Say whether a generator that runs under ``seed`` may use a problem."""
    return is_held_out(text) == (seed >= HELD_OUT_SEED)
