"""A service of a judge without a model, in a process that may hold few open files; started by test_open_files.py.

``FILES`` is the bound; with ``unbounded`` connections are not bounded by it, so that the system refuses them. When it
is stopped it prints how often the system refused a connection, and the seconds that it served.
"""

from __future__ import annotations

import importlib.util
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

from innerjudge.experiments.adapters.service import connections
from innerjudge.experiments.adapters.service.app import create_app

_SPEC = importlib.util.spec_from_file_location("service_conftest", Path(__file__).with_name("conftest.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
conftest = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = conftest
_SPEC.loader.exec_module(conftest)


def main(files: int, *, unbounded: bool) -> None:
    """Serve until SIGTERM."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    refused, begun, told = 0, time.monotonic(), connections.Server._failed

    def counting(self: connections.Server, loop: Any, context: dict[str, Any]) -> None:
        nonlocal refused
        refused += 1
        told(self, loop, context)

    connections.Server._failed = counting  # type: ignore[method-assign]
    if unbounded:
        connections.room_for = lambda most: most
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # uvicorn raises the signal again once all is answered
    app = create_app({"judge": conftest.Lengths()})
    with connections.listening("127.0.0.1", 0) as where:
        print(where.getsockname()[1], flush=True)  # noqa: T201
        try:
            connections.serve_until_stopped(app, where, seconds=5)
        finally:
            print(refused, time.monotonic() - begun, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]), unbounded="unbounded" in sys.argv)
