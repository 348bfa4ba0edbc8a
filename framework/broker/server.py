"""A single-node Apache Kafka as a child process."""

import shutil
import signal
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from framework.broker.errors import BrokerError
from framework.broker.process import BrokerProcess, free_ports, java_command
from framework.broker.progress import Progress
from framework.broker.settings import render
from framework.broker.template import Template


class EmbeddedKafka:
    """A real broker on the loopback interface; ends with this process.

    Args:
        folder: where its data is kept; None: a temporary folder that is removed by `stop`.
        port: where it listens; None: a free one.
        settings: broker settings beside or instead of `settings.SETTINGS`.
        heap_mb: Java's heap; above 256 it is also compiled for speed.
        progress: told what is being prepared, the first time.
    """

    def __init__(
        self,
        folder: Path | None = None,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        heap_mb: int = 256,
        progress: Progress | None = None,
    ) -> None:
        self._is_temporary = folder is None
        self.folder = (folder or Path(tempfile.mkdtemp(prefix="penstock-kafka-"))).resolve()
        found, self._controller_port = free_ports(2)
        self.port = port or found
        self._settings, self._heap_mb, self._progress = dict(settings or {}), heap_mb, progress or Progress()
        self._process: BrokerProcess | None = None

    @property
    def bootstrap(self) -> str:
        """What `bootstrap_servers` takes."""
        return f"127.0.0.1:{self.port}"

    @property
    def log_path(self) -> Path:
        return self.folder / "kafka.log"

    @property
    def java_pid(self) -> int | None:
        return self._process.java_pid if self._process is not None else None

    @property
    def is_running(self) -> bool:
        """False before `start`, after `stop` or `kill`, and when it has ended by itself."""
        return self._process is not None and self._process.is_running

    def start(self) -> None:
        """Start it, again after `stop` or `kill` on the same data, and wait until it answers.

        Raises:
            BrokerError: Kafka or Java cannot be had, the port is taken, or the broker did not start.
        """
        _check_free(self.port)
        template = Template()
        template.prepare(self._progress)
        if not (self.folder / "data").exists():
            shutil.copytree(template.data, self.folder / "data")
        config = self.folder / "server.properties"
        config.write_text(render(self.folder, self.port, self._controller_port, self._settings))
        archive = [f"-XX:SharedArchiveFile={template.archive}"] if template.archive.exists() else []
        command = java_command(archive, self._heap_mb, template.log4j, "kafka.Kafka", str(config))
        self._process = BrokerProcess(command, self.log_path)
        self._process.wait_until_ready()

    def stop(self) -> None:
        """End it politely; a temporary folder is removed."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        if self._is_temporary:
            shutil.rmtree(self.folder / "data", ignore_errors=True)
            shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        """End it as a crash would; `start` goes on with its data."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def freeze(self) -> None:
        """Stop it from running, as a hung machine would, until `thaw`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise BrokerError(
                f"the port {port} is taken ({error.strerror}): stop what listens there or choose another port."
            ) from error
