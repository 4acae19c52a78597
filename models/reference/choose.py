"""The *choose* job: questions of knowledge, and the task of finding a named word among the options.

Every option has a *key*: what a question would have to name for it to be the right one (``metal`` of ``iron``,
``Paris`` of itself). In compounds the last word decides, as in English: a pear knife is a tool. So an option is known
only at the end of its line, which is where the heads that QK-score looks for must know it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random

from ..conversation import plain_text
from ..items import Choice
from .words import ALL_WORDS, CAPITALS, DECOR, KINDS, ODDS, OPPOSITES, QUESTIONS, YOUNG, belongs

#: Options that a question can be asked with, the right one first: what it would have to name, and the option.
Keyed = list[tuple[str, str]]


def _listed(table: Mapping[str, str], rng: Random) -> Keyed:
    return [(key, table[key]) for key in rng.sample(sorted(table), 9)]


def _sum(rng: Random) -> Keyed:
    made: dict[str, str] = {}
    while len(made) < 9:
        a, b, times = rng.randint(2, 9), rng.randint(2, 9), rng.random() < 0.6
        made.setdefault(str(a * b if times else a + b), f"{a} {'times' if times else 'plus'} {b}")
    return [(key, result) for result, key in made.items()]


def _phrase(rng: Random) -> Keyed:
    """Options that share words."""
    one, two, three, four = rng.sample(ALL_WORDS, 4)
    wrong = [one, two, f"{two} {one}", f"{one} {three}", f"{three} {two}"]
    wrong += [f"{one} {two} {three}", f"{four} {one} {two}"]
    return [(text, text) for text in (f"{one} {two}", *rng.sample(wrong, len(wrong)))]


KNOWLEDGE: dict[str, Callable[[Random], Keyed]] = {
    "kind": lambda rng: [(kind, rng.choice(KINDS[kind])) for kind in rng.sample(sorted(KINDS), 9)],
    "capital": partial(_listed, CAPITALS),
    "opposite": lambda rng: [p if rng.random() < 0.5 else p[::-1] for p in rng.sample(sorted(OPPOSITES.items()), 9)],
    "young": partial(_listed, YOUNG),
    "sum": _sum,
    "phrase": _phrase,
    "synthetic": lambda rng: [(word, word) for word in rng.sample(ALL_WORDS, 24)],
}

#: Odds that options are single words, have one word before them, or are compounds of one to three words.
_STYLES = {"plain": 4, "decorated": 2, "compound": 4}


def _dressed(words: Sequence[str], rng: Random) -> list[str]:
    """Put other words before each option's own, which stays the last; some of them are words of rival options."""
    style = rng.choices(list(_STYLES), list(_STYLES.values()))[0]
    if style == "plain":
        return list(words)
    if style == "decorated":
        before = rng.sample(ALL_WORDS, len(words)) if rng.random() < 0.5 else rng.choices(DECOR, k=len(words))
        return [f"{first} {word}" for first, word in zip(before, words, strict=True)]
    texts = []
    for word in words:
        modifiers = rng.sample(ALL_WORDS, rng.choices((0, 1, 2), (2, 3, 1))[0])
        if modifiers and rng.random() < 0.4:
            modifiers[rng.randrange(len(modifiers))] = rng.choice(words)
        texts.append(" ".join([*modifiers, word]))
    return texts


def _build(task: str, seed: int, name: str, rng: Random, n_options: int) -> Choice | None:
    pairs = KNOWLEDGE[task](rng)
    question = QUESTIONS[task].format(pairs[0][0])
    keys, texts = [key for key, _ in pairs[:n_options]], [text for _, text in pairs[:n_options]]
    if task not in ("sum", "synthetic", "phrase"):
        texts = _dressed(texts, rng)
    if len(set(texts)) < n_options:
        return None
    order = rng.sample(range(n_options), n_options)
    texts = [texts[k] for k in order]
    if not belongs(question + "|" + "|".join(texts), seed):
        return None
    extra = {"task": task, "keys": [keys[k] for k in order]}
    return Choice(question_id=name, question=question, options=tuple(texts), answer=order.index(0), extra=extra)


def collect(n: int, seed: int, label: str, draw: Callable[[Random], tuple[str, int]]) -> list[Choice]:
    """Draw ``n`` different questions; ``draw`` gives the kind of each and its number of options."""
    rng = Random(seed)
    made: dict[str, Choice] = {}
    while len(made) < n:
        task, n_options = draw(rng)
        choice = _build(task, seed, f"{label}-{seed}-{len(made)}", rng, n_options)
        if choice is not None:
            made.setdefault(plain_text(choice.question) + "|".join(choice.options), choice)
    return list(made.values())


def choices(n: int, *, seed: int, n_options: int = 4, synthetic_share: float = 0.3) -> list[Choice]:
    """Draw ``n`` different questions of mixed kind; ``extra["task"]`` names the kind."""
    tasks, odds = list(ODDS), list(ODDS.values())

    def draw(rng: Random) -> tuple[str, int]:
        return ("synthetic" if rng.random() < synthetic_share else rng.choices(tasks, odds)[0]), n_options

    return collect(n, seed, "choose", draw)


def synthetic(n: int, *, seed: int, n_options: int = 4) -> list[Choice]:
    """Draw ``n`` questions that name a word which is one of the options (at most 24)."""
    return collect(n, seed, "synthetic", lambda rng: ("synthetic", n_options))
