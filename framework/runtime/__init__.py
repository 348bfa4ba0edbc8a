"""The runtime: workers, tasks, transactions, restore; the only part that knows Kafka."""

from framework.runtime.run import run_app, run_worker

__all__ = ["run_app", "run_worker"]
