"""Counts the words of the topic `lines`; the topic `counts` has the latest count of every word.

Each count is written exactly once per commit, whatever happens to the workers: `apps.wordcount.demo` kills one and
compares the result with `collections.Counter`.
"""

from framework import App, Stream, Table

PARTITIONS = 4

app = App("wordcount")
lines = app.topic("lines", value=str, partitions=PARTITIONS)
counts = app.topic("counts", key=str, value=int, partitions=PARTITIONS)


@app.topology(lines, to=counts)
def count_words(lines: Stream[None, str]) -> Table[str, int]:
    """Split each line at white space; capital letters do not matter."""
    return lines.flat_map(lambda line: line.lower().split()).group_by(lambda word: word).count()
