"""Whether a tokenizer and its chat template can be read with a model: asked once, when the model is loaded."""

from typing import Any

from .conversation import turns_of
from .errors import InnerjudgeError
from .template import rendered, require_bounded
from .tokens import tokens
from .unfit import bound_texts

#: User turns that share no word.
_TRIED = ("Which is larger, 7 or 12?", "Please name a green fruit.")


def check_tokenizer(tokenizer: Any, context: int | None) -> None:
    """Refuse a tokenizer without offsets, and a chat template that hangs or leaves out what it is given.

    ``context`` are the tokens that its model reads at most, ``None`` if unknown. A template that fails is not refused
    here: not every judge uses it, and those that do report it.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise InnerjudgeError(
            f"given {type(tokenizer).__name__}, a slow tokenizer, expected a fast one (tokenizer.json): token "
            "positions are found by character offsets; load it with AutoTokenizer.from_pretrained(..., use_fast=True)"
        )
    bound_texts(tokenizer, context)
    if not tokenizer.chat_template:
        return
    require_bounded(str(tokenizer.chat_template))
    texts = []
    for user in _TRIED:
        try:
            texts.append(rendered(tokenizer, turns_of(user), None, True))
        except InnerjudgeError as error:
            if "that fails" in str(error):
                return
            raise
    kept = [_plain(user) in _plain(text) for user, text in zip(_TRIED, texts, strict=True)]
    if not all(kept) or tokens(tokenizer, texts[0])[0] == tokens(tokenizer, texts[1])[0]:
        what = "the same tokens for different user turns" if all(kept) else "a text without the user turn in it"
        raise InnerjudgeError(
            f"given a chat template that makes {what}, expected one that writes what it is given (begins "
            f"{texts[0][:40]!r}): every item would look alike to the model; use the template that came with it"
        )


def _plain(text: str) -> str:
    """What a template that trims, folds or joins lines leaves of a text."""
    return "".join(text.split()).casefold()
