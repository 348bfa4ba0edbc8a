"""The test driver: an app on topics in memory, without Kafka. The same plan, operators, tasks and stores as production.

With `chunk=1` each record is handled and committed on its own, in the order of sending, and every change of a table is
emitted. Whatever follows from a record through repartition topics is run to the end before the next `send` returns:
records are handled in the order in which they were written, over all topics.

With `chunk=n` what was sent waits until somebody looks (`read`, `records`, `table`, `store`) and is then taken n
records at a time, spread over their partitions, each part handled as one chunk, then committed: as a worker does it.
With a `seed` the chunks are of 1 to n records, and commits come after some of them, by the dice of that seed.

Where it differs from production:

- A record that fails is passed over, so that the driver stays usable; a worker stops before it.
- With `chunk=1` tables emit as with `changes="all"`; a worker leaves out what was replaced within one commit.
- Records without key go round the partitions; Kafka's clients choose at random.
- Offsets have no gaps; in Kafka each transaction leaves a marker. Changelogs are not compacted, nothing expires.
- Time stands still: records that are given no time get the driver's clock, which only `advance` moves.
- There is one worker, no rebalance and no other app; several inputs of one task are read in the order of writing, if
  the app sets `max_idle`, or a topic fills a state, in that of their timestamps, as in a worker, by the driver's clock.
- A global table has a record as soon as it is sent; what waits is handled before.
- Topics have the `partitions` they were declared with, else the driver's.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from framework.drivers.memory_run import MemoryRun
from framework.drivers.memory_topics import StoredRecord
from framework.drivers.store_view import StoreView
from framework.dsl import App, Topic
from framework.durations import Duration, to_ms
from framework.records import Header, Record
from serde import Serde, SerdeError

K = TypeVar("K")
V = TypeVar("V")
Serdes = tuple[Serde[Any] | None, Serde[Any]]


class TestDriver:
    """Runs an app in memory; a context manager.

    Args:
        app: the app; it is not changed, and may be driven many times.
        chunk: how many records are taken at once, see the module.
        partitions: of each topic that was declared without a number.
        seed: cut into chunks and commits by these dice.
        max_uncommitted_keys: commit when a transaction has changed so many keys, as the setting of that name.
        cache_entries: decoded entries remembered per store and task, as the setting of that name.
        backend: where stores keep what is committed; "rocksdb" as in production, in a temporary folder.
        now: the clock at the beginning (ms since the epoch).
    Raises:
        DeclarationError, TopicError: as at the start of a worker.
    """

    __test__ = False  # pytest takes classes called Test… for tests

    def __init__(
        self,
        app: App,
        *,
        chunk: int = 1,
        partitions: int = 1,
        seed: int | None = None,
        max_uncommitted_keys: int = 200_000,
        cache_entries: int = 50_000,
        backend: Literal["memory", "rocksdb"] = "memory",
        now: int = 0,
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="penstock-driver-")) if backend == "rocksdb" else None
        self._run = MemoryRun(
            app,
            chunk=chunk,
            partitions=partitions,
            seed=seed,
            max_uncommitted_keys=max_uncommitted_keys,
            cache_entries=cache_entries,
            folder=self._folder,
            now_ms=now,
        )
        self._is_immediate = chunk == 1
        self._serdes = self._find_serdes()
        self._seen: Counter[str] = Counter()  # how many records of each topic were read

    @property
    def now_ms(self) -> int:
        """The driver's clock. Set back or forth, nothing happens at the times between; `advance` is for that."""
        return self._run.now_ms

    @now_ms.setter
    def now_ms(self, time_ms: int) -> None:
        self._run.now_ms = time_ms

    # What a test does

    def send(
        self,
        topic: Topic[K, V],
        value: V | None,
        *,
        key: K | None = None,
        at: int | None = None,
        headers: Sequence[Header] = (),
        partition: int | None = None,
    ) -> None:
        """Write a record to a topic that the app reads.

        Args:
            topic: the topic.
            value: of the topic's type; None is a tombstone.
            key: of the topic's type.
            at: its timestamp (ms); None: the driver's clock.
            headers: pairs of name and bytes.
            partition: where to; None: by the key.
        Raises:
            TypeError: key or value is not of the topic's type.
            ValueError: the app does not read the topic, or it has no such partition.
            RecordError: the app cannot process this record or one that follows from it; nothing of it is left.
        """
        key_serde, value_serde = self._serdes_to_send(topic.name)
        encoded_key = _encode(topic.name, "key", key_serde, key)
        encoded_value = _encode(topic.name, "value", value_serde, value)
        self.send_bytes(topic, encoded_value, key=encoded_key, at=at, headers=headers, partition=partition)

    def send_bytes(
        self,
        topic: Topic[Any, Any],
        value: bytes | None,
        *,
        key: bytes | None = None,
        at: int | None = None,
        headers: Sequence[Header] = (),
        partition: int | None = None,
    ) -> None:
        """Write a record as it would lie in Kafka, such as one that cannot be decoded; else like `send`."""
        self._serdes_to_send(topic.name)
        count = len(self._run.topics[topic.name].partitions)
        if partition is not None and not 0 <= partition < count:
            raise ValueError(f'the topic "{topic.name}" has partitions 0 to {count - 1}, not {partition}.')
        timestamp = self.now_ms if at is None else at
        if topic.name in self._run.global_specs:
            self._run.drain()
        self._run.arrived(self._run.topics.append(topic.name, key, value, timestamp, list(headers) or None, partition))
        if self._is_immediate:
            self._run.drain()

    def read(self, topic: Topic[K, V]) -> list[tuple[K, V]]:
        """Key and value of each record written to a topic since the last `read` of it, in the order of writing."""
        self._run.drain()
        log = self._log(topic.name)
        unread = log[self._seen[topic.name] :]
        self._seen[topic.name] = len(log)
        return [(record.key, record.value) for record in map(self._decode, unread)]

    def records(self, topic: Topic[Any, Any] | str) -> list[Record]:
        """All records of a topic since the start, in the order of writing; internal topics by their name."""
        self._run.drain()
        return list(map(self._decode, self._log(topic if isinstance(topic, str) else topic.name)))

    def table(self, topic: Topic[K, V]) -> dict[K, V]:
        """The latest value of each key of a topic; keys whose latest record is a tombstone are left out."""
        latest = {record.key: record.value for record in self.records(topic)}
        return {key: value for key, value in latest.items() if value is not None}

    def store(self, name: str) -> StoreView:
        """Look into a store, over all its partitions.

        Raises:
            ValueError: there is no such store; the message lists those there are.
        """
        self._run.drain()
        if name in self._run.global_specs:
            return StoreView([self._run.global_state.stores[name]])
        parts = [task.state.stores[name] for task in self._run.tasks.values() if name in task.state.stores]
        if not parts:
            names = ", ".join(store.name for sub in self._run.plan.sub_topologies for store in sub.stores) or "none"
            raise ValueError(f'the app "{self._run.plan.app_id}" has no store "{name}"; its stores: {names}.')
        return StoreView(parts)

    @property
    def dropped(self) -> dict[tuple[str, str], int]:
        """How many records each step dropped since the start or restart, by step and reason."""
        self._run.drain()
        return dict(sum((Counter(task.dropped) for task in self._run.tasks.values()), Counter()))

    def advance(self, duration: Duration) -> None:
        """Move the wall clock on.

        It stops at each time that a timer or a function of `@app.every` waits for, so these find the clock exactly
        there; methods with `@every(..., clock="wall")` are called once for all that was passed at once.

        Raises:
            TimeError: a timer or such a method failed; nothing of it is left.
        """
        self._run.advance(to_ms(duration))

    def restart(self, app: App | None = None, *, keep_state: bool = False) -> None:
        """Crash and start again: what is not committed is gone and is done again from the committed offsets.

        The stores are lost too and come back from their changelogs, unless `keep_state`: a restart on the same disk.

        Args:
            app: another version of the app, which goes on with the topics and the state of the one before.
            keep_state: see above; with another version only stores that both have are kept.
        Raises:
            ProgramChanged: the other version does not fit the state; the one before goes on.
        """
        if app is not None:
            self._run.load(app)
            self._serdes = self._find_serdes()
        self._run.restart(keep_state=keep_state)

    def turn(self) -> bool:
        """Handle one chunk of what waits, and commit if that is due; False if nothing waits. Others call it for you."""
        return self._run.turn()

    def close(self) -> None:
        """Release the stores."""
        self._run.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Serdes

    def _find_serdes(self) -> dict[str, Serdes]:
        serdes: dict[str, Serdes] = {}
        for sub in self._run.plan.sub_topologies:
            serdes.update((source.topic, (source.key_serde, source.value_serde)) for source in sub.sources)
            serdes.update((sink.topic, (sink.key_serde, sink.value_serde)) for sink in sub.sinks)
            serdes.update((store.changelog, (store.spec.key_serde, store.spec.value_serde)) for store in sub.stores)
        serdes.update({name: (spec.key_serde, spec.value_serde) for name, spec in self._run.global_specs.items()})
        return serdes

    def _serdes_to_send(self, topic: str) -> Serdes:
        if topic not in self._run.read_topics and topic not in self._run.global_specs:
            raise ValueError(
                f'the app "{self._run.plan.app_id}" does not read the topic "{topic}"; '
                f"it reads {', '.join(t.name for t in self._run.plan.source_topics)}."
            )
        return self._serdes[topic]

    def _log(self, topic: str) -> list[StoredRecord]:
        if topic not in self._serdes:
            raise ValueError(
                f'the app "{self._run.plan.app_id}" neither reads nor writes the topic "{topic}"; '
                f"its topics: {', '.join(self._serdes)}."
            )
        return self._run.topics[topic].log

    def _decode(self, record: StoredRecord) -> Record:
        key_serde, value_serde = self._serdes[record.tp.topic]
        return Record(
            *record.tp,
            record.offset,
            None if key_serde is None or record.key is None else key_serde.deserialize(record.key),
            None if record.value is None else value_serde.deserialize(record.value),
            record.timestamp_ms,
            list(record.headers or ()),
        )


def _encode(topic: str, what: str, serde: Serde[Any] | None, given: object) -> bytes | None:
    if given is None:
        return None
    if serde is None:
        raise TypeError(f'the topic "{topic}" has no key, got {given!r}: declare it with key=, or send without.')
    try:
        return serde.serialize(given)
    except SerdeError as error:
        raise TypeError(f'the {what} {given!r} cannot be sent to the topic "{topic}": {error}') from error
