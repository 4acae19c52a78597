"""Hidden states that another tool wrote, as features of items: in the place of the model's pass."""

from collections.abc import Sequence

import numpy as np

from ....extraction.features import Features
from ....extraction.given_states import GivenStates, features_of_states
from ....extraction.provenance import provenance
from ....extraction.readouts import HiddenStates, Readout, States, roles_of
from ....models.errors import InnerjudgeError
from ....models.final_norm import find_final_norm
from ....models.items import Trace
from ....models.loading import LanguageModel
from ....models.positions import Encoding, encode_trace
from ...reading.passes import Passes
from ...reading.read import joined, of_layers, of_ranges, texts_of_traces
from .formats import StateFiles, Text

#: What is kept of traces when nothing is asked.
_POSITIONS = ("prompt_end", "response_end", "reasoning_start", "reasoning_end")


def encoded_traces(lm: LanguageModel, traces: Sequence[Trace], passes: Passes, *readouts: Readout) -> list[Encoding]:
    """The ids and places of traces, as a pass would read them; ``InnerjudgeError`` for other items."""
    if not traces or not all(isinstance(one, Trace) for one in traces):
        kinds = sorted({type(one).__name__ for one in traces}) or "nothing"
        raise InnerjudgeError(f"given {kinds} with states of another tool, expected traces: of others more is read")
    how = {"markers": passes.markers, "sampled_by": lm.fingerprint, "roles": roles_of(readouts)}
    return [encode_trace(lm.tokenizer, one, **how) for one in traces]  # type: ignore[arg-type]


def paired(encoded: Sequence[Encoding], texts: Sequence[Text]) -> list[Text | None]:
    """The text of each encoding: that of its ids, or of the most of them, else that of its name; ``None`` if none."""
    by_ids = {one.ids: one for one in texts if one.ids is not None}
    by_name = {one.name: one for one in texts if one.ids is None}
    lengths = sorted(map(len, by_ids), reverse=True)
    starts = ((one.ids[:n] for n in lengths if n <= len(one.ids)) for one in encoded)
    found = [next((by_ids[ids] for ids in some if ids in by_ids), None) for some in starts]
    return [own or by_name.get(one.id.replace("/", "_")) for one, own in zip(encoded, found, strict=True)]


def features_from(
    lm: LanguageModel, traces: Sequence[Trace], passes: Passes | None = None, *, states: StateFiles | str
) -> Features:
    """Features of traces from hidden states in files, as :func:`.read` returns them from a pass of ``lm``.

    Args:
        lm: The model that the states are of, for its tokenizer, its final norm and its fingerprint; no pass is run.
            :func:`.verify.verify_states` says whether they are what they are said to be.
        traces: A text finds its states by its token ids, or by a file named as its id (``q1/a`` in ``q1_a.npy``).
        states: ``"vllm:FOLDER"``, a format of :data:`.formats.FORMATS`, or ``StateFiles``.
        passes: What is kept (``needs``); without it the states at the ends of prompt, response and reasoning.

    A text whose states are not there, or of other tokens, is missing with its reason. Where files hold some layers
    alone, so do the features. ``InnerjudgeError`` if the items are no traces, something other than hidden states is
    wanted, or layers and model do not fit.
    """
    files = StateFiles.of(states) if isinstance(states, str) else states
    passes = passes or Passes()
    wanted = [HiddenStates(name) for name in _POSITIONS if passes.wants(f"hidden/{name}")]
    ranges = of_ranges(passes)
    others = [one.name for one in ranges if not isinstance(one, States)]
    if others:
        raise InnerjudgeError(f"given states of another tool, expected a judge of hidden states: {others} needs a pass")
    readouts: list[HiddenStates | States] = [*wanted, *(one for one in ranges if isinstance(one, States))]
    encoded = encoded_traces(lm, traces, passes, *readouts)
    texts = list(files.texts())
    n, held = lm.anatomy.n_blocks, {one.states.shape[1] for one in texts}
    if len(held) != 1:
        raise InnerjudgeError(f"given {files.path} with states of {sorted(held)} layers, expected one number of them")
    layers = files.rows(n, held.pop())
    matched = paired(encoded, texts)
    width = texts[0].states.shape[2]
    none = np.zeros((0, len(layers), width), np.float32)
    given = []
    for one, text in zip(encoded, matched, strict=True):
        ids = () if text is None else text.ids or one.ids[: text.states.shape[0]]
        given.append(GivenStates(ids, none if text is None else text.states))
    norm = find_final_norm(lm)
    rows = {layer + (layer == n and files.last == "normed") for layer in layers}
    rows |= {n + 1} if norm is not None and files.last == "raw" and n in layers else set()
    found = features_of_states(
        encoded, given, readouts, layers=layers, n_blocks=n, provenance=provenance(lm), last=files.last,
        final_norm=norm, rows=rows,
    )  # fmt: skip
    found = found if len(rows) == n + 2 else of_layers(found, tuple(sorted(rows)))
    return joined(lm, traces, [found], texts_of_traces(traces, passes), passes, "trace")
