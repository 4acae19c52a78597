"""Texts that cannot fit are refused by their characters, for every kind of tokenizer, and no other text is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from innerjudge.experiments.reading.ways import Question, encode_question
from innerjudge.models.items import Trace
from innerjudge.models.positions import Alike, encode_prompt, encode_trace
from innerjudge.models.prompts import rating_prompt
from innerjudge.models.template import check_tokenizer
from innerjudge.models.unfit import bound_texts, unfit
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from .test_chat import tokenizer, turns

BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
LETTERS = {chr(97 + k): k for k in range(26)}
WHOLE = [*LETTERS, "hello", "a long one " * 3, "▁", "▁the"]


def made(
    model: Any, normalizer: Any = None, cutter: Any = None, added: tuple[str, ...] = ()
) -> PreTrainedTokenizerFast:
    inner = Tokenizer(model)
    if normalizer is not None:
        inner.normalizer = normalizer
    if cutter is not None:
        inner.pre_tokenizer = cutter
    inner.add_tokens(list(added))
    return PreTrainedTokenizerFast(tokenizer_object=inner)


def bytes_of(merges: bool = True, missing: frozenset[str] = frozenset()) -> models.BPE:
    vocabulary = {byte: k for k, byte in enumerate(BYTES) if byte not in missing}
    pairs = [("a", "b"), ("ab", "ab")] if merges else []
    return models.BPE(vocabulary | {"".join(pair): 300 + k for k, pair in enumerate(pairs)}, pairs)


def fallback() -> models.BPE:
    pieces = {f"<0x{byte:02X}>": byte for byte in range(256)} | {"<unk>": 256, "▁": 257, "a": 258, "b": 259, "ab": 260}
    return models.BPE(pieces, [("a", "b")], byte_fallback=True, unk_token="<unk>", fuse_unk=True)


def unigram(**more: Any) -> models.Unigram:
    return models.Unigram([("<unk>", 0.0), *((piece, -1.0 - k) for k, piece in enumerate(WHOLE))], 0, **more)


def wordpiece() -> models.WordPiece:
    return models.WordPiece({"[UNK]": 0, **{c: k + 1 for c, k in LETTERS.items()}, "##a": 40}, unk_token="[UNK]")


_BYTE, _WORDS = pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.WhitespaceSplit()
ACCENTS = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()])
LLAMA = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
MARK = "́"
#: Name -> a tokenizer, and whether a number of characters a token bounds its texts.
SMALL: dict[str, tuple[PreTrainedTokenizerFast, bool]] = {
    "bytes": (made(bytes_of(), cutter=_BYTE), True),
    "bytes, composed": (made(bytes_of(), normalizers.NFC(), _BYTE), True),
    "bytes, compatible": (made(bytes_of(), normalizers.NFKC(), _BYTE), True),
    "bytes, a long added token": (made(bytes_of(), cutter=_BYTE, added=("<" + "x" * 50 + ">",)), True),
    "bytes in the normaliser": (made(bytes_of(), normalizers.ByteLevel(), None), True),
    "bytes, trimmed": (made(bytes_of(), normalizers.Strip(), _BYTE), True),
    "bytes, white space folded": (made(bytes_of(), normalizers.Replace(Regex(r"\s+"), " "), _BYTE), False),
    "bytes, a word left out": (made(bytes_of(), normalizers.Replace("hello", ""), _BYTE), False),
    "bytes, runs folded": (made(bytes_of(), normalizers.Replace(Regex("a+"), "a"), _BYTE), False),
    "bytes, accents left out": (made(bytes_of(), ACCENTS, _BYTE), False),
    "bytes, controls left out": (made(bytes_of(), normalizers.Nmt(), _BYTE), False),
    "bytes, cut and left out": (
        made(bytes_of(), cutter=pre_tokenizers.Sequence([pre_tokenizers.Split("b", "removed"), _BYTE])),
        False,
    ),
    "bytes, some missing": (made(bytes_of(False, frozenset(BYTES[:100])), cutter=_BYTE), False),
    "bytes, all that are in a text": (made(bytes_of(missing=frozenset("ÀÁõö÷øùúûüýþÿ")), cutter=_BYTE), True),
    "letters": (made(models.BPE(dict(LETTERS), [])), False),
    "fallback": (
        made(fallback(), normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])),
        True,
    ),
    "unigram": (made(unigram(), cutter=pre_tokenizers.Metaspace()), False),
    "unigram, one piece": (made(unigram()), False),
    "words": (made(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"), cutter=_WORDS), False),
    "word pieces": (made(wordpiece(), normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()), False),
}
UNITS = ["a", "ab", "b ", " ", "\n", "hello", "the ", "a long one ", "é", MARK, "字", "🙂", "​", "\x00", "q" * 120, "ﷺ"]
TEXT = st.builds(
    lambda parts: "".join(unit * n for unit, n in parts),
    st.lists(st.tuples(st.sampled_from(UNITS) | st.text(max_size=4), st.integers(1, 900)), min_size=1, max_size=4),
)


def tokens_of(tok: PreTrainedTokenizerFast, text: str) -> int:
    return len(tok(text, add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize("name", SMALL)
@settings(max_examples=60, deadline=None)
@given(text=TEXT, context=st.sampled_from([4, 16, 64]))
def test_what_is_refused_does_not_fit(name: str, text: str, context: int) -> None:
    tok, _ = SMALL[name]
    bound_texts(tok, None)
    tok = PreTrainedTokenizerFast(tokenizer_object=tok.backend_tokenizer)  # of which no longer context is known
    bound_texts(tok, context)
    if unfit(tok, text) is not None:
        assert tokens_of(tok, text) > context


@pytest.mark.parametrize("name", SMALL)
def test_what_is_far_too_long_is_refused_without_reading_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million characters of known words: none of them is tokenised, or no more than a beginning."""
    tok = PreTrainedTokenizerFast(tokenizer_object=SMALL[name][0].backend_tokenizer)
    bound_texts(tok, 16)
    read: list[int] = []
    call = type(tok).__call__
    monkeypatch.setattr(
        type(tok), "__call__", lambda self, text, **how: (read.append(len(text)), call(self, text, **how))[1]
    )
    said = unfit(tok, "a xyz " * 170_000)
    assert said is not None
    assert said.endswith("longer than the model's context of 16; not cut")
    assert read == [] if SMALL[name][1] else sum(read) < 10_000


