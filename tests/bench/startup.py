"""How long until the first result? From the start of a program to its first record, with topics in place.

    python -m tests.bench.startup [--rounds 9]

A count with its topics made and a record waiting in each of four partitions; a program in a process of its own, a
reader of committed records beside it, which is ready before. `fresh`: an app that has never run; `again`: one that has
run, so that it has offsets and a changelog. Beside it what `import framework` takes from compiled files, the
interpreter's own start included. Medians; the broker and the reader share the machine. `bench/startup.json` keeps all
rounds.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from framework.broker import EmbeddedKafka
from framework.runtime import kafka
from tests.bench.workload import PARTITIONS, create_topic

RESULTS = Path("bench/startup.json")
IMPORT_ROUNDS = 15
_TIMEOUT_S = 60
_PROGRAM = """
import sys
from framework import App, Stream, Table
app_id, source, target, servers, folder = sys.argv[1:]
app = App(app_id)
given, counts = app.topic(source, key=str, value=bytes), app.topic(target, key=str, value=int)
@app.topology(given, to=counts)
def counted(given: Stream[str, bytes]) -> Table[str, int]:
    return given.group_by_key().count()
if __name__ == "__main__":
    app.run(bootstrap_servers=servers, state_dir=folder)
"""


class First:
    """The topics of one app, and how long its program takes to its first result."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap, tag = bootstrap, uuid.uuid4().hex[:8]
        self.app, self.source, self.target = f"first-{tag}", f"in-{tag}", f"out-{tag}"
        create_topic(bootstrap, self.source)
        create_topic(bootstrap, self.target)
        self._reader = kafka.create_consumer(
            {"bootstrap.servers": bootstrap, "group.id": f"reader-{tag}", "isolation.level": "read_committed",
             "enable.auto.commit": False, "fetch.wait.max.ms": 10}
        )  # fmt: skip
        self._reader.assign([kafka.TopicPartition(self.target, p, 0) for p in range(PARTITIONS)])
        self._reader.poll(0.5)

    def seconds(self, folder: str) -> float:
        """Start the program, wait for its first record, end it."""
        with self.running(folder):
            return self.took_s

    @contextmanager
    def running(self, folder: str) -> Iterator[subprocess.Popen[bytes]]:
        """The program, from its first record on; `took_s` is how long that was."""
        producer = kafka.create_producer({"bootstrap.servers": self.bootstrap})
        for partition in range(PARTITIONS):
            producer.produce(self.source, b"value", b"key", partition)
        producer.flush()
        while self._reader.poll(0.2) is not None:
            pass
        started = time.perf_counter()
        arguments = [self.app, self.source, self.target, self.bootstrap, folder]
        process = subprocess.Popen([sys.executable, "-c", _PROGRAM, *arguments], stderr=subprocess.DEVNULL)
        try:
            while (found := self._reader.poll(0.2)) is None or found.error() is not None:
                if time.perf_counter() - started > _TIMEOUT_S or process.poll() is not None:
                    raise SystemExit("the program wrote nothing.")
            self.took_s = time.perf_counter() - started
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(_TIMEOUT_S)


def import_ms(environment: dict[str, str]) -> float:
    """`import framework` in a new interpreter, whose own start is in it."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import framework"], env=environment, check=True)
    return 1000 * (time.perf_counter() - started)


def _imports() -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        import_ms(environment)
        return [import_ms(environment) for _ in range(IMPORT_ROUNDS)]


def _first_results(bootstrap: str) -> dict[str, float]:
    first = First(bootstrap)
    with tempfile.TemporaryDirectory() as folder:
        return {"first result, fresh (s)": first.seconds(folder), "first result, again (s)": first.seconds(folder)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    found = {"import framework (ms)": _imports()}
    with EmbeddedKafka(heap_mb=1024) as broker:
        for _ in range(arguments.rounds):
            for name, seconds in _first_results(broker.bootstrap).items():
                found.setdefault(name, []).append(seconds)
    shown = RichTable("figure", "median", "lowest", "highest", "rounds")
    for name, figures in found.items():
        median = statistics.median(figures)
        shown.add_row(name, f"{median:.2f}", f"{min(figures):.2f}", f"{max(figures):.2f}", str(len(figures)))
    Console(width=100).print(shown)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
