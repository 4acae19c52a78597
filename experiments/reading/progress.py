"""Progress of the long steps: items per second and time left, or nothing."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.text import Text

from ...models.errors import readable


class PlainConsole(Console):
    """A console whose texts cannot move the cursor: control codes in names and ids are escaped."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is written: our own control codes, and escaped texts."""
        for part in super().render(renderable, options):
            yield part if part.control else Segment(readable(part.text), part.style)


class Steps(Protocol):
    """Announces a step of ``total`` items; the returned function is told how many more are done."""

    def __call__(self, description: str, total: int, /) -> Callable[[int], None]:
        """Begin a step."""
        ...


def silent(_description: str, _total: int) -> Callable[[int], None]:
    """Steps that show nothing."""
    return lambda _done: None


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Speed so far; a dash before the first item. A step of one batch has the speed of the whole."""
        speed = task.finished_speed or task.speed
        if not speed and task.completed and task.elapsed:
            speed = task.completed / task.elapsed
        return Text(f"{speed:.1f} items/s" if speed else "- items/s", style="progress.data.speed")


@contextmanager
def shown(console: Console) -> Iterator[Steps]:
    """Progress bars on ``console``, one a step."""
    columns = (
        TextColumn("{task.description:<34}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        _Speed(),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=console)

    def begin(description: str, total: int) -> Callable[[int], None]:
        progress.start()  # with the first step only: a message before it stands alone
        task = progress.add_task(description, total=total)
        return lambda done: progress.advance(task, done)

    try:
        yield begin
    finally:
        if progress.live.is_started:
            progress.stop()


def whole(steps: Steps, total: int) -> Steps:
    """Steps of all parts of a run together: each description begins once, with the ``total`` of the run."""
    begun: dict[str, Callable[[int], None]] = {}

    def begin(description: str, _part: int) -> Callable[[int], None]:
        if description not in begun:
            begun[description] = steps(description, total)
        return begun[description]

    return begin
