"""Features made by hand: random numbers in the shapes of a tiny model, with every readout that a judge can ask for."""

from __future__ import annotations

import json

import numpy as np
import pytest
from innerjudge.extraction import Features, Provenance, Ragged
from innerjudge.probes.embedding import _Vectors

L, D, H, K = 3, 4, 2, 5
POSITIONS = ("prompt_end", "response_end", "reasoning_start", "reasoning_end", "score")


def provenance(fingerprint: str = "f") -> Provenance:
    return Provenance("tiny", None, fingerprint, "float32", "sdpa", "none")


def features(n: int = 24, *, seed: int = 0, fingerprint: str = "f", **arrays: object) -> Features:
    """Every readout of ``n`` items of 5 labels (or options), three to a question; named arrays replace them.

    A keyword's double underscore stands for the slash of a name; the names of texts replace those.
    """
    rng = np.random.default_rng(seed)
    made = {f"hidden/{p}": rng.normal(size=(n, L + 2, D)) for p in POSITIONS}
    made |= {"logits/score": rng.normal(size=(n, 2, L + 1, K)), "labels": np.full(n, K)}
    made |= {"logits/p-true": rng.normal(size=(n, 2)), "qk/p-true": rng.normal(size=(n, L, H, 2))}
    made |= {"qk/before": rng.normal(size=(n, L, H, K)), "qk/after": rng.normal(size=(n, L, H, K))}
    made |= {"attention": rng.dirichlet(np.ones(K), size=(n, L, H))}
    tokens = rng.integers(1, 30, size=n)
    made |= {"logprob": np.stack([-rng.random(n) * tokens, tokens], axis=1)}
    counts = rng.integers(1, 6, size=n)
    ragged = {
        f"tokens/response.{what}": Ragged.of([rng.normal(size=(c, *shape)) for c in counts], shape)
        for what, shape in (("log_probability", ()), ("entropy", ()), ("certainty", ()), ("top(20)", (20,)))
    }
    made |= {"hidden/nth_last(2).mean": rng.normal(size=(n, L + 2, D))}
    made |= {f"hidden/response.mean{rows}": rng.normal(size=(n, r, D)) for rows, r in (("", L + 2), ("[-1]", 1))}
    ragged |= {
        f"hidden/{role}[-1]": Ragged.of([rng.normal(size=(c, 1, D)) for c in counts])
        for role in ("response.none", "reasoning/step_end.none")
    }
    made |= {"attention/response@-1.ratio[prompt|response@-1]": rng.random(size=(n, L, H))}
    made |= {"attention/response.diagonal": np.log(rng.random(size=(n, L, H)))}
    made |= {"attention/response@-1.copied[prompt]": rng.random(size=(n, L, H))}
    made |= {"lens/response@-1.residual[divergence]": rng.random(size=(n, L))}
    made |= {"hidden/response.logdet": rng.normal(size=(n, L + 2))}
    segments = [rng.normal(size=(c, L + 2, D)) for c in rng.integers(2, 5, size=n)]
    ragged |= {"hidden/reasoning/segment(500).mean": Ragged.of(segments)}
    ragged |= {"tokens/step.mean(log_probability)": Ragged.of([-rng.random(c) for c in counts])}
    texts = {
        "direct": tuple(f" {k % 5 + 1}" for k in range(n)),
        "reasoned": tuple(f"<think>hm</think>Score: {k % 5 + 1}." for k in range(n)),
        "prompt": tuple(f"Say {k // 3} or more." for k in range(n)),
        "response": tuple(f"It is {draw} more" for draw in rng.integers(9, size=n)),
        "answer": tuple(str(k % 3 if k % 2 else 7) for k in range(n)),
        "steps": tuple(json.dumps([f"{k % 7} is {step}" for step in range(c)]) for k, c in enumerate(counts)),
        "options": tuple(json.dumps([f"{word} {o}" for o in range(K)]) for word in rng.choice(list("abc"), size=n)),
    }
    texts["own_text"] = tuple("<think>hm</think>Verdict: yes" for _ in range(n))
    ragged["hidden/own_text(response_end).none"] = Ragged.of(rng.normal(size=(n, 1, L + 2, D)))
    for key, value in arrays.items():
        if key in texts:
            texts[key] = tuple(value)  # type: ignore[arg-type]
        else:
            made[key.replace("__", "/")] = np.asarray(value)
    return Features(
        ids=tuple(f"i{k}" for k in range(n)),
        groups=tuple(f"q{k // 3}" for k in range(n)),
        provenance=provenance(fingerprint),
        arrays={name: value.astype(np.float32) for name, value in made.items()},
        ragged=ragged,
        texts=texts,
    )


@pytest.fixture(scope="session")
def make():
    return features


@pytest.fixture
def real_embedder():
    """For tests that load an embedder; all others embed a text by its length and its last character."""


@pytest.fixture(autouse=True)
def embedder(request, monkeypatch):
    if "real_embedder" not in request.fixturenames:
        monkeypatch.setattr(_Vectors, "__init__", lambda self, name: None)
        monkeypatch.setattr(
            _Vectors, "encode", lambda self, texts: np.array([[len(t), ord(t[-1:] or "-"), 0.5] for t in texts])
        )
