"""LAGER: the verdict logits of every block, averaged and read as an expected score."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from ..extraction.features import Features
from ..models.errors import InnerjudgeError
from .description import derived
from .estimator import parameters
from .judge import Scores
from .labels import Floats
from .value_judge import Answer, ValueJudge, checked_values


@parameters
class LAGER(ValueJudge):
    r"""Expected score under the layer-averaged verdict logits, without tuning (arXiv 2508.03550, section 3).

    With :math:`z_i[s]` the logit of score label ``s`` after entry ``i`` and uniform weights :math:`w_i`:
    :math:`P = \mathrm{softmax}_s(\sum_i w_i z_i[s])`, and the score is :math:`\sum_s v_s P(s)`, within the
    range of ``values``. It ranks and is not calibrated: averaging early layers flattens ``P``, and the middle of
    ``values`` does not separate right from wrong. ``fit`` on labelled traces is optional and only sets a threshold.

    Args:
        values: The value of each verdict label, in order: ``(1, ..., 5)`` for ratings, ``(0, 1)`` for no/yes, ``(1,
            0)`` for A/B in pairs (a high score means A).
        answers: The label that a verdict gets for each value; by default the values themselves, or ``False, True`` for
            ``(0, 1)``.
        entries: ``"all"``: raw ``h[0..L-1]`` and the final-normed last block, the ``L + 1`` entries of Hugging Face's
            tuple used for the published results; ``"drop_last"``: without the last, as in the authors' later code;
            ``"last"``: the model's own logits only. A number ``k`` takes the last ``k`` of all entries (EAGLE, arXiv
            2509.01564, by the same group): 1 is ``"last"``, ``L + 1`` is ``"all"``.
        norm: Put every entry through the final norm (logit lens). The published method does not; weights tuned
            on one setting mean nothing on the other.
        aggregate: ``"logits"``: average, then softmax (published); ``"probabilities"``: softmax, then average;
            ``"probabilities_twice"``: the same with a second softmax over the average, as in the authors' ablation.
        readout: ``"expectation"``, or ``"argmax"``: the value of the likeliest label, the first one of a tie.
        prompt: The judge prompt that it is asked by, a YAML file or one that is shipped; it has as many labels as there
            are ``values``. ``None`` is as the passes say.

    Attributes:
        threshold_: Score above which a trace gets the label of the higher value, chosen for balanced accuracy; ``None``
            without ``fit``: the label is then the one whose value is nearest to the score.

    Constant logits give the mean of ``values``. All arithmetic is in float64: a bfloat16 softmax does not sum to 1, so
    that expectations could leave the scale.

    Example:
        >>> logits = np.zeros((1, 2, 2, 2), np.float32)  # 1 item, (raw, normed), h[0] and h[1] of 1 block, 2 labels
        >>> logits[0, 0, 0, 1], logits[0, 1, 1, 1] = 2 * np.log(3), 0  # raw h[0]; normed h[1]
        >>> f = Features.from_arrays({"logits/score": logits, "labels": np.array([2], np.float32)}, provenance="m")
        >>> LAGER(values=(0, 1)).decision_function(f).round(4)  # mean logit log 3: P = (1/4, 3/4)
        array([0.75])
        >>> LAGER(values=(0, 1)).predict(f)
        array([ True])
    """

    values: Sequence[float] = (1, 2, 3, 4, 5)
    answers: Sequence[Answer] | None = None
    entries: Literal["all", "drop_last", "last"] | int = "all"
    norm: bool = False
    aggregate: Literal["logits", "probabilities", "probabilities_twice"] = "logits"
    readout: Literal["expectation", "argmax"] = "expectation"
    prompt: str | None = None

    # Of two values: the model's own logits have a border, the middle; averaged over all blocks they have none.
    needs_threshold = derived(lambda s: not s.learns and not s.reads_own_logits and len(s.values) == 2)
    reads_own_logits = derived(lambda self: self.entries in ("last", 1))
    needs = ("logits/score", "labels")

    def __post_init__(self) -> None:
        if not isinstance(self.entries, str) and (type(self.entries) is not int or self.entries < 1):
            raise InnerjudgeError(f"given entries={self.entries!r}, expected 'all', 'drop_last', 'last', or at least 1")
        checked_values(self.values, self.answers)

    def probabilities(self, features: Features) -> Floats:
        """Distribution over the verdict labels, ``[n, M]``, for items that can all be scored."""
        self._check(features)
        z = self._entries(features)
        w = self._weights(z.shape[1])
        if self.aggregate == "logits":
            return np.asarray(softmax(np.einsum("e,nem->nm", w, z), axis=-1))
        mean = np.einsum("e,nem->nm", w, softmax(z, axis=-1))
        return np.asarray(softmax(mean, axis=-1)) if self.aggregate == "probabilities_twice" else mean

    def _scores(self, features: Features) -> Scores:
        p, values = self.probabilities(features), np.array(self._scale[0], dtype=np.float64)
        if self.readout == "argmax":
            return np.asarray(values[p.argmax(axis=-1)])
        return np.clip(p @ values, values.min(), values.max())

    def _weights(self, n_entries: int) -> Floats:
        return np.full(n_entries, 1.0 / n_entries)

    def _entries(self, features: Features) -> npt.NDArray[np.float64]:
        """Logits ``[n, entries, M]``."""
        m = len(self.values)
        for item, n in zip(features.ids, features["labels"], strict=True):
            if n != m:
                raise InnerjudgeError.of("probes.labels", type(self).__name__, item, int(n), m, tuple(self.values))
        logits = features["logits/score"][..., :m].astype(np.float64)
        if self.entries == "last":
            return logits[:, 1, -1:]
        lower = logits[:, int(self.norm), :-1]
        if self.entries == "drop_last":
            return lower
        every = np.concatenate([lower, logits[:, 1, -1:]], axis=1)
        if not isinstance(self.entries, int):
            return every
        if self.entries > every.shape[1]:
            raise InnerjudgeError(f"given entries={self.entries}, expected 1 to {every.shape[1]}, those of this model")
        return every[:, -self.entries :]


class EScore(LAGER):
    """Expected score under the model's own logits (G-Eval style), the baseline in LAGER's table 1; as :class:`LAGER`.

    Example:
        >>> EScore().entries, EScore().readout
        ('last', 'expectation')
    """

    family = "logits"

    def __init__(self, *, values: Sequence[float] = (1, 2, 3, 4, 5), answers: Sequence[Answer] | None = None) -> None:
        super().__init__(values=values, answers=answers, entries="last")


class VScore(LAGER):
    """Value of the model's likeliest verdict label, as greedy text would say it; parameters as in :class:`LAGER`.

    Example:
        >>> VScore().entries, VScore().readout
        ('last', 'argmax')
    """

    family = "logits"

    def __init__(self, *, values: Sequence[float] = (1, 2, 3, 4, 5), answers: Sequence[Answer] | None = None) -> None:
        super().__init__(values=values, answers=answers, entries="last", readout="argmax")


class PTrue(LAGER):
    """P(true): how probably "(A) true" follows, and not "(B) false", where the model is asked that (arXiv 2207.05221).

    The prompt is the shipped ``p-true``, in a pass of its own: array ``"logits/p-true"``, ``[n, 2]``, false first. The
    paper takes the probability among all tokens.

    Example:
        >>> f = Features.from_arrays({"logits/p-true": [[0.0, np.log(3)], [1.0, 0.0]]}, provenance="m")
        >>> PTrue().decision_function(f).round(4), PTrue().predict(f)
        (array([0.75  , 0.2689]), array([ True, False]))
    """

    family = "logits"
    needs = derived(lambda _: ("logits/p-true",))
    kinds = ("trace",)
    on_request = True

    def __init__(self) -> None:
        super().__init__(values=(0, 1), entries="last")

    def _entries(self, features: Features) -> npt.NDArray[np.float64]:
        return features["logits/p-true"][:, None].astype(np.float64)
