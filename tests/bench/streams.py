"""The same jobs on Kafka Streams: one thread, exactly-once, a commit each 100 ms, tuned as well as was found.

Jars and a compiler come from the same package registry as the broker's; the Java is that of the broker. The program is
`java/StreamsBench.java`.
"""

import hashlib
import json
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Mapping, Sequence
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
JVM = (
    "-Xmx1g", "-Xms1g", "-XX:+UseParallelGC", "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)  # fmt: skip
_TRAINING = {"StreamsBench": ("map", "count", "window", "sessions"), "Nexmark": ("q1", "q4", "q7", "q11")}
"""The jobs from whose run a program's other runs know which classes to load and which methods to compile."""
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
    """The compiled jobs and Kafka Streams, jar by jar; fetched and compiled the first time."""
    import jgo

    files = [str(path) for path in sorted(_SOURCES.glob("*.java"))]
    content = b"".join(Path(file).read_bytes() for file in files) + _ENDPOINT.encode()
    made = cache_folder() / f"streams-bench-{hashlib.sha256(content).hexdigest()[:12]}.jar"
    with one_at_a_time(cache_folder()):
        modules = Path(jgo.build(_ENDPOINT, update=False).path) / "modules"
        jars = ":".join(str(path) for path in sorted(modules.glob("*.jar")))
        if not made.exists():
            with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
                classes = f"{folder}/classes"
                compiler = [java(), "-cp", jars, "org.eclipse.jdt.internal.compiler.batch.Main"]
                subprocess.run([*compiler, "-21", "-nowarn", "-cp", jars, "-d", classes, *files], check=True)
                Path(shutil.make_archive(f"{folder}/jobs", "zip", classes)).rename(made)
    return f"{made}:{jars}"


def run_streams(job: str, bootstrap: str, inputs: Inputs | NexmarkInputs, output: str, **settings: str) -> Figures:
    """Run the job into the new topic `output`; the clock is the program's own."""
    create_topic(bootstrap, output)
    warmth = _warmth(bootstrap, inputs)
    return _run((job,), bootstrap, inputs, output, {**_SETTINGS, **settings}, f"-XX:AOTCache={warmth}")


def _warmth(bootstrap: str, inputs: Inputs | NexmarkInputs) -> Path:
    """What Java has learnt from some jobs of a program, so that short runs are not mainly its warming up."""
    program = _program(inputs)
    jar = class_path().split(":", 1)[0]
    learnt = Path(jar.removesuffix(".jar") + f"-{program}.aot")
    if not learnt.exists():
        output, new = f"training-{uuid.uuid4().hex[:8]}", learnt.with_suffix(f".{uuid.uuid4().hex[:8]}")
        create_topic(bootstrap, output)
        _run(_TRAINING[program], bootstrap, inputs, output, _SETTINGS, f"-XX:AOTCacheOutput={new}")
        new.rename(learnt)
    return learnt


def _program(inputs: Inputs | NexmarkInputs) -> str:
    return "Nexmark" if isinstance(inputs, NexmarkInputs) else "StreamsBench"


def _run(
    jobs: Sequence[str], bootstrap: str, inputs: Inputs | NexmarkInputs, output: str, settings: Mapping[str, str],
    option: str,
) -> Figures:  # fmt: skip
    """Run jobs one after the other; the figures of the last."""
    if isinstance(inputs, NexmarkInputs):
        topics = [inputs.persons, inputs.auctions, inputs.bids]
    else:
        topics = [",".join(map(inputs.source, jobs)), ",".join(map(inputs.second, jobs))]
    records = ",".join(str(inputs.records(job)) for job in jobs)
    with tempfile.TemporaryDirectory() as folder:
        command = [
            java(), *JVM, option, "-cp", class_path(), _program(inputs), ",".join(jobs), bootstrap, *topics, output,
            records, folder, *(f"{name}={value}" for name, value in settings.items()),
        ]  # fmt: skip
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return Figures(**json.loads(lines[-1]))
