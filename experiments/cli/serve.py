"""The command ``serve``: saved judges behind HTTP."""

from pathlib import Path
from typing import Annotated

import typer

from ...models.errors import InnerjudgeError, shown
from . import options as o, say


def serve(
    judge: Annotated[
        list[str],
        typer.Option(
            "--judge",
            help="Folder or hub name of a judge, or NAME=FOLDER; repeatable. Judges of one model share it.",
            show_default=False,
        ),
    ],
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    model: Annotated[
        str | None, typer.Option(help="Model of the judges, where it has moved; else the one that each names.")
    ] = None,
    device: o.Device = "auto",
    dtype: o.Dtype = "auto",
    revision: o.Revision = None,
    trust_remote_code: o.Trust = False,
    module: o.Module = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Maximum pairs per forward pass.")] = 32,
    batch_wait: Annotated[float, typer.Option(min=0, help="Milliseconds that a pass waits for more pairs.")] = 2.0,
    queue: Annotated[int, typer.Option(min=1, help="Maximum pairs that wait; beyond that 429.")] = 4096,
    documents: Annotated[int, typer.Option(min=1, help="Maximum documents per request; beyond that 400.")] = 1000,
    body: Annotated[int, typer.Option(min=1, help="Maximum bytes per request; beyond that 413.")] = 8 * 2**20,
    seconds: Annotated[float, typer.Option(min=0.001, help="Longest time to answer a request; after that 504.")] = 60.0,
    connections: Annotated[
        int, typer.Option(min=8, help="Maximum connections; idle ones are closed after 8 s, or sooner to make room.")
    ] = 512,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            help="Host name that requests may use, besides that of --host; repeatable. A service on this machine "
            "alone and without a key accepts no other name.",
            show_default=False,
        ),
    ] = None,
    gate: Annotated[
        list[str] | None,
        typer.Option(
            help="What a document must pass to have a score: NAME>=0.5 of a judge served here, or regex:PATTERN; what "
            "fails ranks last; repeatable.",
            show_default=False,
        ),
    ] = None,
    key: Annotated[
        str | None, typer.Option(envvar="INNERJUDGE_KEY", help="Bearer key that clients must send.", show_default=False)
    ] = None,
) -> None:
    """Serve saved judges over HTTP: `/v1/rerank` and `/v1/score` as Jina, Cohere and vLLM shape them.

    Beside them `/health`, `/metrics` (Prometheus), `/v1/models` and `/docs`, a page with examples. SIGTERM stops it
    after what was accepted is answered. Needs the extra: `pip install "innerjudge[serve]"`.

        innerjudge serve --judge runs/judge

        innerjudge serve --judge solve=runs/solve --judge rate=you/your-judge --port 9000
    """
    from ...models.extra import require

    require("uvicorn", "serve")
    from ..adapters.service.app import create_app
    from ..adapters.service.connections import listening, serve_until_stopped
    from ..adapters.service.limits import Limits
    from ..judges.judge import Judge
    from ..runs.loading import Model, quieten, say_how
    from ..runs.log import log

    pause = batch_wait / 1000
    limits = Limits(
        batch_size=batch_size, batch_wait=pause, queue=queue, documents=documents, body=body, seconds=seconds
    )
    quieten()
    modules = o.modules(module)
    lm = Model(model, device, dtype, None, modules, trust_remote_code).load() if model is not None else None
    trust = trust_remote_code
    judges = {
        name: Judge.load(where, lm=lm, device=device, dtype=dtype, revision=revision, trust_remote_code=trust)
        for name, where in _named(judge).items()
    }
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
            raise InnerjudgeError(
                f"given --judge {one!r}, expected a folder with a name of its own: write --judge NAME=FOLDER"
            )
        found[name] = where
    return found
