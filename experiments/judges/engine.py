"""A judge behind an inference engine: the engine computes what it reads, and no model is loaded here."""

import os
import re
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from ...extraction import given_states as by
from ...extraction.given_states import Given, GivenStates, Last
from ...extraction.readout_names import range_readout, roles_of, states_of
from ...extraction.readouts import ResponseLogProb
from ...models.arguments import checked
from ...models.checkpoint import read_tokenizer
from ...models.errors import InnerjudgeError, UnreadableError
from ...models.final_norm import FinalNorm
from ...models.formats.source import find_source
from ...models.items import Item, Rating
from ...models.positions import Encoding, encode_prompt, encode_sampled, encode_trace, unreadable
from ...models.tokens import FastTokenizer
from ...probes import BaseJudge, Verdict
from ..reading.judge_prompt import JudgePrompt
from ..reading.passes import P_TRUE, as_trace, prepared
from . import saved
from .pairs import items_of_pairs
from .panel import passes_for
from .saved import NORM, JudgeRecord, find_folder

#: ``sampled_by`` of a trace whose ids the engine has sampled.
_ENGINE = "engine"
_GIVEN: dict[str, str] = tomllib.loads(Path(__file__).with_name("engine_routes.toml").read_text("utf-8"))


def route_of(judge: BaseJudge) -> tuple[str, str]:
    """By which route an engine serves a judge; for ``"none"`` also what the judge reads that no route gives.

    ``"states"``: hidden states, in the engine or in files; ``"log-probabilities"`` of the answer's tokens;
    ``"labels"``: those of verdict labels, as the next token of a second short request.

    Example:
        >>> from innerjudge.probes import TokenConfidence
        >>> [route_of(TokenConfidence(statistic=name)) for name in ("perplexity", "entropy")]
        [('log-probabilities', ''), ('none', 'whole distributions, of which an engine gives the likeliest tokens')]
    """
    if judge.reads_own_logits:
        return ("labels", "") if judge.pointwise else ("none", "both responses of a pair at once")
    named = [next(what for one, what in _GIVEN.items() if re.fullmatch(one, need, re.DOTALL)) for need in judge.needs]
    mixed = "hidden states together with log-probabilities" if len({*named}) > 1 else ""
    why = next((what for what in named if what not in ("states", "log-probabilities")), mixed)
    return ("none", why) if why else (named[0], "")


