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
    from .experiments import drawing, selection, stats
    from .experiments.compare.causal import causal_test
    from .experiments.compare.compare import Comparison, compare
    from .experiments.compare.doctor.diagnosis import Diagnosis, doctor
    from .experiments.compare.settings import Settings as ComparisonSettings
    from .experiments.compare.sweep import sentences, sweep
    from .experiments.data.datasets import load_data
    from .experiments.data.jsonl import read_items
    from .experiments.data.splits import split_by_group
    from .experiments.data.variants import permuted
    from .experiments.judges.engine import EngineJudge
    from .experiments.judges.judge import Judge
    from .experiments.judges.sample_and_judge import sample_and_judge
    from .experiments.judges.streaming import fit_stream
    from .experiments.reading.passes import Passes
    from .experiments.reading.read import read
    from .experiments.reading.sampling import sample_traces
    from .extraction import (
        AttentionWeights,
        Features,
        HiddenStates,
        LabelLogits,
        Provenance,
        QueryKey,
        ResponseLogProb,
        extract,
    )
    from .extraction.ablation import ablated
    from .extraction.store import FeatureStore, StoreRows
    from .models import Choice, InnerjudgeError, Pair, Rating, Trace, prompts, reference
    from .models.chat import render
    from .models.description import describe
    from .models.loading import LanguageModel, load, wrap
    from .models.positions import encode_trace
    from .probes import (
        CLUE,
        LAGER,
        AttentionScore,
        BaseJudge,
        DifferenceOfMeans,
        EScore,
        LearningJudge,
        Length,
        LetterLogits,
        LogisticProbe,
        MiniBatchLogistic,
        QKScore,
        QuestionOnly,
        RidgeProbe,
        RowSelector,
        StreamingJudge,
        Task,
        TextJudge,
        TokenLogProb,
        TunedLAGER,
        Verdict,
        VScore,
        register_judge,
    )
    from .probes.regression import fit_many
    from .probes.storage import load as load_judge
    from .probes.storage import save as save_judge

