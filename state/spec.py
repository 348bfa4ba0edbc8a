"""A store as data."""

from dataclasses import dataclass
from typing import Any

from serde import Serde


@dataclass(frozen=True)
class StoreSpec:
    """A key-value store: its name within the app, and the formats of its keys and values."""

    name: str
    key_serde: Serde[Any]
    value_serde: Serde[Any]
