"""A person labels traces one by one: every label is a row of verdicts, written at once."""

from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

from ...models.arguments import checked
from ...models.conversation import plain_text
from ...models.errors import InnerjudgeError, shown
from ...models.extra import require
from ...models.items import Item, Trace
from ...probes import Verdict
from ..data.jsonl import require_room, write_jsonl
from ..data.verdict_files import row_json, shared_rows, verdict_row
from ..data.verdict_table import Row
from ..selection.labelling import NextRule, answers_of, next_to_label

_MENU = "[r]ight [w]rong [s]kip [b]ack [q]uit"
_SAID = {"r": Verdict("", label=True), "w": Verdict("", label=False), "s": Verdict("", unscored="skipped")}


class Labelling:
    """Traces that wait for a label, one after the other, and a file that takes each key's label at once.

    They come as they stand, or as a ``rule`` of :func:`.next_to_label` says. With ``spread`` a label is written for all
    candidates with the same answer, and one of them is shown. What the rater labelled or skipped in ``out`` is not
    shown again, other rows stay. Only traces can be labelled so.
    """

    def __init__(
        self, items: Sequence[Item], out: Path, *, rater: str = "me", rule: NextRule | None = None,
        spread: bool = False, seed: int = 0
    ) -> None:  # fmt: skip
        traces: list[Trace] = [item for item in items if isinstance(item, Trace)]
        if len(traces) < len(items) or not traces:
            raise InnerjudgeError("given items that are no traces, expected answers to be called right or wrong")
        require_room(out)
        self.out, self.rater = out, rater
        keys: list[Hashable] = answers_of(traces) if spread else [item.id for item in traces]
        self._by_id = {item.id: (item, key) for item, key in zip(traces, keys, strict=True)}
        first = [] if rule is None else next_to_label(traces, [None] * len(traces), rule=rule, seed=seed)
        self._order = dict.fromkeys((*first, *self._by_id))
        with shared_rows(out) as rows:
            self._look(rows)

    def _look(self, rows: list[Row]) -> None:
        self.rows, own = rows, [row for row in rows if row.judge == self.rater]
        found = ((row, self._by_id.get(f"{row.question}/{row.candidate}")) for row in own)
        self._mine = {row.key: its[1] for row, its in found if its is not None}
        self._done = {f"{row.question}/{row.candidate}" for row in self.rows if row.key in self._mine}
        self._left = [self._by_id[one] for one in self._order if one not in self._done]
        self.item = self._left[0][0] if self._left else None

    @property
    def said(self) -> str:
        """How far it is, in words."""
        return f"{len(self._done)} labelled or skipped, {len(self._left)} left"

    def text(self) -> str:
        """The prompt and the response that wait for a label; empty where none does."""
        item = self.item
        return "" if item is None else f"{plain_text(item.prompt)}\n\n{plain_text(item.response)}"

    def press(self, key: str) -> None:
        """``"r"`` right, ``"w"`` wrong, ``"s"`` skip, ``"b"`` takes the last label away; others do nothing."""
        if key not in ("b", *_SAID):
            return
        with shared_rows(self.out) as rows:
            shown = self.item
            self._look(rows)
            if key == "b" and self._mine:
                last = [*self._mine.values()][-1]
                self.rows = [row for row in self.rows if self._mine.get(row.key) != last]
            elif key in _SAID and shown is not None:
                like = self._by_id[shown.id][1]
                same = (one for one, its in self._by_id.values() if its == like and one.id not in self._done)
                self.rows += [verdict_row(one, _SAID[key], data="", judge=self.rater) for one in same]
            write_jsonl(self.out, map(row_json, self.rows))
        self._look(self.rows)


def label_job(items: Sequence[Item], out: Path, ask: Callable[[str], str], **how: Any) -> str:
    """Ask for the label of every trace: ``ask`` shows a text and returns a key (``"q"`` where its input ends).

    ``how`` are parameters of :class:`Labelling`.
    """
    labelling = Labelling(items, out, **how)
    while (item := labelling.item) is not None:
        typed = ask(f"\n--- {shown(item.id)} ({labelling.said})\n{labelling.text()}\n\n{_MENU}")
        if typed == "q":
            break
        labelling.press(typed)
    return f"{labelling.said}, in {out}: `innerjudge fit --labels-from` fits on them."


@checked
def label_widget(items: Sequence[Item], out: str | Path, **how: Any) -> Any:
    """The same in a notebook: an ipywidgets box with the text, a button a key, and how far it is (extra ``widgets``).

    Show it as the last line of a cell. ``how`` are parameters of :class:`Labelling`.
    """
    widgets = require("ipywidgets", "widgets")
    labelling, said = Labelling(items, Path(out), **how), widgets.Label()
    text = widgets.Textarea(disabled=True, rows=12)
    text.layout.width = "100%"
    buttons = [widgets.Button(description=name) for name in ("right", "wrong", "skip", "back")]

    def show() -> None:
        name = "nothing left" if labelling.item is None else labelling.item.id
        text.value, said.value = labelling.text(), f"{name}: {labelling.said}"
        for button in buttons[:3]:
            button.disabled = labelling.item is None

    def clicked(button: Any) -> None:
        labelling.press(button.description[0])
        show()

    for button in buttons:
        button.on_click(clicked)
    show()
    return widgets.VBox([said, text, widgets.HBox(buttons)])