#: Public name -> module and name there. Imported on first use, so that ``import innerjudge`` and ``--help`` stay quick.
_PUBLIC = {
    "sweep": ("experiments.compare.sweep", "sweep"),
    "sentences": ("experiments.compare.sweep", "sentences"),
    "causal_test": ("experiments.compare.causal", "causal_test"),
    "ablated": ("extraction.ablation", "ablated"),
    "encode_trace": ("models.positions", "encode_trace"),
    "render": ("models.chat", "render"),
    "permuted": ("experiments.data.variants", "permuted"),
    "compare": ("experiments.compare.compare", "compare"),
    "drawing": ("experiments.drawing", ""),
    "stats": ("experiments.stats", ""),
    "selection": ("experiments.selection", ""),
    "reference": ("models.reference", ""),
    "prompts": ("models.prompts", ""),
    "AttentionScore": ("probes", "AttentionScore"),
    "AttentionWeights": ("extraction", "AttentionWeights"),
    "BaseJudge": ("probes", "BaseJudge"),
    "CLUE": ("probes", "CLUE"),
    "Choice": ("models", "Choice"),
    "Comparison": ("experiments.compare.compare", "Comparison"),
    "doctor": ("experiments.compare.doctor.diagnosis", "doctor"),
    "Diagnosis": ("experiments.compare.doctor.diagnosis", "Diagnosis"),
    "ComparisonSettings": ("experiments.compare.settings", "Settings"),
    "DifferenceOfMeans": ("probes", "DifferenceOfMeans"),
    "EScore": ("probes", "EScore"),
    "EngineJudge": ("experiments.judges.engine", "EngineJudge"),
    "FeatureStore": ("extraction.store", "FeatureStore"),
    "Features": ("extraction", "Features"),
    "HiddenStates": ("extraction", "HiddenStates"),
    "InnerjudgeError": ("models", "InnerjudgeError"),
    "Judge": ("experiments.judges.judge", "Judge"),
    "LAGER": ("probes", "LAGER"),
    "LabelLogits": ("extraction", "LabelLogits"),
    "LanguageModel": ("models.loading", "LanguageModel"),
    "LearningJudge": ("probes", "LearningJudge"),
    "Length": ("probes", "Length"),
    "LetterLogits": ("probes", "LetterLogits"),
    "LogisticProbe": ("probes", "LogisticProbe"),
    "MiniBatchLogistic": ("probes", "MiniBatchLogistic"),
    "Pair": ("models", "Pair"),
    "Passes": ("experiments.reading.passes", "Passes"),
    "Provenance": ("extraction", "Provenance"),
    "QKScore": ("probes", "QKScore"),
    "QueryKey": ("extraction", "QueryKey"),
    "QuestionOnly": ("probes", "QuestionOnly"),
    "Rating": ("models", "Rating"),
    "ResponseLogProb": ("extraction", "ResponseLogProb"),
    "RidgeProbe": ("probes", "RidgeProbe"),
    "RowSelector": ("probes", "RowSelector"),
    "StreamingJudge": ("probes", "StreamingJudge"),
    "StoreRows": ("extraction.store", "StoreRows"),
    "Task": ("probes", "Task"),
    "TextJudge": ("probes", "TextJudge"),
    "TokenLogProb": ("probes", "TokenLogProb"),
    "Trace": ("models", "Trace"),
    "TunedLAGER": ("probes", "TunedLAGER"),
    "VScore": ("probes", "VScore"),
    "Verdict": ("probes", "Verdict"),
    "describe": ("models.description", "describe"),
    "extract": ("extraction", "extract"),
    "fit_many": ("probes.regression", "fit_many"),
    "fit_stream": ("experiments.judges.streaming", "fit_stream"),
    "load": ("models.loading", "load"),
    "load_data": ("experiments.data.datasets", "load_data"),
    "read": ("experiments.reading.read", "read"),
    "read_items": ("experiments.data.jsonl", "read_items"),
    "register_judge": ("probes", "register_judge"),
    "sample_and_judge": ("experiments.judges.sample_and_judge", "sample_and_judge"),
    "sample_traces": ("experiments.reading.sampling", "sample_traces"),
    "split_by_group": ("experiments.data.splits", "split_by_group"),
    "wrap": ("models.loading", "wrap"),
    "load_judge": ("probes.storage", "load"),
    "save_judge": ("probes.storage", "save"),
}

__all__ = [
    "CLUE",
    "LAGER",
    "AttentionScore",
    "AttentionWeights",
    "BaseJudge",
    "Choice",
    "Comparison",
    "ComparisonSettings",
    "Diagnosis",
    "DifferenceOfMeans",
    "EScore",
    "EngineJudge",
    "FeatureStore",
    "Features",
    "HiddenStates",
    "InnerjudgeError",
    "Judge",
    "LabelLogits",
    "LanguageModel",
    "LearningJudge",
    "Length",
    "LetterLogits",
    "LogisticProbe",
    "MiniBatchLogistic",
    "Pair",
    "Passes",
    "Provenance",
    "QKScore",
    "QueryKey",
    "QuestionOnly",
    "Rating",
    "ResponseLogProb",
    "RidgeProbe",
    "RowSelector",
    "StoreRows",
    "StreamingJudge",
    "Task",
    "TextJudge",
    "TokenLogProb",
    "Trace",
    "TunedLAGER",
    "VScore",
    "Verdict",
    "ablated",
    "causal_test",
    "compare",
    "describe",
    "doctor",
    "drawing",
    "encode_trace",
    "extract",
    "fit_many",
    "fit_stream",
    "load",
    "load_data",
    "load_judge",
    "permuted",
    "prompts",
    "read",
    "read_items",
    "reference",
    "register_judge",
    "render",
    "sample_and_judge",
    "sample_traces",
    "save_judge",
    "selection",
    "sentences",
    "split_by_group",
    "stats",
    "sweep",
    "wrap",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'innerjudge' has no attribute {name!r}")
    module, inner = _PUBLIC[name]
    found = import_module(f".{module}", __name__)
    value = getattr(found, inner) if inner else found  # without a name: the module itself, such as innerjudge.stats
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
