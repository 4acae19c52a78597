"""A judge as other libraries call one: a CrossEncoder of sentence-transformers, a reward function of TRL."""

import logging
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...models.arguments import checked
from ...models.errors import InnerjudgeError
from .pairs import Ranked, check_top_k, is_single

if TYPE_CHECKING:
    from .pair_judge import PairJudge, Prompt

Reward = Callable[..., list[float | None]]
_log = logging.getLogger(__name__)


class CrossEncoderJudge:
    """A judge's scores behind the interface of a CrossEncoder, for its evaluators and for libraries that take one.

    Here, as there, ``predict`` gives *scores*; :meth:`.Judge.predict` gives labels. Made by
    :meth:`.Judge.as_cross_encoder`; ``activation_fn`` is applied to the tensor of scores, where there is one.
    """

    num_labels = 1

    def __init__(self, judge: "PairJudge", activation_fn: Callable[[Any], Any] | None = None) -> None:
        self.judge, self.activation_fn = judge, activation_fn
        # Evaluators put figures for a CrossEncoder's card here; a judge's card is written from the judge alone.
        self.model_card_data = SimpleNamespace(set_evaluation_metrics=lambda *_given, **_named: None)

    @checked
    def predict(
        self, inputs: Any, prompt_name: str | None = None, prompt: str | None = None, batch_size: int = 32,
        show_progress_bar: bool | None = None, activation_fn: Callable[[Any], Any] | None = None,
        apply_softmax: bool | None = False, convert_to_numpy: bool = True, convert_to_tensor: bool = False
    ) -> Any:  # fmt: skip
        """Scores of pairs ``(prompt, response)``, higher is better.

        ``inputs`` is a list of pairs (or of items of the judge's kind), or one pair. ``activation_fn`` is applied to
        the tensor of scores; ``None`` takes the constructor's. ``apply_softmax`` changes nothing, as in a CrossEncoder
        of one label. ``InnerjudgeError`` if a pair cannot be scored (an array has no room for the reason: the judge's
        ``verdicts`` give it), or if a prompt is given: a judge asks in its own words.

        Returns:
            Scores ``[n]`` float64, an array, list or tensor; a float (or a tensor of it) for one pair.
        """
        _refuse_prompts(prompt_name, prompt)
        scores = self._activated(self.judge.scores(inputs, batch_size, show_progress_bar), activation_fn)
        if convert_to_tensor:
            import torch

            return torch.from_numpy(scores)[0] if is_single(inputs) else torch.from_numpy(scores)
        if is_single(inputs):
            return float(scores[0])
        return scores if convert_to_numpy else scores.tolist()

    def rank(
        self, query: "Prompt", documents: Sequence[Any], top_k: int | None = None, return_documents: bool = False,
        prompt_name: str | None = None, prompt: str | None = None, batch_size: int = 32,
        show_progress_bar: bool | None = None, activation_fn: Callable[[Any], Any] | None = None
    ) -> list[Ranked]:  # fmt: skip
        """Candidates of one prompt, best first, as in :meth:`.Judge.rank`; their scores pass ``activation_fn``."""
        _refuse_prompts(prompt_name, prompt)
        check_top_k(top_k)
        found = self.judge.rank(query, documents, None, return_documents, batch_size, show_progress_bar)
        scored = [one for one in found if one["score"] is not None]
        values = self._activated(np.array([one["score"] for one in scored], dtype=np.float64), activation_fn)
        for one, value in zip(scored, values.tolist(), strict=True):
            one["score"] = value
        scored.sort(key=lambda one: -(one["score"] or 0.0))
        return [*scored, *found[len(scored) :]][:top_k]

    def _activated(self, scores: Any, activation_fn: Callable[[Any], Any] | None) -> Any:
        apply = activation_fn or self.activation_fn
        if apply is None or not len(scores):
            return scores
        import torch

        with torch.inference_mode():
            found = torch.as_tensor(apply(torch.from_numpy(scores)))
        return found.cpu().numpy().astype(np.float64)


def _refuse_prompts(prompt_name: str | None, prompt: str | None) -> None:
    for name, value in (("prompt_name", prompt_name), ("prompt", prompt)):
        if value is not None:
            raise InnerjudgeError(f"given {name}={value!r}, expected none: a judge asks in its own words")


def as_reward(judge: "PairJudge", *, name: str = "innerjudge", batch_size: int = 32) -> Reward:
    """A reward function ``(prompts, completions, **columns) -> list[float | None]``, as ``GRPOTrainer`` calls it.

    Prompts and completions are strings, or lists of messages, which go through the chat template of the judge's model
    (:mod:`~innerjudge.models.conversation`). What cannot be scored (an empty or over-long text, an image, messages that
    the template does not show) has the reward ``None``, "not applicable" in TRL; how many these were is logged as
    ``NAME/unscored``. The judge runs its own, frozen model, ``batch_size`` pairs a pass, never the one that is trained.
    """

    def reward(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        verdicts = judge.verdicts(list(zip(prompts, completions, strict=True)), batch_size=batch_size)
        bad = [verdict for verdict in verdicts if verdict.unscored is not None]
        if bad:
            _log.warning("%s: %d of %d unscored (first: %s)", name, len(bad), len(verdicts), bad[0].unscored)
        if "log_metric" in columns:
            columns["log_metric"](f"{name}/unscored", len(bad))
        return [None if isinstance(verdict.score, list) else verdict.score for verdict in verdicts]

    reward.__name__ = reward.__qualname__ = name
    return reward
