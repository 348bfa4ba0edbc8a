"""The demo: a million words through two workers on a real Kafka, one of them killed half-way, and the proof.

`make demo`, or `python -m apps.wordcount.demo [--words N]`. Everything it makes is below one temporary folder and ends
with it. Exit codes: 0 proved, 1 the output is wrong or the app did not get there, 130 interrupted.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from apps.wordcount.app import PARTITIONS, app, counts, lines
from apps.wordcount.corpus import corpus
from apps.wordcount.fleet import Fleet
from apps.wordcount.lag import GroupLag
from apps.wordcount.proof import Output, differences, expected_counts, output_of
from framework.broker import ConsoleProgress, EmbeddedKafka
from framework.cli.signals import term_interrupts
from framework.testing.kafka import KafkaCluster
from serde import for_type

WORDS = 1_050_000
WORKERS = 2
KILL_AT = 0.4  # of the way
_HEAP_MB = 1024  # above 256 Java compiles for speed
_TIMEOUT_S = 180.0
_SETTLE_S = 20.0
_POLL_S = 0.2


class DemoFailed(Exception):
    """What the demo ends with; the message is for the screen."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=WORDS, help="at least so many (default: %(default)s)")
    words = parser.parse_args(arguments).words
    console = Console(highlight=False, soft_wrap=True)
    try:
        with term_interrupts(), tempfile.TemporaryDirectory(prefix="penstock-demo-") as folder:
            _run(console, Path(folder), words)
    except KeyboardInterrupt:
        console.print("interrupted; everything is stopped and removed")
        return 130
    except DemoFailed as error:
        console.print(str(error), style="red", markup=False)
        return 1
    return 0


def _run(console: Console, folder: Path, words: int) -> None:
    started = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        # Reason: Java starts in a process of its own, so the corpus is read meanwhile.
        reading = pool.submit(corpus, words)
        with EmbeddedKafka(folder / "kafka", heap_mb=_HEAP_MB, progress=ConsoleProgress(console)) as broker:
            console.print(f"Kafka runs at {broker.bootstrap} ({time.monotonic() - started:.1f} s)")
            _demonstrate(console, KafkaCluster(broker.bootstrap, broker), folder, reading.result())
    console.print(f"{time.monotonic() - started:.0f} s in all")


def _demonstrate(console: Console, kafka: KafkaCluster, folder: Path, text: Sequence[str]) -> None:
    expected = expected_counts(text)
    for topic in (lines, counts):
        kafka.topic(topic.name, PARTITIONS)
    for partition in range(PARTITIONS):
        kafka.send(lines.name, ((None, line.encode()) for line in text[partition::PARTITIONS]), partition)
    console.print(
        f"loaded {len(text):,} lines, {expected.total():,} words of Python's documentation into the topic "
        f'"{lines.name}", {PARTITIONS} partitions'
    )
    with Fleet(folder, kafka.bootstrap, WORKERS) as fleet:
        console.print(f"{WORKERS} workers: {fleet.command_line}")
        lag = GroupLag(kafka.bootstrap, app.id)
        seconds = _count(console, lag, fleet, len(text) + expected.total())
        lag.close()
        output = _settled(kafka, expected)
    _report(console, output, len(text), expected.total(), seconds)
    prove(console, expected, output)


def _count(console: Console, lag: GroupLag, fleet: Fleet, total: int) -> float:
    """Wait until the app has read everything, and kill a worker on the way; seconds since the workers were started.

    Args:
        console: where progress is shown.
        lag: the app's offsets.
        fleet: its workers.
        total: how many records it will read: the lines, and the words it sends itself.
    Raises:
        DemoFailed: a worker ended by itself, or it takes too long.
    """
    repartition = app.plan().repartition_topics()[0].name
    columns = (TextColumn("counting"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    is_killed = False
    started = time.monotonic()
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("counting", total=total)
        while True:
            time.sleep(_POLL_S)
            if problem := fleet.problem():
                raise DemoFailed(problem)
            if time.monotonic() > started + _TIMEOUT_S:
                raise DemoFailed(f"the app is not through after {_TIMEOUT_S:.0f} s; its log ends:\n{fleet.log_tail()}")
            of_lines = lag.place(lines.name)
            if not of_lines.committed:
                continue
            of_words = lag.place(repartition)
            done = min(of_lines.committed + of_words.committed, total)
            progress.update(bar, completed=done)
            if done >= KILL_AT * total and not is_killed:
                is_killed = True
                pid = fleet.kill_one()
                progress.print(f"killed the worker with process id {pid} by SIGKILL; it is started again")
            # Reason: after the last record of a partition stand the markers of transactions, one per worker.
            if of_lines.lag == 0 and of_words.lag <= WORKERS * PARTITIONS:
                progress.update(bar, completed=total)
                return time.monotonic() - started


def _settled(kafka: KafkaCluster, expected: Counter[str]) -> Output:
    """The output when nothing more is to come: it is right, or has had time enough to become so."""
    deadline = time.monotonic() + _SETTLE_S
    while True:
        output = _read(kafka)
        if not differences(expected, output) or time.monotonic() > deadline:
            return output
        time.sleep(_POLL_S)


def _read(kafka: KafkaCluster) -> Output:
    """The output topic as a reader of committed records sees it."""
    words, numbers = for_type(str), for_type(int)
    records = [(r.key, r.value) for r in kafka.read(counts.name) if r.key is not None and r.value is not None]
    return output_of((words.deserialize(key), numbers.deserialize(value)) for key, value in records)


def _report(console: Console, output: Output, line_count: int, word_count: int, seconds: float) -> None:
    console.print(
        f"counted in {seconds:.1f} s, the workers' start and the kill included: "
        f"{line_count / seconds:,.0f} lines/s, {word_count / seconds:,.0f} words/s"
    )
    top = Counter(output.counts).most_common(8)
    console.print("most frequent: " + ", ".join(f"{word} {count:,}" for word, count in top), markup=False)


def prove(console: Console, expected: Counter[str], output: Output) -> None:
    """Say that the output is right.

    Raises:
        DemoFailed: it is not.
    """
    if wrong := differences(expected, output):
        shown = "\n".join(f"  {sentence}" for sentence in wrong[:10])
        raise DemoFailed(
            f'the topic "{counts.name}" differs from collections.Counter in {len(wrong):,} places, first:\n{shown}'
        )
    console.print(f"[green]proof: {len(expected):,} words, {expected.total():,} occurrences, all equal")


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        sys.exit(main())
