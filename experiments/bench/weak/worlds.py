"""States of drawn answers, in which right ones and easy questions both leave a trace."""

import numpy as np
import numpy.typing as npt

from ....extraction.features import Features

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

#: Candidates of a question, width of the states, standard deviation of a question's difficulty.
CANDIDATES, WIDTH, DIFFICULTY = 8, 64, 1.5


def world(
    questions: int, *, signal: float = 2.0, confound: float = 2.0, seed: int = 0, like: int | None = None
) -> tuple[Floats, npt.NDArray[np.bool_], Ints]:
    r"""States ``[n, 64]``, whether each answer is right ``[n]``, and its question ``[n]``.

    With the difficulty :math:`d_q \sim N(0, 1.5^2)` and :math:`y \sim B(\sigma(-d_q))`, a state is
    :math:`\text{signal}\,(y - \frac12)\,v - \text{confound}\,d_q\,u + o_q + e`: unit vectors ``v`` and ``u`` at right
    angles, an offset ``o`` of the question with standard deviation 1, and noise of standard deviation 1, of 4 in four
    dimensions. ``like`` is the seed of another world, whose ``v`` and ``u`` this one has.
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
    x = signal * (y - 0.5)[:, None] * v - confound * difficulty[q, None] * u + offset[q] + noise
    return x, y, q


def features_of(x: Floats, q: Ints) -> Features:
    """One state an answer, at the position ``"state"``."""
    states = x[:, None].repeat(2, axis=1)
    return Features.from_arrays({"hidden/state": states}, provenance="drawn", groups=[f"q{k}" for k in q])
