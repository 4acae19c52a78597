"""innerjudge: judge language-model output from the model's inside, and compare with what it says in text.

Items go in, one forward pass a text is run, features come back, judges turn them into verdicts:

    lm = innerjudge.load("reference")
    features = innerjudge.read(lm, traces)
    judge = innerjudge.CLUE().fit(features, labels)
    judge.verdicts(features)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .experiments.judges.engine import EngineJudge
    from .experiments.judges.judge import Judge
    from .experiments.judges.sample_and_judge import sample_and_judge
    from .experiments.judges.streaming import fit_stream
    from .experiments.reading.passes import Passes
    from .experiments.reading.read import read
    from .extraction.features import Features
    from .models import Choice, InnerjudgeError, Pair, Rating, Trace
    from .models.loading import LanguageModel, load, wrap
    from .probes import (
        CLUE,
        LAGER,
        AttentionScore,
        BaseJudge,
        DifferenceOfMeans,
        EScore,
        Length,
        LetterLogits,
        LogisticProbe,
        QKScore,
        QuestionOnly,
        RidgeProbe,
        TextJudge,
        TokenLogProb,
        TunedLAGER,
        VScore,
    )
    from .probes.storage import load as load_judge
    from .probes.storage import save as save_judge

#: Public name -> module and name there. Imported on first use, so that ``import innerjudge`` and ``--help`` stay quick.
_PUBLIC = {
    "AttentionScore": ("probes", "AttentionScore"),
    "CLUE": ("probes", "CLUE"),
    "Choice": ("models", "Choice"),
    "DifferenceOfMeans": ("probes", "DifferenceOfMeans"),
    "EngineJudge": ("experiments.judges.engine", "EngineJudge"),
    "EScore": ("probes", "EScore"),
    "Features": ("extraction", "Features"),
    "InnerjudgeError": ("models", "InnerjudgeError"),
    "BaseJudge": ("probes", "BaseJudge"),
    "Judge": ("experiments.judges.judge", "Judge"),
    "LAGER": ("probes", "LAGER"),
    "LanguageModel": ("models.loading", "LanguageModel"),
    "Length": ("probes", "Length"),
    "LetterLogits": ("probes", "LetterLogits"),
    "LogisticProbe": ("probes", "LogisticProbe"),
    "Pair": ("models", "Pair"),
    "Passes": ("experiments.reading.passes", "Passes"),
    "QKScore": ("probes", "QKScore"),
    "QuestionOnly": ("probes", "QuestionOnly"),
    "Rating": ("models", "Rating"),
    "RidgeProbe": ("probes", "RidgeProbe"),
    "TextJudge": ("probes", "TextJudge"),
    "TokenLogProb": ("probes", "TokenLogProb"),
    "Trace": ("models", "Trace"),
    "TunedLAGER": ("probes", "TunedLAGER"),
    "VScore": ("probes", "VScore"),
    "fit_stream": ("experiments.judges.streaming", "fit_stream"),
    "load": ("models.loading", "load"),
    "load_judge": ("probes.storage", "load"),
    "read": ("experiments.reading.read", "read"),
    "sample_and_judge": ("experiments.judges.sample_and_judge", "sample_and_judge"),
    "save_judge": ("probes.storage", "save"),
    "wrap": ("models.loading", "wrap"),
}

__all__ = [
    "CLUE",
    "LAGER",
    "AttentionScore",
    "BaseJudge",
    "Choice",
    "DifferenceOfMeans",
    "EScore",
    "EngineJudge",
    "Features",
    "InnerjudgeError",
    "Judge",
    "LanguageModel",
    "Length",
    "LetterLogits",
    "LogisticProbe",
    "Pair",
    "Passes",
    "QKScore",
    "QuestionOnly",
    "Rating",
    "RidgeProbe",
    "TextJudge",
    "TokenLogProb",
    "Trace",
    "TunedLAGER",
    "VScore",
    "fit_stream",
    "load",
    "load_judge",
    "read",
    "sample_and_judge",
    "save_judge",
    "wrap",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'innerjudge' has no attribute {name!r}")
    module, inner = _PUBLIC[name]
    value = getattr(import_module(f".{module}", __name__), inner)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
