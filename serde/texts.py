"""UUID and datetime, whose wire form is a text.

Both are the inside of a JSON string, so msgspec writes and reads them: 3 to 10 times faster than the standard library,
and stricter, since `UUID()` and `fromisoformat` accept many spellings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec

from serde.base import GuardedSerde
from serde.errors import mismatch
from serde.outer import outer_type
from serde.primitives import check_width

_UUID, _DATETIME = map(outer_type, (UUID, datetime))
_UUID_LENGTH = 36
_SECONDS_LENGTH = len("2030-12-31T23:59:59")
_ONE_MINUTE = timedelta(minutes=1)
_to_json = msgspec.json.Encoder().encode
_uuid_from_json = msgspec.json.Decoder(UUID).decode
_datetime_from_json = msgspec.json.Decoder(Annotated[datetime, msgspec.Meta(tz=True)]).decode


@dataclass(frozen=True)
class UuidSerde(GuardedSerde[UUID]):
    """36 characters with hyphens, as Kafka's UUIDSerializer writes them."""

    name = "UUID"

    def _encode_all(self, values: Sequence[UUID]) -> list[bytes]:
        if not _UUID.admits_all(values):
            raise _UUID.mismatch(values)
        return [_to_json(value)[1:-1] for value in values]

    def _decode_all(self, data: Sequence[bytes]) -> list[UUID]:
        check_width(data, _UUID_LENGTH, self.name)
        return [_uuid_from_json(b'"' + item + b'"') for item in data]


@dataclass(frozen=True)
class DatetimeSerde(GuardedSerde[datetime]):
    """RFC 3339 with microseconds: 2030-12-31T23:59:59.000000Z, or +02:00 in place of Z.

    The offset stays, the name of the time zone does not. RFC 3339 has no seconds in offsets; the few historic zones
    that have them are written in UTC, which is the same instant. A datetime without time zone is refused.
    """

    name = "datetime"

    def _encode_all(self, values: Sequence[datetime]) -> list[bytes]:
        if not _DATETIME.admits_all(values):
            raise _DATETIME.mismatch(values)
        return list(map(_rfc3339, values))

    def _decode_all(self, data: Sequence[bytes]) -> list[datetime]:
        return [_datetime_from_json(b'"' + item + b'"') for item in data]


def _rfc3339(value: datetime) -> bytes:
    if value.tzinfo is not UTC:
        offset = value.utcoffset()
        if offset is None:
            hint = "Which instant it means is unknown: give it a tzinfo, such as datetime.UTC."
            raise mismatch("datetime with a time zone", "datetime without one", hint=hint)
        if offset % _ONE_MINUTE:
            value = value.astimezone(UTC)
    text = _to_json(value)[1:-1]
    return text if value.microsecond else text[:_SECONDS_LENGTH] + b".000000" + text[_SECONDS_LENGTH:]
