"""What the stores of an app were filled by, in a compacted topic of its own: one record per store.

Read and compared before a worker takes a task, written when the app's topics are there. Several workers that start at
once write the same.
"""

import msgspec

from framework.config import Settings
from framework.errors import FatalError
from framework.naming import plan_topic
from framework.plan.fingerprint import Fingerprint, check, fingerprints
from framework.plan.plan import Plan
from framework.plan.topics import TopicSpec
from framework.runtime import kafka
from framework.runtime.topics import Topics

_TIMEOUT_S = 30.0


class PlanLog:
    """The topic of one app."""

    def __init__(self, settings: Settings, topics: Topics, app_id: str) -> None:
        self._settings, self._topics, self._topic = settings, topics, plan_topic(app_id)
        self._before: dict[str, Fingerprint] = {}

    def check(self, plan: Plan) -> None:
        """Compare the plan with what its stores were filled by; a store without a changelog begins anew.

        Raises:
            ProgramChanged: a step does not fit the state it left.
            BrokerUnreachable: nobody answers.
        """
        existing = self._topics.partitions()
        if self._topic not in existing:
            return
        self._before = self._read()
        alive = {store.name for sub in plan.sub_topologies for store in sub.stores if store.changelog in existing}
        # Reason: what such a store held is in no changelog, so it cannot begin anew under the same offsets.
        alive.update(name for name, found in self._before.items() if found.is_source)
        check(plan, {name: found for name, found in self._before.items() if name in alive})

    def write(self, plan: Plan) -> None:
        """Keep what the stores are filled by from now on."""
        changed = {name: now for name, now in fingerprints(plan).items() if self._before.get(name) != now}
        if not changed:
            return
        self._topics.create([TopicSpec(self._topic, str, bytes, partitions=1, config={"cleanup.policy": "compact"})])
        producer = kafka.plain_producer(self._settings)
        for name, fingerprint in changed.items():
            producer.produce(self._topic, msgspec.json.encode(fingerprint), name.encode())
        if producer.flush(_TIMEOUT_S):
            raise FatalError(f"{self._topic} cannot be written within {_TIMEOUT_S:.0f} s.")

    def _read(self) -> dict[str, Fingerprint]:
        decode = msgspec.json.Decoder(Fingerprint).decode
        found: dict[str, Fingerprint] = {}
        for record in kafka.read_partition(self._settings, self._topic, 0, _TIMEOUT_S):
            key, value = record.key(), record.value()
            if key is not None and value is not None:
                found[key.decode()] = decode(value)
        return found
