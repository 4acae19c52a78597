"""innerjudge: judge language-model output from the model's inside, and compare with what it says in text.

Items go in, each text takes one forward pass, features come back, and judges turn them into verdicts:

    lm = innerjudge.load("reference")
    features = innerjudge.read(lm, traces)
    judge = innerjudge.CLUE().fit(features, labels)
    judge.verdicts(features)
"""

from typing import TYPE_CHECKING

from .models.extra import lazy_names

if TYPE_CHECKING:  # imported on first use, so that ``import innerjudge`` and ``--help`` stay quick
    from .experiments import drawing as drawing, selection as selection, stats as stats
    from .experiments.compare.by_block import causal_test as causal_test
    from .experiments.compare.compare import Comparison as Comparison, compare as compare
    from .experiments.compare.doctor.diagnosis import Diagnosis as Diagnosis, doctor as doctor
    from .experiments.compare.settings import Settings
    from .experiments.compare.sweep import sentences as sentences, sweep as sweep
    from .experiments.data.datasets import load_data as load_data
    from .experiments.data.jsonl import read_items as read_items
    from .experiments.data.mapping import items_from as items_from
    from .experiments.data.splits import split_by_group as split_by_group
    from .experiments.data.variants import permuted as permuted
    from .experiments.judges.engine import EngineJudge as EngineJudge
    from .experiments.judges.fitting import fit_stream as fit_stream
    from .experiments.judges.judge import Judge as Judge
    from .experiments.judges.sample_and_judge import sample_and_judge as sample_and_judge
    from .experiments.reading.judge_prompt import JudgePrompt as JudgePrompt
    from .experiments.reading.passes import Passes as Passes
    from .experiments.reading.read import read as read
    from .experiments.reading.verdict_pass import sample_traces as sample_traces
    from .experiments.runs.label_job import label_widget as label_widget
    from .experiments.selection.cascade import Cascade as Cascade
    from .extraction import (
        AttentionSpans as AttentionSpans,
        AttentionWeights as AttentionWeights,
        Features as Features,
        HiddenStates as HiddenStates,
        LabelLogits as LabelLogits,
        Lens as Lens,
        Provenance as Provenance,
        QueryKey as QueryKey,
        Ragged as Ragged,
        ResponseLogProb as ResponseLogProb,
        States as States,
        TokenStats as TokenStats,
        extract as extract,
    )
    from .extraction.activation_cache import ablated as ablated
    from .extraction.store import FeatureStore as FeatureStore, StoreRows as StoreRows
    from .models import (
        Choice as Choice,
        InnerjudgeError as InnerjudgeError,
        Pair as Pair,
        Rating as Rating,
        Trace as Trace,
        prompts as prompts,
        reference as reference,
    )
    from .models.chat import render as render
    from .models.conversation import Conversation as Conversation
    from .models.description import describe as describe
    from .models.loading import LanguageModel as LanguageModel, load as load, wrap as wrap
    from .models.positions import encode_trace as encode_trace
    from .probes import (
        CLUE as CLUE,
        LAGER as LAGER,
        AspectProbes as AspectProbes,
        AttentionScore as AttentionScore,
        BaseJudge as BaseJudge,
        CountedProbe as CountedProbe,
        DifferenceOfMeans as DifferenceOfMeans,
        EScore as EScore,
        LearningJudge as LearningJudge,
        Length as Length,
        LetterLogits as LetterLogits,
        LogisticProbe as LogisticProbe,
        MiniBatchLogistic as MiniBatchLogistic,
        PooledProbe as PooledProbe,
        Promise as Promise,
        QKScore as QKScore,
        QuestionOnly as QuestionOnly,
        RankedProbe as RankedProbe,
        RidgeProbe as RidgeProbe,
        RowSelector as RowSelector,
        StreamingJudge as StreamingJudge,
        Task as Task,
        TextJudge as TextJudge,
        TokenLogProb as TokenLogProb,
        TunedLAGER as TunedLAGER,
        Verdict as Verdict,
        VScore as VScore,
        calibrate as calibrate,
        register_judge as register_judge,
    )
    from .probes.regression import fit_many as fit_many
    from .probes.storage import load as _load_judge, save as _save_judge

    ComparisonSettings = Settings
    load_judge = _load_judge
    save_judge = _save_judge

__all__, __getattr__ = lazy_names(__name__)


def __dir__() -> list[str]:
    return __all__
