"""What makes a start take one second: a data folder to copy, and an archive of Kafka's loaded classes.

The folder is that of a broker that was formatted, has run one transaction and one group, and was stopped politely (a
copy of one that was killed must wait until its old registration has expired). It is made once per Kafka version.
"""

import shutil
import subprocess
from pathlib import Path

from framework.broker.cache import cache_folder, one_at_a_time
from framework.broker.errors import BrokerError
from framework.broker.jars import FILES, class_path, files_fetched, is_class_path_ready, java
from framework.broker.process import BrokerProcess, free_ports, java_command
from framework.broker.progress import Progress
from framework.broker.settings import CLUSTER_ID, KAFKA_VERSION, LOG4J, render

_WARM_UP_TOPIC = "penstock-warm-up"


class Template:
    """The prepared parts in the cache; `prepare` makes what is missing."""

    def __init__(self) -> None:
        folder = cache_folder()
        self.archive = folder / f"kafka-{KAFKA_VERSION}.jsa"
        self.data = folder / f"data-{KAFKA_VERSION}"
        self.log4j = folder / "log4j2.properties"

    def prepare(self, progress: Progress) -> None:
        """Fetch and make what is missing; a minute the first time, nothing afterwards.

        Raises:
            BrokerError: something cannot be had.
        """
        if not is_class_path_ready():
            before = files_fetched()
            text = f"fetching Kafka {KAFKA_VERSION} (once, about a minute)"
            with progress.fetching(text, FILES, lambda: files_fetched() - before):
                class_path()
        with one_at_a_time(cache_folder()):
            if self.data.exists():
                return
            progress.say("preparing a broker that starts in a second (once, about ten seconds)")
            self.log4j.write_text(LOG4J)
            draft = cache_folder() / "draft"
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            self._make(draft)
            shutil.rmtree(draft)

    def _make(self, draft: Path) -> None:
        base = Path(java()).parent.parent / "lib/server/classes.jsa"
        if not base.exists():  # the wheel ships without it, and no other archive is written without this one
            subprocess.run([java(), "-Xshare:dump"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port, controller_port = free_ports(2)
        config = draft / "server.properties"
        config.write_text(render(draft, port, controller_port, {}))
        command = java_command(
            [], 256, self.log4j, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(config)
        )
        formatted = subprocess.run(command, capture_output=True, text=True, check=False)
        if formatted.returncode:
            raise BrokerError(f"cannot format Kafka's data folder: {(formatted.stderr or formatted.stdout)[-2000:]}")
        command = java_command(
            [f"-XX:ArchiveClassesAtExit={self.archive}"], 256, self.log4j, "kafka.Kafka", str(config)
        )
        broker = BrokerProcess(command, draft / "kafka.log")
        try:
            broker.wait_until_ready()
            _warm_up(f"127.0.0.1:{port}")
        finally:
            broker.stop()
        for leftover in (draft / "data").glob("*-delete"):
            shutil.rmtree(leftover)
        (draft / "data").rename(self.data)


def _warm_up(servers: str) -> None:
    """One transaction and one group: makes the internal topics, and loads their classes into the archive."""
    from framework.runtime import kafka

    # Reason: the coordinators are still loading, which the client would tell the user as warnings.
    quiet = {"bootstrap.servers": servers, "log_level": 2}
    admin = kafka.create_admin(quiet)
    admin.create_topics([kafka.NewTopic(_WARM_UP_TOPIC, 1, 1)])[_WARM_UP_TOPIC].result(30)
    producer = kafka.create_producer({**quiet, "transactional.id": _WARM_UP_TOPIC})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(_WARM_UP_TOPIC, b"x")
    producer.commit_transaction(30)
    consumer = kafka.create_consumer({**quiet, "group.id": _WARM_UP_TOPIC, "auto.offset.reset": "earliest"})
    consumer.subscribe([_WARM_UP_TOPIC])
    while not consumer.poll(1):
        pass
    consumer.commit(asynchronous=False)
    consumer.close()
    admin.delete_topics([_WARM_UP_TOPIC])[_WARM_UP_TOPIC].result(30)
