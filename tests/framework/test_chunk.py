from framework.chunk import Chunk, Column, concatenate
from serde import for_type

INT = for_type(int)


class Counting:
    """A serde that counts how often it decodes."""

    calls = 0

    def deserialize_many(self, data):
        self.calls += 1
        return INT.deserialize_many(data)


def chunk(values, *, order=None, headers=None) -> Chunk:
    return Chunk(Column(["k"] * len(values)), Column(list(values)), list(range(len(values))), headers, order)


def test_column_decodes_once_and_only_when_asked() -> None:
    serde = Counting()
    column = Column(None, [INT.serialize(1), None], serde)
    assert (len(column), column.has_none(), serde.calls) == (2, True, 0)
    assert (column.decoded, column.decoded, serde.calls) == ([1, None], [1, None], 1)


def test_bytes_that_were_read_are_written_back_untouched() -> None:
    data = [b"  1"]
    column = Column(None, data, for_type(int, "json"))
    assert column.encoded(for_type(int, "json")) is data
    assert column.encoded(INT) == [INT.serialize(1)]


def test_select_and_take_keep_columns_parallel() -> None:
    given = chunk([10, 11, 12], headers=[None, [("h", b"x")], None], order=[0, 1, 2])
    kept = given.select([False, True, True])
    assert (kept.values.decoded, kept.timestamps, kept.headers, kept.order) == (
        [11, 12], [1, 2], [[("h", b"x")], None], [1, 2],
    )  # fmt: skip
    twice = given.take([2, 2, 0])
    assert (twice.values.decoded, twice.timestamps) == ([12, 12, 10], [2, 2, 0])


def test_present_drops_null_keys_and_null_values() -> None:
    given = Chunk(Column(["a", None, "b"]), Column([1, 2, None]), [0, 1, 2])
    assert given.present().values.decoded == [1]


def test_concatenate_goes_by_the_order_of_source_records() -> None:
    joined = concatenate([chunk([1, 3], order=[0, 2]), chunk([2, 30], order=[1, 2])])
    assert joined.values.decoded == [1, 2, 3, 30]


def test_concatenate_without_order_goes_chunk_by_chunk() -> None:
    joined = concatenate([chunk([1, 3], headers=[None, [("h", b"")]]), chunk([2])])
    assert (joined.values.decoded, joined.headers) == ([1, 3, 2], [None, [("h", b"")], None])
