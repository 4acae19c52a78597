"""Fitted judges, and their scores by the engine beside those of their own pass."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .... import CLUE, Judge, LogisticProbe, TokenLogProb, Trace, load, read
from ....extraction.writing.decoding import end_ids
from ....probes import BaseJudge, PTrue, TokenConfidence
from ...judges.engine import EngineJudge

#: Judges that the engine needs no connector for.
BY_LOG_PROBABILITIES = ("log-probability", "worst token", "deepconf", "p-true")
_WORDS = "You are a careful helper who thinks before every answer. "


@dataclass(frozen=True, slots=True)
class Own:
    """Judges as they were fitted, by name, the folders that hold them, and answers that they have not seen."""

    model: str
    judges: Mapping[str, Judge]
    folders: Mapping[str, str]
    answers: Sequence[Trace]
    ends: frozenset[int]

    def encoded(self) -> list[Any]:
        """Ids and positions of the answers."""
        return EngineJudge.load(self.folders["clue"]).encode(self.answers)


@dataclass(frozen=True, slots=True)
class Row:
    """Two lists of scores, numbers, or ``None`` where there is none."""

    what: str
    judge: str
    own: Sequence[Any]
    engine: Sequence[Any]

    def alike(self, tolerance: float) -> bool:
        """Whether both scored the same answers, some at least, and alike."""
        both = self._both()
        return len(both) > 0 and self._unlike() == 0 and float(np.ptp(both, axis=1).max()) <= tolerance

    def line(self) -> str:
        """A row of the table."""
        both = self._both()
        far, spread = (np.ptp(both, axis=1).max(), np.ptp(both[:, 0])) if len(both) else (np.nan, np.nan)
        counts = f"{len(self.own)} | {len(both)} | {self._unlike()}"
        return f"| {self.what} | {self.judge} | {counts} | {far:.1e} | {spread:.2g} |"

    def _both(self) -> Any:
        both = [(a, b) for a, b in zip(self.own, self.engine, strict=True) if a is not None and b is not None]
        return np.array(both).reshape(-1, 2)

    def _unlike(self) -> int:
        return sum((a is None) != (b is None) for a, b in zip(self.own, self.engine, strict=True))


def fitted(model: str, folder: Path) -> Own:
    """Judges of sums, some right and some wrong, and new ones."""
    lm = load(model)
    pairs = [(a, b, k, int(a + b + 7 * k)) for a in range(11, 60, 4) for b in (5, 18, 27) for k in (0, 1)]
    traces = [
        Trace(
            question_id=f"{a}+{b}",
            candidate_id=str(k),
            prompt=f"{_WORDS * 3 if a % 8 == 3 else ''}Start with {a}. Add {b}.",
            response=f"<think>{a}+{b}={said}</think>{said}",
            correct=k == 0,
        )
        for a, b, k, said in pairs
    ]
    seen, new = traces[::2][:30] + traces[1::2][:30], traces[60:]
    made: dict[str, BaseJudge] = {
        "clue": CLUE(),
        "probe of a middle row": LogisticProbe(row=lm.anatomy.n_blocks // 2),
        "probe of the last row": LogisticProbe(positions=["response_end"], row=-1),
        "log-probability": TokenLogProb(),
        "worst token": TokenConfidence(statistic="log_probability", aggregate="min"),
        "deepconf": TokenConfidence(statistic="confidence"),
        "p-true": PTrue(),
    }
    judges, folders = {}, {}
    for name, judge in made.items():
        right = [bool(trace.correct) for trace in seen]
        fit = judge.fit(read(lm, seen, judges=[judge]), right) if name not in BY_LOG_PROBABILITIES else judge
        judges[name] = Judge(fit, lm, kind="trace")
        folders[name] = str(folder / name.replace(" ", "-"))
        judges[name].save(folders[name])
    return Own(model, judges, folders, new, end_ids(lm))


@contextmanager
def engine(own: Own, *, judges: bool = True, **how: Any) -> Iterator[Any]:
    """An engine in this process' children."""
    from vllm import LLM

    found = LLM(model=own.model, **settings(own, judges=judges), **how)
    try:
        yield found
    finally:
        found.llm_engine.engine_core.shutdown()


def settings(own: Own, *, judges: bool) -> dict[str, Any]:
    """How the engine is started, as keywords."""
    inside = {name: folder for name, folder in own.folders.items() if name not in BY_LOG_PROBABILITIES}
    connector = {
        "kv_connector": "JudgeConnector",
        "kv_connector_module_path": "innerjudge.experiments.adapters.vllm",
        "kv_role": "kv_both",
        "kv_connector_extra_config": {"judges": inside},
    }
    how = {"dtype": "float32", "enforce_eager": True, "max_model_len": 1024, "gpu_memory_utilization": 0.15}
    return how | ({"kv_transfer_config": connector} if judges else {})


