"""Floor 3: judges. Features (or generated text) in, scores out; higher is better.

``judge.py`` is what all judges share: ``reader.py`` checks what they read, ``estimator.py`` makes them estimators of
scikit-learn, ``description.py`` describes them, so that no code depends on their class. Judges by family: ``clue.py``;
``lager.py`` and ``tuned_lager.py`` (on ``value_judge.py``); ``linear.py``, ``penalised.py`` (on ``regression.py``) and
``minibatch.py`` (all on ``row_judge.py``); ``choices.py`` and ``heads.py``; ``text.py``; ``baselines.py``.
``promise.py`` finds thresholds with a promise, by the tests of ``risk.py``, and ``promising.py`` ties them to a judge.
``registry.py`` knows the classes, those of other packages too; ``storage.py`` saves and loads them.
"""

from .baselines import Length, QuestionOnly, TokenLogProb
from .choices import LetterLogits
from .clue import CLUE
from .description import Task
from .head_selection import attention_variability, choose_heads, head_accuracies
from .heads import AttentionScore, QKScore
from .judge import BaseJudge, LearningJudge, Scores, StreamingJudge, Verdict
from .lager import LAGER, EScore, VScore
from .linear import DifferenceOfMeans
from .minibatch import MiniBatchLogistic
from .one_row import RowSelector
from .penalised import LogisticProbe, RidgeProbe
from .promise import Promise, calibrate
from .registry import register_judge, registered_judges
from .storage import load, save
from .text import TextJudge
from .tuned_lager import TunedLAGER
from .verdict_text import find_verdict

__all__ = [
    "CLUE",
    "LAGER",
    "AttentionScore",
    "BaseJudge",
    "DifferenceOfMeans",
    "EScore",
    "LearningJudge",
    "Length",
    "LetterLogits",
    "LogisticProbe",
    "MiniBatchLogistic",
    "Promise",
    "QKScore",
    "QuestionOnly",
    "RidgeProbe",
    "RowSelector",
    "Scores",
    "StreamingJudge",
    "Task",
    "TextJudge",
    "TokenLogProb",
    "TunedLAGER",
    "VScore",
    "Verdict",
    "attention_variability",
    "calibrate",
    "choose_heads",
    "find_verdict",
    "head_accuracies",
    "load",
    "register_judge",
    "registered_judges",
    "save",
]
