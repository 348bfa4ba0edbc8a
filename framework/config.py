"""Settings as data: name, type, unit, default and meaning in one table.

They come from arguments, the environment (`PENSTOCK_COMMIT_INTERVAL=100ms`, `PENSTOCK_KAFKA__CLIENT__RACK=a`), the app
(`App(..., settings={...})`), then these defaults.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from framework.durations import to_ms
from framework.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_settings import PydanticBaseSettingsSource


def _with_dots(given: Any) -> Any:
    """`{"security": {"protocol": x}}`, which the environment gives, as `{"security.protocol": x}`."""
    if not isinstance(given, dict):
        return given
    flat: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, dict):
            flat.update({f"{name}.{inner}": v for inner, v in _with_dots(value).items()})
        else:
            flat[name] = value
    return flat


ClientSettings = Annotated[dict[str, str | int | float | bool], BeforeValidator(_with_dots)]
Ms = Annotated[int, BeforeValidator(lambda given: to_ms(given) if not isinstance(given, int) else given)]

# Reason: with another value of these the guarantees do not hold, whatever else is set.
GUARDED = {
    "enable.auto.commit": "offsets are committed inside the transaction",
    "enable.auto.offset.store": "offsets are committed inside the transaction",
    "enable.idempotence": "transactions need it",
    "isolation.level": "an aborted record must never be read",
    "transactional.id": "it fences the past of this very worker",
    "group.id": "it is the app's id",
    "group.instance.id": "set `instance` instead",
    "partition.assignment.strategy": "tasks move one by one",
    "group.protocol": "tasks move one by one",
    "acks": "transactions need all",
    "auto.offset.reset": "an app starts at the beginning of its topics",
}


class Settings(BaseSettings):
    """What can be set. Durations are in ms inside; from outside `"250ms" "10s" "5m"` are understood too."""

    model_config = SettingsConfigDict(env_prefix="PENSTOCK_", env_nested_delimiter="__", extra="forbid", frozen=True)

    bootstrap_servers: str = Field("127.0.0.1:9092", description="Brokers to ask first, as host:port,host:port.")
    state_dir: Path = Field(
        Path(".penstock/state"), description="Where stores are kept, one folder per app and worker."
    )
    instance: str | None = Field(
        None,
        description="Stable name of this process, such as its pod's: a restart keeps its tasks and fences its past.",
    )
    workers: int = Field(1, ge=1, le=256, description="How many worker processes to run on this machine.")
    mode: Literal["exactly-once", "continuous"] = Field(
        "exactly-once",
        description="exactly-once: in transactions; continuous: at least once, outputs leave at once.",
    )
    commit_interval: Ms = Field(100, ge=1, le=60_000, description="At most so long between two commits (ms).")
    session_timeout: Ms = Field(45_000, ge=100, description="A worker silent for so long loses its tasks (ms).")
    heartbeat_interval: Ms = Field(3_000, ge=10, description="How often a worker shows that it lives (ms).")
    transaction_timeout: Ms = Field(
        10_000, ge=1_000, le=900_000, description="A dead worker's transaction is aborted after so long (ms)."
    )
    chunk_records: int = Field(10_000, ge=1, le=1_000_000, description="At most so many records are taken at once.")
    max_uncommitted_keys: int = Field(
        200_000, ge=1, description="Commit early when one transaction has changed so many keys."
    )
    cache_entries: int = Field(50_000, ge=0, description="Decoded entries remembered per store and task.")
    until_end: bool = Field(
        False, description="Process what there is at the start, write final results, then end with exit code 0."
    )
    kafka: ClientSettings = Field(
        default_factory=dict, description="Settings of the Kafka client (librdkafka), by their own names."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the signature is pydantic's
        init_settings: "PydanticBaseSettingsSource",
        env_settings: "PydanticBaseSettingsSource",
        dotenv_settings: "PydanticBaseSettingsSource",  # noqa: ARG003
        file_secret_settings: "PydanticBaseSettingsSource",  # noqa: ARG003
    ) -> "tuple[PydanticBaseSettingsSource, ...]":
        return (init_settings, env_settings)


def load_settings(arguments: Mapping[str, Any], app_settings: Mapping[str, Any]) -> Settings:
    """Settings from arguments (None: not given), the environment, the app, the defaults, in that order.

    Raises:
        ConfigError: an unknown setting, a bad value, or a client setting that would break a guarantee.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    try:
        from_environment = Settings().model_dump(exclude_unset=True)
        settings = Settings(**{**app_settings, **from_environment, **given})
    except ValidationError as error:
        raise ConfigError("\n".join(_in_words(problem) for problem in error.errors())) from error
    if refused := GUARDED.keys() & settings.kafka.keys():
        reasons = "; ".join(f"kafka.{name}: {GUARDED[name]}" for name in sorted(refused))
        raise ConfigError(f"these client settings are the framework's own ({reasons}): remove them.")
    return settings


def _in_words(problem: Any) -> str:
    name = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        return f"there is no setting {name}: known are {', '.join(Settings.model_fields)}."
    meaning = Settings.model_fields[name].description if name in Settings.model_fields else ""
    return f"the setting {name} is {problem['input']!r}: {problem['msg'].lower()}. {meaning}".rstrip()
