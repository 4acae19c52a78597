"""Which judges sit on the panel for each kind of item, by name and family: each says so itself."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from ...extraction.provenance import WITHOUT_ABSTAIN, provenance
from ...extraction.readout_names import range_readout, reads_labels
from ...models.errors import InnerjudgeError
from ...models.loading import LanguageModel
from ...models.roles import Role
from ...probes import BaseJudge, Task, registered_judges
from ...probes.description import KINDS, PRESETS, JudgeDescription
from ...probes.fitted_arrays import check_fitted
from ..reading.judge_prompt import JudgePrompt
from ..reading.passes import HIDDEN_NEEDS, P_TRUE, TEXT_NEEDS, VERDICT_NEEDS, Passes
from ..reading.read import needed
from .pairs import ITEMS

#: The judge that differences are taken to.
TEXT = "text"
#: In place of names of judges: every one that fits the data.
EVERY = "all"
#: What every judge must exceed: the families of judges that read no hidden state.
OPPONENTS = ("logits", "text", "baseline")


@dataclass(frozen=True, slots=True)
class Seat:
    """A judge on the panel, not fitted; on pairs a ``pointwise`` one scores each response and prefers the higher."""

    family: str
    judge: BaseJudge
    pointwise: bool = False


def panel(
    kind: str, *, between: tuple[str, str], scale: tuple[int, int], prompt: JudgePrompt | None = None,
    embedder: str | None = None
) -> dict[str, Seat]:  # fmt: skip
    """Judges that fit a kind of item, in the order of the report: by family, in each those of other packages last.

    With a ``prompt`` for such items, they read its labels; an ``embedder`` is loaded for the opponent that reads texts.
    """
    task, seats = Task(kind, between, scale, embedder=embedder or ""), dict[str, Seat]()
    if prompt is not None and prompt.kind == kind:
        task = replace(task, labels=prompt.labels, cue=prompt.cue)
    for name, cls in registered_judges().items():
        if next(one for one in cls.__mro__ if "presets" in vars(one)) not in (cls, JudgeDescription):
            continue  # what its parent says is the parent's
        for seat, judge in cls.presets(task).items():
            if seat in seats:
                there = type(seats[seat].judge).__name__
                raise InnerjudgeError.of("judges.same-seat", seat, kind, name, cls.__module__, there)
            seats[seat] = Seat(judge.family, judge, pointwise=kind == "pair" and judge.pointwise)
    return dict(sorted(seats.items(), key=lambda entry: ("hidden", *OPPONENTS).index(entry[1].family)))


def chosen(seats: Mapping[str, Seat], names: Collection[str]) -> dict[str, Seat]:
    """The named seats and the baselines, which are always added; without names, all that are not on request."""
    if EVERY in names:
        return dict(seats)
    usual = {name for name, seat in seats.items() if name not in PRESETS["on_request"] and not seat.judge.on_request}
    beside = {name for name in usual if seats[name].family == "baseline"}
    return {name: seat for name, seat in seats.items() if name in ({*names, *beside} if names else usual)}


def needs_of(names: Collection[str]) -> frozenset[str]:
    """Readouts of these names, or that judges of these names read; ``InnerjudgeError`` for a name that is neither.

    A role alone (``response``, ``step_end``) stands for the mean of its hidden states.
    """
    seats: dict[str, tuple[str, ...]] = {}
    for kind in KINDS:
        found = panel(kind, between=("reasoning_start", "reasoning_end"), scale=(1, 5))
        seats |= {n: (*seats.get(n, ()), *one.judge.needs, *one.judge.fit_needs) for n, one in found.items()}
    for name in [one for one in names if one not in seats]:
        states = f"hidden/{name.removeprefix('hidden/')}"
        forms = map(range_readout, (name,) if range_readout(name) else (states, f"{states}.mean"))
        meant = next((one for one in forms if one and _is_read(*one.roles)), None)
        if meant is None:
            raise InnerjudgeError.of("judges.nothing-to-read", name)
        kinds = {Role.parse(role).kind for role in meant.roles}
        if "own_text" not in kinds and (reads_labels(meant) or kinds & {"score", "option_end"}):
            raise InnerjudgeError.of("judges.no-verdict", name)
        seats[name] = (meant.name,)
    return frozenset(need for name in names for need in seats[name])


def _is_read(name: str, *keys: str) -> bool:
    """Whether states are read at a role, or at the role in what the judge wrote; and at keys, which may be options."""
    role = Role.parse(name)
    if role.kind == "own_text":
        read = role.argument == "score" or _is_read(role.argument)
    else:
        read = role.part is not None or f"hidden/{role.kind}" in HIDDEN_NEEDS
    return read and all(key == "option_end" or _is_read(key) for key in keys)


def cost_in_words(judge: BaseJudge) -> str:
    """What the model must do for this judge for each item, in words."""
    if judge.reads_text:
        return "a prompt for the verdict, and writing" + (" at length" if judge.reads_reasoning else "")
    if set(judge.reads) - {"labels"} <= TEXT_NEEDS:
        return "nothing"
    return "a prompt for the verdict" if {*P_TRUE, *VERDICT_NEEDS}.intersection(judge.needs) else "a pass over the item"


def askable(seats: Mapping[str, Seat], *, reasoning: bool, abstain: bool) -> dict[str, Seat]:
    """The panel without judges of text after ``reasoning`` or of prompts with ``abstain`` lines, if there is none."""
    held = {name: seat for name, seat in seats.items() if reasoning or not seat.judge.reads_reasoning}
    return {name: seat for name, seat in held.items() if abstain or not seat.judge.needs_abstain_lines}


def require_kind_of_judge(judge: BaseJudge, kind: str) -> None:
    """Refuse a judge that cannot read items of this kind one by one."""
    if kind not in ITEMS:
        raise InnerjudgeError(f"given kind={kind!r}, expected one of {', '.join(ITEMS)}")
    if not judge.pointwise and "choice" not in judge.kinds:
        raise InnerjudgeError.of("judges.both-sides", judge)
    if kind not in judge.kinds:
        raise InnerjudgeError(f"given kind={kind!r} with {judge!r}, expected kind={judge.kinds[0]!r}: leave kind out")


def scale_of(judge: BaseJudge, kind: str) -> tuple[int, int]:
    """Lowest and highest score that a judge of ratings reads; 1 to 5 where it does not say."""
    return (1, 5) if kind not in ("rating", "pair") or judge.value_range is None else judge.value_range


def passes_for(judge: BaseJudge, passes: Passes) -> Passes:
    """Passes that read what a judge needs and no more, and ask choices in the way that it was fitted on."""
    origin = judge.provenance_
    abstain = passes.abstain if origin is None else WITHOUT_ABSTAIN not in origin.prompt
    return replace(needed([judge], passes), abstain=abstain)


def require_model(judge: BaseJudge, lm: LanguageModel) -> None:
    """Refuse a model that the judge was not made for, before anything is run; ``InnerjudgeError`` names both models."""
    if judge.provenance_ is not None:
        fitted = judge.provenance_
        # Prompt and last block are asked for, see `passes_for`.
        judge.require(replace(provenance(lm), prompt=fitted.prompt, last_block=fitted.last_block))
        whole = {} if fitted.last_block is not None else {"blocks": lm.anatomy.n_blocks}
        check_fitted(judge, whole | {"heads": lm.anatomy.n_heads})
