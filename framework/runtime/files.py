"""Files as inputs and outputs of a batch, and as what fills a topic. The suffix says the format.

| suffix | a record |
|---|---|
| .txt | a line: the value, which is a text; the topic has no key |
| .jsonl, .ndjson | a line of JSON: the value; of a topic with keys {"key": …, "value": …, "timestamp": ms} |
| .csv, .parquet | a row: the columns of the value, or one called value; key; timestamp (ms) |

Timestamps may be left out. CSV and Parquet are read and written by pyarrow, which is an extra of its own. A file that
is written has its name only when it is complete.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec

from framework.errors import ConfigError
from framework.plan.topics import TopicSpec, serde_for
from framework.records import Record
from serde import Serde, SerdeError

_ROWS_AT_ONCE = 10_000


class _Envelope(msgspec.Struct):
    """A record with its key, as a line of JSON; key and value are not read yet."""

    key: msgspec.Raw = msgspec.Raw(b"null")
    value: msgspec.Raw = msgspec.Raw(b"null")
    timestamp: int = 0


class Format(Protocol):
    """Writes records to an open file."""

    def write(self, records: Iterable[Record]) -> None: ...

    def close(self) -> None: ...


class Writer:
    """A file that holds what is written to a topic: under another name until it is complete.

    Raises:
        ConfigError: no such format, or the file cannot be written.
    """

    def __init__(self, path: Path, topic: TopicSpec) -> None:
        self._path, self._part = path, path.with_name(f".{path.name}.part")
        try:
            self._format = _WRITERS[_format_of(path)](self._part, topic, path.suffix)
        except OSError as error:
            raise ConfigError(f"cannot write {path}: {error.strerror}.") from error

    def write(self, records: Iterable[Record]) -> None:
        """Add records."""
        self._format.write(records)

    def close(self) -> None:
        """The file is complete."""
        self._format.close()
        self._part.replace(self._path)

    def discard(self) -> None:
        """The file will never be complete."""
        self._format.close()
        self._part.unlink(missing_ok=True)


def read_file(path: Path, topic: TopicSpec) -> Iterator[Record]:
    """The records of a file, with values of the topic's types.

    Raises:
        ConfigError: no such file or format, or a record that does not fit the topic; the message names file and line.
    """
    if not path.is_file():
        raise ConfigError(f'the input file {path} for the topic "{topic.name}" does not exist.')
    return _READERS[_format_of(path)](path, topic)


def read_encoded(path: Path, topic: TopicSpec) -> Iterator[tuple[bytes | None, bytes | None, int]]:
    """The records of a file as they lie in their topic: key, value, timestamp (ms, 0 if the file has none).

    Raises:
        ConfigError: as `read_file`.
    """
    key_serde = None if topic.is_keyless else serde_for(topic.key_type)
    value_serde = serde_for(topic.value_type, topic.format)
    for record in read_file(path, topic):
        key = None if key_serde is None or record.key is None else key_serde.serialize(record.key)
        value = None if record.value is None else value_serde.serialize(record.value)
        yield key, value, record.timestamp_ms


def _format_of(path: Path) -> str:
    if path.suffix not in _READERS:
        raise ConfigError(f"{path} has no format that is known: use one of {', '.join(_READERS)}.")
    return path.suffix


# Lines


def _read_text(path: Path, topic: TopicSpec) -> Iterator[Record]:
    if topic.value_type is not str or not topic.is_keyless:
        raise ConfigError(
            f'{path} holds plain lines, but the topic "{topic.name}" has keys or values that are no texts: '
            "give it a .jsonl file."
        )
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            yield Record(topic.name, 0, 0, None, line.rstrip("\r\n"), 0)


def _read_json_lines(path: Path, topic: TopicSpec) -> Iterator[Record]:
    keys, values = _json_serdes(topic)
    envelope = msgspec.json.Decoder(_Envelope).decode
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                if topic.is_keyless:
                    yield Record(topic.name, 0, 0, None, _parse(values, line), 0)
                else:
                    found = envelope(line)
                    key, value = _parse(keys, bytes(found.key)), _parse(values, bytes(found.value))
                    yield Record(topic.name, 0, 0, key, value, found.timestamp)
            except (SerdeError, msgspec.MsgspecError) as error:
                raise ConfigError(
                    f'{path}, line {number}, is no record of the topic "{topic.name}": {error}'
                ) from error


def _parse(serde: Serde[Any], data: bytes) -> Any:
    return None if data.strip() == b"null" else serde.deserialize(data)


def _json_serdes(topic: TopicSpec) -> tuple[Serde[Any], Serde[Any]]:
    """Keys and values as JSON, whatever their format in the topic is."""
    return serde_for(object if topic.is_keyless else topic.key_type, "json"), serde_for(topic.value_type, "json")


class _LineWriter:
    def __init__(self, path: Path, topic: TopicSpec, suffix: str) -> None:
        self._file = path.open("wb")
        self._line = self._text_line if suffix == ".txt" else self._json_line(topic)

    def write(self, records: Iterable[Record]) -> None:
        self._file.writelines(self._line(record) + b"\n" for record in records)

    def close(self) -> None:
        self._file.close()

    @staticmethod
    def _text_line(record: Record) -> bytes:
        return str(record.value).encode()

    @staticmethod
    def _json_line(topic: TopicSpec) -> Callable[[Record], bytes]:
        keys, values = _json_serdes(topic)
        encode = msgspec.json.Encoder().encode

        def value_of(record: Record) -> bytes:
            return b"null" if record.value is None else values.serialize(record.value)

        def line(record: Record) -> bytes:
            key = b"null" if record.key is None else keys.serialize(record.key)
            return encode(_Envelope(msgspec.Raw(key), msgspec.Raw(value_of(record)), record.timestamp_ms))

        return value_of if topic.is_keyless else line


# Columns


def _arrow(path: Path) -> Any:
    try:
        import pyarrow
        import pyarrow.csv
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError(
            f"{path}: {path.suffix} files need the package pyarrow: pip install 'penstock[files]'."
        ) from error
    return pyarrow


def _read_columns(path: Path, topic: TopicSpec) -> Iterator[Record]:
    arrow = _arrow(path)
    number = 1
    for table in _tables(arrow, path):
        for row in table.to_pylist():
            number += 1
            try:
                yield _record_of(row, topic)
            except (SerdeError, msgspec.MsgspecError, KeyError) as error:
                raise ConfigError(f'{path}, row {number}, is no record of the topic "{topic.name}": {error}') from error


def _tables(arrow: Any, path: Path) -> Iterator[Any]:
    if path.suffix == ".csv":
        # Reason: nothing is guessed from the texts; the topic's type says what they are.
        names = arrow.csv.open_csv(path).schema.names
        options = arrow.csv.ConvertOptions(column_types=dict.fromkeys(names, arrow.string()), strings_can_be_null=True)
        yield from arrow.csv.open_csv(path, convert_options=options)
    else:
        yield from arrow.parquet.ParquetFile(path).iter_batches(_ROWS_AT_ONCE)


def _record_of(row: dict[str, Any], topic: TopicSpec) -> Record:
    timestamp = int(row.pop("timestamp", None) or 0)
    key = None
    if not topic.is_keyless:
        key = _convert(row.pop("key"), topic.key_type)
    value = row["value"] if row.keys() == {"value"} else row
    return Record(topic.name, 0, 0, key, _convert(value, topic.value_type), timestamp)


def _convert(value: Any, known: Any) -> Any:
    """A value made of texts, or of what Parquet holds, as one of the declared type."""
    if value is None or (isinstance(known, type) and isinstance(value, known)):
        return value
    if hasattr(known, "__pydantic_core_schema__"):
        return serde_for(known, "json").deserialize(msgspec.json.encode(value))
    return msgspec.convert(value, known, strict=False)


class _ColumnWriter:
    def __init__(self, path: Path, topic: TopicSpec, suffix: str) -> None:
        self._arrow, self._path, self._topic, self._suffix = _arrow(path), path, topic, suffix
        self._rows: list[dict[str, Any]] = []
        path.touch()

    def write(self, records: Iterable[Record]) -> None:
        for record in records:
            value = msgspec.to_builtins(record.value, builtin_types=())
            row = dict(value) if isinstance(value, dict) else {"value": value}
            if not self._topic.is_keyless:
                row = {"key": msgspec.to_builtins(record.key), **row}
            self._rows.append({**row, "timestamp": record.timestamp_ms})

    def close(self) -> None:
        table = self._arrow.Table.from_pylist(self._rows)
        if self._suffix == ".csv":
            self._arrow.csv.write_csv(table, self._path)
        else:
            self._arrow.parquet.write_table(table, self._path)


_READERS: dict[str, Callable[[Path, TopicSpec], Iterator[Record]]] = {
    ".txt": _read_text,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".csv": _read_columns,
    ".parquet": _read_columns,
}
_WRITERS: dict[str, Callable[[Path, TopicSpec, str], Format]] = {
    ".txt": _LineWriter,
    ".jsonl": _LineWriter,
    ".ndjson": _LineWriter,
    ".csv": _ColumnWriter,
    ".parquet": _ColumnWriter,
}
