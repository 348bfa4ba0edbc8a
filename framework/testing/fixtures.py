"""Pytest fixtures for apps built on penstock. Importing this costs nothing: heavy parts load when a test asks."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from framework.testing import TestDriver
    from framework.testing.kafka import KafkaCluster


@pytest.fixture
def driver() -> "Iterator[Callable[..., TestDriver]]":
    """`driver(app, …)` starts a TestDriver, which is closed after the test."""
    from framework.testing import TestDriver

    with ExitStack() as opened:
        yield lambda app, **options: opened.enter_context(TestDriver(app, **options))


@pytest.fixture(scope="session")
def kafka() -> "Iterator[KafkaCluster]":
    """A real Kafka: the one at `PENSTOCK_TEST_BOOTSTRAP`, else one started for this test run."""
    from framework.broker import BrokerError, EmbeddedKafka
    from framework.testing.kafka import KafkaCluster

    servers = os.environ.get("PENSTOCK_TEST_BOOTSTRAP")
    if servers:
        yield KafkaCluster(servers)
        return
    broker = EmbeddedKafka()
    try:
        broker.start()
    except BrokerError as error:
        pytest.fail(f"no Kafka for tests: {error} Or set PENSTOCK_TEST_BOOTSTRAP to a broker of yours.", pytrace=False)
    try:
        yield KafkaCluster(broker.bootstrap, broker)
    finally:
        broker.stop()
