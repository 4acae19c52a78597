"""The service as an ASGI application, and its paths."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib import metadata
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Response
from fastapi.security import HTTPBearer
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ....models.conversation import Text, plain_text
from ....models.errors import InnerjudgeError, shown
from ....probes import Verdict
from ...judges.judge import Judge
from ...selection.gates import Gate
from ...selection.votes import ranking
from . import shapes
from .batcher import AskedPair, Batcher, PairVerdict
from .limits import Guard, Limits, Meters, Refused, register_refusals


def create_app(
    judges: Mapping[str, Judge], *, limits: Limits | None = None, key: str | None = None,
    hosts: Collection[str] | None = None, gates: Sequence[str] = ()
) -> FastAPI:  # fmt: skip
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
        title="innerjudge", version=metadata.version("innerjudge"), description=shapes.SAID["about"], lifespan=working
    )
    asking_key = [Depends(HTTPBearer(auto_error=False))] if key is not None else []  # for the page; Guard checks it
    app.include_router(judging_routes(batchers, limits, read), dependencies=asking_key)
    app.include_router(service_routes(batchers, meters))
    register_refusals(app)
    paths = frozenset(app.openapi()["paths"])
    known = None if hosts is None else frozenset(map(str.lower, hosts))
    app.add_middleware(Guard, limits=limits, meters=meters, key=key, paths=paths, hosts=known)
    return app


_RERANK = ("/v1/rerank", "/rerank", "/v2/rerank")
_SCORE = ("/v1/score", "/score")


def judging_routes(batchers: Mapping[str, Batcher], limits: Limits, gates: Sequence[Gate] = ()) -> APIRouter:
    """``/v1/rerank`` and ``/v1/score`` under all their names, and ``/v1/models``."""
    errors: dict[int | str, dict[str, Any]] = {
        int(code): {"model": shapes.ErrorResponse, "description": said} for code, said in shapes.SAID["errors"].items()
    }
    # "default" keeps FastAPI from promising its own shape and code for requests that are wrong.
    errors["default"] = {"model": shapes.ErrorResponse, "description": "Anything else."}
    router = APIRouter(responses=errors)

    async def rerank(request: shapes.RerankRequest) -> shapes.RerankResponse:
        """Candidates of one prompt, best first; what cannot be scored stands last, with null and the reason."""
        name, batcher = _find(batchers, request.model)
        texts = request.texts
        _require_room(len(texts), limits)
        query: Any = request.query  # messages are read by now
        best, said = await _gated(gates, batchers, batcher, [(query, text) for text in texts])
        kept = best[: request.top_n or None]
        results = [_result(k, said[k], texts[k] if request.return_documents else None) for k in kept]
        return shapes.RerankResponse(id=f"rerank-{uuid.uuid4().hex}", model=name, usage=_usage(said), results=results)

    async def score(request: shapes.ScoreRequest) -> shapes.ScoreResponse:
        """Scores of pairs: one text with each of many, or two lists of one length."""
        name, batcher = _find(batchers, request.model)
        pairs = _pairs(request.text_1, request.text_2)
        _require_room(len(pairs), limits)
        _, said = await _gated(gates, batchers, batcher, pairs)
        data = [shapes.ScoreData(index=k, object="score", score=_score(v), **_beside(v)) for k, v in enumerate(said)]
        own: Any = {"id": f"score-{uuid.uuid4().hex}", "object": "list", "created": int(time.time())}
        return shapes.ScoreResponse(**own, model=name, data=data, usage=_usage(said))

    for path in _RERANK:
        router.post(path, response_model_exclude_unset=True, tags=["rerank"])(rerank)
    for path in _SCORE:
        router.post(path, response_model_exclude_unset=True, tags=["score"])(score)

    @router.get("/v1/models", tags=["service"], response_model_exclude_unset=True)
    async def models() -> shapes.ServedList:
        """The judges that are served, and what they promise."""
        promises = {name: {"promise": str(b.promise)} for name, b in batchers.items() if b.promise is not None}
        found = [shapes.Served(id=n, object="model", owned_by="innerjudge", **promises.get(n, {})) for n in batchers]
        return shapes.ServedList(object="list", data=found)

    return router


def service_routes(batchers: Mapping[str, Batcher], meters: Meters) -> APIRouter:
    """``/health`` and ``/metrics``, which need no key."""
    router = APIRouter(tags=["service"])

    @router.get("/health", responses={503: {"model": shapes.ErrorResponse, "description": "A judge does not work."}})
    async def health() -> shapes.Health:
        """Whether every judge answers."""
        idle = [name for name, batcher in batchers.items() if not batcher.works]
        if idle:
            raise Refused(503, f"judges that do not work: {', '.join(idle)}")
        return shapes.Health(status="ok", judges=list(batchers))

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """Counters for Prometheus."""
        return Response(generate_latest(meters.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router


async def _gated(
    gates: Sequence[Gate], batchers: Mapping[str, Batcher], batcher: Batcher, pairs: Sequence[AskedPair]
) -> tuple[list[int], list[PairVerdict]]:
    """Pairs from best to worst, those that fail a gate last, and what is said of each: of these no score."""
    said, failed = await batcher.judged(pairs), [""] * len(pairs)
    for gate in gates:
        if gate.pattern is None:
            own = said if batchers[gate.name] is batcher else await batchers[gate.name].judged(pairs)
            values = [_score(one) for one in own]
        else:
            values = await asyncio.to_thread(lambda at: [at.found(plain_text(text)) for _, text in pairs], gate)
        fails = [value is None or value < gate.least for value in values]
        failed = [before or gate.typed * now for before, now in zip(failed, fails, strict=True)]
    best = sorted(ranking([_score(one) for one in said]), key=lambda k: bool(failed[k]))
    told = [Verdict(one.verdict.id, unscored=f"fails the gate {why}") for one, why in zip(said, failed, strict=True)]
    return best, [PairVerdict(told[k], one.tokens) if failed[k] else one for k, one in enumerate(said)]


def _find(batchers: Mapping[str, Batcher], name: str | None) -> tuple[str, Batcher]:
    if name is None:
        if len(batchers) > 1:
            raise Refused(400, f"given no model, expected one of {', '.join(batchers)}: name it as 'model'")
        return next(iter(batchers.items()))
    if name not in batchers:
        raise Refused(404, f"given the model {shown(name, 80)!r}, expected one of {', '.join(batchers)}")
    return name, batchers[name]


def _require_room(n: int, limits: Limits) -> None:
    if n > limits.documents:
        raise Refused(400, f"given {n} pairs, expected at most {limits.documents} a request: send several requests")


def _pairs(first: Any, second: Any) -> list[AskedPair]:
    left, right = (text if isinstance(text, list) else [text] for text in (first, second))
    if not left or not right:
        raise Refused(400, "given an empty list, expected at least one text in text_1 and text_2")
    if len(left) == 1:
        left = left * len(right)
    if len(left) != len(right):
        raise Refused(400, f"given {len(left)} texts as text_1 and {len(right)} as text_2, expected one, or as many")
    return list(zip(left, right, strict=True))


def _score(one: PairVerdict) -> float | None:
    return None if isinstance(one.verdict.score, list) else one.verdict.score


def _beside(one: PairVerdict) -> dict[str, Any]:
    """The reason of what is unscored, and whether the judge's promise keeps it."""
    said = {"unscored": one.verdict.unscored, "kept": one.kept}
    return {name: value for name, value in said.items() if value is not None}


def _result(place: int, one: PairVerdict, text: Text | None) -> shapes.RerankResult:
    document: dict[str, Any] = {} if text is None else {"document": shapes.Document(text=plain_text(text))}
    return shapes.RerankResult(index=place, relevance_score=_score(one), **document, **_beside(one))


def _usage(said: Sequence[PairVerdict]) -> shapes.Usage:
    total = sum(one.tokens for one in said)
    return shapes.Usage(prompt_tokens=total, total_tokens=total)
