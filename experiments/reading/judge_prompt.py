"""Your own judge prompt: a YAML file, or an object, that says in which words a judge is asked."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from ...models.conversation import Message, plain_text
from ...models.errors import InnerjudgeError, UnreadableError, shown
from ...models.foreign import digest_of, of_text_file, parse_yaml
from ...models.items import Choice, Item, Pair, Rating, Trace
from ...models.positions import encode_prompt
from ...models.prompts import Prompt, reply_with, shown_options
from ...models.tokens import FastTokenizer
from .prompt_template import check_template, fill_in, with_lines

_FOLDER = Path(__file__).parent / "prompts"
#: Names of the prompts that are shipped.
NAMES = tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))
#: Kind of item -> fields of which a template must show all, and those that it may show.
_FIELDS = {
    "trace": (("response",), ("prompt",)),
    "rating": (("response",), ("prompt", "criterion", "reference")),
    "pair": (("response_a", "response_b"), ("prompt",)),
    "choice": (("question", "options"), ()),
}
_OPTIONS = "{% for option in options %}{{ option.label }} {{ option.text }}\n{% endfor %}"
_ALWAYS = ("ask", "reasoned", "labels", "low", "high", "rubric", "extra")
_SAMPLES: dict[str, Item] = {
    "trace": Trace(question_id="q", candidate_id="", prompt="p", response="r"),
    "rating": Rating(item_id="r", prompt="p", response="r"),
    "pair": Pair(pair_id="p", prompt="p", response_a="a", response_b="b"),
    "choice": Choice(question_id="q", question="q", options=("a", "b")),
}
#: Characters of all that a prompt says.
_LONG = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgePrompt:
    r"""How a judge is asked.

    Args:
        kind: What is judged: ``"trace"`` (no or yes), ``"rating"``, ``"pair"`` or ``"choice"``.
        user: Jinja template of the user turn, over ``prompt``, ``response`` (of pairs ``response_a``, ``response_b``;
            of choices ``question`` and ``options``: ``label`` and ``text`` of each, for a loop of lines),
            ``criterion``, ``reference``, ``extra`` (unknown fields of the item), ``labels``, ``low``, ``high``,
            ``rubric`` (entries with ``label`` and ``text``), ``reasoned``, and ``ask``: how to reply, in our words.
        cue: Text before the verdict, in the assistant's turn.
        labels: The verdicts, one token each: for traces no and yes, for pairs the first and the second response, for
            ratings in the order of ``values``; for choices the letters, which need not be given.
        values: What each label is worth: of ratings whole numbers that follow one another, which are the scale.
        system: Text of the system turn; empty for none.
        few_shot: Turns before the question: what the user says, and the assistant.
        rubric: Label -> what it stands for.
        name: Name of the prompt in messages.
        source: Where the prompt is from.

    Raises:
        InnerjudgeError: Names the field, what was given and what was expected.

    Example:
        >>> mine = JudgePrompt(kind="rating", user="{{ response }}\n{{ ask }}", labels=("bad", "good"), values=(0, 1))
        >>> mine.ask(Rating(item_id="r", prompt="2+2?", response="4")).user
        '4\nReply with "Verdict:" and bad or good.'
        >>> mine.scale
        (0, 1)
    """

    kind: str
    user: str
    labels: tuple[str, ...] = ()
    values: tuple[int, ...] = ()
    cue: str = "Verdict:"
    system: str = ""
    few_shot: tuple[tuple[str, str], ...] = ()
    rubric: tuple[tuple[str, str], ...] = ()
    name: str = "prompt"
    source: str = ""

    def __post_init__(self) -> None:
        if self.kind not in _FIELDS:
            raise self._error("kind", self.kind, f"one of {', '.join(_FIELDS)}")
        letters = tuple(ascii_uppercase) if self.kind == "choice" else ()
        object.__setattr__(self, "labels", tuple(map(str, self.labels)) or letters)
        object.__setattr__(self, "values", tuple(self.values) or _usual_values(self.kind, self.labels))
        if not 2 <= len(self.labels) <= 26 or len(set(self.labels)) < len(self.labels) or not all(self.labels):
            raise self._error("labels", ", ".join(self.labels), "2 to 26 different labels")
        first = self.values[0] if self.values else None
        if type(first) is not int or list(self.values) != list(range(first, first + len(self.labels))):
            raise self._error("values", str(self.values), "whole numbers that follow one another, one a label")
        if self.kind in ("trace", "pair") and len(self.labels) != 2:
            raise self._error("labels", ", ".join(self.labels), f"two for a {self.kind}")
        if letters and self.labels != letters:
            raise self._error("labels", ", ".join(self.labels), "none for choices, whose options have letters")
        if not self.cue.strip():
            raise self._error("cue", repr(self.cue), "the text that comes before the verdict")
        if set(dict(self.rubric)) - set(self.labels):
            raise self._error("rubric", ", ".join(dict(self.rubric)), f"entries for {', '.join(self.labels)}")
        if sum(map(len, [self.user, self.system, self.cue, *sum((*self.few_shot, *self.rubric), ())])) > _LONG:
            raise self._error("user", "a long text", f"at most {_LONG} characters in all")
        needed, more = _FIELDS[self.kind]
        check_template(self.user, needed, (*needed, *more, *_ALWAYS))
        if letters:
            self.ask(_SAMPLES["choice"])  # refuses options without lines of their own

    @classmethod
    def of(cls, given: "JudgePrompt | str | Path | Mapping[str, Any]") -> "JudgePrompt":
        """A prompt by its name among :data:`NAMES`, of a YAML file, or of the fields of one.

        Example:
            >>> JudgePrompt.of("g-eval").kind
            'rating'
        """
        if isinstance(given, JudgePrompt):
            return given
        if isinstance(given, Mapping):
            return _of_fields(given, "prompt")
        path = _FOLDER / f"{given}.yaml" if str(given) in NAMES else Path(given)
        expected = f"a YAML file of a judge prompt, or one of {', '.join(NAMES)}"
        return of_text_file(path, lambda text: _of_fields(parse_yaml(text), path.stem), expected)

    @property
    def scale(self) -> tuple[int, int]:
        """Lowest and highest value."""
        return self.values[0], self.values[-1]

    @property
    def told(self) -> str:
        """What features and judges remember of it: a hash of all that a model is shown."""
        shown = {name: value for name, value in asdict(self).items() if name not in ("name", "source")}
        return f"prompt {digest_of(shown)[:12]}"

    def to_json(self) -> dict[str, Any]:
        """Plain data; :meth:`of` reads it."""
        return asdict(self)

    def ask(self, item: Item, *, reasoned: bool = False, swapped: bool = False, abstain: bool = True) -> Prompt:
        """The prompt of an item of its kind.

        ``swapped`` shows response b of a pair first, ``abstain`` adds the two abstaining options to choices.
        """
        last = f"{', '.join(self.labels[:-1])} or {self.labels[-1]}" if not isinstance(item, Choice) else "the letter"
        own: dict[str, Any] = {"labels": self.labels, "low": self.scale[0], "high": self.scale[1]}
        own |= {"ask": f'{reply_with(reasoned)} "{self.cue.strip()}" and {last}.', "reasoned": reasoned}
        own |= {"rubric": [{"label": label, "text": text} for label, text in self.rubric]}
        turns = [Message("system", self.system)] if self.system else []
        for asked, said in self.few_shot:
            turns += [Message("user", asked), Message("assistant", said)]
        if isinstance(item, Choice):
            texts = shown_options(item.options, abstain=abstain)
            own |= {"question": plain_text(item.question), "extra": item.extra, "labels": self.labels[: len(texts)]}
            user, spans = with_lines(self.user, own, texts)
            return Prompt(user, self.cue, own["labels"], spans, tuple(turns), item.question)
        user = fill_in(self.user, own | _shown(item, swapped))
        return Prompt(user, self.cue, self.labels, (), tuple(turns), item.prompt)

    def check(self, tokenizer: FastTokenizer) -> None:
        """Refuse a prompt that this tokenizer cannot ask: a label that is not one token, a lost system turn.

        The error names the label, its pieces, and labels near it that would do.
        """
        bare = "".join(_OPTIONS if name == "options" else f"{{{{ {name} }}}}" for name in _FIELDS[self.kind][0])
        try:
            found = encode_prompt(tokenizer, "", "", replace(self, user=bare).ask(_SAMPLES[self.kind]))
        except UnreadableError as error:
            said, near = str(error).rpartition(": use")[0], _near(tokenizer, self.labels, self.cue)
            raise InnerjudgeError(f"{self.name}: {said}: these would do: {', '.join(near) or 'none found'}") from None
        if "*" in found.missing:
            raise InnerjudgeError(f"{self.name}: {found.missing['*']}")

    def _error(self, field: str, given: str, expected: str) -> InnerjudgeError:
        return InnerjudgeError(f"{field} of the prompt {self.name}: given {shown(given)}, expected {expected}")


def _usual_values(kind: str, labels: Sequence[str]) -> tuple[int, ...]:
    if kind == "rating":
        return tuple(map(int, labels)) if all(label.isdecimal() and len(label) < 10 for label in labels) else ()
    return tuple(range(len(labels)))


def _shown(item: Item, swapped: bool) -> dict[str, Any]:
    """What a template may show of an item: nothing that is known of its label."""
    assert not isinstance(item, Choice)
    found: dict[str, Any] = {"prompt": plain_text(item.prompt), "extra": item.extra}
    if isinstance(item, Pair):
        return found | dict(zip(("response_a", "response_b"), map(plain_text, item.sides(swapped)), strict=True))
    if isinstance(item, Rating):
        found |= {"criterion": item.criterion, "reference": item.reference}
    return found | {"response": plain_text(item.response)}


def _near(tokenizer: FastTokenizer, labels: Sequence[str], cue: str) -> list[str]:
    """Labels like those given that are one token: other cases, first letters, digits."""
    words = [form for one in labels for form in (one.lower(), one.upper(), one.capitalize(), one[0])]
    found = []
    for label in dict.fromkeys([*words, *"ABCDE", *map(str, range(10))]):
        with suppress(UnreadableError):
            encode_prompt(tokenizer, "", "", Prompt("r", cue, (label,)))
            found.append(label)
    return found


def _of_fields(given: Any, name: str) -> JudgePrompt:
    known = {field.name: field for field in fields(JudgePrompt)}
    if not isinstance(given, Mapping):
        raise InnerjudgeError("given no fields, expected kind, user, labels and others of a judge prompt")
    odd = next((key for key in given if key not in known), None)
    wanted = ("kind", "user", "labels")[: 2 if given.get("kind") == "choice" else 3]
    missing = next((key for key in wanted if key not in given), None)
    if odd is not None or missing is not None:
        said = f"given the field {shown(odd, 40)!r}" if odd is not None else f"given no {missing}"
        raise InnerjudgeError(f"{said}, expected those of a judge prompt: {', '.join(known)}")
    made: dict[str, Any] = {"name": name, "labels": (), **given}
    if isinstance(made["labels"], Mapping):
        made |= {"labels": list(made["labels"]), "values": list(made["labels"].values())}
    for key in ("labels", "values", "few_shot", "rubric"):
        made[key] = _entries(made.get(key, ()), key)
    texts = [key for key in ("kind", "user", "cue", "system", "name", "source") if key in made]
    wrong = next((key for key in texts if not isinstance(made[key], str)), None)
    if wrong is not None:
        raise InnerjudgeError(f"{wrong}: given a {type(made[wrong]).__name__}, expected a text: put it in quotes")
    return JudgePrompt(**made)


def _entries(given: Any, key: str) -> tuple[Any, ...]:
    """Labels and values as they are; turns of few shots and entries of a rubric as pairs of texts."""
    many = list(given.items()) if isinstance(given, Mapping) else given
    if not isinstance(many, Sequence) or isinstance(many, str):
        raise InnerjudgeError(f"{key}: given a {type(given).__name__}, expected a list")
    if key in ("labels", "values"):
        if not all(isinstance(one, str | int) and not isinstance(one, bool) for one in many):
            raise InnerjudgeError.of("reading.no-texts", key, shown(many, 80))
        return tuple(many)
    pairs = [(one.get("user"), one.get("assistant")) if isinstance(one, Mapping) else one for one in many]
    if not all(isinstance(p, Sequence) and len(p) == 2 and all(isinstance(x, str | int) for x in p) for p in pairs):
        raise InnerjudgeError(f"{key}: given {shown(many, 80)}, expected entries of two texts")
    return tuple((str(a), str(b)) for a, b in pairs)
