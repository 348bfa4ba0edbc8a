"""Functions that write and read the plain Avro of one type.

For each record a writer and a reader are generated as source, in which its plain fields are written out: beside a
library that makes dicts, which then become records, it takes half of the time to read and a third to write.
"""

import inspect as python
from collections.abc import Callable
from typing import Any

from msgspec import inspect

from serde.avro_binary import (
    BOOLEANS,
    DOUBLE,
    READERS,
    SHORT,
    SMALL,
    WRITERS,
    Reader,
    Writer,
    dict_reader,
    dict_writer,
    list_reader,
    list_writer,
    optional_reader,
    read_bool,
    read_length,
    refuse,
    refuse_length,
    unsigned,
)
from serde.avro_schema import Record, optional_part

_NAMES: dict[str, Any] = {
    "SHORT": SHORT,
    "SMALL": SMALL,
    "BOOLEANS": BOOLEANS,
    "unsigned": unsigned,
    "pack": DOUBLE.pack,
    "unpack": DOUBLE.unpack_from,
    "join": b"".join,
    "read_length": read_length,
    "read_bool": read_bool,
    "refuse": refuse,
    "refuse_length": refuse_length,
}


def encoder_of(tp: object) -> Writer:
    """Writes a value of the type, which has a schema. See `avro_binary` for what the function raises."""
    return _Codec().writer(inspect.type_info(tp))


def decoder_of(tp: object) -> Callable[[bytes], Any]:
    """Reads a value of the type, which has a schema. See `avro_binary` for what the function raises."""
    node = inspect.type_info(tp)
    codec = _Codec()
    if isinstance(node, Record):
        whole: Callable[[bytes], Any] = codec.compiled(_whole_reader(node), codec.readers_of(node))
        return whole
    read = codec.reader(node)

    def decode(data: bytes) -> Any:
        value, end = read(data, 0)
        if end != len(data):
            refuse_length(data, end)
        return value

    return decode


class _Codec:
    """Writers and readers by record, so that a record may contain itself."""

    def __init__(self) -> None:
        self._writers: dict[int, Writer] = {}
        self._readers: dict[int, Reader] = {}

    def writer(self, node: inspect.Type) -> Writer:
        if isinstance(node, Record):
            # Reason: a record may contain itself; what is called then is there by the time of the call.
            if id(node) not in self._writers:
                self._writers[id(node)] = lambda value: self._writers[id(node)](value)  # noqa: PLW0108  # not known yet
                self._writers[id(node)] = self.compiled(_record_writer(node), self.writers_of(node))
            return self._writers[id(node)]
        if isinstance(node, inspect.ListType):
            return list_writer(self.writer(node.item_type))
        if isinstance(node, inspect.DictType):
            return dict_writer(self.writer(node.value_type))
        if (present := optional_part(node)) is not None:
            write = self.writer(present)
            return lambda value: b"\x00" if value is None else b"\x02" + write(value)
        return WRITERS[type(node)]

    def reader(self, node: inspect.Type) -> Reader:
        if isinstance(node, Record):
            if id(node) not in self._readers:
                self._readers[id(node)] = lambda data, i: self._readers[id(node)](data, i)  # noqa: PLW0108  # not known yet
                self._readers[id(node)] = self.compiled(_record_reader(node), self.readers_of(node))
            return self._readers[id(node)]
        if isinstance(node, inspect.ListType):
            return list_reader(self.reader(node.item_type))
        if isinstance(node, inspect.DictType):
            return dict_reader(self.reader(node.value_type))
        if (present := optional_part(node)) is not None:
            return optional_reader(self.reader(present))
        return READERS[type(node)]

    def writers_of(self, node: Record) -> dict[str, Any]:
        return {f"write_{n}": self.writer(f.type) for n, f in enumerate(node.fields) if type(f.type) not in WRITERS}

    def readers_of(self, node: Record) -> dict[str, Any]:
        others = {f"read_{n}": self.reader(f.type) for n, f in enumerate(node.fields) if type(f.type) not in READERS}
        return {"make": node.cls, **others}

    @staticmethod
    def compiled(source: str, names: dict[str, Any]) -> Any:
        space = {**_NAMES, **names}
        exec(source, space)
        return space["generated"]


def _record_writer(node: Record) -> str:
    lines, parts = [], []
    for n, field in enumerate(node.fields):
        kind, value = type(field.type), f"value.{field.name}"
        if kind in (inspect.StrType, inspect.BytesType):
            lines.append(f"v{n} = {value}{'.encode()' if kind is inspect.StrType else ''}; n{n} = len(v{n}) << 1")
            parts += [f"SHORT[n{n}] if n{n} < SMALL else unsigned(n{n})", f"v{n}"]
        elif kind is inspect.IntType:
            lines.append(f"v{n} = {value}; v{n} = v{n} << 1 if v{n} >= 0 else ~(v{n} << 1)")
            parts.append(f"SHORT[v{n}] if v{n} < SMALL else unsigned(v{n})")
        elif kind is inspect.FloatType:
            parts.append(f"pack({value})")
        elif kind is inspect.BoolType:
            parts.append(f"BOOLEANS[{value}]")
        else:
            parts.append(f"write_{n}({value})")
    body = "".join(f"    {line}\n" for line in lines)
    return f"def generated(value):\n{body}    return join(({', '.join(parts)},))\n"


def _record_reader(node: Record) -> str:
    return f"def generated(data, i):\n{_fields_read(node)}    return {_made(node)}, i\n"


def _whole_reader(node: Record) -> str:
    end = "    if i != len(data): refuse_length(data, i)\n"
    return f"def generated(data):\n    i = 0\n{_fields_read(node)}{end}    return {_made(node)}\n"


_READ_LENGTH = """\
    n = data[i]; i += 1
    if n & 129: n, i = read_length(data, i - 1)
    n = i + (n >> 1)
"""
_READ_LONG = """\
    n = data[i]; i += 1
    if n > 127:
        n &= 127; s = 7
        while (c := data[i]) > 127: n |= (c & 127) << s; i += 1; s += 7
        n |= c << s; i += 1
        if n >> 64: refuse("a number of more than 64 bits")
"""


def _fields_read(node: Record) -> str:
    return "".join(_field_read(n, type(field.type)) for n, field in enumerate(node.fields))


def _field_read(n: int, kind: type) -> str:
    if kind is inspect.StrType:
        return f"{_READ_LENGTH}    v{n} = data[i:n].decode(); i = n\n"
    if kind is inspect.BytesType:
        return f"{_READ_LENGTH}    v{n} = data[i:n]; i = n\n"
    if kind is inspect.IntType:
        return f"{_READ_LONG}    v{n} = n >> 1 ^ -(n & 1)\n"
    if kind is inspect.FloatType:
        return f"    v{n}, = unpack(data, i); i += 8\n"
    return f"    v{n}, i = {'read_bool' if kind is inspect.BoolType else f'read_{n}'}(data, i)\n"


def _made(node: Record) -> str:
    parameters = python.signature(node.cls).parameters
    names = [field.name for field in node.fields]
    if set(names) != set(parameters):
        raise TypeError(f"{node.cls.__name__} cannot be made from its fields")
    is_placed = names == list(parameters) and all(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters.values())
    return f"make({', '.join(f'v{n}' if is_placed else f'{name}=v{n}' for n, name in enumerate(names))})"
