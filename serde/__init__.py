"""Values to bytes and back."""

from serde.base import Serde
from serde.errors import SerdeError
from serde.naming import type_name
from serde.resolve import for_type

__all__ = ["Serde", "SerdeError", "for_type", "type_name"]
