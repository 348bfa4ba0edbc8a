"""SerdeError, and the one place where the errors of the codec libraries become it.

A codec raises what it likes: msgspec, pydantic, the UTF-8 decoder and `struct` each have their own
exceptions, and a model may run user code. Everything outside this package sees `SerdeError` alone.
"""

import re
from typing import Any, NoReturn, cast

from serde.naming import type_name

_LONGEST_REASON = 200
_ROOT = "$"
_MSGSPEC_MESSAGE = re.compile(r"(?P<what>.*?)(?: - at (?P<place>.+))?", re.DOTALL)
_MSGSPEC_EXPECTED = re.compile(r"Expected (?P<expected>.*?)(?:, got (?P<got>.*))?", re.DOTALL)
_MSGSPEC_MISSING = re.compile(r"Object missing required field `(?P<field>.*)`", re.DOTALL)
_PYDANTIC_UNEXPECTED = re.compile(r"Expected `(?P<expected>.+?)` - ")
_PYDANTIC_FIELD = re.compile(r"field_name='(?P<field>[^']+)'")
_PYDANTIC_INPUT = re.compile(r"input_type=(?P<got>\w+)\]")
_PYDANTIC_KINDS = {"int": "int", "float": "float", "bool": "bool", "string": "str", "bytes": "bytes"}


class SerdeError(Exception):
    """A value that does not fit its declared type, bytes that do not, or a type nothing can carry.

    Attributes:
        path: where in the value, as JSONPath: "$" is the whole, "$.lines[2].quantity" a part.
        expected: the type or form wanted there, in words: "int".
        got: what was found instead: "str". Empty when a type cannot be carried at all.
    """

    path: str
    expected: str
    got: str

    def __init__(self, message: str, *, path: str = _ROOT, expected: str = "", got: str = "") -> None:
        # Trap: `args` must be what rebuilds the error, and the rest sit in __dict__, or it cannot be pickled.
        super().__init__(message)
        self.path, self.expected, self.got = path, expected, got


def mismatch(expected: str, got: str, path: str = _ROOT, hint: str = "") -> SerdeError:
    """The error "expected int at $.lines[2].quantity, got str", with an optional sentence on what to do."""
    message = f"expected {expected} at {path}, got {got}"
    return SerdeError(f"{message}. {hint}" if hint else message, path=path, expected=expected, got=got)


def raise_translated(error: Exception, expected: str) -> NoReturn:
    """Raise `error` as a SerdeError with `error` as its cause; one that is a SerdeError already goes on as it is.

    Args:
        error: what a codec raised.
        expected: name of the serde, for errors that do not say what they wanted.
    """
    if isinstance(error, (SerdeError, MemoryError)):  # out of memory is no fault of the record
        raise error
    raise translate(error, expected) from error


def translate(error: Exception, expected: str) -> SerdeError:
    """Say in our words what a codec complained about; see `raise_translated`."""
    match error:
        case UnicodeDecodeError():
            return mismatch("UTF-8 text", f"byte 0x{error.object[error.start]:02x} at position {error.start}")
        case UnicodeEncodeError():
            return mismatch("text that has a UTF-8 form", f"a lone surrogate at position {error.start}")
        case RecursionError():
            return mismatch(expected, "a value nested too deeply")
    library = type(error).__module__.partition(".")[0]
    if library == "msgspec":
        return _from_msgspec(error, expected)
    if library == "pydantic_core":
        return _from_pydantic(error, expected)
    return mismatch(expected, _reason(error))


def _from_msgspec(error: Exception, expected: str) -> SerdeError:
    parts = cast(re.Match[str], _MSGSPEC_MESSAGE.fullmatch(str(error)))
    what, path = parts["what"], _msgspec_path(parts["place"])
    if missing := _MSGSPEC_MISSING.fullmatch(what):
        return mismatch("a value", "nothing", f"{path}.{missing['field']}")
    if found := _MSGSPEC_EXPECTED.fullmatch(what):
        return mismatch(_plain(found["expected"]), _plain(found["got"] or "another value"), path)
    if type(error).__name__ == "DecodeError":  # its subclass ValidationError is about well-formed data
        return mismatch(expected, f"malformed data ({_shortened(what)})")
    return mismatch(expected if path == _ROOT else "a valid value", f"something else ({_shortened(what)})", path)


def _msgspec_path(place: str | None) -> str:
    """`$.lines[1]` as it is; "`key` in `$.names`" is the key of a mapping, written "$.names.key()"."""
    if place is None:
        return _ROOT
    inner, _, outer = _plain(place).partition(" in ")
    return f"{outer}.{inner}()" if outer else inner


def _from_pydantic(error: Exception, expected: str) -> SerdeError:
    # `errors` tells the two kinds apart without importing pydantic: only a validation has a list of them.
    if not hasattr(error, "errors"):
        return _from_pydantic_serializer(str(error), expected)
    found: list[dict[str, Any]] = error.errors(include_url=False)
    first, hint = found[0], f"{len(found) - 1} more errors in the same value." if len(found) > 1 else ""
    path = _ROOT + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"])
    got = type_name(type(first["input"]))
    kind, _, problem = first["type"].partition("_")
    if kind == "missing":
        return mismatch("a value", "nothing", path, hint)
    if kind == "json":
        return mismatch(expected, f"malformed data ({_shortened(first['msg'])})", path, hint)
    if kind in _PYDANTIC_KINDS and problem in ("type", "parsing"):
        return mismatch(_PYDANTIC_KINDS[kind], got, path, hint)
    return mismatch(_shortened(first["msg"].removeprefix("Input should be ")), got, path, hint)


def _from_pydantic_serializer(text: str, expected: str) -> SerdeError:
    wanted, field, got = (p.search(text) for p in (_PYDANTIC_UNEXPECTED, _PYDANTIC_FIELD, _PYDANTIC_INPUT))
    if wanted is None or got is None:
        return mismatch(expected, f"something else ({_shortened(text)})")
    # pydantic names the field, not the way to it: "$..quantity" is JSONPath for "some quantity below the root".
    return mismatch(wanted["expected"], got["got"], f"$..{field['field']}" if field else _ROOT)


def _plain(text: str) -> str:
    return text.replace("`", "")


def _reason(error: Exception) -> str:
    return f"something else ({type(error).__name__}: {_shortened(str(error))})"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_REASON else text[:_LONGEST_REASON] + "…"
