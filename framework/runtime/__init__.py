"""The runtime: workers, tasks, transactions, restore; the only part that knows Kafka.

Nothing is loaded here: the test driver needs `task` alone, and no Kafka client with it.
"""
