"""innerjudge: judge language-model output from the model's inside, and compare with what it says in text.

Items go in, one forward pass a text is run, features come back, judges turn them into verdicts:

    lm = innerjudge.load("reference")
    features = innerjudge.read(lm, traces)
    judge = innerjudge.CLUE().fit(features, labels)
    judge.verdicts(features)
"""

from typing import TYPE_CHECKING

from .models.extra import lazy_names

if TYPE_CHECKING:  # imported on first use, so that ``import innerjudge`` and ``--help`` stay quick
    from .experiments import drawing as drawing
    from .experiments import selection as selection
    from .experiments import stats as stats
    from .experiments.compare.causal import causal_test as causal_test
    from .experiments.compare.compare import Comparison as Comparison
    from .experiments.compare.compare import compare as compare
    from .experiments.compare.doctor.diagnosis import Diagnosis as Diagnosis
    from .experiments.compare.doctor.diagnosis import doctor as doctor
    from .experiments.compare.settings import Settings
    from .experiments.compare.sweep import sentences as sentences
    from .experiments.compare.sweep import sweep as sweep
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
    from .experiments.reading.sampling import sample_traces as sample_traces
    from .experiments.selection.cascade import Cascade as Cascade
    from .extraction import AttentionWeights as AttentionWeights
    from .extraction import Features as Features
    from .extraction import HiddenStates as HiddenStates
    from .extraction import LabelLogits as LabelLogits
    from .extraction import Provenance as Provenance
    from .extraction import QueryKey as QueryKey
    from .extraction import Ragged as Ragged
    from .extraction import ResponseLogProb as ResponseLogProb
    from .extraction import States as States
    from .extraction import TokenStats as TokenStats
    from .extraction import extract as extract
    from .extraction.ablation import ablated as ablated
    from .extraction.store import FeatureStore as FeatureStore
    from .extraction.store import StoreRows as StoreRows
    from .models import Choice as Choice
    from .models import InnerjudgeError as InnerjudgeError
    from .models import Pair as Pair
    from .models import Rating as Rating
    from .models import Trace as Trace
    from .models import prompts as prompts
    from .models import reference as reference
    from .models.chat import render as render
    from .models.conversation import Conversation as Conversation
    from .models.description import describe as describe
    from .models.loading import LanguageModel as LanguageModel
    from .models.loading import load as load
    from .models.loading import wrap as wrap
    from .models.positions import encode_trace as encode_trace
    from .probes import CLUE as CLUE
    from .probes import LAGER as LAGER
    from .probes import AttentionScore as AttentionScore
    from .probes import BaseJudge as BaseJudge
    from .probes import DifferenceOfMeans as DifferenceOfMeans
    from .probes import EScore as EScore
    from .probes import LearningJudge as LearningJudge
    from .probes import Length as Length
    from .probes import LetterLogits as LetterLogits
    from .probes import LogisticProbe as LogisticProbe
    from .probes import MiniBatchLogistic as MiniBatchLogistic
    from .probes import Promise as Promise
    from .probes import QKScore as QKScore
    from .probes import QuestionOnly as QuestionOnly
    from .probes import RidgeProbe as RidgeProbe
    from .probes import RowSelector as RowSelector
    from .probes import StreamingJudge as StreamingJudge
    from .probes import Task as Task
    from .probes import TextJudge as TextJudge
    from .probes import TokenLogProb as TokenLogProb
    from .probes import TunedLAGER as TunedLAGER
    from .probes import Verdict as Verdict
    from .probes import VScore as VScore
    from .probes import calibrate as calibrate
    from .probes import register_judge as register_judge
    from .probes.regression import fit_many as fit_many
    from .probes.storage import load as _load_judge
    from .probes.storage import save as _save_judge

    ComparisonSettings = Settings
    load_judge = _load_judge
    save_judge = _save_judge

__all__, __getattr__ = lazy_names(__name__)


def __dir__() -> list[str]:
    return __all__
