"""The service as an ASGI application."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib import metadata

from ....models.errors import InnerjudgeError, shown
from ....models.extra import require

require("fastapi", "serve")

from fastapi import Depends, FastAPI  # noqa: E402
from fastapi.security import HTTPBearer  # noqa: E402
from fastapi_offline import FastAPIOffline  # noqa: E402

from ...judges.judge import Judge  # noqa: E402
from ...selection.gates import Gate  # noqa: E402
from .batcher import Batcher  # noqa: E402
from .limits import Guard, Limits, Meters, register_refusals  # noqa: E402
from .routes import judging_routes, service_routes  # noqa: E402
from .shapes import SAID  # noqa: E402


def create_app(
    judges: Mapping[str, Judge],
    *,
    limits: Limits | None = None,
    key: str | None = None,
    hosts: Collection[str] | None = None,
    gates: Sequence[str] = (),
) -> FastAPI:
    """The application that serves judges of single responses by name.

    ``key`` is the bearer key that clients must send, ``None`` for none; ``hosts`` are names that requests may be
    addressed to, ``None`` for any. ``gates`` are what documents must pass to have a score: ``"NAME>=0.5"`` of a judge
    that is served, on its scale, or ``"regex:PATTERN"``, which the document must hold. What fails is below all that
    passes.

    ``InnerjudgeError`` if there is no judge, or one of choices, which scores no single responses; if the key is empty;
    if a gate is of no judge here.
    """
    limits = Limits() if limits is None else limits
    if not judges:
        raise InnerjudgeError("given no judge to serve, expected at least one")
    odd = [name for name, judge in judges.items() if judge.kind == "choice"]
    if odd:
        raise InnerjudgeError.of("adapters.choices", odd[0])
    if key is not None and not (key and key.isascii() and key.isprintable()):
        raise InnerjudgeError("given a key that is empty or not plain ASCII, expected one that a header can hold")
    read = [Gate.of(one) for one in gates]
    if odd := [gate.typed for gate in read if gate.pattern is None and gate.name not in judges]:
        raise InnerjudgeError.of("adapters.gate", shown(odd[0]), ", ".join(judges))
    meters = Meters()
    runner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="innerjudge")
    batchers = {name: Batcher(name, judge, limits, meters, runner) for name, judge in judges.items()}

    @asynccontextmanager
    async def working(_app: FastAPI) -> AsyncIterator[None]:
        for batcher in batchers.values():
            batcher.start()
        yield
        for batcher in batchers.values():
            await batcher.stop()

    app: FastAPI = FastAPIOffline(
        title="innerjudge", version=metadata.version("innerjudge"), description=SAID["about"], lifespan=working
    )
    asking_key = [Depends(HTTPBearer(auto_error=False))] if key is not None else []  # for the page; Guard checks it
    app.include_router(judging_routes(batchers, limits, read), dependencies=asking_key)
    app.include_router(service_routes(batchers, meters))
    register_refusals(app)
    paths = frozenset(app.openapi()["paths"])
    known = None if hosts is None else frozenset(map(str.lower, hosts))
    app.add_middleware(Guard, limits=limits, meters=meters, key=key, paths=paths, hosts=known)
    return app
