"""Functions of other code that report their calls while a thread listens, and are as they were when none does."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

_Report = TypeVar("_Report")


class Reports(Generic[_Report]):
    """Replaces functions only while some thread listens to them, so that compiled code never meets the others."""

    def __init__(self) -> None:
        self._lock, self._here = threading.Lock(), threading.local()
        #: (Owner, name) of a replaced function -> how many listen to it, and the function itself.
        self._own: dict[tuple[Any, str], list[Any]] = {}

    @property
    def tell(self) -> Callable[[_Report], None] | None:
        """What reports of this thread are given to; ``None`` where it does not listen."""
        return getattr(self._here, "tell", None)

    @contextmanager
    def listening(
        self, tell: Callable[[_Report], None], places: Sequence[tuple[Any, str]], telling: Callable[[Any], Any]
    ) -> Iterator[None]:
        """Replace functions at ``places`` (owner, name) by what ``telling`` makes of them; others still hear."""
        with self._lock:
            for owner, name in places:
                held = self._own.setdefault((owner, name), [0, vars(owner).get(name, getattr(owner, name))])
                held[0] += 1
                if held[0] == 1:
                    setattr(owner, name, telling(held[1]))
        earlier = self.tell
        told = (tell,) if earlier is None else (earlier, tell)
        self._here.tell = lambda report: [one(report) for one in told]
        try:
            yield
        finally:
            self._here.tell = earlier
            with self._lock:
                for place in places:
                    self._own[place][0] -= 1
                    if not self._own[place][0]:
                        setattr(*place, self._own.pop(place)[1])
