"""From items to features: which texts the model reads for each kind of item, and what is kept of each."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial, reduce
from typing import Any

import numpy as np

from ...extraction.features import Array, Features
from ...extraction.provenance import LAYER_CONVENTION, provenance
from ...extraction.ragged import Ragged
from ...extraction.readout_names import range_readout, roles_of
from ...extraction.readouts import AttentionWeights, HiddenStates, QueryKey, Readout, ResponseLogProb, States
from ...models.arguments import named
from ...models.conversation import plain_text
from ...models.errors import InnerjudgeError
from ...models.items import Choice, Item, Pair, Rating, Trace
from ...models.loading import LanguageModel
from ...models.positions import Alike, encode_trace
from ...models.prompts import Prompt
from ...probes.judge import BaseJudge
from .judge_prompt import JudgePrompt
from .passes import P_TRUE, VERDICT_NEEDS, WRITTEN, Passes, as_trace, check_prompt, prepared
from .verdict_pass import ask_for_verdicts, extracted, wanted_of

#: By kind, what is read of the prompt that asks for a verdict, beside the logits of its labels.
VERDICT_READOUTS: dict[str, tuple[Readout, ...]] = {
    "rating": (HiddenStates("score"),),
    "choice": (QueryKey("before"), QueryKey("after"), AttentionWeights()),
}


@named
def read(
    lm: LanguageModel,
    items: Sequence[Item],
    passes: Passes | None = None,
    *,
    judges: Sequence[BaseJudge] = (),
    layers: Sequence[int] | int | None = None,
) -> Features:
    """Features of items of one kind, for its judges.

    Args:
        lm: The model.
        items: Items of one kind. Pairs are read with response a first; see :func:`pair_features`.
        passes: How the model is run. Without it, ratings are asked on the scale of the judges' values.
        judges: Keep only what these judges need to be fitted and to score, or, once they are fitted, to score. The pass
            stops after the last block that fitted judges read; to fit one again, give a fresh copy
            (``sklearn.base.clone``). Without judges, ``passes`` decides.
        layers: Rows of the hidden states to keep, as in :class:`.HiddenStates`; negative ones count from the end. Only
            without judges, which find their rows themselves, and refuse features in which they stand elsewhere.

    Raises:
        InnerjudgeError: If there are no items, they are of several kinds, or are not items; if the model or judges are
            not as above.

    Example:
        >>> from innerjudge.models.loading import load
        >>> from innerjudge.probes import AttentionScore
        >>> choice = Choice(question_id="c", question="Which is a fruit?", options=("iron", "pear"))
        >>> lm = load("reference")
        >>> features = read(lm, [choice], judges=[AttentionScore()])
        >>> features["attention"].shape == (1, lm.anatomy.n_blocks, lm.anatomy.n_heads, 4)
        True
    """
    _check_types(lm, items, judges)
    if passes is None:
        passes = Passes(scale=next((one.value_range for one in judges if one.n_values and one.value_range), (1, 5)))
    if judges:
        passes = needed(judges, passes)
    if judges and layers is not None:
        raise InnerjudgeError("given layers beside judges, expected one: a judge reads its own, LogisticProbe(row=2)")
    readers: dict[type, Callable[..., Features]] = {Trace: trace_features, Rating: rating_features}
    readers |= {Choice: choice_features, Pair: partial(pair_features, swapped=False)}
    kinds = {type(item) for item in items}
    if len(kinds) != 1 or not kinds <= readers.keys():
        names = sorted(kind.__name__ for kind in kinds) or "nothing"
        raise InnerjudgeError(f"given {names}, expected items of one kind: Trace, Rating, Choice or Pair")
    items = prepared(lm.tokenizer, items, passes)
    check_prompt(lm.tokenizer, passes, type(items[0]).__name__.lower(), judges)
    found = readers[type(items[0])](lm, items, passes)
    return found if layers is None else of_layers(found, tuple(np.atleast_1d(layers).tolist()))


def of_layers(features: Features, layers: tuple[int, ...]) -> Features:
    """Features with these rows of the hidden states; other judges than those fitted on such rows refuse them."""
    rows = States("response", rows=layers)

    def kept(name: str, values: Array) -> Array:
        return values[:, rows.chosen(values.shape[1])] if name.startswith("hidden/") else values

    arrays = {name: kept(name, one) for name, one in features.arrays.items()}
    ragged = {name: Ragged(kept(name, one.values), one.offsets) for name, one in features.ragged.items()}
    told = replace(features.provenance, layers=f"rows {', '.join(map(str, layers))} of {LAYER_CONVENTION}")
    return replace(features, arrays=arrays, ragged=ragged, provenance=told)


def needed(judges: Sequence[BaseJudge], passes: Passes) -> Passes:
    """Passes that keep what ``judges`` need, in their own prompt, and stop after the last block that they read."""
    told = {*VERDICT_NEEDS, *WRITTEN}
    asked = [one for one in judges if one.prompt or one.reads_reasoning or not told.isdisjoint(one.needs)]
    prompts = dict.fromkeys(judge.prompt for judge in asked)
    if len(prompts) > 1:
        names = ", ".join(name or "(the usual one)" for name in prompts)
        raise InnerjudgeError(f"given judges of the prompts {names}, expected judges of one: read once for each prompt")
    own = next(iter(prompts), None)
    if own is not None and passes.prompt is None:
        passes = replace(passes, prompt=JudgePrompt.of(own))
    wanted = {need for judge in judges for need in judge.needs}
    wanted |= {need for judge in judges if judge.provenance_ is None for need in judge.fit_needs}
    lasts = [judge.last_block for judge in judges]
    last = None if None in lasts else max(block for block in lasts if block is not None)
    return replace(passes, needs=frozenset(wanted), last_block=last)


def trace_features(lm: LanguageModel, traces: Sequence[Trace], passes: Passes) -> Features:
    """Hidden states and log-probability of the trace itself; logits and texts of the question whether it is correct."""
    positions = ("prompt_end", "response_end", "reasoning_start", "reasoning_end")
    readouts = [*(HiddenStates(p) for p in positions), ResponseLogProb(), *of_ranges(passes)]

    parts = ask_for_verdicts(lm, traces, passes.ask, (), passes)
    parts += _p_true(lm, traces, passes) if P_TRUE.keys() & (passes.needs or ()) else []
    parts += _of_own_texts(lm, traces, readouts, passes, "reading traces")
    return joined(lm, traces, parts, texts_of_traces(lm, traces, passes), passes, "trace")


def _p_true(lm: LanguageModel, traces: Sequence[Trace], passes: Passes) -> list[Features]:
    """In the prompt of that name, the model's own logits of false and true, ``[n, 2]``, and products of all heads.

    These are of the query where the verdict stands with the ends of the lines of true and false: ``[n, L, H, 2]``.
    """
    names = {name: r for name, r in P_TRUE.items() if passes.wants(name)}
    asked = replace(passes, prompt=JudgePrompt.of("p-true"), needs=frozenset(names.values()), last_block=None)

    def ask(trace: Trace, *, reasoned: bool) -> Prompt:
        prompt = asked.ask(trace, reasoned=reasoned)
        lines = [match.span() for match in re.finditer(r"^\([AB]\) .*\n", prompt.user, re.MULTILINE)]
        return replace(prompt, option_spans=tuple(lines[-2:]))  # an answer may have such lines, too

    (found,) = ask_for_verdicts(lm, traces, ask, (QueryKey(),), asked)
    arrays = {name: found[r][:, 1, -1] if name == "logits/p-true" else found[r] for name, r in names.items()}
    more: dict[str, Any] = {
        f: {name: getattr(found, f).get(r, {}) for name, r in names.items()} for f in ("missing", "seconds")
    }
    return [replace(found, arrays=arrays, **more)]


def texts_of_traces(lm: LanguageModel, traces: Sequence[Trace], passes: Passes) -> dict[str, Sequence[str]]:
    """The texts of traces that judges read, by name; answers, steps and places of spans only where they are wanted."""
    texts = {"prompt": [plain_text(t.prompt) for t in traces], "response": [plain_text(t.response) for t in traces]}
    own = {"answer": [t.answer or "" for t in traces]}
    own |= {"steps": [json.dumps(t.step_texts) if t.steps else "" for t in traces]}
    own |= {"spans": [_spans(lm, t, passes) for t in traces]} if passes.needs and passes.wants("spans") else {}
    return {**texts, **{name: said for name, said in own.items() if name in (passes.needs or ())}}


def _spans(lm: LanguageModel, trace: Trace, passes: Passes) -> str:
    """First token of each own span and that behind it, from the response's on; empty if one has none, or shares one."""
    how: Any = {"markers": passes.markers, "sampled_by": lm.fingerprint, "roles": ("named",)}
    given = trace.extra.get("spans")
    lists = given.values() if isinstance(given, Mapping) else [given]
    named = [span for some in lists if isinstance(some, Sequence) for span in some]
    found = (encode_trace(lm.tokenizer, replace(trace, extra={**trace.extra, "spans": [one]}), **how) for one in named)
    each = [[k - one.places("response")[0][0] for own in one.places("named") for k in own] for one in found]
    ends = [k for one in sorted(each) for k in one]
    return json.dumps(each) if all(each) and ends == sorted(ends) else ""


