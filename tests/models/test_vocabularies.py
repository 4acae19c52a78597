"""Tokenizers that do not fit their model: ids that it has no states for, ids without a token, no offsets."""

from __future__ import annotations

import copy
from typing import Any

import innerjudge as ij
import pytest
import torch
from innerjudge.extraction.writing import complete
from innerjudge.extraction.writing.progress import MarkerWatch
from innerjudge.models.errors import InnerjudgeError
from innerjudge.models.loading import LanguageModel, wrap
from innerjudge.models.markers import THINK
from innerjudge.models.positions import encode_prompt
from innerjudge.models.prompts import rating_prompt
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizer, PreTrainedTokenizerFast


def small(n_ids: int) -> GPT2LMHeadModel:
    """Random weights; states for this many token ids."""
    torch.manual_seed(0)
    return GPT2LMHeadModel(
        GPT2Config(vocab_size=n_ids, n_embd=16, n_layer=2, n_head=2, n_positions=512, bos_token_id=0, eos_token_id=0)
    )


def test_markers_that_the_embedding_lacks_leave_their_items_unscored(reference: LanguageModel) -> None:
    tokenizer: Any = copy.deepcopy(reference.tokenizer)
    n = len(tokenizer)
    assert tokenizer.add_tokens(["<muse>", "</muse>"]) == 2
    judge = ij.Judge(ij.TokenLogProb(), wrap(small(n), tokenizer))
    plain, marked = judge.verdicts([("a?", "plain"), ("a?", "<muse>b</muse>c")])
    assert isinstance(plain.score, float)
    assert marked.score is None
    assert f"token {n} ('<muse>') is none of the model's {n}" in str(marked.unscored)
    assert "resize_token_embeddings" in str(marked.unscored)


WORDS = ["<unk>", "Rate", "user", "assistant", "a", "b", "1", "2", "3", "4", "5", ":", "Score", "<think>", "</think>"]
#: Twice as far apart as they need be: every odd id is a hole.
HOLED = {word: 2 * k for k, word in enumerate(WORDS)}


def holed() -> Any:
    made = Tokenizer(models.WordLevel(HOLED, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", eos_token="<unk>")


def test_ids_without_a_token_are_read_and_written_without_a_fault() -> None:
    model = small(2 * len(WORDS) + 3)
    lm = wrap(model, holed())
    assert (len(lm.tokenizer), lm.n_known, lm.n_ids) == (len(WORDS), 2 * len(WORDS) - 1, 2 * len(WORDS) + 3)
    assert lm.fingerprint == wrap(small(2 * len(WORDS) + 3), holed()).fingerprint
    # Ids 21 (a hole between two tokens) and 26 (behind the last) are made the likeliest everywhere.
    likely = torch.zeros(lm.n_ids).index_fill(0, torch.tensor([21, 26]), 99.0)
    model.lm_head.register_forward_hook(lambda _module, _given, logits: logits + likely)
    items = [encode_prompt(lm.tokenizer, name, name, rating_prompt("a", "b")) for name in ("x", "y")]
    for temperature in (0.0, 1.0):
        written = complete(lm, items, max_new_tokens=4, temperature=temperature)
        assert all(max(one.ids, default=0) < lm.n_known for one in written)
        assert [one.text for one in written] == [lm.tokenizer.decode(list(one.ids)) for one in written]
    verdicts = ij.Judge(ij.TokenLogProb(), lm).verdicts([("a", "b a"), ("a", "nothing known")])
    assert all(isinstance(one.score, float) for one in verdicts)


def test_a_marker_whose_id_is_beyond_the_number_of_tokens_is_noticed() -> None:
    tokenizer = holed()
    assert HOLED["</think>"] == 28 > len(tokenizer)
    watch = MarkerWatch(tokenizer, THINK)
    written = [HOLED[word] for word in ("<think>", "a", "</think>", "b")]
    assert [watch.ends_marker(written[: k + 1]) for k in range(4)] == [True, False, True, False]


class Letters(PreTrainedTokenizer):
    """A slow tokenizer: a token a letter, and no offsets."""

    def __init__(self, **more: Any) -> None:
        self.letters = {chr(k): k - 31 for k in range(32, 127)} | {"<unk>": 0}
        super().__init__(unk_token="<unk>", **more)

    @property
    def vocab_size(self) -> int:
        return len(self.letters)

    def get_vocab(self) -> dict[str, int]:
        return dict(self.letters)

    def _tokenize(self, text: str, **_more: Any) -> list[str]:
        return list(text)

    def _convert_token_to_id(self, token: str) -> int:
        return self.letters.get(token, 0)

    def _convert_id_to_token(self, index: int) -> str:
        return next(letter for letter, k in self.letters.items() if k == index)


def test_a_slow_tokenizer_is_refused_where_it_is_given() -> None:
    slow: Any = Letters()
    assert slow("ab")["input_ids"] == [66, 67]  # ord("a") - 31
    with pytest.raises(InnerjudgeError, match="given Letters, a slow tokenizer, expected a fast one"):
        wrap(small(len(slow)), slow)