def test_the_least_number_of_tokens_is_told() -> None:
    assert unfit(bounded("word pieces", 4), "a " * 1000) == (
        "at least 63 tokens, longer than the model's context of 4; not cut"
    )  # 2 * 16 * 4 = 128 characters hold 64 words, of which the last may go on


def bounded(name: str, context: int) -> PreTrainedTokenizerFast:
    tok = PreTrainedTokenizerFast(tokenizer_object=SMALL[name][0].backend_tokenizer)
    bound_texts(tok, context)
    return tok


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("words", "q" * 100_000),  # one unknown word
        ("word pieces", "q" * 100_000),  # longer than 100 characters: one unknown word
        ("word pieces", "e" + MARK * 100_000),  # accents are left out
        ("unigram", "字" * 100_000),  # one unknown token
        ("letters", "字" * 100_000),  # none at all
        ("bytes, some missing", BYTES[0] * 100_000),
        ("bytes, a word left out", "hello" * 20_000),
        ("bytes, accents left out", "e" + MARK * 100_000),
        ("bytes, cut and left out", "b" * 100_000),
        ("bytes, white space folded", "a" + " \n" * 50_000 + "b"),
        ("bytes, a long added token", ("<" + "x" * 50 + ">") * 16),
    ],
)
def test_a_long_text_of_few_tokens_is_read(name: str, text: str) -> None:
    tok = bounded(name, 16)
    assert tokens_of(tok, text) <= 16
    assert unfit(tok, text) is None


def test_real_tokenizers(shared: Path) -> None:
    """The longest tokens of each, again and again: what fits is never refused, and what is far too long always is."""
    for folder in sorted((shared / "tokenizers").iterdir()):
        if not (folder / "tokenizer.json").is_file():
            continue
        tok = AutoTokenizer.from_pretrained(folder)
        bound_texts(tok, 256)
        longest = sorted({tok.decode([k]) for k in tok.get_vocab().values()}, key=len)[-12:]
        for unit in [*longest, "é", "ﷺ", "字", " ", "the ", "\n\n"]:
            for times in (1, 16, 200, 3000):
                text = unit * times
                fits = tokens_of(tok, text) <= 256
                assert not (fits and unfit(tok, text)), (folder.name, unit, times)
        assert unfit(tok, "word " * 200_000) is not None, folder.name


def trace(response: str) -> Trace:
    return Trace(question_id="q", candidate_id="0", prompt="2+2?", response=response)


def test_a_text_that_is_too_long_is_not_tokenised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every byte is a token, and "</s>" the longest: 10 tokens hold no more than 40 characters beside white space."""
    tok = tokenizer(turns())
    tok.add_tokens(["</s>"])
    assert unfit(tok, "a" * 1000) is None, "no model, no context"
    check_tokenizer(tok, 10)
    assert unfit(tok, "a" * 20, "b" * 20) is None
    assert unfit(tok, "a" * 20, " " * 1000 + "b" * 20) is None
    said = "at least 11 tokens, longer than the model's context of 10; not cut"
    assert unfit(tok, "a" * 20, "b" * 21) == unfit(tok, ids=[1] * 11) == said
    bound_texts(tok, 5)
    assert unfit(tok, "a" * 20, "b" * 20) is None, "a second model of this tokenizer, with less room, changes nothing"
    monkeypatch.setattr(type(tok), "__call__", lambda *_, **__: pytest.fail("tokenised"))
    assert encode_trace(tok, trace("a" * 37)).missing == {"*": said}
    long = rating_prompt("?", "a" * 41)
    assert encode_prompt(tok, "i", "g", long).missing.keys() == {"*"}
    lm: Any = SimpleNamespace(tokenizer=tok)
    for turn in ("cue", "open", "plain"):
        asked = Question(item=trace("4"), prompt=long)
        assert encode_question(lm, asked, turn, Alike(tok)).missing.keys() == {"*"}  # type: ignore[arg-type]
    bound_texts(tok, None)
    assert unfit(tok, "a" * 1000) is None, "a third one reads texts of any length"