def rating_features(lm: LanguageModel, ratings: Sequence[Rating], passes: Passes) -> Features:
    """Score logits and texts of the rating prompt; log-probability of the response to its own prompt."""
    readouts = [HiddenStates("prompt_end"), ResponseLogProb(), *of_ranges(passes)]
    # The scale is the caller's choice: one that the tokenizer splits is refused, and not left unscored item by item.
    parts = ask_for_verdicts(lm, ratings, passes.ask, VERDICT_READOUTS["rating"], passes, refuse_labels=True)
    parts += _of_own_texts(lm, ratings, readouts, passes, "reading responses")
    shown = ["\n".join(filter(None, (r.criterion, plain_text(r.prompt), r.reference))) for r in ratings]
    texts = {"prompt": shown, "response": [plain_text(r.response) for r in ratings]}
    return joined(lm, ratings, parts, texts, passes, "rating")


def choice_features(lm: LanguageModel, choices: Sequence[Choice], passes: Passes) -> Features:
    """Letter logits, query-key products, attention rows and texts of the choice prompt."""
    parts = ask_for_verdicts(lm, choices, passes.ask, VERDICT_READOUTS["choice"], passes)
    texts = {"prompt": [plain_text(c.question) for c in choices], "options": [json.dumps(c.options) for c in choices]}
    return joined(lm, choices, parts, texts, passes, "choice")


