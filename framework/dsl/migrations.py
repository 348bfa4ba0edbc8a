"""Declares how the state of an earlier version of a program is taken over under another name."""

from collections.abc import Callable
from typing import Any

from framework.dsl.annotations import ArityMismatch, signature_of
from framework.dsl.origin import user_line
from framework.errors import DeclarationError
from framework.naming import changelog_topic
from framework.plan.plan import Migration
from framework.plan.topics import serde_for
from serde import SerdeError


def declare_migration(app_id: str, old: str, to: str, known: object, convert: Callable[[Any], Any]) -> Migration:
    """The migration of one store.

    Raises:
        DeclarationError: old and new are the same, the type cannot be read, or the function takes more than a value.
    """
    origin = user_line()
    what = f'{origin}: migrate("{old}", to="{to}")'
    if old == to:
        raise DeclarationError(
            f"{what} needs two stores: give the step that keeps the new state another name with name=…, so that both "
            "are there while one is read and the other is written."
        )
    try:
        signature_of(convert, 1)
    except ArityMismatch as error:
        raise DeclarationError(f"{what} calls the function with an old value, but {error}.") from error
    try:
        value_serde = serde_for(known)
    except SerdeError as error:
        raise DeclarationError(f"{what}: the values of before cannot be read: {error}") from error
    return Migration(old, to, changelog_topic(app_id, old), value_serde, convert, origin)
