"""The one door to the Kafka client library: everything else speaks of records, offsets and errors of our own.

Trap: an AdminClient that is collected cancels its futures with `_DESTROY`; keep it in a variable while they run.
"""

from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

# Unit: the client takes milliseconds for settings that end in .ms, and seconds for arguments called timeout.


def create_producer(settings: Mapping[str, Any]) -> Producer:
    return Producer(dict(settings))


def create_consumer(settings: Mapping[str, Any]) -> Consumer:
    return Consumer(dict(settings))


def create_admin(settings: Mapping[str, Any]) -> AdminClient:
    return AdminClient(dict(settings))