def read_by_engine(own: Own) -> Iterator[Row]:
    """Answers that exist, read whole, again from the prefix cache, and in chunks."""
    for chunk, whats in ((1024, ("read", "read again")), (48, ("read in chunks of 48",))):
        with engine(own, max_num_batched_tokens=chunk, max_num_seqs=8) as llm:
            for what in whats:
                yield from rows(own, what, [one.kv_transfer_params for one in generate(llm, *requests(own))])


def requests(own: Own) -> tuple[list[list[int]], list[dict[str, Any]]]:
    """Ids of each answer behind its prompt, and what the connector must know."""
    encoded = own.encoded()
    answers = [len(one.ids) - 1 - one.positions["prompt_end"][0] for one in encoded]
    return [list(one.ids) for one in encoded], [{"answer_tokens": n} for n in answers]


def generate(llm: Any, ids: Sequence[Sequence[int]], given: Sequence[dict[str, Any]], n: int = 1, **how: Any) -> Any:
    """What the engine returns for each request."""
    from vllm import SamplingParams, TokensPrompt

    asked = [
        SamplingParams(**{"temperature": 0, "max_tokens": n, "extra_args": {"kv_transfer_params": one}, **how})
        for one in given
    ]
    return llm.generate([TokensPrompt(prompt_token_ids=list(one)) for one in ids], asked, use_tqdm=False)


def rows(own: Own, what: str, said: Sequence[Any], answers: Sequence[Trace] | None = None) -> Iterator[Row]:
    """The engine's scores beside the own ones, for each judge."""
    for name in said[0]["judges"]:
        scores = [one.score for one in own.judges[name].verdicts(own.answers if answers is None else answers)]
        yield Row(what, name, scores, [one["judges"][name].get("score") for one in said])


def sampled_by_engine(own: Own) -> Iterator[Row]:
    """Answers that the engine samples itself."""
    encoded = own.encoded()
    prompts = [list(one.ids[: one.positions["prompt_end"][0] + 1]) for one in encoded]
    with engine(own) as llm:
        found = generate(llm, prompts, [{} for _ in prompts], 200, temperature=0.7)
    said = [(one.outputs[0].text, one.outputs[0].token_ids, one.kv_transfer_params) for one in found]
    yield from sampled_rows(own, "sampled", own.answers, said)


def sampled_rows(
    own: Own, what: str, asked: Sequence[Trace], said: Sequence[tuple[str, Sequence[int], Any]]
) -> Iterator[Row]:
    """Scores of what an engine sampled, text, ids and verdicts; of answers that it ended, by a token of its own."""
    origin = own.judges["clue"].judge.provenance_
    assert origin is not None
    ended = [(trace, *one) for trace, one in zip(asked, said, strict=True) if one[1][-1] in own.ends]
    items = [
        Trace(
            question_id=f"{k}",
            candidate_id="0",
            prompt=trace.prompt,
            response=text,
            extra={"response_ids": list(ids)[:-1], "sampled_by": origin.fingerprint},
        )
        for k, (trace, text, ids, _) in enumerate(ended)
    ]
    yield from rows(own, what, [given for *_, given in ended], items)


def scored_by_logprobs(own: Own) -> Iterator[Row]:
    """Judges of log-probabilities and of verdict logits, by those that the engine returns."""
    encoded, judges = own.encoded(), {name: EngineJudge.load(own.folders[name]) for name in BY_LOG_PROBABILITIES}
    asked = judges["p-true"].encode(own.answers)
    with engine(own, judges=False) as llm:
        found = generate(llm, [one.ids for one in encoded], [{} for _ in encoded], prompt_logprobs=20)
        labels: Any = {"logprobs": 2, "logprob_token_ids": list(asked[0].label_ids)}
        said = generate(llm, [one.ids for one in asked], [{} for _ in asked], **labels)
    for name, judge in judges.items():
        if judge.route == "labels":
            verdicts = judge.verdicts_of_labels(asked, [one.outputs[0].logprobs[0] for one in said], model=own.model)
        else:
            given = [one.prompt_logprobs[1:] for one in found]
            verdicts = judge.verdicts_of_log_probabilities(encoded, given, model=own.model)
        own_scores = [one.score for one in own.judges[name].verdicts(own.answers)]
        yield Row("read", name, own_scores, [one.score for one in verdicts])
