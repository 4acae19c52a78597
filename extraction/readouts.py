"""What one pass is asked to keep.

A readout names positions by their role; the pass looks them up in each item. ``L`` is the number of blocks, ``D`` the
width of the residual stream, ``H`` the number of query heads, ``M`` the number of verdict labels, ``K`` the largest
number of options.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

from ..models.arguments import checked_fields
from ..models.errors import InnerjudgeError
from ..models.markers import Span
from ..models.roles import Role

Reduce = Literal["mean", "max", "min", "first", "last", "none", "logdet"]


class _Named:
    """What readouts have in common."""

    __slots__ = ()
    _name: ClassVar[str]
    position: str

    @property
    def roles(self) -> tuple[str, ...]:
        """All roles that it reads, its own first."""
        return (self.position,)

    @property
    def name(self) -> str:
        """Key in :attr:`Features.arrays`, or in :attr:`Features.ragged` if it is :attr:`ragged`."""
        return self._name.format(self)

    @property
    def ragged(self) -> bool:
        """Whether an item may have several rows."""
        return False


class _OfRanges(_Named):
    """What readouts of ranges have in common: one row per range of ``role``, unless they say otherwise."""

    __slots__ = ()
    role: str
    #: How the tokens of a range become one row.
    reduce: Reduce = "mean"
    keys: tuple[str, ...] = ()  # more roles

    @property
    def ragged(self) -> bool:
        """Whether an item may have several rows."""
        return self.reduce == "none" or Role.parse(self.role).many

    @property
    def roles(self) -> tuple[str, ...]:
        """All roles that it reads, its own first."""
        return self.role, *self.keys

    def pieces(self, ranges: Iterable[Span]) -> list[Span]:
        """The spans that give one row each: an item's ranges, or their single tokens."""
        if self.reduce == "none":
            return [(k, k + 1) for start, end in ranges for k in range(start, end)]
        if self.reduce == "first":
            return [(start, start + 1) for start, _ in ranges]
        return [(end - 1, end) if self.reduce == "last" else (start, end) for start, end in ranges]


@checked_fields
@dataclass(frozen=True, slots=True)
class HiddenStates(_Named):
    """The residual stream at one position, in every block: array ``[n, L + 2, D]``.

    Row ``l`` in ``0..L`` is the raw ``h[l]`` (row 0 enters block 1, row ``L`` leaves the last block); row ``L + 1`` is
    ``final_norm(h[L])``, which Hugging Face returns as the last entry of ``hidden_states``. A model with several
    parallel residual streams (hyper-connections) has them side by side in ``D``, and zeros after its one final-normed
    state. A pass that stopped after block ``k`` gives ``[n, k + 1, D]``: no final-normed row.

    Example:
        >>> HiddenStates("reasoning_end").name
        'hidden/reasoning_end'
    """

    _name = "hidden/{0.position}"
    position: str


@checked_fields
@dataclass(frozen=True, slots=True)
class LabelLogits(_Named):
    """Logits of the verdict labels after every block: array ``[n, 2, L + 1, M]``.

    Axis 1 is (raw, normed): ``unembed(h[l])`` and ``unembed(final_norm(h[l]))`` for ``l = 0..L``, both with the model's
    own logit post-processing (bias, scale, soft-cap). ``[:, 1, L]`` are the model's logits, computed again in fp32 from
    its state and weights (in half precision the last digits differ from those that the model returns). ``unembed`` is
    the whole head, with the dense layer and norm that BERT-like models have. With parallel residual streams both rows
    are the normed one, as no state before the norm has that width.

    Example:
        >>> LabelLogits("score").name
        'logits/score'
    """

    _name = "logits/{0.position}"
    position: str = "score"


class _Paired(_Named):
    """What readouts of queries beside keys have in common."""

    __slots__ = ()
    query: str
    keys: str

    def __post_init__(self) -> None:
        for role in self.roles:
            Role.parse(role)

    @property
    def ragged(self) -> bool:
        """Whether an item may have several rows."""
        return Role.parse(self.query).many

    @property
    def roles(self) -> tuple[str, str]:
        """All roles that it reads, that of the queries first."""
        return self.query, self.keys

    @property
    def name(self) -> str:
        """Key as in the others; with the roles where they are not a verdict's own."""
        kind, short, how = self._name.format(self).split("|")
        keys = "" if self.keys == "option_end" else f"[{self.keys}]"
        return short if self.roles == ("score", "option_end") else f"{kind}/{self.query}.{how}{keys}"


