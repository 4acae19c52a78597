"""What is asked of a judge with its model: scores, labels, verdicts and rankings of texts and conversations.

Judges of one model share it, and take turns with it.
"""

import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np
from torch import nn

from ...extraction.provenance import Provenance, provenance
from ...models.arguments import checked
from ...models.conversation import Text, as_prompt
from ...models.errors import InnerjudgeError
from ...models.loading import LanguageModel, load
from ...probes import BaseJudge, Promise, Verdict
from ...probes.judge import Scores, as_labels
from ..reading.passes import Passes
from ..reading.progress import PlainConsole, shown
from ..reading.read import read
from .pairs import Ranked, as_list, check_top_k, is_single, items_of_pairs, of_options, ranked

if TYPE_CHECKING:
    from .interfaces import CrossEncoderJudge, Reward

#: What :func:`~innerjudge.load` takes as the type of weights; other types (quantised weights) come as they are stored.
_DTYPES = ("float32", "bfloat16", "float16")
_loaded: WeakValueDictionary[tuple[str | None, ...], LanguageModel] = WeakValueDictionary()
_loading = threading.Lock()
_turns: WeakKeyDictionary[nn.Module, threading.RLock] = WeakKeyDictionary()
_making_turns = threading.Lock()


def shared_model(
    made_with: Provenance, *, device: str = "auto", dtype: str = "auto", trust_remote_code: bool = False
) -> LanguageModel:
    """The model behind a provenance, loaded once: it stays in memory as long as something holds it.

    Options are those of :func:`~innerjudge.load`; ``dtype="auto"`` is that of the provenance.
    """
    wanted = dtype if dtype != "auto" or made_with.dtype not in _DTYPES else made_with.dtype
    key = (made_with.model, made_with.revision, made_with.attention, device, wanted, str(trust_remote_code))
    with _loading:  # a second thread that wants it waits for the first, and does not load it again
        found = _loaded.get(key)
        if found is None:
            own: Any = {"revision": made_with.revision, "attn_implementation": made_with.attention}
            try:
                found = load(made_with.model, device=device, dtype=wanted, trust_remote_code=trust_remote_code, **own)
            except InnerjudgeError as error:
                raise InnerjudgeError.of("judges.moved-model", made_with.model, error) from error
            _loaded[key] = found
        return found


def turn(lm: LanguageModel) -> threading.RLock:
    """The lock of a model. One thread at a time runs it: each would hold a batch, and generating changes its config."""
    with _making_turns:
        return _turns.setdefault(lm.model, threading.RLock())


#: A prompt as it is given: a text, or messages.
Prompt = Text | Sequence[Mapping[str, Any]]


