"""States of drawn answers, in which right ones and easy questions both leave a trace."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ....extraction.features import Features
from ....models.items import Trace

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

Bools = npt.NDArray[np.bool_]

#: Candidates of a question, width of the states, standard deviation of a question's difficulty.
CANDIDATES, WIDTH, DIFFICULTY = 8, 64, 1.5
#: How often a wrong answer is each of a question's wrong ones.
WRONG = (0.4, 0.3, 0.2, 0.1)


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers as a study sees them: ``states [n, F]``, which are ``right``, their ``question``, and what they say.

    Real ones have also their ``length`` in tokens, the states ``asked [n, F]`` at the end of the prompt, the ``route``
    (the kind of the question), and by name what can be checked of each, ``facts``.
    """

    states: Floats
    right: Bools
    question: Ints
    said: npt.NDArray[np.str_]
    length: Floats | None = None
    asked: Floats | None = None
    route: npt.NDArray[np.str_] | None = None
    facts: Mapping[str, Bools] = field(default_factory=dict)

    @property
    def features(self) -> Features:
        """One state an answer, at the position ``"state"``, and what else is known for judges to read."""
        more = {} if self.asked is None else {"hidden/prompt_end": self.asked[:, None].repeat(2, axis=1)}
        if self.length is not None:
            more["logprob"] = np.stack([0 * self.length, self.length], axis=1)
        return features_of(self.states, self.question, more)

    @property
    def traces(self) -> list[Trace]:
        """Items with these answers and nothing else."""
        return [
            Trace(question_id=f"q{q}", candidate_id=str(k), prompt="", response="", answer=said or None)
            for k, (q, said) in enumerate(zip(self.question.tolist(), self.said.tolist(), strict=True))
        ]

    def __getitem__(self, rows: Ints | Bools) -> "Answers":
        """Some of them."""
        return Answers(
            self.states[rows],
            self.right[rows],
            self.question[rows],
            self.said[rows],
            None if self.length is None else self.length[rows],
            None if self.asked is None else self.asked[rows],
            None if self.route is None else self.route[rows],
            {name: one[rows] for name, one in self.facts.items()},
        )

    def parted(self, questions: int, seed: int) -> "tuple[Answers, Answers]":
        """Up to ``questions`` of one half of all, drawn at random, and the other half; questions are counted anew."""
        names, code = np.unique(self.question, return_inverse=True)
        order = np.random.default_rng(seed).permutation(len(names))
        cut = len(names) // 2
        sides = [np.flatnonzero(np.isin(code, some)) for some in (order[:cut][:questions], order[cut:])]
        learn, test = (replace(self[at], question=np.unique(code[at], return_inverse=True)[1]) for at in sides)
        return learn, test


def world(
    questions: int,
    *,
    signal: float = 2.0,
    confound: float = 2.0,
    seed: int = 0,
    like: int | None = None,
    spread: float = 1.0,
) -> tuple[Floats, npt.NDArray[np.bool_], Ints]:
    r"""States ``[n, 64]``, whether each answer is right ``[n]``, and its question ``[n]``.

    With the difficulty :math:`d_q \sim N(0, 1.5^2)` and :math:`y \sim B(\sigma(-d_q))`, a state is
    :math:`\text{signal}\,(y - \frac12)\,v - \text{confound}\,d_q\,u + o_q + e`: unit vectors ``v`` and ``u`` at right
    angles, an offset ``o`` of the question with standard deviation ``spread``, and noise of standard deviation 1, of 4
    in four dimensions. ``like`` is the seed of another world, whose ``v`` and ``u`` this one has.
    """
    axes = np.random.default_rng([7, seed if like is None else like]).normal(size=(WIDTH, 2))
    v, u = np.linalg.qr(axes)[0].T
    rng = np.random.default_rng([8, seed])
    difficulty = rng.normal(0, DIFFICULTY, questions)
    q = np.repeat(np.arange(questions), CANDIDATES)
    y = rng.random(len(q)) < 1 / (1 + np.exp(difficulty[q]))
    noise = rng.normal(size=(len(q), WIDTH))
    noise[:, :4] *= 4
    offset = rng.normal(size=(questions, WIDTH))
    x = signal * (y - 0.5)[:, None] * v - confound * difficulty[q, None] * u + spread * offset[q] + noise
    return x, y, q


def drawn(questions: int, confound: float, seed: int, like: int | None = None, spread: float = 1.0) -> Answers:
    """A :func:`world` in which right answers say one thing, and wrong ones one of four others, in unequal shares."""
    x, y, q = world(questions, confound=confound, seed=seed, like=like, spread=spread)
    wrong = np.random.default_rng([9, seed]).choice(len(WRONG), size=len(y), p=WRONG)
    return Answers(x, y, q, np.where(y, "right", np.char.add("wrong", wrong.astype(str))))


def features_of(x: Floats, q: Ints, more: Mapping[str, Floats] | None = None) -> Features:
    """One state an answer, at the position ``"state"``, and ``more`` arrays."""
    arrays = {"hidden/state": x[:, None].repeat(2, axis=1), **(more or {})}
    return Features.from_arrays(arrays, provenance="drawn", groups=[f"q{k}" for k in q])