def pair_features(lm: LanguageModel, pairs: Sequence[Pair], passes: Passes, *, swapped: bool) -> Features:
    """Letter logits and texts of the pair prompt; ``swapped`` shows response b first."""
    parts = ask_for_verdicts(lm, pairs, partial(passes.ask, swapped=swapped), (), passes)
    return joined(lm, pairs, parts, {}, passes, "pair")


_TABLE = "; items_from(data, columns={'prompt': ...}) makes items of tables, data sets and dicts"


def _check_types(lm: object, items: object, judges: object) -> None:
    if not isinstance(lm, LanguageModel):
        raise InnerjudgeError.of("reading.no-model", type(lm).__name__)
    if isinstance(items, Trace | Rating | Choice | Pair) or not isinstance(items, Sequence):
        raise InnerjudgeError(f"given a {type(items).__name__}, expected a list of items: write [item] for one{_TABLE}")
    if any(not isinstance(one, Trace | Rating | Choice | Pair) for one in items[:1]):
        raise InnerjudgeError(f"given a list of {type(items[0]).__name__}, expected a list of items{_TABLE}")
    if not isinstance(judges, Sequence) or not all(isinstance(judge, BaseJudge) for judge in judges):
        raise InnerjudgeError(f"given judges={judges!r}, expected a list of judges: write judges=[judge]")


def joined(
    lm: LanguageModel,
    items: Sequence[Trace | Rating | Choice | Pair],
    parts: Sequence[Features],
    texts: Mapping[str, Sequence[str]],
    passes: Passes,
    kind: str,
) -> Features:
    """What was read, with the items' own texts that are wanted."""
    wanted = {name: tuple(some) for name, some in texts.items() if passes.wants(name)}
    if not parts and not wanted:
        raise InnerjudgeError.of("reading.nothing-to-read", ", ".join(sorted(passes.needs or ())), kind)
    ids, groups = tuple(item.id for item in items), tuple(item.group for item in items)
    own = Features(ids=ids, groups=groups, provenance=provenance(lm), texts=wanted)
    found = reduce(Features.join, parts) if parts else own
    told = replace(found.provenance, prompt=passes.told(kind))
    return replace(found, texts={**found.texts, **wanted}, provenance=told)


def of_ranges(passes: Passes) -> list[Readout]:
    """Readouts of ranges of the item's own text that are wanted, by their names."""
    found = (range_readout(need) for need in sorted(passes.needs or ()) if "own_text(" not in need)
    return [one for one in found if one is not None]


def _of_own_texts(
    lm: LanguageModel, items: Sequence[Trace | Rating], readouts: Sequence[Readout], passes: Passes, what: str
) -> list[Features]:
    """What is read of the prompts with their responses, where it is wanted; ``what`` is shown while it runs."""
    if not passes.wants(*(r.name for r in readouts)):
        return []
    how: Any = {"markers": passes.markers, "sampled_by": lm.fingerprint, "roles": roles_of(readouts)}
    alike, encoded = Alike(lm.tokenizer), []
    for item in items:
        found = encode_trace(lm.tokenizer, as_trace(item), **how, alike=alike)
        encoded.append(replace(found, id=item.id, group=item.group))
    there = extracted(lm, encoded, wanted_of(readouts, passes), passes, what)  # these have no labels: prompts do
    return [replace(there, arrays={name: one for name, one in there.arrays.items() if name != "labels"})]
