"""The command ``serve``: saved judges behind HTTP."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from ...models.errors import InnerjudgeError, shown
from ..runs.loading import OWN, Model
from . import say


def serve(
    judge: list[str], host: str = "127.0.0.1", port: int = 8000, on: Model = OWN, batch_size: int = 32,
    batch_wait: float = 2.0, queue: int = 4096, documents: int = 1000, body: int = 8 * 2**20, seconds: float = 60.0,
    connections: int = 512, allow_host: list[str] | None = None, gate: list[str] | None = None, key: str | None = None
) -> None:  # fmt: skip
    """Serve saved judges over HTTP: `/v1/rerank` and `/v1/score` as Jina, Cohere and vLLM shape them."""
    from ...models.extra import require

    require("uvicorn", "serve")
    from ..adapters.service.app import create_app
    from ..adapters.service.connections import listening, serve_until_stopped
    from ..adapters.service.limits import Limits
    from ..judges.judge import Judge
    from ..runs.loading import quieten, say_how
    from ..runs.log import log

    pause = batch_wait / 1000
    limits = Limits(
        batch_size=batch_size, batch_wait=pause, queue=queue, documents=documents, body=body, seconds=seconds
    )
    quieten()
    # The revision is that of the judges.
    lm = None if on.name is None else replace(on, revision=None).load()
    how: Any = {name: getattr(on, name) for name in ("device", "dtype", "revision", "trust_remote_code")}
    judges = {name: Judge.load(where, lm=lm, **how) for name, where in _named(judge).items()}
    if lm is None:
        for own in {id(one.lm): one.lm for one in judges.values()}.values():
            say_how(own)
    app = create_app(judges, limits=limits, key=key, hosts=_hosts(host, allow_host or [], key), gates=gate or ())
    if key is None and host not in _LOCAL:
        log.warning("%s is open to others and asks for no key: set --key or INNERJUDGE_KEY", shown(host))
    with listening(host, port) as where:
        at = where.getsockname()
        say(f"Serving {', '.join(judges)} on http://{at[0]}:{at[1]} (how to ask: /docs).")
        serve_until_stopped(app, where, seconds=seconds, connections=connections)


#: Names of this machine for itself.
_LOCAL = ("127.0.0.1", "localhost", "::1")


def _hosts(host: str, allowed: list[str], key: str | None) -> list[str] | None:
    """Names that requests may be addressed to; any where a key is asked for, or the service is meant for others."""
    return [*_LOCAL, host, *allowed] if allowed or (key is None and host in _LOCAL) else None


def _named(given: list[str]) -> dict[str, str]:
    """Name -> folder or hub name; without a name it is the last part of the folder."""
    found: dict[str, str] = {}
    for one in given:
        name, equals, where = one.partition("=")
        if not equals:
            name, where = Path(one).resolve().name, one
        if not name or not where or name in found:
            raise InnerjudgeError.of("cli.no-name", one)
        found[name] = where
    return found
