"""A real Apache Kafka on this machine, from Python packages alone."""

from framework.broker.errors import BrokerError
from framework.broker.progress import ConsoleProgress, Progress
from framework.broker.server import EmbeddedKafka

__all__ = ["BrokerError", "ConsoleProgress", "EmbeddedKafka", "Progress"]
