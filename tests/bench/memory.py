"""How much memory a word count with many words takes at its peak, by the worker's settings.

    python -m tests.bench.memory [--words 1000000] [--set cache_entries=10000 --set kafka.queued.min.messages=50000]

Each word comes twice, ten to a line, in an order without any locality, so that no cache helps. The worker is a process
of its own, with the settings that an app has by default.
"""

import argparse
import json
import random
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from framework import App
from framework.broker import EmbeddedKafka
from framework.runtime.process import limit_arenas
from tests.bench.penstock import count_words, run_measured
from tests.bench.stopwatch import Stopwatch
from tests.bench.workload import FIRST_TIMESTAMP_MS, WORDS_PER_LINE, create_topic, fill

TIMES = 2


def lines(words: int) -> Iterator[tuple[bytes | None, bytes, int]]:
    """Each word so many times, in any order."""
    dice = random.Random(3)
    for turn in range(TIMES):
        numbers = list(range(words))
        dice.shuffle(numbers)
        for at in range(0, words, WORDS_PER_LINE):
            line = b" ".join(b"word-%d" % number for number in numbers[at : at + WORDS_PER_LINE])
            yield None, line, FIRST_TIMESTAMP_MS + turn * words + at


def run(bootstrap: str, source: str, words: int, given: dict[str, Any]) -> None:
    """The worker's process: counts them all, and prints its figures as JSON."""
    limit_arenas()
    output = f"counts-{uuid.uuid4().hex[:8]}"
    create_topic(bootstrap, output)
    app = App(f"memory-{uuid.uuid4().hex[:8]}")
    count_words(app, source, output)
    figures = run_measured(app, bootstrap, Stopwatch(TIMES * words // WORDS_PER_LINE), given)
    print(json.dumps(asdict(figures)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=1_000_000)
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", dest="variants", help="one variant each"
    )
    arguments = parser.parse_args()
    with EmbeddedKafka(heap_mb=1024) as broker:
        source = f"lines-{uuid.uuid4().hex[:8]}"
        fill(broker.bootstrap, source, lines(arguments.words))
        for variant in ["", *arguments.variants]:
            given: dict[str, Any] = {"kafka": {}}
            for part in filter(None, variant.split(",")):
                name, _, value = part.partition("=")
                if name.startswith("kafka."):
                    given["kafka"][name.removeprefix("kafka.")] = value
                else:
                    given[name] = value
            call = f"run({broker.bootstrap!r}, {source!r}, {arguments.words}, {given!r})"
            code = f"from tests.bench.memory import run; {call}"
            done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            print(
                f"{variant or 'defaults':60} {found['peak_mb']:.0f} MB at the peak, {found['rate']:,.0f} lines/s, "
                f"{found['cpu_us']:.1f} µs CPU per line",
                flush=True,
            )


if __name__ == "__main__":
    main()
