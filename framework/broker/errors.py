"""Why no broker could be had."""

from framework.errors import FatalError


class BrokerError(FatalError):
    """The embedded Kafka cannot be prepared or started; the message says what to do."""

    exit_code = 3