class PairJudge:
    """Scores, labels, verdicts and rankings of a judge; :class:`~.judge.Judge` sets the attributes."""

    judge: BaseJudge
    lm: LanguageModel
    kind: str
    passes: Passes
    criterion: str | None

    @property
    def promise(self) -> Promise | None:
        """What the judge promises on this model, see :meth:`.BaseJudge.promise`; ``None`` for nothing."""
        return self.judge.promised(provenance(self.lm))

    @checked
    def scores(self, pairs: Any, batch_size: int = 32, show_progress_bar: bool | None = None) -> Scores:
        """Scores ``[n]`` of pairs ``(prompt, response)``, higher is better; one pair gives ``[1]``, none ``[0]``.

        Arguments are those of :meth:`verdicts`. ``InnerjudgeError`` if one of them cannot be scored (an array has no
        room for the reason: :meth:`verdicts` gives it), or this is a judge of choices.
        """
        refuse_options(self, "scores")
        return np.array([v.score for v in self._scorable(pairs, batch_size, show_progress_bar)], dtype=np.float64)

    @checked
    def predict(self, pairs: Any, batch_size: int = 32, show_progress_bar: bool | None = None, **more: Any) -> Any:
        """Labels ``[n]`` of pairs: right or wrong, a rating, or the place of the option that is taken.

        This is scikit-learn's ``predict``, which the judge itself has too; labels are ``None`` where a judge has scores
        only. Arguments are those of :meth:`verdicts`. With others that a CrossEncoder's ``predict`` has
        (``activation_fn``, ``apply_softmax``, ``convert_to_tensor``) it gives scores, as :meth:`as_cross_encoder` does.

        ``InnerjudgeError`` if one of them cannot be judged: :meth:`verdicts` returns the reasons.
        """
        if more:
            return self.as_cross_encoder().predict(pairs, None, None, batch_size, show_progress_bar, **more)
        return as_labels([v.label for v in self._scorable(pairs, batch_size, show_progress_bar)])

    @checked
    def verdicts(self, pairs: Any, batch_size: int = 32, show_progress_bar: bool | None = None) -> list[Verdict]:
        """One verdict a pair, in order; a pair that cannot be judged is unscored, with the reason.

        Args:
            pairs: Pairs ``(prompt, response)``, each a string or messages, or ``(question, options)`` for a judge of
                choices; or items of the judge's kind, such as ``Trace`` or ``Rating``, with unique ids. One alone
                counts as a list of one.
            batch_size: Items a forward pass.
            show_progress_bar: Whether progress is shown on standard error.

        ``InnerjudgeError`` if ``pairs`` is not a list, holds items of another kind, or the model cannot be asked at all
        (a scale that its tokenizer splits, say).

        Example:
            >>> from innerjudge import Judge, TokenLogProb, load
            >>> Judge(TokenLogProb(), load("reference")).verdicts([("Start with 7.", "")])[0].unscored
            'the response is empty'
        """
        if batch_size < 1:
            raise InnerjudgeError(f"given batch_size={batch_size}, expected at least 1")
        asked = [pairs] if is_single(pairs) else as_list(pairs, "pairs of strings")
        return ask(self, asked, batch_size, show_progress_bar)

    def rank(
        self, query: Prompt, documents: Sequence[Any], top_k: int | None = None, return_documents: bool = False,
        batch_size: int = 32, show_progress_bar: bool | None = None
    ) -> list[Ranked]:  # fmt: skip
        """Candidates of one prompt, best first; the options of one question for a judge of choices.

        Ties keep the order of the documents. What cannot be scored stands last, with a ``score`` of ``None`` and the
        reason as ``unscored``. The options of a question are read in one pass; its abstain lines are not ranked.

        Args:
            query: The prompt, or the question: a string, or messages.
            documents: The candidates, each a string or messages, or the options; none give ``[]``.
            top_k: At most this many; ``None`` for all.
            return_documents: Whether each result has its ``text``.
            batch_size: Pairs a forward pass.
            show_progress_bar: As in :meth:`verdicts`.

        Gives dicts ``{"corpus_id": place in documents, "score": float or None}``, with ``text`` and ``unscored`` if
        any. ``InnerjudgeError`` if ``documents`` is not a list, or ``top_k`` is below 1.

        Example:
            >>> from innerjudge import Judge, LetterLogits, load
            >>> found = Judge(LetterLogits(), load("reference")).rank("Which is a fruit?", ["iron", "pear"])
            >>> sorted(one["corpus_id"] for one in found)
            [0, 1]
        """
        as_prompt(query, "rank: the prompt")
        return self.rank_many([query], [documents], top_k, return_documents, batch_size, show_progress_bar)[0]

    def rank_many(
        self, queries: Sequence[Prompt], documents: Sequence[Sequence[Any]], top_k: int | None = None,
        return_documents: bool = False, batch_size: int = 32, show_progress_bar: bool | None = None
    ) -> list[list[Ranked]]:  # fmt: skip
        """:meth:`rank` for many prompts at once, each with its own candidates: one list a prompt.

        Batches are made over all of them, so that prompts with few candidates fill batches together.
        ``InnerjudgeError`` if there are not as many lists of candidates as prompts, and as in :meth:`rank`.
        """
        asked = as_list(queries, "prompts")
        given = [as_list(one, "candidates") for one in as_list(documents, "lists of candidates")]
        if len(asked) != len(given):
            raise InnerjudgeError.of("judges.lists", len(asked), len(given))
        check_top_k(top_k)
        if self.kind == "choice":
            filled = [k for k, options in enumerate(given) if options]
            one_pass = self.verdicts([(asked[k], given[k]) for k in filled], batch_size, show_progress_bar)
            of = dict(zip(filled, one_pass, strict=True))
            said = [of_options(of[k], len(options)) if k in of else [] for k, options in enumerate(given)]
        else:
            pairs = [(prompt, one) for prompt, many in zip(asked, given, strict=True) for one in many]
            flat = iter(self.verdicts(pairs, batch_size, show_progress_bar))
            said = [[next(flat) for _ in many] for many in given]
        return [ranked(of, many, top_k, return_documents) for of, many in zip(said, given, strict=True)]

    def as_cross_encoder(self, activation_fn: Any = None) -> "CrossEncoderJudge":
        """The judge as sentence-transformers expects a CrossEncoder: its ``predict`` gives scores.

        ``activation_fn`` is applied to a tensor of scores; ``None`` leaves them as they are.
        """
        from .interfaces import CrossEncoderJudge

        refuse_options(self, "as_cross_encoder")
        return CrossEncoderJudge(self, activation_fn)

    @checked
    def as_reward(self, *, name: str = "innerjudge", batch_size: int = 32) -> "Reward":
        """A reward function for TRL's trainers: :func:`~innerjudge.experiments.judges.interfaces.as_reward`."""
        from .interfaces import as_reward

        refuse_options(self, "as_reward")
        return as_reward(self, name=name, batch_size=batch_size)

    def _scorable(self, pairs: Any, batch_size: int, show_progress_bar: bool | None) -> list[Verdict]:
        found = self.verdicts(pairs, batch_size, show_progress_bar)
        bad = [verdict for verdict in found if verdict.unscored]
        if bad:
            raise InnerjudgeError.of("judges.unscorable", len(bad), len(found), bad[0].id, bad[0].unscored)
        return found


def refuse_options(judge: PairJudge, method: str) -> None:
    """Refuse a judge of choices where single responses are judged."""
    if judge.kind == "choice":
        raise InnerjudgeError.of("judges.options", judge.judge, method)


def ask(judge: PairJudge, asked: list[Any], batch_size: int, show_progress_bar: bool | None) -> list[Verdict]:
    """One verdict a pair or item, in order; only those that can be judged are put to the model."""
    items, places, why = items_of_pairs(asked, judge.kind, context=judge.lm.anatomy.context, criterion=judge.criterion)
    found = {place: Verdict(str(place), unscored=reason) for place, reason in why.items()}
    if items:
        passes = replace(judge.passes, batch_size=batch_size)
        bar = shown(PlainConsole(stderr=True)) if show_progress_bar else nullcontext(passes.steps)
        with bar as steps, turn(judge.lm):
            features = read(judge.lm, items, replace(passes, steps=steps))
        found |= dict(zip(places, judge.judge.verdicts(features), strict=True))
    return [replace(found[k], id=getattr(one, "id", str(k))) for k, one in enumerate(asked)]
