"""Judges that promise: a threshold found on features, and tied to the fit that it was found for."""

from abc import abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from ..extraction.features import Features
from ..extraction.provenance import Provenance
from ..extraction.readouts import States
from ..models.errors import InnerjudgeError
from ..models.roles import checked_roles
from .estimator import FeatureReader
from .promise import Promise, calibrate, certainty
from .risk import RiskName

if TYPE_CHECKING:
    from .judge import Verdict

#: Where a judge reads the end of a part, in whose place it can read each range of a role within that part.
_ENDS = {"hidden/reasoning_end": "reasoning", "hidden/response_end": "response"}


class Wanted(NamedTuple):
    """The promise that :meth:`PromisingReader.promise` is to find."""

    risk: RiskName
    level: float
    confidence: float | None = 0.95
    along: str = ""


class PromisingReader(FeatureReader):
    """A reader of features that can promise which of its verdicts to keep."""

    #: The last threshold that :meth:`promise` found.
    promise_: Promise | None = None

    @abstractmethod
    def verdicts(self, features: Features) -> "list[Verdict]":
        """One verdict per item."""

    def promise(
        self, features: Features, labels: npt.ArrayLike, *, risk: RiskName, level: float = 0.05,
        confidence: float | None = 0.95, along: str = "", seed: int = 0
    ) -> Promise:  # fmt: skip
        """Find a threshold that keeps a risk low; it is saved with the judge as ``promise_``, until the next fit.

        Give ``n`` items of questions that the fit has *not* seen; those that cannot be scored are left out and counted.
        For ``"lost good answers"`` and ``"passed bad answers"`` ``labels`` (``[n]``) say which answers are good, and
        answers that score at least the threshold are kept. ``"kept and wrong"`` and ``"wrong among kept"`` are about
        verdicts: ``labels`` are the true labels, of the kind that :meth:`predict` gives, and a verdict is kept by its
        distance from the border between right and wrong (for choices: by the lead of the best option).

        For a judge that looks again and again as an answer grows, and acts on the first alarm, give the role ``along``
        (``"reasoning/segment(64)"``, see :func:`.roles.checked_roles`): what counts is the lowest score of an answer
        over these ranges and its end (``"passed bad answers"``: the highest), since each look is one more chance to
        lose it. The features must have the states there (``States(along, "last")``). The rest is as in
        :func:`.promise.calibrate`. ``InnerjudgeError`` as there, and if no single border separates the judge's labels.

        Example:
            >>> from innerjudge import Features, TokenLogProb
            >>> array = [[-k - 1, 1] for k in range(60)]
            >>> features = Features.from_arrays({"logprob": array}, provenance="m", groups=[f"q{k}" for k in range(60)])
            >>> TokenLogProb().promise(features, [True] * 60, risk="lost good answers").threshold
            -60.0
        """
        said, about = verdicts_along(self, features, along, risk), (features.groups, features.provenance.fingerprint)
        return promise_on(self, said, labels, *about, Wanted(risk, level, confidence, along), seed)

    def promised(self, on: Provenance | None = None) -> Promise | None:
        """The promise made for this fit (on the model of ``on``, if the judge names none); ``None`` without one.

        ``InnerjudgeError`` if the judge was fitted anew since.
        """
        held, known = self.promise_, self.provenance_ or on
        if held is None:
            return None
        if held.fit != identity(self, held.model) or (known is not None and held.model != known.fingerprint):
            raise InnerjudgeError.of("probes.other-promise", type(self).__name__)
        return held


def promise_on(
    judge: PromisingReader,
    said: "Sequence[Verdict]",
    labels: npt.ArrayLike,
    groups: Sequence[str],
    model: str,
    asked: Wanted,
    seed: int,
) -> Promise:
    """:meth:`PromisingReader.promise` on verdicts ``said``, with their questions and the fingerprint of their model."""
    truth = np.asarray(labels)
    if truth.shape != (len(said),):
        raise InnerjudgeError(f"given labels of shape {truth.shape}, expected ({len(said)},): one label per item")
    there, border = [one for one in said if one.score is not None], None
    if asked.risk in ("kept and wrong", "wrong among kept"):
        truth = np.array([one.label == known for one, known in zip(said, truth.tolist(), strict=True)], dtype=bool)
        border = None if any(isinstance(one.score, list) for one in there) else judge.__dict__.get("threshold_") or 0.0
        if border is not None and any(one.label != (one.score > border) for one in there):  # type: ignore[operator]
            raise InnerjudgeError.of("probes.no-border", border)
    scores = np.full(len(said), np.nan)
    scores[[one.score is not None for one in said]] = certainty([one.score for one in there], border)
    found = calibrate(scores, truth, groups, risk=asked.risk, level=asked.level, confidence=asked.confidence, seed=seed)
    judge.promise_ = replace(found, border=border, along=asked.along, model=model, fit=identity(judge, model))
    return judge.promise_


def end_along(judge: FeatureReader, along: str, among: Collection[str] | None = None) -> str:
    """The readout of a judge that the ranges of a role replace.

    ``InnerjudgeError`` if it has none, or the states of the ranges are not ``among`` the given readouts.
    """
    (role,), ends = checked_roles([along]), _ENDS.keys() & {*judge.needs}
    early = {"hidden/prompt_end", "hidden/reasoning_start"}
    if len(ends) != 1 or _ENDS[min(ends)] != role.part or not {*judge.needs} <= early | ends:
        raise InnerjudgeError.of("probes.reads-elsewhere", type(judge).__name__, ", ".join(judge.needs), along)
    name = States(along, "last").name
    if among is not None and name not in among:
        raise InnerjudgeError(f"given features without {name}, expected those to go along: extract --read '{name}'")
    return min(ends)


def verdicts_along(judge: PromisingReader, features: Features, along: str, risk: str) -> "list[Verdict]":
    """Verdicts with the score that counts for a risk: the lowest (or highest) over the ranges of a role and the end."""
    said = judge.verdicts(features)
    if not along:
        return said
    end = end_along(judge, along, features.ragged)
    pick = {"lost good answers": min, "passed bad answers": max}.get(risk)
    if pick is None:
        raise InnerjudgeError(f"given along={along!r} for {risk!r}, expected a promise of good or of bad answers")
    for k, rows in enumerate(features.ragged[States(along, "last").name]):
        if said[k].score is not None and len(rows):
            others = {need: np.repeat(features[need][[k]], len(rows), axis=0) for need in judge.needs if need != end}
            looks = Features.from_arrays({end: rows, **others}, provenance="")
            scores = judge.verdicts(replace(looks, provenance=features.provenance))
            said[k] = replace(said[k], score=pick(v.score for v in (said[k], *scores) if isinstance(v.score, float)))
    return said


def identity(judge: FeatureReader, model: str | None = None) -> str:
    """Hash of a judge's parameters, what it learned, and its model's fingerprint (``None``: the one that it names)."""
    digest = sha256(repr(judge).encode())
    if model is None and judge.provenance_ is not None:
        model = judge.provenance_.fingerprint
    digest.update((model or "").encode())
    for name in judge.fitted:
        value = judge.__dict__.get(name)
        digest.update(name.encode() + (value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()))
    return digest.hexdigest()[:12]
