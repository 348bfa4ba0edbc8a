"""Running an app: settings, topics, then one worker here or several under a supervisor."""

import logging
import signal
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from framework.config import Settings, load_settings
from framework.errors import ConfigError, LocalStateError
from framework.runtime import kafka
from framework.runtime.fill import fill_topics
from framework.runtime.plan_log import PlanLog
from framework.runtime.process import limit_arenas, tune_collector
from framework.runtime.supervisor import supervise
from framework.runtime.topics import Topics
from framework.runtime.worker import Worker
from state import StateError, StateFolder, StateFolderMismatch

if TYPE_CHECKING:
    from framework.dsl import App

log = logging.getLogger("penstock")


def run_app(app: "App", arguments: Mapping[str, Any]) -> None:
    """Run one worker of the app in this process, or several in processes of their own, until SIGTERM or SIGINT.

    Raises:
        StreamError: see its tree; nothing committed is lost.
        SystemExit: a worker process ended with this code, and starting it again would not help; its log says why.
    """
    settings = load_settings(arguments, app.settings)
    if settings.workers == 1:
        run_worker(app, settings, index=0)
    else:
        supervise(settings.workers, lambda index: run_worker(app, settings, index=index), until_end=settings.until_end)


def run_worker(app: "App", settings: Settings, *, index: int) -> None:
    """Run the worker `index` of this machine."""
    if threading.current_thread() is threading.main_thread():
        limit_arenas()
    plan = app.plan()
    is_static = settings.instance is not None
    name = f"{settings.instance}-{index}" if is_static else f"worker-{index}"
    folder = _own_folder(settings.state_dir / app.id / name, app.id)
    try:
        topics = Topics(kafka.admin_client(settings), settings.bootstrap_servers)
        plan_log = PlanLog(settings, topics, app.id)
        plan_log.check(plan)
        layout = topics.prepare(plan)
        plan_log.write(plan)
        fill_topics(plan, settings, layout.partitions)
        identity = name if is_static else f"{name}-{uuid.uuid4().hex[:12]}"
        worker = Worker(layout, settings, identity=identity, is_static=is_static, state_folder=folder)
    except BaseException:
        folder.release()
        raise
    if threading.current_thread() is threading.main_thread():
        _stop_on_signals(worker)
        tune_collector(settings.chunk_records)
    log.info("worker %s of %s runs on %s", identity, app.id, settings.bootstrap_servers)
    worker.run()


def _own_folder(path: Path, app_id: str) -> StateFolder:
    try:
        return StateFolder(path, app_id)
    except StateFolderMismatch as error:
        raise ConfigError(str(error)) from error
    except (StateError, OSError) as error:
        raise LocalStateError(str(error)) from error


def _stop_on_signals(worker: Worker) -> None:
    def stop(_: int, __: FrameType | None) -> None:
        worker.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
