"""What is done with items, and checked, before any of them is read."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...models.chat import render
from ...models.conversation import Conversation, Message
from ...models.errors import InnerjudgeError, UnreadableError
from ...models.items import Choice, Item
from ...probes.judge import BaseJudge
from .passes import Passes

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def prepared(tokenizer: "PreTrainedTokenizerFast", items: Sequence[Item], passes: Passes) -> Sequence[Item]:
    """The items, system turns put before the user's where that is wanted and the template knows no system turn."""
    if not passes.merge_system or takes_system(tokenizer):
        return items
    return [_merged(item) for item in items]


def takes_system(tokenizer: "PreTrainedTokenizerFast") -> bool:
    """Whether a chat template shows a system turn."""
    try:
        render(tokenizer, Conversation((Message("system", "s"), Message("user", "u"))), thinking=False)
    except UnreadableError:
        return False
    return True


def check_prompt(
    tokenizer: "PreTrainedTokenizerFast", passes: Passes, kind: str, judges: Sequence[BaseJudge] = ()
) -> None:
    """Refuse a prompt of other items, or with labels that this tokenizer or these judges do not have.

    Raises:
        InnerjudgeError: Before any pass of the model.
    """
    own = passes.prompt
    if own is not None:
        if own.kind != kind:
            raise InnerjudgeError(
                f"given the prompt {own.name} of {own.kind} items for {kind} items, expected one of these: leave it out"
            )
        own.check(tokenizer)
    low, high = passes.scale
    n = {"rating": high - low + 1, "trace": 2, "pair": 2}.get(kind)
    for judge in judges:
        if n is not None and judge.n_values not in (None, n):
            raise InnerjudgeError(
                f"given {judge!r} of {judge.n_values} values for {kind} items that are asked for {n} labels, expected "
                "as many: pass the scale, Passes(scale=(low, high)), or a prompt with these labels"
            )
        if own is not None and judge.verdict_labels not in (None, own.labels):
            raise InnerjudgeError(
                f"given {judge!r} for the prompt {own.name} with the labels {', '.join(own.labels)}, expected a judge "
                f"of these: write labels={own.labels!r}, cue={own.cue!r}"
            )


def _merged(item: Item) -> Item:
    name = "question" if isinstance(item, Choice) else "prompt"
    given = getattr(item, name)
    merged: dict[str, Any] = {name: given.merged()} if isinstance(given, Conversation) else {}
    return replace(item, **merged)
