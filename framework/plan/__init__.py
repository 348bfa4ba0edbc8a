"""The plan: the declared graph arranged into sub-topologies, topics and stores. Frozen, printable, without Kafka."""
