"""The topics of an app on the broker: found, created, checked."""

from collections.abc import Mapping, Sequence

from framework.errors import BrokerUnreachable, TopicError
from framework.plan.partitions import Layout, lay_out
from framework.plan.plan import Plan
from framework.plan.topics import InternalTopic, TopicSpec
from framework.runtime import kafka

_TIMEOUT_S = 10.0
DEFAULT_PARTITIONS = 4


class Topics:
    """Looks at and makes the topics of a plan."""

    def __init__(self, admin: kafka.AdminClient, bootstrap_servers: str) -> None:
        self._admin, self._servers = admin, bootstrap_servers

    def partitions(self) -> dict[str, int]:
        """Every topic of the broker with its number of partitions.

        Raises:
            BrokerUnreachable: nobody answers.
        """
        try:
            found = self._admin.list_topics(timeout=_TIMEOUT_S)
        except kafka.KafkaException as error:
            raise BrokerUnreachable(
                f"no broker answers at {self._servers} ({error.args[0].name()}): start one (`penstock broker` runs one "
                "here) or correct bootstrap_servers (PENSTOCK_BOOTSTRAP_SERVERS)."
            ) from error
        return {name: len(topic.partitions) for name, topic in found.topics.items()}

    def prepare(self, plan: Plan) -> Layout:
        """Create the app's internal topics, or check those that exist.

        Raises:
            TopicError: a topic of the user is missing, or one does not fit the app.
        """
        existing = self.partitions()
        layout = lay_out(plan, existing)
        written = {sink.topic for sub in plan.sub_topologies for sink in sub.sinks}
        internal = {topic.name for topic in plan.internal_topics}
        if missing := sorted(written - internal - existing.keys()):
            raise TopicError(
                f'the app "{plan.app_id}" writes {", ".join(missing)}, which the broker does not have: create '
                f"{'it' if len(missing) == 1 else 'them'}, for instance with `penstock topics APP --create`."
            )
        self._check_logs(plan)
        self._check([t for t in plan.internal_topics if t.name in existing], layout, existing)
        self._create_internal([t for t in plan.internal_topics if t.name not in existing], layout)
        return layout

    def create(self, specs: Sequence[TopicSpec], partitions: int = DEFAULT_PARTITIONS) -> list[str]:
        """Create those of the user's topics that are missing; their names."""
        existing = self.partitions()
        missing = [spec for spec in specs if spec.name not in existing]
        self._create(
            {
                spec.name: kafka.NewTopic(
                    spec.name, spec.partitions or partitions, spec.replication or -1, config=spec.creation_config
                )
                for spec in missing
            }
        )
        return [spec.name for spec in missing]

    def _create_internal(self, topics: Sequence[InternalTopic], layout: Layout) -> None:
        self._create({t.name: kafka.NewTopic(t.name, layout.partitions[t.name], -1, config=t.config) for t in topics})

    def _create(self, topics: Mapping[str, kafka.NewTopic]) -> None:
        if not topics:
            return
        for name, created in self._admin.create_topics(list(topics.values()), operation_timeout=_TIMEOUT_S).items():
            try:
                created.result(_TIMEOUT_S)
            except kafka.KafkaException as error:
                # Reason: the other workers of the fleet create them at the same moment.
                if error.args[0].code() != kafka.KafkaError.TOPIC_ALREADY_EXISTS:
                    raise TopicError(f"cannot create the topic {name}: {error.args[0].str()}") from error

    def _check_logs(self, plan: Plan) -> None:
        """See that the topics that are the logs of tables lose none of their rows."""
        stores = {store.changelog: store for sub in plan.sub_topologies for store in sub.stores if store.is_source}
        for topic, settings in self._settings_of(list(stores)).items():
            expires = [name for name in ("retention.ms", "retention.bytes") if settings[name] != "-1"]
            if "delete" not in settings["cleanup.policy"] or not expires:
                continue
            store = stores[topic]
            raise TopicError(
                f'{store.node.origin}: the table "{store.name}" has no changelog, its rows come back from the topic '
                f"{topic} (reuse_source_topics); but that has cleanup.policy={settings['cleanup.policy']} and "
                f"{expires[0]}={settings[expires[0]]}, so rows would be lost. Set cleanup.policy=compact, or "
                "retention.ms=-1 and retention.bytes=-1; or turn App(reuse_source_topics=…) off."
            )

    def _settings_of(self, topics: Sequence[str]) -> dict[str, dict[str, str]]:
        if not topics:
            return {}
        asked = [kafka.ConfigResource(kafka.ConfigResource.Type.TOPIC, topic) for topic in topics]
        return {
            resource.name: {name: entry.value for name, entry in answer.result(_TIMEOUT_S).items()}
            for resource, answer in self._admin.describe_configs(asked).items()
        }

    def _check(self, topics: Sequence[InternalTopic], layout: Layout, existing: Mapping[str, int]) -> None:
        for topic in topics:
            if existing[topic.name] != layout.partitions[topic.name]:
                raise TopicError(
                    f"the internal topic {topic.name} has {existing[topic.name]} partitions, but this app needs "
                    f"{layout.partitions[topic.name]}: its input has changed. Set the input's partitions back, or "
                    "start over by deleting the app's internal topics and its state folder."
                )
        settings = self._settings_of([topic.name for topic in topics])
        for topic in topics:
            for setting in topic.checked:
                has, wanted = settings[topic.name][setting], topic.config[setting]
                if sorted((has or "").split(",")) != sorted(wanted.split(",")):
                    what = "let it grow without end" if topic.forgets and has == "compact" else "lose data"
                    raise TopicError(
                        f"the internal topic {topic.name} has {setting}={has}, which would {what}: the app needs "
                        f"{setting}={wanted}. Set it, or delete the topic to have it made anew."
                    )
