"""Is the output of word count right? The counts in its topic against `collections.Counter` over the same text."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Output:
    """What the output topic says.

    `counts` is the last count of each word; `setbacks` are the words whose count once did not grow, which happens when
    work is lost or its result is written twice.
    """

    counts: Mapping[str, int]
    setbacks: tuple[str, ...]


def output_of(records: Iterable[tuple[str, int]]) -> Output:
    """The output from its records (word, count), those of one word in the order of their offsets."""
    counts: dict[str, int] = {}
    setbacks: dict[str, None] = {}
    for word, count in records:
        if count <= counts.get(word, 0):
            setbacks[word] = None
        counts[word] = count
    return Output(counts, tuple(setbacks))


def expected_counts(lines: Iterable[str]) -> Counter[str]:
    """The truth, computed without the framework."""
    return Counter(word for line in lines for word in line.lower().split())


def differences(expected: Mapping[str, int], output: Output) -> list[str]:
    """What is wrong with the output, one sentence each in the order of the words; empty: nothing."""
    found = [
        f"{word!r}: expected {expected.get(word, 0):,}, got {output.counts.get(word, 0):,}"
        for word in sorted(expected.keys() | output.counts.keys())
        if expected.get(word, 0) != output.counts.get(word, 0)
    ]
    return found + [f"{word!r}: its count once did not grow" for word in sorted(output.setbacks)]
