"""``python -m innerjudge.experiments.bench.promises.exits``: leave reasoning early by a promise, and see what it costs.

The built-in model answers ``builtin:solve`` problems twice from the same seeds, with and without exits, so that each
answer is compared with what it would have been. The page is ``exits.md``.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ....extraction.provenance import versions
from ....extraction.readouts import States
from ....models.items import Trace
from ....models.loading import LanguageModel, load
from ....models.reference.solve import Problem, problems
from ....models.reference.words import HELD_OUT_SEED
from ....probes import CLUE, Promise
from ...drawing.style import NOTHING
from ...judges.sample_and_judge import Sampling, Saved, answer_and_judge, candidates_of
from ...reading.passes import Passes
from ...reading.read import read
from ...reading.verdict_pass import labelled, sample_traces

#: Where an answer is looked at, and what is promised.
ROLE, LEVELS, CONFIDENCE = "reasoning/segment(8)", (0.1, 0.2, 0.3, 0.5), 0.9
#: Answers that are written together, from one seed.
_TOGETHER = 32


@dataclass(frozen=True, slots=True)
class Exits:
    """What exits at one threshold did to answers, each of which is also known without exits.

    ``wrong_exited`` is what the promise is about: the mean over questions of the share of the answers that are wrong
    without exits, and exited. ``tokens`` and ``accuracy`` are a pair, without and with exits; ``estimated`` is the
    saving per answer that :class:`.Saved` estimates from the answers with exits alone. ``again`` is the share of exited
    answers that write the closing marker once more.
    """

    promise: Promise
    exited: float
    wrong_exited: float
    tokens: tuple[float, float]
    accuracy: tuple[float, float]
    estimated: float
    again: float


def answers(lm: LanguageModel, judge: CLUE, asked: Sequence[Problem], how: Sampling) -> list[Trace]:
    """Labelled answers, a batch at a time, each batch from a seed of its own."""
    bare = [Trace(question_id=p.question_id, candidate_id="", prompt=p.prompt, response="") for p in asked]
    todo, known = candidates_of(bare, how.n), {p.question_id: p for p in asked}
    found: list[Trace] = []
    for start in range(0, len(todo), _TOGETHER):
        seeded = replace(how, seed=how.seed + start)
        some = answer_and_judge(lm, todo[start : start + _TOGETHER], judge, seeded, Passes())
        found += [labelled(trace, known) for trace in some.traces]
    return found


def by_question(values: Sequence[bool], traces: Sequence[Trace], counted: Sequence[bool]) -> float:
    """The mean over questions of the share of their counted answers for which a value is true; 0 without any."""
    groups: dict[str, list[bool]] = {}
    for value, trace, one in zip(values, traces, counted, strict=True):
        if one:
            groups.setdefault(trace.question_id, []).append(value)
    return float(np.mean([np.mean(group) for group in groups.values()])) if groups else 0.0


def compared(promise: Promise, plain: Sequence[Trace], short: Sequence[Trace], saved: Saved) -> Exits:
    """What became of the answers ``plain`` with exits: ``short``, in the same order."""
    exited = ["exited" in trace.extra for trace in short]
    assert all(a == b for a, b, out in zip(plain, short, exited, strict=True) if not out), "others are what they were"
    wrong = [not trace.correct for trace in plain]
    every = [True] * len(plain)
    twice = [str(trace.response).count("</think>") > 1 for trace, out in zip(short, exited, strict=True) if out]
    tokens = [float(np.mean([len(trace.extra["response_ids"]) for trace in some])) for some in (plain, short)]
    right = [by_question([bool(trace.correct) for trace in some], some, every) for some in (plain, short)]
    return Exits(
        promise,
        float(np.mean(exited)),
        by_question(exited, plain, wrong),
        (tokens[0], tokens[1]),
        (right[0], right[1]),
        saved.tokens / len(short),
        float(np.mean(twice)) if twice else 0.0,
    )


def measured(lm: LanguageModel, *, questions: int, n: int, seed: int) -> list[Exits]:
    """Fit on some questions, calibrate on others, sample answers to others again; one :class:`Exits` a level."""
    wanted = Passes(needs=frozenset({*CLUE().needs, States(ROLE, "last").name}))
    fit, held, asked = (problems(questions, seed=HELD_OUT_SEED + 1000 * k + seed) for k in (1, 2, 3))
    some, others = (sample_traces(lm, one, n_candidates=n, max_new_tokens=100, seed=seed) for one in (fit, held))
    judge = CLUE(rank_by="margin").fit(read(lm, some, wanted), [bool(trace.correct) for trace in some])
    calibration, right = read(lm, others, wanted), [bool(trace.correct) for trace in others]
    how = Sampling(n=n, max_new_tokens=100, seed=seed)
    plain = answers(lm, judge, asked, how)
    found = []
    for level in LEVELS:
        judge.promise(calibration, right, risk="passed bad answers", level=level, confidence=CONFIDENCE, along=ROLE)
        promise = judge.promised()
        assert promise is not None
        if promise.refused is not None:
            raise SystemExit(promise.refused)
        short = answers(lm, judge, asked, replace(how, exit_above=promise))
        saved = Saved.of(lm, [(str(trace.response), trace.extra) for trace in short], Passes().markers[1])
        found.append(compared(promise, plain, short, saved))
    return found


def markdown(found: Sequence[Exits], *, questions: int, n: int, command: str, seed: int) -> str:
    """The page."""
    lines = [
        "# Leaving reasoning early",
        "",
        f"The built-in model answers {questions} `builtin:solve` questions, {n} answers each, at temperature 1, twice",
        "from the same seeds: without exits, and with. If CLUE's margin is high enough at the end of a range of",
        f"`{ROLE}`, the answer's reasoning is closed there. The promise is calibrated on {questions} other",
        f"questions (the judge is fitted on as many again) with a confidence of {CONFIDENCE:g}: of the answers to a",
        "question that end up wrong, at most the share *level* exits. It says nothing of what becomes of the shortened",
        "answers, which the accuracies show.",
        "",
        "| level | wrong ones that exited | all that exited | tokens per answer, without | with | saved, as said | "
        "accuracy, without | with | closed twice |",
        "| --: | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for one in found:
        cells = [f"{one.promise.level:g}", f"{one.wrong_exited:.3f}", f"{one.exited:.3f}"]
        cells += [f"{one.tokens[0]:.1f}", f"{one.tokens[1]:.1f}", f"{one.estimated:.1f}" if one.exited else NOTHING]
        cells += [f"{value:.3f}" for value in one.accuracy]
        cells += [f"{one.again:.3f}" if one.exited else NOTHING]
        lines.append(f"| {' | '.join(cells)} |")
    made = ", ".join(f"{name} {version}" for name, version in versions())
    lines += [
        "",
        "Shares of wrong ones and accuracies are means over questions. *Saved, as said* is what `Saved` estimates per",
        "answer, from the answers with exits alone; the two columns before it show what was saved. *Closed twice*: the",
        "share of the exited answers that reason on after the marker and write it again, which is no answer to these",
        "questions. Answers that do not exit are the same without exits, token for token (the run stops otherwise).",
        "",
        f"Written by `{command}` (seed {seed}; {made}).",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description="Leave reasoning early by a promise, and see what it costs.")
    parser.add_argument(
        "--questions", type=int, default=200, help="questions to fit on, to calibrate on, and to answer"
    )
    parser.add_argument("--n", type=int, default=4, help="answers to each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("exits.md"), help="the page")
    given = parser.parse_args()
    found = measured(load("reference"), questions=given.questions, n=given.n, seed=given.seed)
    command = f"python -m innerjudge.experiments.bench.promises.exits --questions {given.questions} --n {given.n}"
    page = markdown(found, questions=given.questions, n=given.n, command=command, seed=given.seed)
    given.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
