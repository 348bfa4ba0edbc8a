"""A worker on a thread of the test, for programs that a test declares itself."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from framework import App


def create_topics(app: App, kafka: Any) -> None:
    """Create the topics of the app that are missing."""
    from framework.config import load_settings
    from framework.runtime.kafka import admin_client
    from framework.runtime.topics import Topics

    settings = load_settings({"bootstrap_servers": kafka.bootstrap}, app.settings)
    Topics(admin_client(settings), kafka.bootstrap).create(app.plan().topics)


@contextmanager
def running(app: App, kafka: Any, folder: Path, **settings: Any) -> Iterator[None]:
    """A worker of the app, with its state in this folder, until the block ends."""
    from framework.config import load_settings
    from framework.runtime.kafka import admin_client
    from framework.runtime.topics import Topics
    from framework.runtime.worker import Worker
    from state import StateFolder

    given = load_settings({"bootstrap_servers": kafka.bootstrap, "state_dir": folder, **settings}, app.settings)
    layout = Topics(admin_client(given), kafka.bootstrap).prepare(app.plan())
    worker = Worker(
        layout, given, identity="a", is_static=False, state_folder=StateFolder(folder / "w", app.id)
    )  # fmt: skip
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join(60)
