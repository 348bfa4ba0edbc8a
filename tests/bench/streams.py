"""The same jobs on Kafka Streams: one thread, exactly-once, a commit each 100 ms, tuned as well as was found.

Jars and a compiler come from the same package registry as the broker's; the Java is that of the broker. The program is
`java/StreamsBench.java`.
"""

import hashlib
import json
import subprocess
import tempfile
from pathlib import Path

from framework.broker.cache import cache_folder, one_at_a_time
from framework.broker.jars import java
from framework.broker.settings import KAFKA_VERSION
from tests.bench.nexmark import NexmarkInputs
from tests.bench.stopwatch import Figures
from tests.bench.workload import Inputs, create_topic

_ENDPOINT = (
    f"org.apache.kafka:kafka-streams:{KAFKA_VERSION}!+com.alibaba.fastjson2:fastjson2:2.0.57"
    "+org.apache.avro:avro:1.12.2+org.eclipse.jdt:ecj:3.42.0+org.slf4j:slf4j-nop:2.0.17"
)
_SOURCES = Path(__file__).parent / "java"
# Each was tried on its own and helped, or did no harm; the heap is more than it needs.
JVM = ("-Xmx1g", "-Xms1g", "-XX:+UseParallelGC", "--enable-native-access=ALL-UNNAMED")
_SETTINGS = {
    "processing.guarantee": "exactly_once_v2",
    "commit.interval.ms": "100",
    "num.stream.threads": "1",
    "statestore.cache.max.bytes": str(256 << 20),
    "buffered.records.per.partition": "10000",
    "max.poll.records": "10000",
    "max.partition.fetch.bytes": str(10 << 20),
    "producer.batch.size": str(1 << 20),
    "producer.linger.ms": "5",
    "producer.buffer.memory": str(256 << 20),
    "metrics.recording.level": "INFO",
}


def class_path() -> str:
    """Kafka Streams and the compiled jobs; fetched and compiled the first time."""
    import jgo

    source = b"".join(path.read_bytes() for path in sorted(_SOURCES.glob("*.java")))
    classes = cache_folder() / f"streams-bench-{hashlib.sha256(source).hexdigest()[:12]}"
    with one_at_a_time(cache_folder()):
        jars = f"{jgo.build(_ENDPOINT, update=False).path}/modules/*"
        if not classes.exists():
            with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
                files = [str(path) for path in sorted(_SOURCES.glob("*.java"))]
                compiler = [java(), "-cp", jars, "org.eclipse.jdt.internal.compiler.batch.Main"]
                command = [*compiler, "-21", "-nowarn", "-cp", _expanded(jars), "-d", folder, *files]
                subprocess.run(command, check=True)
                Path(folder).rename(classes)
                Path(folder).mkdir()
    return f"{classes}:{jars}"


def _expanded(jars: str) -> str:
    return ":".join(str(path) for path in Path(jars).parent.glob("*.jar"))


def run_streams(job: str, bootstrap: str, inputs: Inputs | NexmarkInputs, output: str, **settings: str) -> Figures:
    """Run the job into the new topic `output`; the clock is the program's own."""
    create_topic(bootstrap, output)
    if isinstance(inputs, NexmarkInputs):
        program = ["Nexmark", job, bootstrap, inputs.persons, inputs.auctions, inputs.bids]
    else:
        program = ["StreamsBench", job, bootstrap, inputs.source(job), inputs.second(job)]
    with tempfile.TemporaryDirectory() as folder:
        command = [
            java(), *JVM, "-cp", class_path(), *program, output, str(inputs.records(job)), folder,
            *(f"{k}={v}" for k, v in {**_SETTINGS, **settings}.items()),
        ]  # fmt: skip
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Figures(**json.loads(done.stdout.splitlines()[-1]))
