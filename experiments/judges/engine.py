"""A judge behind an inference engine: the engine computes the states, and no model is loaded here."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from ...extraction.given_states import GivenStates, Last, features_of_log_probabilities, features_of_states
from ...extraction.readouts import ResponseLogProb, TokenStats, roles_of, states_of
from ...models.arguments import checked
from ...models.checkpoint import read_tokenizer
from ...models.errors import InnerjudgeError
from ...models.final_norm import FinalNorm
from ...models.formats.source import find_source
from ...models.items import Rating
from ...models.positions import Encoding, encode_prompt, encode_sampled, encode_trace
from ...models.tokens import FastTokenizer
from ...probes import BaseJudge, Verdict
from ..reading.passes import as_trace, prepared
from . import saved
from .pairs import items_of_pairs
from .saved import NORM, JudgeRecord, find_folder

#: ``sampled_by`` of a trace whose ids the engine has sampled.
_ENGINE = "engine"
#: What an engine's log-probabilities of tokens are enough for.
_LOG_PROBABILITIES = {one.name: one for one in (ResponseLogProb(), TokenStats("response", "log_probability"))}


class EngineJudge:
    """A fitted judge of hidden states alone, with tokenizer and final norm in place of the model.

    :meth:`encode` says which tokens the engine must run; :meth:`verdicts` reads the states that it wrote. A judge that
    reads more than hidden states is refused.
    """

    def __init__(
        self, judge: BaseJudge, made: JudgeRecord, tokenizer: FastTokenizer, final_norm: FinalNorm | None
    ) -> None:
        others = [need for need in judge.needs if need not in _LOG_PROBABILITIES]
        if len(others) == len(judge.needs):
            others = [need for need in judge.needs if not need.startswith("hidden/")]
        if others or judge.provenance_ is None:
            raise InnerjudgeError.of("judges.views", judge, ", ".join(others) or "features of an unknown model")
        self.judge, self.made, self.tokenizer, self.final_norm = judge, made, tokenizer, final_norm
        self.kind, self.origin = made.kind or judge.kinds[0], judge.provenance_
        self.roles = roles_of(map(states_of, judge.needs))

    @classmethod
    @checked
    def load(
        cls, folder_or_hub_name: str | Path, *, tokenizer: FastTokenizer | None = None, revision: str | None = None
    ) -> Self:
        """Load a judge and the tokenizer of its model, but not the model.

        Name and ``revision`` are those of :meth:`Judge.load`; a ``tokenizer`` is given if the model has moved.

        Example:
            >>> import tempfile
            >>> from innerjudge import CLUE, Judge, Trace, load, read
            >>> lm, prompt = load("reference"), "Start with 7. Add 5."
            >>> said = ["<think>7+5=12</think>12", "<think>7+5=13</think>13"]
            >>> traces = [Trace(question_id="q", candidate_id=one, prompt=prompt, response=one) for one in said]
            >>> clue = CLUE().fit(read(lm, traces, judges=[CLUE()]), [True, False])
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     Judge(clue, lm).save(folder)
            ...     judge = EngineJudge.load(folder)
            >>> judge.encode([(prompt, said[0])])[0].positions["reasoning_end"]
            (17,)
        """
        folder = find_folder(folder_or_hub_name, revision)
        judge, made = saved.load(folder)
        origin = judge.provenance_
        if tokenizer is None and origin is not None:
            source = find_source(origin.model, origin.revision, origin.dtype)
            tokenizer = read_tokenizer(source.tokenizer, origin.model, source.revision)
        norm = FinalNorm.load(folder / NORM) if (folder / NORM).exists() else None
        assert tokenizer is not None or origin is None
        return cls(judge, made, tokenizer, norm)  # type: ignore[arg-type]  # without an origin it is refused

    def encode(self, pairs: Sequence[Any]) -> list[Encoding]:
        """What the engine must run: ``ids`` of each text, special tokens included; nothing may be added.

        ``pairs`` are ``(prompt, response)``, ``Trace`` or ``Rating`` items. A trace whose ids the engine has sampled
        itself carries them as ``extra={"response_ids": [...], "sampled_by": "engine"}``: text is not the same.
        ``InnerjudgeError`` if an entry is not a pair of strings.
        """
        items, places, reasons = items_of_pairs(pairs, self.kind, context=None, criterion=self.made.criterion)
        if reasons:
            place, reason = next(iter(reasons.items()))
            raise InnerjudgeError(f"given pair {place}, which cannot be encoded ({reason}), expected pairs of strings")
        return [replace(_encoded(self, item), id=str(k)) for k, item in zip(places, items, strict=True)]

    def encode_sampled(self, prompt: Sequence[int], answer: Sequence[int]) -> Encoding:
        """An answer, by the ids of its prompt and of its own tokens, as the engine read and sampled them."""
        return encode_sampled(self.tokenizer, prompt, answer, markers=self.made.markers, roles=self.roles)

    def verdicts(
        self,
        encoded: Sequence[Encoding],
        given: Sequence[GivenStates],
        *,
        model: str,
        layers: Sequence[int],
        n_blocks: int,
        last: Last = "raw",
    ) -> list[Verdict]:
        """One verdict a text, in order.

        Args:
            encoded: What :meth:`encode` returned.
            given: The engine's states of each, over these tokens or all but the last of them
                (:func:`~.given_states.read_vllm` reads files of vLLM).
            model: Name of the model that the engine runs. Its weights cannot be seen from here, so the name must be the
                one that the judge was fitted with.
            layers: Which ``h[l]`` the states are, ascending, as vLLM writes them in whatever order it was asked.
            n_blocks: Number of blocks of the model.
            last: What layer ``n_blocks`` holds, ``"raw"`` in vLLM; ``"normed"`` in Hugging Face's ``hidden_states``;
                ``"detect"``. Checked against the model's final norm where the judge's folder holds it.

        ``InnerjudgeError`` if the model is another, a layer that the judge reads is not there, or the norm convention
        does not fit.
        """
        _require(model, self.origin.model)
        if not len(encoded):
            return []
        features = features_of_states(
            encoded, given, list(map(states_of, self.judge.needs)), layers=layers, n_blocks=n_blocks,
            provenance=self.origin, last=last, final_norm=self.final_norm, rows=self.judge.rows_read(n_blocks + 2),
        )  # fmt: skip
        return self.judge.verdicts(features)

    def verdicts_of_log_probabilities(
        self, encoded: Sequence[Encoding], given: Sequence[Sequence[float]], *, model: str
    ) -> list[Verdict]:
        """One verdict a text, in order, by the log-probabilities of its tokens but the first (``prompt_logprobs``).

        For a judge of log-probabilities, such as :class:`~innerjudge.TokenLogProb`; ``InnerjudgeError`` for others.
        """
        _require(model, self.origin.model)
        readouts = [_LOG_PROBABILITIES[need] for need in self.judge.needs if need in _LOG_PROBABILITIES]
        if not readouts:
            raise InnerjudgeError.of("judges.needs-states", self.judge, ", ".join(self.judge.needs))
        features = features_of_log_probabilities(encoded, given, readouts, provenance=self.origin)
        return self.judge.verdicts(features)


def _require(model: str, own: str) -> None:
    if model != own and not (all(map(os.path.exists, (model, own))) and os.path.samefile(model, own)):
        raise InnerjudgeError.of("judges.other-model", model, own)


def _encoded(judge: EngineJudge, item: Any) -> Encoding:
    how = judge.made.passes
    [item] = prepared(judge.tokenizer, [item], how)
    if isinstance(item, Rating) and "hidden/score" in judge.judge.needs:
        return encode_prompt(judge.tokenizer, item.id, item.group, how.ask(item), markers=how.markers)
    trace = as_trace(item)
    # Ids that the same model has sampled elsewhere are as good; those of any other are not.
    sampled_by = _ENGINE if trace.extra.get("sampled_by") == _ENGINE else judge.origin.fingerprint
    return encode_trace(judge.tokenizer, trace, markers=judge.made.markers, sampled_by=sampled_by, roles=judge.roles)
