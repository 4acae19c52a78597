"""The reference model's tokenizer: byte-level BPE in which every digit is a token of its own."""

from collections.abc import Iterable
from string import ascii_uppercase, digits
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from ..words import ALL_WORDS, CAPITALS, DECOR, KINDS, OPPOSITES, YOUNG

USER, ASSISTANT, END, PAD = "<|user|>", "<|assistant|>", "<|end|>", "<|pad|>"
VOCAB_SIZE = 1280
CONTEXT = 1024
#: Every word of the world, keys included; each is one token.
WORLD: tuple[str, ...] = tuple(
    sorted(
        {*ALL_WORDS, *OPPOSITES.values(), *YOUNG, *CAPITALS}
        | {word for text in (*DECOR, *KINDS) for word in text.split()}
    )
)

#: Words with their leading space, then single digits and single punctuation marks with theirs, then white space.
_PIECES = Regex(r" ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]|\s+(?!\S)|\s+")

#: One turn after another; the generation prompt opens the assistant's turn.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def render(user: str, assistant: str = "") -> str:
    """Put a conversation into the chat template's text, without the closing mark of the assistant's turn.

    Example:
        >>> render("1+1?", "2")
        '<|user|>1+1?<|end|><|assistant|>2'
    """
    return f"{USER}{user}{END}{ASSISTANT}{assistant}"


def train_tokenizer(texts: Iterable[str], vocab_size: int = VOCAB_SIZE) -> PreTrainedTokenizerFast:
    """Train the tokenizer; the thinking markers are single added tokens that decoding keeps.

    Example:
        >>> t = train_tokenizer(["<think>12+5=17</think>17"], vocab_size=300)
        >>> t.tokenize("<think>12")
        ['<think>', '1', '2']
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(_PIECES, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [PAD, END, USER, ASSISTANT]
    labels = [f" {label}" for label in (*digits, *ascii_uppercase, "ok", "no", "yes", "slip", *WORLD)]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - 2,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # Labels and the words of the world go in often enough to be merged with their space whatever the texts are.
    tokenizer.train_from_iterator([*texts, *(labels * 1000)], trainer)
    tokenizer.add_tokens([AddedToken(marker, special=False, normalized=False) for marker in ("<think>", "</think>")])
    build: Any = PreTrainedTokenizerFast  # its constructor carries no types
    wrapped: PreTrainedTokenizerFast = build(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[USER, ASSISTANT],
        chat_template=CHAT_TEMPLATE,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
        judged_markers=["<think>", "</think>"],  # what it is shown to judge is written by itself
    )
    return wrapped
