"""Values to bytes and back."""

from serde.base import Serde
from serde.errors import SerdeError
from serde.naming import type_name
from serde.resolve import for_type
from serde.tagged import TaggedSerde
from serde.windowed import Windowed, WindowedSerde, windowed_bytes

__all__ = ["Serde", "SerdeError", "TaggedSerde", "Windowed", "WindowedSerde", "for_type", "type_name", "windowed_bytes"]
