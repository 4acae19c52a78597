"""What a progress bar says while a step runs and when it is done."""

from __future__ import annotations

import io

from innerjudge.experiments.reading.progress import shown
from rich.console import Console


def test_a_step_of_one_batch_has_a_speed() -> None:
    written = io.StringIO()
    with shown(Console(file=written, force_terminal=True, width=160)) as steps:
        steps("reading", 3)(3)
    assert "3/3" in written.getvalue()
    assert "items/s" in written.getvalue()
    assert "- items/s" not in written.getvalue().splitlines()[-1]
