"""Mistakes in declarations: each message names the user's file and line."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from framework import App, DeclarationError, Stream, Table


def parse(text: str) -> int:
    return int(text)


def of_int(number: int) -> int:
    return number


def declared(function: Callable[..., Any], *, to: str | None = None, require_names: bool = False) -> None:
    app = App("app", require_names=require_names)
    topics = {
        "texts": app.topic("texts", key=str, value=str),
        "numbers": app.topic("numbers", key=str, value=int),
        "keyless": app.topic("keyless", value=str),
    }
    sources = [
        topics[name] for name in function.__code__.co_varnames[: function.__code__.co_argcount] if name in topics
    ]
    app.topology(*sources, to=topics[to] if to else None)(function)


def wrong_kind(texts: list[str]) -> None: ...


def no_annotation(texts) -> None: ...


def other_type_than_topic(texts: Stream[str, int]) -> None: ...


def too_many_parameters(texts: Stream[str, str], more: Stream[str, str]) -> None: ...


def function_of_another_type(texts: Stream[str, str]) -> None:
    texts.map(of_int)


def function_of_two_arguments(texts: Stream[str, str]) -> None:
    texts.map(lambda key, value: value)


def no_function(texts: Stream[str, str]) -> None:
    texts.map("upper")


def sink_of_another_type(texts: Stream[str, str]) -> Stream[str, str]:
    return texts


def result_without_sink(texts: Stream[str, str]) -> Stream[str, str]:
    return texts


def annotated_as_another_kind(texts: Stream[str, str]) -> Table[str, str]:
    return texts


def forgotten_aggregation(texts: Stream[str, str]) -> Any:
    return texts.group_by_key()


def keyless_grouped(keyless: Stream[None, str]) -> None:
    keyless.group_by_key().count()


def name_taken(texts: Stream[str, str]) -> None:
    texts.map(parse, name="n").map(of_int, name="n")


def name_not_legal(texts: Stream[str, str]) -> None:
    texts.map(parse, name="a b")


def stateful_without_name(texts: Stream[str, str]) -> None:
    texts.group_by_key().count()


def reduce_to_another_type(texts: Stream[str, str]) -> None:
    def length(old: str, new: str) -> int:
        return len(old) + len(new)

    texts.group_by_key().reduce(length)


MISTAKES: dict[str, tuple[Callable[..., Any], dict[str, Any], str]] = {
    "wrong annotation": (wrong_kind, {}, r'how the topic "texts" is read: annotate it as Stream\[str, str\]'),
    "no annotation": (no_annotation, {}, '"texts" must say how'),
    "annotation against topic": (other_type_than_topic, {}, "the values are str, but .* has int values"),
    "parameters without sources": (too_many_parameters, {}, r"takes 2 parameters \(texts, more\), but .* 1 sources"),
    "function of another type": (function_of_another_type, {}, "values, which are str, but its parameter is int"),
    "function of two arguments": (function_of_two_arguments, {}, r"with 1 argument \(value\), but"),
    "no function": (no_function, {}, "takes a function, got 'upper'"),
    "sink of another type": (sink_of_another_type, {"to": "numbers"}, 'values are str, but .*"numbers" has int'),
    "result without to=": (result_without_sink, {}, "returns 1 streams or tables, but the topology has 0 sinks"),
    "annotated as another kind": (annotated_as_another_kind, {"to": "texts"}, "is annotated, but a Stream is returned"),
    "forgotten aggregation": (forgotten_aggregation, {"to": "texts"}, r"such as grouped\.count\(\)"),
    "keyless stream grouped": (keyless_grouped, {}, r"group_by_key\(\) needs a key, but this stream has none"),
    "name taken": (name_taken, {}, r"the name 'n' is taken by the step map\(\) at "),
    "name not legal": (name_not_legal, {}, "'a b' cannot name a step"),
    "names required": (stateful_without_name, {"require_names": True}, r'give it one, as in count\(name="…"\)'),
    "reduce to another type": (reduce_to_another_type, {}, "its function returns int: use aggregate"),
}  # fmt: skip


@pytest.mark.parametrize(("function", "options", "said"), MISTAKES.values(), ids=MISTAKES)
def test_mistake_is_told_with_file_and_line(function: Callable[..., Any], options: dict[str, Any], said: str) -> None:
    with pytest.raises(DeclarationError, match=said) as caught:
        declared(function, **options)
    place = re.match(r"\S*test_declaration_errors\.py:(\d+): ", str(caught.value))
    assert place is not None, str(caught.value)
    written = [function.__code__.co_firstlineno, declared.__code__.co_firstlineno]  # @app.topology stands in `declared`
    assert any(first <= int(place[1]) <= first + 12 for first in written)


def test_topology_declared_twice_names_the_first_place() -> None:
    app = App("app")
    texts = app.topic("texts", value=str)

    def read(texts: Stream[None, str]) -> None: ...

    app.topology(texts)(read)
    with pytest.raises(
        DeclarationError, match=r'a topology named "read" was declared at .*test_declaration_errors\.py'
    ):
        app.topology(texts)(read)


def test_topic_declared_twice_with_other_types_is_refused() -> None:
    app = App("app")
    app.topic("texts", value=str)
    with pytest.raises(DeclarationError, match='"texts" was declared before with other types'):
        app.topic("texts", value=int)


def test_app_that_reads_nothing_has_no_plan() -> None:
    with pytest.raises(DeclarationError, match="reads no topic"):
        App("app").plan()
