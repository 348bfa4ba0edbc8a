"""How long a record takes: producer → pass-through app → reader of committed records.

    python -m tests.bench.latency [--rates 1000 10000] [--rounds 3] [--seconds 10] [--systems …]

Each record carries the time at which it was produced. Producer and reader are processes of their own, on the machine of
app and broker; the first quarter of the records is warm-up. The systems take turns, after a run that only warms up the
broker: a new one takes several times as long. Printed are milliseconds; the last lines are the medians of the rounds.
"""

import argparse
import multiprocessing
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from framework.broker import EmbeddedKafka
from framework.broker.jars import java
from tests.bench.streams import JVM, class_path
from tests.bench.workload import PARTITIONS, create_topic

_STAMP = struct.Struct(">d")
_STREAMS = {"processing.guarantee": "exactly_once_v2", "num.stream.threads": "1", "replication.factor": "1"}
_PASS = """
import sys
from framework import App, Stream
source, target, servers, state, mode = sys.argv[1:]
app = App("pass-" + source)
given, written = app.topic(source, key=bytes, value=bytes), app.topic(target, key=bytes, value=bytes)
@app.topology(given, to=written)
def through(given: Stream[bytes, bytes]) -> Stream[bytes, bytes]:
    return given.map(lambda value: value)
app.run(bootstrap_servers=servers, state_dir=state, mode=mode)
"""


def drive(servers: str, topic: str, rate: int, seconds: float, sent: Any, is_up: Any) -> None:
    """Produce so many records a second, spread evenly, once the app has let the first one through."""
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 0})
    producer.produce(topic, _STAMP.pack(time.time()), b"first")
    producer.flush()
    is_up.wait(60)
    started, count = time.time(), 0
    while (passed := time.time() - started) < seconds:
        for _ in range(int(passed * rate) - count):
            producer.produce(topic, _STAMP.pack(time.time()), b"k%d" % (count % 100))
            count += 1
        producer.poll(0)
        time.sleep(0.001)
    producer.flush()
    sent.value = count + 1


def watch(servers: str, topic: str, until: float, sent: Any, seen: Any, is_up: Any) -> None:
    """Read what is committed, and note how old each record is."""
    consumer = Consumer(
        {"bootstrap.servers": servers, "group.id": topic, "isolation.level": "read_committed",
         "fetch.wait.max.ms": 100, "enable.auto.commit": False}
    )  # fmt: skip
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    ages: list[float] = []
    while time.time() < until and (sent.value == 0 or len(ages) < sent.value):
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            ages.append(time.time() - _STAMP.unpack(message.value())[0])
            is_up.set()
    consumer.close()
    seen.send(ages)


def measure(servers: str, source: str, target: str, rate: int, seconds: float) -> dict[str, float]:
    """Percentiles (ms), and how many records came and were sent."""
    context = multiprocessing.get_context("spawn")
    sent, is_up, (here, there) = context.Value("q", 0), context.Event(), context.Pipe(duplex=False)
    reader = context.Process(target=watch, args=(servers, target, time.time() + seconds + 60, sent, there, is_up))
    reader.start()
    writer = context.Process(target=drive, args=(servers, source, rate, seconds, sent, is_up))
    writer.start()
    ages = here.recv()
    writer.join()
    reader.join()
    if len(ages) != sent.value:
        raise SystemExit(f"{len(ages)} of {sent.value} records came.")
    kept = sorted(ages[len(ages) // 4 :])
    points = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
    return {name: 1000 * kept[min(len(kept) - 1, int(len(kept) * at))] for name, at in points.items()}


@contextmanager
def running(command: list[str]) -> Iterator[None]:
    """A pass-through app, from when it takes records."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def command_of(system: str, servers: str, source: str, target: str, folder: str) -> list[str]:
    """How a system's pass-through is started."""
    if system.startswith("streams"):
        interval = system.partition("-")[2] or "100"
        settings = [f"{k}={v}" for k, v in {**_STREAMS, "commit.interval.ms": interval}.items()]
        return [java(), *JVM, "-cp", class_path(), "StreamsPass", servers, source, target, folder, *settings]
    if system == "hand-loop":
        return [sys.executable, "-m", "tests.bench.hand_loop", servers, source, target]
    return [sys.executable, "-c", _PASS, source, target, servers, folder, _MODES[system]]


_MODES = {"penstock": "exactly-once", "continuous": "continuous"}
SYSTEMS = ("hand-loop", "streams", "streams-10", *_MODES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS)
    arguments = parser.parse_args()
    with EmbeddedKafka(heap_mb=1024) as broker:
        run(broker.bootstrap, "hand-loop", max(arguments.rates), arguments.seconds)
        found: dict[tuple[int, str], list[dict[str, float]]] = defaultdict(list)
        for _ in range(arguments.rounds):
            for rate, system in product(arguments.rates, arguments.systems):
                found[rate, system].append(run(broker.bootstrap, system, rate, arguments.seconds))
                tell(rate, system, found[rate, system][-1])
        print("medians:")
        for (rate, system), runs in found.items():
            tell(rate, system, {name: statistics.median(each[name] for each in runs) for name in runs[0]})


def run(servers: str, system: str, rate: int, seconds: float) -> dict[str, float]:
    """One system on topics of its own."""
    source, target = (f"{name}-{uuid.uuid4().hex[:8]}" for name in ("in", "out"))
    create_topic(servers, source)
    create_topic(servers, target)
    with tempfile.TemporaryDirectory() as folder, running(command_of(system, servers, source, target, folder)):
        return measure(servers, source, target, rate, seconds)


def tell(rate: int, system: str, found: dict[str, float]) -> None:
    figures = "  ".join(f"{name} {ms:.1f}" for name, ms in found.items())
    print(f"{rate:7,}/s {system:12} {figures} ms", flush=True)


if __name__ == "__main__":
    main()
