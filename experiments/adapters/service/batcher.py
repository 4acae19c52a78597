"""Dynamic batching: pairs from requests that wait at the same time share a forward pass."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import NamedTuple

from ....models.conversation import Text, plain_text
from ....probes import Promise, Verdict
from ...judges.judge import Judge
from .limits import Limits, Meters, Refused

AskedPair = tuple[Text, Text]


class PairVerdict(NamedTuple):
    """What is said of one pair, how many tokens were read for it (none where it is unscored), and whether it is kept.

    ``kept`` is ``None`` where the judge promises nothing.
    """

    verdict: Verdict
    tokens: int
    kept: bool | None = None


@dataclass(slots=True, eq=False)
class _Job:
    """The pairs of one request, and what is known of them so far."""

    pairs: Sequence[AskedPair]
    done: asyncio.Future[list[PairVerdict]]
    found: dict[int, PairVerdict] = field(default_factory=dict)

    def put(self, place: int, judged: PairVerdict) -> None:
        self.found[place] = judged
        if len(self.found) == len(self.pairs) and not self.done.done():
            self.done.set_result([self.found[k] for k in range(len(self.pairs))])


_Waiting = tuple[_Job, int]


class Batcher:
    """One judge, asked from an event loop.

    Pairs wait in the order in which they came; while a pass runs, those of the next gather. A pass that fails for
    several requests is run again for each of them alone, so that one request cannot spoil the answer of another.

    ``runner`` is an executor of one thread that runs the model; judges of one model share it.
    """

    def __init__(self, name: str, judge: Judge, limits: Limits, meters: Meters, runner: Executor) -> None:
        self.name, self.judge, self.limits, self.meters, self._runner = name, judge, limits, meters, runner
        self.promise = judge.promise
        self._waiting: deque[_Waiting] = deque()
        self._some = asyncio.Event()
        self._closing = False
        self._seconds_a_pair = 0.01
        self._worker: asyncio.Task[None] | None = None
        meters.waiting.labels(name).set_function(lambda: len(self._waiting))

    def start(self) -> None:
        """Start working, in the running event loop."""
        self._worker = asyncio.get_running_loop().create_task(self._work())

    async def stop(self) -> None:
        """Finish what was accepted, refuse new requests."""
        self._closing = True
        self._some.set()
        if self._worker is not None:
            await self._worker

    @property
    def works(self) -> bool:
        """Whether pairs are being judged."""
        return self._worker is not None and not self._worker.done()

    async def judged(self, pairs: Sequence[AskedPair]) -> list[PairVerdict]:
        """One verdict a pair, in order.

        Raises:
            Refused: 503 once it is stopped, 429 where the queue has no room, 504 when the time is up.
            Exception: What the judge raised, if it failed for these pairs.
        """
        if not self.works or self._closing:
            raise Refused(503, "the service is stopping: try another one", 1)
        if (taken := len(self._waiting)) + len(pairs) > self.limits.queue:
            given = f"given {len(pairs)} pairs with {taken} of {self.limits.queue} places taken"
            later = max(1, math.ceil(taken * self._seconds_a_pair))
            raise Refused(429, f"{given}, expected room for all of them: try again later", later)
        if not pairs:
            return []
        job = _Job(pairs, asyncio.get_running_loop().create_future())
        self._waiting.extend((job, place) for place in range(len(pairs)))
        self._some.set()
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await job.done  # cancelled when the time is over, and its pairs are then passed over
        except TimeoutError:
            late = f"not answered within {self.limits.seconds:g} s: send fewer or shorter documents"
            raise Refused(504, late) from None

    async def _work(self) -> None:
        while True:
            await self._some.wait()
            if not self._closing and len(self._waiting) < self.limits.batch_size and self.limits.batch_wait:
                await asyncio.sleep(self.limits.batch_wait)
            batch = _taken(self._waiting, self.limits.batch_size)
            if batch:
                await self._run(batch)
            elif self._closing:
                return
            if not self._waiting and not self._closing:
                self._some.clear()

    async def _run(self, batch: Sequence[_Waiting]) -> None:
        try:
            await self._judge(batch)
        except Exception as error:
            jobs = list(dict.fromkeys(job for job, _ in batch))
            for job in jobs if len(jobs) > 1 else ():
                await self._run([one for one in batch if one[0] is job])
            if len(jobs) == 1 and not jobs[0].done.done():
                jobs[0].done.set_exception(error)

    async def _judge(self, batch: Sequence[_Waiting]) -> None:
        pairs = [job.pairs[place] for job, place in batch]
        started = time.perf_counter()
        loop, size = asyncio.get_running_loop(), self.limits.batch_size
        judged = await loop.run_in_executor(self._runner, _asked, self.judge, self.promise, pairs, size)
        spent = (time.perf_counter() - started) / len(pairs)
        self._seconds_a_pair += 0.2 * (spent - self._seconds_a_pair)
        self.meters.batch.labels(self.name).observe(len(pairs))
        self.meters.pairs.labels(self.name).inc(len(pairs))
        self.meters.unscored.labels(self.name).inc(sum(one.verdict.unscored is not None for one in judged))
        for (job, place), one in zip(batch, judged, strict=True):
            job.put(place, one)


def _taken(waiting: deque[_Waiting], size: int) -> list[_Waiting]:
    """The pairs that have waited longest, at most ``size``; those of requests that are over are passed over."""
    batch: list[_Waiting] = []
    while waiting and len(batch) < size:
        job, place = waiting.popleft()
        if not job.done.done():
            batch.append((job, place))
    return batch


def _asked(judge: Judge, promise: Promise | None, pairs: Sequence[AskedPair], batch_size: int) -> list[PairVerdict]:
    """Verdicts of pairs and the tokens that were read for them; runs in the thread of the model."""
    verdicts = judge.verdicts(pairs, batch_size=batch_size)
    scored = [pair for pair, one in zip(pairs, verdicts, strict=True) if one.unscored is None]
    read = [plain_text(text) for pair in scored for text in pair]
    sizes = iter(map(len, judge.lm.tokenizer(read, add_special_tokens=False)["input_ids"] if read else []))
    tokens = [0 if one.unscored is not None else next(sizes) + next(sizes) for one in verdicts]
    kept = [None if promise is None else promise.keeps(one.score) for one in verdicts]
    return [PairVerdict(*each) for each in zip(verdicts, tokens, kept, strict=True)]
