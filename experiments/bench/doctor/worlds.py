"""Tables of scores with a planted cause: 100 questions of 6 candidates, with text, source, prompt and answer."""

from typing import Any

import numpy as np

Row = dict[str, Any]
#: Noise of a planted score beside its cause.
_NOISE = 0.3


def table(world: str, seed: int, *, questions: int = 100, candidates: int = 6) -> list[Row]:
    """One simulated study.

    Args:
        world: ``"question"``, ``"length"``, ``"source"``, ``"leak"`` (the score knows that and nothing else),
            ``"signal"`` (it knows the label, with noise), ``"null"`` (it knows nothing).
        seed: Seed of all draws.
        questions: Number of questions.
        candidates: Candidates of each.

    Example:
        >>> rows = table("length", 0)
        >>> len(rows), sorted(rows[0])
        (600, ['answer', 'candidate', 'label', 'prompt', 'question', 'score', 'source', 'text'])
    """
    draw = np.random.default_rng(seed)
    rows: list[Row] = []
    for q in range(questions):
        hardness = draw.normal()
        for c in range(candidates):
            size, source = draw.normal(), int(draw.integers(4))
            leak = bool(draw.random() < 0.4)
            # Labels go with one of the causes; the question is hard or easy in every world.
            pull = {"length": 1.5 * size, "source": 1.5 * (source - 1.5), "leak": 3.0 * (leak - 0.4)}.get(world, 0.0)
            right = bool(draw.random() < 1 / (1 + np.exp(-(hardness + pull))))
            known = {"question": hardness, "length": size, "source": float(source), "leak": float(leak)}
            known |= {"signal": 0.5 * right, "null": 0.0}
            answer = f"x{int(draw.integers(10**6))}"
            words = max(1, round(60 * np.exp(0.4 * size)))
            rows.append(
                {
                    "question": f"q{q}",
                    "candidate": str(c),
                    "score": known[world] + _NOISE * draw.normal(),
                    "label": right,
                    "source": f"model-{source}",
                    "answer": answer,
                    "prompt": f"Which one is it? {answer if leak else 'None is named'}.",
                    "text": " ".join(f"w{int(k)}" for k in draw.integers(50, size=words)),
                }
            )
    return rows