@checked_fields
@dataclass(frozen=True, slots=True)
class QueryKey(_Paired):
    """Query-key products of one role with another: array ``[n, L, H, K]``, zero beyond an item's keys (options).

    Each token of ``keys`` is one of the ``K``. The product of a ``query`` of several tokens is the mean of theirs; of a
    role that may have several ranges (steps) each has a row, :class:`.Ragged`, ``[N, L, H, K]``.
    ``rotary="before"`` takes queries and keys after any q/k norm and before the rotary embedding (QK-score paper, as
    its authors' later code settles it), ``"after"`` the rotated ones. No ``1/sqrt(head_dim)``, no softmax, no mask.
    Latent attention adds the products of two parts, one of which is rotated; ``"before"`` takes that part unrotated. A
    factor per token after the rotation (a norm without weights, a temperature) is in both products; a norm with weights
    after it (HunYuan) is applied to the unrotated ones. Anything else done after the rotation leaves no product before
    it, and the readout is missing. Heads of several attentions in one block are side by side. Zero are blocks without
    softmax attention, keys that are not single tokens (compressed ones), and the places after the last head of a block
    that has fewer heads than others.

    Example:
        >>> QueryKey().name, QueryKey("after", "response_end", "prompt/step_end").name
        ('qk/before', 'qk/response_end.after[prompt/step_end]')
    """

    _name = "qk|qk/{0.rotary}|{0.rotary}"
    rotary: Literal["before", "after"] = "before"
    query: str = "score"
    keys: str = "option_end"


@checked_fields
@dataclass(frozen=True, slots=True)
class AttentionWeights(_Paired):
    """Attention weights (after the softmax) from one role to each token of another: ``[n, L, H, K]``.

    The weights that the model's own kernel uses, with its soft-cap, window, sinks and biases. Ranges of queries, heads
    and empty blocks are as in :class:`QueryKey`, what is beyond an item's keys (options) is zero.

    Example:
        >>> AttentionWeights().name
        'attention'
    """

    _name = "attention|attention|weights"
    query: str = "score"
    keys: str = "option_end"


@dataclass(frozen=True, slots=True)
class ResponseLogProb(_Named):
    """Sum of the response tokens' log-probabilities and their number: array ``[n, 2]``.

    It covers the tokens after ``prompt_end`` up to and including ``response_end``, each given all before it.

    Example:
        >>> ResponseLogProb().name
        'logprob'
    """

    _name = "logprob"
    roles = ("prompt_end", "response_end")


@checked_fields
@dataclass(frozen=True, slots=True)
class States(_OfRanges):
    """The residual stream over ranges of tokens: array ``[n, R, D]``, or :class:`.Ragged` rows ``[N, R, D]``.

    One row per range: an array if the role has one range per item, ragged if it may have several (steps, segments).
    With ``reduce="none"``, ragged, one row per token. Rows are those of :class:`HiddenStates`, bit for bit for a range
    of one token; the final-normed row is reduced over the tokens' normed states. Sums are in fp32. ``reduce`` says how
    the tokens of a range become one state, ``rows`` which of the rows ``0..L + 1`` to keep, counted from the end if
    negative; ``None`` for all. With ``"logdet"`` a range has one number a row, ``[n, R]``: the mean logarithm of the
    eigenvalues of ``Z J Z' + 0.001 I``, for its tokens' states ``Z`` less the mean over ``D`` of each (LLM-Check; in
    fp64; its time grows with the square of a range or more). With ``project=k`` the pass keeps ``k`` numbers a row,
    ``[n, R, k]``: the product of what was reduced with a fixed matrix ``[D, k]``, one for all rows, with entries from
    ``N(0, 1/k)`` (:func:`.projection`): squared distances change by about their part ``sqrt(2/k)``.
    ``InnerjudgeError`` if there is no such ``role`` (see :mod:`innerjudge.models.roles`), or for both.

    Example:
        >>> States("response", "none", (-1,), 64).name
        'hidden/response.none[-1]~64'
        >>> States("response").name, States("reasoning/step_end@-1", "none", (-1,)).name
        ('hidden/response.mean', 'hidden/reasoning/step_end@-1.none[-1]')
    """

    role: str
    reduce: Reduce = "mean"
    rows: tuple[int, ...] | None = None
    project: int = 0

    def __post_init__(self) -> None:
        Role.parse(self.role)
        if not 0 <= self.project < 10**6 or (self.project and self.reduce == "logdet"):
            raise InnerjudgeError(
                f"given project={self.project} of {self.reduce}, expected a number of columns of states"
            )
        if self.rows is not None and len(set(self.rows)) < max(len(self.rows), 1):
            raise InnerjudgeError(f"given rows={self.rows}, expected some rows, each once")

    @property
    def name(self) -> str:
        """Key as in the others, with the reduction, the rows and the number of columns of a projection."""
        rows = "" if self.rows is None else f"[{','.join(map(str, self.rows))}]"
        return f"hidden/{self.role}.{self.reduce}{rows}" + (f"~{self.project}" if self.project else "")

    def chosen(self, total: int) -> list[int]:
        """Which of ``total`` rows to keep; ``InnerjudgeError`` if one does not exist: a pass may stop early."""
        rows = range(total) if self.rows is None else self.rows
        if not all(-total <= row < total for row in rows):
            raise InnerjudgeError(f"given {self}, expected rows of the {total} that the pass has")
        return [row % total for row in rows]


