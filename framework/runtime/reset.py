"""Starting an app over: offsets, internal topics, local state.

The group must have no members. A reset that is interrupted is to be run again: half of it leaves state and offsets that
do not belong together.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from framework.config import Settings
from framework.errors import TopicError
from framework.naming import plan_topic
from framework.plan.plan import Plan
from framework.records import TopicPartition
from framework.runtime import kafka
from framework.runtime.topics import Topics

_TIMEOUT_S = 30.0
_INTERNAL = ("-changelog", "-repartition")


@dataclass(frozen=True)
class ResetPlan:
    """What a reset would do: where each partition is read from, which topics and folders go."""

    offsets: Mapping[TopicPartition, int]
    topics: tuple[str, ...]
    folders: tuple[Path, ...]


class Reset:
    """One reset of one app.

    Args:
        plan: the app.
        settings: where its broker and its state are.
    """

    def __init__(self, plan: Plan, settings: Settings) -> None:
        self._plan, self._settings = plan, settings
        self._admin = kafka.admin_client(settings)

    def prepare(self, to: Literal["earliest", "end"] | int) -> ResetPlan:
        """Find out what is to be done; `to` is where the topics are to be read from, a number is a time (ms).

        Raises:
            TopicError: workers of the app are running, or a topic that it reads is missing.
            BrokerUnreachable: nobody answers.
        """
        existing = Topics(self._admin, self._settings.bootstrap_servers).partitions()
        self._refuse_members()
        if missing := [topic.name for topic in self._plan.source_topics if topic.name not in existing]:
            raise TopicError(
                f"the broker does not have {', '.join(missing)}, which the app reads: there is nothing to reset."
            )
        internal = {topic.name for topic in self._plan.internal_topics} | {plan_topic(self._plan.app_id)}
        prefix = f"{self._plan.app_id}-"
        topics = [
            name for name in existing if name in internal or (name.startswith(prefix) and name.endswith(_INTERNAL))
        ]
        folder = self._settings.state_dir / self._plan.app_id
        places = {
            kafka.TopicPartition(topic.name, partition): kafka.place_in_log(to)
            for topic in self._plan.source_topics
            for partition in range(existing[topic.name])
        }
        found = self._admin.list_offsets(places, request_timeout=_TIMEOUT_S)
        offsets = {
            TopicPartition(p.topic, p.partition): answer.result(_TIMEOUT_S).offset for p, answer in found.items()
        }
        return ResetPlan(self._known(offsets), tuple(sorted(topics)), (folder,) if folder.exists() else ())

    def _known(self, offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """A time after the last record has no offset; it means the end."""
        late = {kafka.TopicPartition(*tp): kafka.place_in_log("end") for tp, offset in offsets.items() if offset < 0}
        ends = self._admin.list_offsets(late, request_timeout=_TIMEOUT_S) if late else {}
        return {
            **offsets,
            **{TopicPartition(p.topic, p.partition): a.result(_TIMEOUT_S).offset for p, a in ends.items()},
        }

    def _refuse_members(self) -> None:
        group = self._plan.app_id
        state = self._admin.describe_consumer_groups([group], request_timeout=_TIMEOUT_S)[group].result(_TIMEOUT_S)
        if state.members:
            raise TopicError(
                f'{len(state.members)} workers of the app "{group}" are running: stop them first, then reset. '
                "One that was killed counts until its session ends."
            )

    def run(self, prepared: ResetPlan) -> None:
        """Do it."""
        group = self._plan.app_id
        try:
            self._admin.delete_consumer_groups([group], request_timeout=_TIMEOUT_S)[group].result(_TIMEOUT_S)
        except kafka.KafkaException as error:
            if error.args[0].code() != kafka.KafkaError.GROUP_ID_NOT_FOUND:
                raise kafka.translate(error.args[0], f"delete the group {group}") from error
        for name, deleted in self._admin.delete_topics(list(prepared.topics)).items() if prepared.topics else ():
            try:
                deleted.result(_TIMEOUT_S)
            except kafka.KafkaException as error:
                raise kafka.translate(error.args[0], f"delete the topic {name}") from error
        for folder in prepared.folders:
            shutil.rmtree(folder)
        places = [kafka.TopicPartition(*tp, offset) for tp, offset in prepared.offsets.items()]
        asked = kafka.ConsumerGroupTopicPartitions(group, places)
        self._admin.alter_consumer_group_offsets([asked], request_timeout=_TIMEOUT_S)[group].result(_TIMEOUT_S)
