"""An app's topics on the broker, as commands need them. Loads Kafka's client."""

from collections.abc import Mapping
from typing import Any

from framework.config import load_settings
from framework.dsl import App
from framework.runtime.kafka import admin_client
from framework.runtime.topics import Topics


def create_missing(app: App, arguments: Mapping[str, Any]) -> list[str]:
    """Create those of the user's topics that are missing; their names."""
    return _topics(app, arguments).create(app.plan().topics)


def partitions_of(app: App, arguments: Mapping[str, Any]) -> dict[str, int]:
    """Every topic of the broker with its number of partitions."""
    return _topics(app, arguments).partitions()


def _topics(app: App, arguments: Mapping[str, Any]) -> Topics:
    settings = load_settings(arguments, app.settings)
    return Topics(admin_client(settings), settings.bootstrap_servers)
