"""The *choose* job: questions of knowledge, and the task of finding a named word among the options."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from ..items import Choice
from .split import belongs
from .words import ALL_WORDS, CAPITALS, DECOR, KINDS, OPPOSITES, YOUNG

Drawn = tuple[str, str, list[str]]
"""A question, its right option, and enough wrong ones to draw from."""


def _kind(rng: Random) -> Drawn:
    kind, *others = rng.sample(sorted(KINDS), 9)
    return f"Which is a kind of {kind}?", rng.choice(KINDS[kind]), [rng.choice(KINDS[o]) for o in others]


def _capital(rng: Random) -> Drawn:
    country, *others = rng.sample(sorted(CAPITALS), 9)
    return f"What is the capital of {country}?", CAPITALS[country], [CAPITALS[o] for o in others]


def _opposite(rng: Random) -> Drawn:
    word, *others = rng.sample(sorted(OPPOSITES), 9)
    wrong = [rng.choice((o, OPPOSITES[o])) for o in others]
    if rng.random() < 0.5:
        return f"What is the opposite of {word}?", OPPOSITES[word], wrong
    return f"What is the opposite of {OPPOSITES[word]}?", word, wrong


def _young(rng: Random) -> Drawn:
    animal, *others = rng.sample(sorted(YOUNG), 9)
    return f"What is a young {animal} called?", YOUNG[animal], [YOUNG[o] for o in others]


def _sum(rng: Random) -> Drawn:
    a, b, times = rng.randint(2, 9), rng.randint(2, 9), rng.random() < 0.6
    truth = a * b if times else a + b
    wrong = rng.sample([x for x in range(4, 82) if x != truth], 8)
    return f"What is {a} {'times' if times else 'plus'} {b}?", str(truth), [str(x) for x in wrong]


def _named(rng: Random) -> Drawn:
    word, *others = rng.sample(ALL_WORDS, 24)
    return f"Which option is the word {word}?", word, others


def _phrase(rng: Random) -> Drawn:
    """Options that share words, so that only a whole line, read to its end, tells which it is."""
    one, two, three, four = rng.sample(ALL_WORDS, 4)
    wrong = [one, two, f"{two} {one}", f"{one} {three}", f"{three} {two}"]
    wrong += [f"{one} {two} {three}", f"{four} {one} {two}"]
    return f"Which option is exactly {one} {two}?", f"{one} {two}", rng.sample(wrong, len(wrong))


KNOWLEDGE: dict[str, Callable[[Random], Drawn]] = {
    "kind": _kind,
    "capital": _capital,
    "opposite": _opposite,
    "young": _young,
    "sum": _sum,
    "phrase": _phrase,
}
_ODDS = {"kind": 8, "capital": 4, "opposite": 4, "young": 2, "sum": 2, "phrase": 6}


def _build(task: str, seed: int, name: str, rng: Random, n_options: int) -> Choice | None:
    question, right, wrong = (_named if task == "synthetic" else KNOWLEDGE[task])(rng)
    texts = [right, *wrong[: n_options - 1]]
    style = rng.random()
    if task not in ("sum", "synthetic", "phrase") and style < 0.5:
        shared = rng.choice(DECOR)
        texts = [f"{shared if style < 0.25 else rng.choice(DECOR)} {text}" for text in texts]
    first = texts[0]
    rng.shuffle(texts)
    if len(texts) < n_options or not belongs(question + "|" + "|".join(texts), seed):
        return None
    return Choice(
        question_id=name, question=question, options=tuple(texts), answer=texts.index(first), extra={"task": task}
    )


def _collect(n: int, seed: int, label: str, draw: Callable[[Random], tuple[str, int]]) -> list[Choice]:
    rng = Random(seed)
    made: dict[str, Choice] = {}
    while len(made) < n:
        task, n_options = draw(rng)
        choice = _build(task, seed, f"{label}-{seed}-{len(made)}", rng, n_options)
        if choice is not None:
            made.setdefault(choice.question + "|".join(choice.options), choice)
    return list(made.values())


def choices(n: int, *, seed: int, n_options: int = 4, synthetic_share: float = 0.3) -> list[Choice]:
    """Draw ``n`` different questions of mixed kind; ``extra["task"]`` names the kind.

    Example:
        >>> c = choices(2, seed=1)[0]
        >>> len(c.options), 0 <= c.answer < 4
        (4, True)
    """
    tasks, odds = list(_ODDS), list(_ODDS.values())

    def draw(rng: Random) -> tuple[str, int]:
        return ("synthetic" if rng.random() < synthetic_share else rng.choices(tasks, odds)[0]), n_options

    return _collect(n, seed, "choose", draw)


def synthetic(n: int, *, seed: int, n_options: int = 4) -> list[Choice]:
    """Draw ``n`` questions that name a word which is one of the options (at most 24).

    Example:
        >>> c = synthetic(1, seed=1, n_options=8)[0]
        >>> c.options[c.answer] in c.question
        True
    """
    return _collect(n, seed, "synthetic", lambda rng: ("synthetic", n_options))


def mixed(n: int, *, seed: int) -> list[Choice]:
    """Draw ``n`` training questions with 2 to 8 options each.

    Example:
        >>> {len(c.options) for c in mixed(99, seed=1)} <= set(range(2, 9))
        True
    """
    tasks, odds = [*_ODDS, "synthetic"], [*_ODDS.values(), 8]

    def draw(rng: Random) -> tuple[str, int]:
        return rng.choices(tasks, odds)[0], rng.choices(range(2, 9), (1, 2, 6, 2, 1, 1, 1))[0]

    return _collect(n, seed, "mixed", draw)