@checked_fields
@dataclass(frozen=True, slots=True)
class TokenStats(_OfRanges):
    """One statistic of the distribution that each token of a role was drawn from: :class:`.Ragged` rows ``[N]``.

    The distribution of token ``t`` is what the model predicts after token ``t - 1``; the first token of a text has
    none. It is computed in fp32, in nats, over the whole vocabulary, from the logits that the model returns; means
    leave out logits of minus infinity. At most a fixed number of logits is held at once, whatever the vocabulary.
    ``what`` is ``"log_probability"`` of the token, ``"entropy"``, ``"logsumexp"`` and ``"mean_logit"`` of the logits,
    ``"certainty"`` (divergence of the uniform distribution from it, ``logsumexp - mean_logit - ln V``), ``"rank"`` (1
    and the number of tokens that were more probable), or ``"top(k)"``: the ``k`` largest log-probabilities, rows ``[N,
    k]``, highest first (at most ``V``); ``"probability(k)"``: these as probabilities. ``"mean(what)"`` is the mean over
    each range, such as a step: one row a range.
    ``InnerjudgeError`` if there is no such ``role`` (see :mod:`innerjudge.models.roles`) or statistic.

    Example:
        >>> TokenStats("response", "entropy").name
        'tokens/response.entropy'
    """

    _name = "tokens/{0.role}.{0.what}"
    reduce = "none"
    role: str = "response"
    what: str = "log_probability"

    def __post_init__(self) -> None:
        Role.parse(self.role)
        if self.statistic not in STATISTICS and not self.top:
            raise InnerjudgeError.of("extraction.statistic", self.what, ", ".join(STATISTICS))

    @property
    def statistic(self) -> str:
        """What is computed of each token: ``what``, or what stands in its brackets."""
        return self.what[5:-1] if self.what.startswith("mean(") and self.what.endswith(")") else self.what

    @property
    def top(self) -> int:
        """The ``k`` of ``top(k)`` and ``probability(k)``; 0 for the others."""
        match = re.fullmatch(r"(?:top|probability)\(([1-9]\d{0,5})\)", self.statistic)
        return int(match[1]) if match else 0


