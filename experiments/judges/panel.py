"""Which judges sit on the panel for each kind of item, by name and family: those that say so themselves."""

from collections.abc import Mapping
from dataclasses import dataclass

from ...models.errors import InnerjudgeError
from ...probes import BaseJudge, Task, registered_judges

#: The judge that differences are taken to.
TEXT = "text"
_FAMILIES = ("hidden", "logits", "text", "baseline")


@dataclass(frozen=True, slots=True)
class Seat:
    """One judge on the panel.

    Args:
        family: ``"hidden"`` (reads states, heads or the logits of all blocks), ``"logits"`` (the verdict's own logits),
            ``"text"`` (reads what the model wrote) or ``"baseline"``.
        judge: The judge, not fitted.
        pointwise: For pairs: judges each response on its own, and the preference is the difference.
    """

    family: str
    judge: BaseJudge
    pointwise: bool = False


def panel(kind: str, *, between: tuple[str, str], scale: tuple[int, int]) -> dict[str, Seat]:
    """Judges that fit a kind of item, in the order of the report: by family, those of other packages last in theirs.

    Args:
        kind: ``"trace"``, ``"rating"``, ``"choice"`` or ``"pair"``.
        between: Positions that CLUE and the probes read.
        scale: Lowest and highest score of ratings.

    Raises:
        InnerjudgeError: If there is no such kind, or two classes of judges use one name.

    Example:
        >>> seats = panel("choice", between=("reasoning_start", "reasoning_end"), scale=(1, 5))
        >>> seats["qk-score"].family, "text" in seats
        ('hidden', True)
    """
    task, seats = Task(kind, between, scale), dict[str, Seat]()
    for name, cls in registered_judges().items():
        if "presets" not in vars(cls):
            continue  # what its parent says is the parent's
        for seat, judge in cls.presets(task).items():
            if seat in seats:
                raise InnerjudgeError(
                    f"given two judges with the name {seat!r} on the panel of {kind} items ({name} of {cls.__module__} "
                    f"and {type(seats[seat].judge).__name__}), expected distinct names: rename one in its presets()"
                )
            seats[seat] = Seat(judge.family, judge, pointwise=kind == "pair" and judge.pointwise)
    return dict(sorted(seats.items(), key=lambda entry: _FAMILIES.index(entry[1].family)))


def without_reasoning(seats: Mapping[str, Seat]) -> dict[str, Seat]:
    """The panel without the judges that read text written after reasoning."""
    return {name: seat for name, seat in seats.items() if not seat.judge.reads_reasoning}


def without_abstain(seats: Mapping[str, Seat]) -> dict[str, Seat]:
    """The panel without the judges that leave the abstain lines out: for prompts that have none."""
    return {name: seat for name, seat in seats.items() if not seat.judge.needs_abstain_lines}
