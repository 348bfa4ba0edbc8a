"""Handlers that are more than a comprehension: they take the context, are async, or take a whole chunk.

| kind | called with | gives |
|---|---|---|
| one | a value | a result, or None for nothing |
| several | a value | an iterator of results, a generator or an async one |
| batch | the list of a chunk's values | a list as long: at each place a result, or None for nothing |

Results keep key, timestamp and headers of their record, and come in the order of the records. Async calls of one key
run one after the other, those of different keys at once, all within the chunk: it ends when the last of them has ended.
The first that raises ends the others, and the chunk is run again record by record, so that the error names one.
"""

import asyncio
import atexit
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from typing import Any

from framework.chunk import Chunk
from framework.operators.base import Operator, OperatorContext
from framework.plan.processors import HandleNode, topic_of
from framework.records import Headers

Results = list[Any]  # of a record: a list of results


class HandlerContext:
    """What a handler gets as `ctx`: one object per record."""

    __slots__ = ("_clock", "headers", "key", "partition", "timestamp", "topic")

    def __init__(
        self, key: Any, timestamp: int, headers: Headers, partition: int, topic: str | None, clock: Callable[[], int]
    ) -> None:
        self.key, self.timestamp, self.headers = key, timestamp, headers
        self.partition, self.topic, self._clock = partition, topic, clock

    @property
    def now(self) -> int:
        return self._clock()

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"a handler's context has no {name}: it keeps no state and sets no timers. Use @app.processor for that."
        )


class HandleOperator(Operator):
    """See the module."""

    def __init__(self, node: HandleNode, context: OperatorContext) -> None:
        self._node, self._context, self._topic = node, context, topic_of(node)

    def process(self, chunk: Chunk) -> Chunk:
        calls = self._calls(chunk)
        if self._node.kind == "batch":
            return self._spread(chunk, [[result] for result in self._batch(chunk)])
        if not self._node.is_async:
            return self._spread(chunk, [_listed(call(), self._node.kind) for call in calls])
        chains = _chains(chunk) if not chunk.keys.has_none() else [[i] for i in range(len(chunk))]
        collect = _collect_several if self._node.kind == "several" else _collect_one
        return self._spread(chunk, run(_concurrently(calls, chains, collect, self._node.concurrency)))

    def _calls(self, chunk: Chunk) -> list[Callable[[], Any]]:
        function = self._node.function
        if self._node.kind == "batch":
            return []
        if not self._node.takes_context:
            return [partial(function, value) for value in chunk.values.decoded]
        return [
            partial(function, value, ctx)
            for value, ctx in zip(chunk.values.decoded, self._contexts(chunk), strict=True)
        ]

    def _contexts(self, chunk: Chunk) -> Iterator[HandlerContext]:
        context = self._context
        headers: list[Any] = chunk.headers if chunk.headers is not None else [None] * len(chunk)
        for key, timestamp, head in zip(chunk.keys.decoded, chunk.timestamps, headers, strict=True):
            yield HandlerContext(key, timestamp, head or [], context.partition, self._topic, context.clock)

    def _batch(self, chunk: Chunk) -> Results:
        given = self._node.function(list(chunk.values.decoded))
        results = run(given) if self._node.is_async else given
        if not isinstance(results, list) or len(results) != len(chunk):
            got = f"a list of {len(results)}" if isinstance(results, list) else type(results).__name__
            raise ValueError(
                f"a batch handler returns a list as long as the one it gets, None where a value has no result: "
                f"it got {len(chunk)} values and returned {got}."
            )
        return results

    def _spread(self, chunk: Chunk, results: list[Results]) -> Chunk:
        """The records with their results: each as often as it has some that are not None."""
        present = [[result for result in of_record if result is not None] for of_record in results]
        places = [i for i, of_record in enumerate(present) for _ in of_record]
        return chunk.take(places).with_values(list(chain.from_iterable(present)))


def _chains(chunk: Chunk) -> list[list[int]]:
    """The places of each key's records, keys in the order of their first."""
    chains: dict[Any, list[int]] = {}
    for place, key in enumerate(chunk.keys.forms()):
        chains.setdefault(key, []).append(place)
    return list(chains.values())


def _listed(result: Any, kind: str) -> Results:
    if kind == "several":
        return [] if result is None else list(result)
    return [result]


async def _collect_one(call: Callable[[], Any]) -> Results:
    return [await call()]


async def _collect_several(call: Callable[[], Any]) -> Results:
    return [result async for result in call()]


async def _concurrently(
    calls: list[Callable[[], Any]],
    chains: list[list[int]],
    collect: Callable[[Callable[[], Any]], Coroutine[Any, Any, Results]],
    concurrency: int,
) -> list[Results]:
    """Results by place; at most so many calls at once, those of a chain one after the other."""
    results: list[Results] = [[] for _ in calls]
    waiting = iter(chains)

    async def work() -> None:
        for places in waiting:
            for place in places:
                results[place] = await collect(calls[place])

    workers = [asyncio.ensure_future(work()) for _ in range(min(concurrency, len(chains)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return results


_threads = threading.local()
_beside = ThreadPoolExecutor(1, thread_name_prefix="penstock-handlers")  # starts its thread when it is first needed


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end on this thread's loop, which stands still between chunks."""
    if asyncio._get_running_loop() is not None:
        # Reason: a test of an app may be async itself, and one thread runs one loop.
        return _beside.submit(run, coroutine).result()
    # Reason: one loop per worker thread, so that all its tasks may share clients of the user's, which belong to a loop.
    loop: asyncio.AbstractEventLoop | None = getattr(_threads, "loop", None)
    if loop is None:
        loop = _threads.loop = asyncio.new_event_loop()
        atexit.register(loop.close)
    return loop.run_until_complete(coroutine)