@checked_fields
@dataclass(frozen=True, slots=True)
class AttentionSpans(_OfRanges):
    """Attention of every head from the tokens of ``role`` to spans of keys, one row per range of ``role``.

    ``what`` is averaged over the queries of a range: ``"mass"``, the sum of the weights on each of the ``S`` roles in
    ``keys`` (1 to 8), ``[n, L, H, S]``; ``"ratio"``, ``[n, L, H]``, the mean weight on the first role over the sum of
    those on each (of tokens up to the query; 0 without any weight); ``"diagonal"``, ``[n, L, H]``, the logarithm of
    each token's weight on itself (at least of 1e-12), without ``keys``; ``"own(k)"``, ``[n, L, H, k]``, also without:
    the weights on itself and the ``k - 1`` (at most 63) tokens before it, 0 where there is none; ``"copied"``, ``[n, L,
    H]``, of one role: the cosine of a query's final-normed state with the mean of those of the tenth of the keys up to
    the query (at least one) that have the largest weights (the external context score of ReDeEP; it needs all blocks,
    time and memory for the products of all states of a text, its square, and a tenth of its keys by query and head).
    Ragged if ``role`` may have several ranges. A token in several roles is of the last. Weights are those of the
    model's own kernel, with sinks, soft-cap, window and biases: it sums indicators of the roles beside the values (in
    half precision in a call of its own, so that states keep their last digits), and but for ``"copied"`` no ``[T, T]``
    matrix is made where the model makes none. Heads and empty blocks are laid out as in :class:`QueryKey`.

    Example:
        >>> AttentionSpans().name
        'attention/response@-1.mass[prompt|response@-1]'
    """

    role: str = "response@-1"
    keys: tuple[str, ...] = ("prompt", "response@-1")
    what: str = "mass"

    def __post_init__(self) -> None:
        if self.own:
            object.__setattr__(self, "keys", ())
        for role in (self.role, *self.keys):
            Role.parse(role)
        if not self.own and self.what not in _OF_KEYS:
            raise InnerjudgeError(
                f"given what={self.what!r}, expected diagonal, own(K) with K of 1 to 64, {', '.join(_OF_KEYS)}"
            )
        fits = 1 <= len(self.keys) <= 8 or self.own
        if not fits or any("|" in role for role in self.keys) or (len(self.keys) > 1 and self.what == "copied"):
            raise InnerjudgeError(f'given keys={self.keys}, expected 1 to 8 roles without a |, and one for "copied"')

    @property
    def own(self) -> int:
        """How many tokens up to the query are keys, by their distance: 1 for the diagonal, 0 where roles say."""
        match = re.fullmatch(r"own\(([1-9]|[1-5]\d|6[0-4])\)", self.what)
        return int(match[1]) if match else int(self.what == "diagonal")

    @property
    def name(self) -> str:
        """Key as in the others, with the roles of the keys."""
        keys = f"[{'|'.join(self.keys)}]" if self.keys else ""
        return f"attention/{self.role}.{self.what}{keys}"


@checked_fields
@dataclass(frozen=True, slots=True)
class Lens(_OfRanges):
    """What the model would predict from inside each block, a number: ``[n, L]``, or :class:`.Ragged` rows ``[N, L]``.

    ``what`` is, averaged over the tokens of a range and in nats, the ``"entropy"`` of the next token's distribution
    that the model's own final norm and head make of states of block ``1..L``: of the ``"residual"`` stream behind the
    block (in row ``L`` that of the model's logits) or in its ``"middle"`` (what entered it, and attention), or of the
    output of its ``"attention"`` or ``"mlp"`` (TriLens), as it is added to the stream; zero for a block without such
    parts. Or it is the ``"divergence"`` (Jensen-Shannon) from the place before: of ``"residual"`` from ``"middle"``,
    what the MLP changes (ReDeEP), of ``"middle"`` from the residual before the block. Or the ``"divergence_to_last"``,
    that from the model's own prediction (TriLens), which needs all blocks, and memory for all that it reads. Or the
    ``"labels"``, the logits of an item's ``M`` labels, ``[n, L, M]``, zero beyond them, those of :class:`LabelLogits`
    for ``"residual"``. Each token and block costs a pass of the head, or two (but for labels): read a few tokens.

    Example:
        >>> Lens("response/start(3)", "attention").name, Lens("response@-1", what="divergence").name
        ('lens/response/start(3).attention', 'lens/response@-1.residual[divergence]')
    """

    role: str = "response/start(3)"
    at: Literal["residual", "middle", "attention", "mlp"] = "residual"
    what: Literal["entropy", "divergence", "divergence_to_last", "labels"] = "entropy"

    def __post_init__(self) -> None:
        Role.parse(self.role)
        if self.what == "divergence" and self.at in ("attention", "mlp"):
            raise InnerjudgeError(f"given {self}, expected a divergence at residual or middle")

    @property
    def name(self) -> str:
        """Key as in the others, with what else than the entropy it is."""
        return f"lens/{self.role}.{self.at}" + (f"[{self.what}]" if self.what != "entropy" else "")


STATISTICS = ("log_probability", "entropy", "logsumexp", "mean_logit", "certainty", "rank")
_OF_KEYS = ("mass", "ratio", "copied")


def reads_parts(readout: Lens) -> bool:
    """Whether a lens needs what attention or MLP of a block add."""
    return readout.at != "residual" or readout.what == "divergence"


#: Readouts of queries beside keys.
Paired = QueryKey | AttentionWeights
#: Readouts of ranges.
Ranged = States | TokenStats | AttentionSpans | Lens
#: Readouts that a generation carries, of the tokens that it writes.
Carried = HiddenStates | ResponseLogProb | Ranged | Paired
Readout = HiddenStates | LabelLogits | Paired | ResponseLogProb | Ranged
