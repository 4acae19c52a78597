"""Labels by answer: one label holds for all candidates of a question that gave its answer; and what to label next."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.special import entr

from ...models.errors import InnerjudgeError, shown
from ...models.items import Trace
from ..data.answers import normalise
from ..data.splits import rows_by_group
from ..stats.statistic import Floats, require_same_length

Labels = Sequence[Hashable | None]
NextRule = Literal["answers", "entropy", "largest", "random"]


def answers_of(items: Sequence[Trace]) -> list[Hashable]:
    """What one label holds for: a question's final answer, or a candidate by itself if it has no answer."""
    said = ((item, normalise(item.answer)) for item in items)
    return [item.id if answer is None else (item.question_id, answer) for item, answer in said]


def spread_answers(
    items: Sequence[Trace], labels: Labels, *, how: Literal["error", "vote"] = "error"
) -> list[Hashable | None]:
    """Labels ``[n]`` where each also holds for the candidates of its question with the same answer; else ``None``.

    Labels of one answer that differ are an error, or (``"vote"``) the most frequent holds, none where they are level.
    This is the graph of Locle (arXiv 2412.11983) with its certain edges only.

    Example:
        >>> said = [Trace(question_id="q", candidate_id=c, prompt="", response="", answer=c) for c in ("2", "2.0", "3")]
        >>> spread_answers(said, [None, True, None])
        [True, True, None]
    """
    require_same_length(items=items, labels=labels)
    keys, given = answers_of(items), defaultdict(list)
    for key, item, label in zip(keys, items, labels, strict=True):
        if label is not None:
            given[key].append((label, item.id))
    odd = [ids for its in given.values() if len({label for label, _ in its}) > 1 for _, ids in its]
    if odd and how != "vote":
        raise InnerjudgeError.of("selection.labels-differ", shown(", ".join(odd)))
    most = {key: Counter(label for label, _ in its).most_common(2) for key, its in given.items()}
    best = {key: top[0][0] for key, top in most.items() if len(top) == 1 or top[0][1] > top[1][1]}
    return [best.get(key) for key in keys]


def disharmony(p: Floats, rows: Sequence[npt.NDArray[np.intp]]) -> Floats:
    """How far each candidate's probability ``[n]`` is from the mean of the others of its answer, over both classes."""
    found = np.zeros(len(p))
    for at in (at for at in rows if len(at) > 1):
        found[at] = 2 * abs(p[at] - (p[at].sum() - p[at]) / (len(at) - 1))
    return found


def next_to_label(
    items: Sequence[Trace], labels: Labels, p: Sequence[float] | None = None, *, n: int | None = None,
    rule: NextRule = "answers", seed: int = 0
) -> list[str]:  # fmt: skip
    """Ids of the (at most ``n``) items to label next, one an answer, of answers without a label.

    ``"answers"``: each question's two most frequent, in random order, then the rest. ``"entropy"``: answers of which a
    fitted judge is least sure, by the mean of its probabilities ``p`` of right; of equal ones those whose candidates
    differ more (:func:`disharmony`). ``"largest"`` answers, and single candidates at ``"random"``, are the opponents.

    Source:
        Entropy and disharmony of Locle (arXiv 2412.11983), carried over to answers.
    """
    require_same_length(items=items, labels=labels, p=items if p is None else p)
    odd = rule == "entropy" if p is None else not all(0 <= one <= 1 for one in p)
    if odd or rule not in get_args(NextRule):
        raise InnerjudgeError.of("selection.next-rule", rule, shown(p), ", ".join(get_args(NextRule)))
    rng, keys = np.random.default_rng(seed), answers_of(items)
    if rule == "random":
        left = [item.id for item, label in zip(items, labels, strict=True) if label is None]
        return [left[k] for k in rng.permutation(len(left))[:n]]
    groups, done = rows_by_group(keys), {key for key, label in zip(keys, labels, strict=True) if label is not None}
    place = Counter(items[at[0]].question_id for at in groups if keys[at[0]] in done)
    open_ = sorted((at for at in groups if keys[at[0]] not in done), key=len, reverse=True)
    chance = np.array([0.5] * len(items) if p is None else p)
    unlike, questions = disharmony(chance, groups), dict.fromkeys(item.question_id for item in items)
    turn = dict(zip(questions, rng.permutation(len(questions)).tolist(), strict=True))

    def order(at: npt.NDArray[np.intp]) -> tuple[float, ...]:
        if rule == "entropy":
            mean = chance[at].mean()
            return (-round(float(entr(mean) + entr(1 - mean)), 12), -float(unlike[at].mean()))
        question = items[at[0]].question_id
        place[question] += 1
        return () if rule == "largest" else ((place[question] - 1) // 2, turn[question])

    return [items[at[0]].id for at in sorted(open_, key=order)[:n]]
