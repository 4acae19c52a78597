"""Floor 3: judges. Features or generated text in, scores out; higher is better.

``judge.py`` has what all judges share: ``estimator.py`` makes them scikit-learn estimators that check what they read,
``description.py`` describes them, so that no code depends on their class, with ``presets.toml`` for the panels that
they sit on. Judges by family: ``clue.py``; ``lager.py`` and ``tuned_lager.py`` (on ``value_judge.py``); ``linear.py``
and ``penalised.py`` (on ``regression.py`` and ``row_judge.py``), ``counted.py``, ``ranked.py``, ``aspects.py`` (on
``aspect_fit.py``); ``choices.py`` and ``heads.py``; ``text.py``; ``baselines.py``, ``text_only.py`` and
``embedding.py``, ``steps.py`` for single steps; many states are read by ``pooled.py`` (on ``pooled_fit.py`` and
``encoder.py``), ``own_verdict.py`` and ``trajectory.py``, all answers to a question by ``sets.py``. ``promise.py``
finds thresholds with a promise, by the tests of ``risk.py``, and ``promising.py`` ties them to a judge.
``storage.py`` knows the classes, those of other packages too, saves and loads them. What probes of weak labels (counts,
orders, aspects, centred, without length) are worth is measured by ``bench/weak``: see ``results/weak.md``.
``fitted.toml`` has what fits set. ``readers.py`` reads spans of attention and other readouts of ranges.
"""

from .aspects import AspectProbes
from .baselines import Length, QuestionOnly, TokenConfidence, TokenLogProb
from .choices import LetterLogits, attention_variability, choose_heads, head_accuracies
from .clue import CLUE
from .counted import CountedProbe
from .description import Task
from .embedding import EmbeddingClassifier
from .heads import AttentionScore, QKScore, QKVerification
from .judge import BaseJudge, LearningJudge, Scores, StreamingJudge, Verdict
from .lager import LAGER, EScore, PTrue, VScore
from .linear import DifferenceOfMeans
from .own_verdict import VerdictProbe
from .penalised import LogisticProbe, MiniBatchLogistic, RidgeProbe
from .pooled import PooledProbe
from .promise import Promise, calibrate
from .ranked import RankedProbe
from .readers import LLMCheck, ReadoutProbe, ReDeEP
from .row_judge import RowSelector
from .sets import EigenScore, SemanticEntropyProbe
from .steps import StepOpponent
from .storage import load, register_judge, registered_judges, save
from .text import TextJudge
from .text_only import PromptSimilarity, TextClassifier
from .trajectory import Trajectory
from .tuned_lager import TunedLAGER
from .verdict_text import find_verdict

__all__ = [
    "CLUE", "LAGER", "AspectProbes", "AttentionScore", "BaseJudge", "CountedProbe", "DifferenceOfMeans", "EScore",
    "EigenScore", "EmbeddingClassifier", "LLMCheck", "LearningJudge", "Length", "LetterLogits", "LogisticProbe",
    "MiniBatchLogistic", "PTrue", "PooledProbe", "Promise", "PromptSimilarity", "QKScore", "QKVerification",
    "QuestionOnly", "RankedProbe", "ReDeEP", "ReadoutProbe", "RidgeProbe", "RowSelector", "Scores",
    "SemanticEntropyProbe", "StepOpponent", "StreamingJudge", "Task", "TextClassifier", "TextJudge", "TokenConfidence",
    "TokenLogProb", "Trajectory", "TunedLAGER", "VScore", "Verdict", "VerdictProbe", "attention_variability",
    "calibrate", "choose_heads", "find_verdict", "head_accuracies", "load", "register_judge", "registered_judges",
    "save",
]  # fmt: skip