class EngineJudge:
    """A fitted judge of what an engine gives, with tokenizer (by default that of its model) and final norm, no model.

    :meth:`encode` says which tokens the engine must run. What it gives then goes to :meth:`verdicts`,
    :meth:`verdicts_of_log_probabilities` or :meth:`verdicts_of_labels`, by the ``route`` of :func:`route_of`. A judge
    that reads anything else is refused.
    """

    def __init__(
        self, judge: BaseJudge, made: JudgeRecord, tokenizer: FastTokenizer | None = None, norm: FinalNorm | None = None
    ) -> None:
        self.route, why = route_of(judge)
        if why or judge.provenance_ is None:
            raise InnerjudgeError.of("judges.views", judge, ", ".join(judge.needs), why or "an unknown model")
        self.judge, self.made, self.final_norm, self.origin = judge, made, norm, judge.provenance_
        self.kind, self.passes = made.kind or judge.kinds[0], passes_for(judge, made.passes)
        if not P_TRUE.keys().isdisjoint(judge.needs):
            self.passes = replace(self.passes, prompt=JudgePrompt.of("p-true"))
        self.readouts: list[Any] = [range_readout(need) or ResponseLogProb() for need in judge.needs]
        self.roles, self.likeliest = roles_of(self.readouts), max(getattr(one, "top", 0) for one in self.readouts)
        if tokenizer is None:
            source = find_source(self.origin.model, self.origin.revision, self.origin.dtype)
            tokenizer = read_tokenizer(source.tokenizer, self.origin.model, source.revision)
        self.tokenizer = tokenizer

    @classmethod
    @checked
    def load(
        cls, folder_or_hub_name: str | Path, *, tokenizer: FastTokenizer | None = None, revision: str | None = None
    ) -> Self:
        """Load a judge and the tokenizer of its model, but not the model.

        Name and ``revision`` are those of :meth:`Judge.load`; a ``tokenizer`` is given if the model has moved.

        Example:
            >>> import tempfile
            >>> from innerjudge import Judge, TokenLogProb, load
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     Judge(TokenLogProb(), load("reference")).save(folder)
            ...     judge = EngineJudge.load(folder)
            >>> [text] = judge.encode([("Start with 7. Add 5.", "<think>7+5=12</think>12")])
            >>> judge.verdicts_of_log_probabilities([text], [[-0.5] * (len(text.ids) - 1)], model="reference")[0].score
            -0.5
        """
        folder = find_folder(folder_or_hub_name, revision)
        norm = FinalNorm.load(folder / NORM) if (folder / NORM).exists() else None
        return cls(*saved.load(folder), tokenizer, norm)

    def encode(self, pairs: Sequence[Any]) -> list[Encoding]:
        """What the engine must run: ``ids`` of each text, special tokens included; nothing may be added.

        For a judge of verdict logits: of the question about each, with the ``label_ids`` that may come next.
        ``pairs`` are ``(prompt, response)``, ``Trace`` or ``Rating`` items. A trace whose ids the engine has sampled
        itself carries them as ``extra={"response_ids": [...], "sampled_by": "engine"}``: text is not the same.
        ``InnerjudgeError`` if an entry is not a pair of strings.
        """
        items, places, reasons = items_of_pairs(pairs, self.kind, context=None, criterion=self.made.criterion)
        if reasons:
            place, reason = next(iter(reasons.items()))
            raise InnerjudgeError(f"given pair {place}, which cannot be encoded ({reason}), expected pairs of strings")
        return [replace(self._encoded(item), id=str(k)) for k, item in zip(places, items, strict=True)]

    def encode_sampled(self, prompt: Sequence[int], answer: Sequence[int]) -> Encoding:
        """An answer, by the ids of its prompt and of its own tokens, as the engine read and sampled them."""
        return encode_sampled(self.tokenizer, prompt, answer, markers=self.made.markers, roles=self.roles)

    def verdicts(
        self, encoded: Sequence[Encoding], given: Sequence[GivenStates], *, model: str, layers: Sequence[int],
        n_blocks: int, last: Last = "raw"
    ) -> list[Verdict]:  # fmt: skip
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
        self.require(model, "states")
        if not len(encoded):
            return []
        features = by.features_of_states(
            encoded, given, list(map(states_of, self.judge.needs)), layers=layers, n_blocks=n_blocks,
            provenance=self.origin, last=last, final_norm=self.final_norm, rows=self.judge.rows_read(n_blocks + 2),
        )  # fmt: skip
        return self.judge.verdicts(features)

    def verdicts_of_log_probabilities(
        self, encoded: Sequence[Encoding], given: Sequence[Sequence[Given]], *, model: str
    ) -> list[Verdict]:
        """One verdict a text, in order, by log-probabilities of its tokens but the first (``prompt_logprobs[1:]``).

        Of each token its own, or by id its own and the likeliest in its place: see
        :func:`~.given_states.features_of_log_probabilities`. ``InnerjudgeError`` if it reads anything else.
        """
        self.require(model, "log-probabilities")
        return self.judge.verdicts(by.features_of_log_probabilities(encoded, given, self.readouts, self.origin))

    def verdicts_of_labels(self, encoded: Sequence[Encoding], given: Sequence[Any], *, model: str) -> list[Verdict]:
        """One verdict a question, in order, by log-probabilities of its ``label_ids`` as the next token, by id.

        ``InnerjudgeError`` if the judge reads anything else, or the model is another.
        """
        self.require(model, "labels")
        return self.judge.verdicts(by.features_of_labels(encoded, given, self.judge.needs, self.origin))

    def require(self, model: str, route: str) -> None:
        """Refuse what comes by another route than the judge's, or from another model than its own."""
        own = self.origin.model
        if route != self.route:
            raise InnerjudgeError.of("judges.other-route", route, self.judge, self.route, ", ".join(self.judge.needs))
        if model != own and not (all(map(os.path.exists, (model, own))) and os.path.samefile(model, own)):
            raise InnerjudgeError.of("judges.other-model", model, own)

    def _encoded(self, item: Item) -> Encoding:
        [item] = prepared(self.tokenizer, [item], self.passes)
        if self.route == "labels" or (isinstance(item, Rating) and "hidden/score" in self.judge.needs):
            try:
                asked = self.passes.ask(item)
                return encode_prompt(self.tokenizer, item.id, item.group, asked, markers=self.made.markers)
            except UnreadableError as error:
                return unreadable(item.id, item.group, str(error))
        trace = as_trace(item)
        # Ids that the same model has sampled elsewhere are as good; those of any other are not.
        sampled_by = _ENGINE if trace.extra.get("sampled_by") == _ENGINE else self.origin.fingerprint
        return encode_trace(self.tokenizer, trace, markers=self.made.markers, sampled_by=sampled_by, roles=self.roles)
