"""Declares a stateful class as a step: reads its states, its methods and their types, and checks them."""

import inspect
from collections.abc import Callable, Generator, Iterable, Iterator
from types import GenericAlias
from typing import Any, get_args, get_origin

from framework.dsl.annotations import ArityMismatch, element_of, is_assignable, signature_of, type_name, without_none
from framework.dsl.origin import user_line
from framework.dsl.processors import Every, Processor, StateDeclaration
from framework.dsl.scope import Scope
from framework.dsl.timer_calls import timer_call
from framework.dsl.topics import Topic
from framework.durations import Duration, to_ms
from framework.plan.nodes import Node, Origin, SourceNode
from framework.plan.processors import TIMERS, Periodic, ProcessorNode, State
from framework.plan.topics import serde_for
from framework.plan.types import UNKNOWN, TypeRef
from serde import SerdeError

_ITERATORS = (Iterator, Iterable, Generator)


def add_processor(scope: Scope, processor: object, parent: Node, name: str) -> ProcessorNode:
    """Add the step that runs a class; `parent` has its records spread by key.

    Raises:
        DeclarationError: it is no Processor, or its states, methods or types do not fit.
    """
    if not (isinstance(processor, type) and issubclass(processor, Processor)):
        raise scope.error(f"process() takes a class derived from Processor, got {processor!r}.")
    key, value, result = _arguments(processor)
    what = f"the class {processor.__name__}"
    scope.check_edge("keys", parent.key, key, what)
    if not is_assignable(parent.value.known, value):
        raise scope.error(
            f"the values are {type_name(parent.value.known)}, but {what} takes {type_name(value)}: "
            "correct one of the two."
        )
    _check_instances(scope, processor)
    several = frozenset(
        method for method in ("process", "on_timer") if _check_method(scope, processor, method, value, result)
    )
    has_timers = processor.on_timer is not Processor.on_timer
    _check_timers(scope, processor, has_timers)
    initial = dict(_initial_topics(scope, processor, parent))
    node = ProcessorNode(
        name=name,
        verb="process",
        origin=user_line(),
        parents=(parent, *initial.values()),
        key=parent.key,
        value=TypeRef(without_none(result)),
        processor=processor,
        states=tuple(_states(scope, processor)),
        periodics=tuple(_periodics(scope, processor)),
        initial=tuple(initial),
        has_timers=has_timers,
        several=several,
    )
    scope.add(node)
    return node


def _arguments(processor: type) -> tuple[object, object, object]:
    """Key, value and result as in `class X(Processor[K, V, R])`; UNKNOWN where nothing is stated."""
    for cls in processor.__mro__:
        for base in getattr(cls, "__orig_bases__", ()):
            origin = get_origin(base)
            if isinstance(origin, type) and issubclass(origin, Processor) and len(get_args(base)) == 3:
                key, value, result = get_args(base)
                return key, value, result
    return UNKNOWN, UNKNOWN, UNKNOWN


def _check_instances(scope: Scope, processor: type[Processor[Any, Any, Any]]) -> None:
    try:
        inspect.signature(processor).bind()
    except TypeError as error:
        raise scope.error(
            f"the class {processor.__name__} is made once per task, without arguments, but its __init__ takes some: "
            "give them defaults, or read what it needs in open()."
        ) from error
    if processor.process is Processor.process:
        raise scope.error(f"the class {processor.__name__} has no method process(self, value, ctx).")


def _check_method(scope: Scope, processor: type, name: str, value: object, result: object) -> bool:
    """Check what a method takes and returns; True if it returns several results."""
    method: Callable[..., Any] = getattr(processor, name)
    if method is getattr(Processor, name):
        return False
    called = f"{processor.__name__}.{name}()"
    where = _line_of(method)
    if inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method):
        raise scope.error(f"{called} is async: state is read and written record by record; see @app.handler.", where)
    try:
        types = signature_of(method, 3)
    except ArityMismatch as error:
        given = "the value and the context" if name == "process" else "the timer and the context"
        raise scope.error(f"{called} is called with {given}, but {error}.", where) from error
    if name == "process" and not is_assignable(value, types.parameters[1]):
        raise scope.error(
            f"{called} takes {type_name(types.parameters[1])}, but the class is a Processor of values of type "
            f"{type_name(value)}: correct one of the two.",
            where,
        )
    returned = without_none(types.returns)
    is_several = inspect.isgeneratorfunction(method) or get_origin(returned) in _ITERATORS
    given_type = element_of(returned) if is_several else returned
    if given_type is not type(None) and not is_assignable(without_none(given_type), without_none(result)):
        raise scope.error(
            f"{called} gives {type_name(given_type)}, but the class is a Processor with results of type "
            f"{type_name(result)}: correct one of the two.",
            where,
        )
    return is_several


def _check_timers(scope: Scope, processor: type[Processor[Any, Any, Any]], has_timers: bool) -> None:
    if not has_timers and (found := timer_call(processor.process, 2)):
        raise scope.error(
            f"{processor.__name__}.process() sets a timer, but the class has no method on_timer(self, timer, ctx), "
            "which it would call.",
            found,
        )
    for attribute, method in _attributes(processor).items():
        is_without_key = attribute == "open" or hasattr(method, "_penstock_every")
        if is_without_key and (found := timer_call(method, 1)):
            raise scope.error(
                f"{processor.__name__}.{attribute}() sets a timer, but a timer belongs to a key, and there is none "
                "in open() and in methods with @every: set it in process() or on_timer().",
                found,
            )


def _states(scope: Scope, processor: type) -> Iterator[State]:
    seen: dict[int, str] = {}
    for attribute, declared in _attributes(processor).items():
        if not isinstance(declared, StateDeclaration):
            continue
        if attribute == TIMERS:
            raise scope.error(
                f'the name "{TIMERS}" is taken by the timers of the class: choose another.', declared.origin
            )
        if other := seen.get(id(declared)):
            raise scope.error(f'"{other}" and "{attribute}" are one state: declare one for each.', declared.origin)
        seen[id(declared)] = attribute
        state = State(
            attribute,
            declared.kind,
            declared.element,
            declared.map_key,
            declared.default,
            None if declared.ttl is None else _duration(scope, declared.ttl, f"ttl= of {attribute}", declared.origin),
            declared.origin,
        )
        _check_types(scope, state, declared.origin)
        yield state


def _initial_topics(scope: Scope, processor: type, parent: Node) -> Iterator[tuple[str, SourceNode]]:
    """By attribute, the sources of the states that a topic fills."""
    for attribute, declared in _attributes(processor).items():
        if not isinstance(declared, StateDeclaration) or declared.initial is None:
            continue
        topic, where, what = declared.initial, declared.origin, f'initial= of the state "{attribute}"'
        if not isinstance(topic, Topic):
            raise scope.error(f"{what} takes a topic made by app.topic(), got {topic!r}.", where)
        if declared.ttl is not None:
            raise scope.error(f"{what} cannot stand beside ttl=: take one of the two away.", where)
        if topic.spec.is_keyless:
            raise scope.error(f'{what}: the topic "{topic.name}" has no key: declare it with key=.', where)
        if not is_assignable(topic.spec.value_type, _whole_type(declared)):
            raise scope.error(
                f'{what}: the values of the topic "{topic.name}" are {type_name(topic.spec.value_type)}, but the state '
                f"is of type {type_name(_whole_type(declared))}: correct one of the two.",
                where,
            )
        scope.check_edge("keys", parent.key, topic.spec.key_type, f'the topic "{topic.name}", {what},', where)
        source = scope.read(topic)
        if source is parent:
            raise scope.error(f'{what}: the class reads the topic "{topic.name}" already: give another.', where)
        yield attribute, source


def _whole_type(declared: StateDeclaration) -> object:
    """What a state holds for one key."""
    if declared.kind == "list":
        return GenericAlias(list, (declared.element,))
    if declared.kind == "map":
        return GenericAlias(dict, (declared.map_key, declared.element))
    return declared.element


def _check_types(scope: Scope, state: State, where: Origin) -> None:
    try:
        state.spec("step", serde_for(str))
        if state.kind == "list":
            serde_for(state.element)
    except SerdeError as error:
        raise scope.error(f'the state "{state.attribute}" cannot be kept: {error}', where) from error
    if state.default is not None and not is_assignable(type(state.default), state.element):
        raise scope.error(
            f'the default of the state "{state.attribute}" is {state.default!r}, but its type is '
            f"{type_name(state.element)}: correct one of the two.",
            where,
        )


def _periodics(scope: Scope, processor: type) -> Iterator[Periodic]:
    for attribute, method in _attributes(processor).items():
        declared = getattr(method, "_penstock_every", None)
        if not isinstance(declared, Every):
            continue
        where = _line_of(method)
        if declared.clock not in ("event", "wall"):
            raise scope.error(f'@every takes clock="event" or "wall", got {declared.clock!r}.', where)
        try:
            signature_of(method, 2)
        except ArityMismatch as error:
            raise scope.error(f"{attribute}() is called with the context, but {error}.", where) from error
        yield Periodic(attribute, _duration(scope, declared.interval, "@every", where), declared.clock)


def _attributes(processor: type) -> dict[str, Any]:
    """The attributes of the class and its bases, in the order of their declaration, bases first."""
    return {
        name: getattr(processor, name)
        for cls in reversed(processor.__mro__)
        for name in vars(cls)
        if not name.startswith("__") and hasattr(processor, name)
    }


def _duration(scope: Scope, duration: Duration, what: str, where: Origin) -> int:
    try:
        ms = to_ms(duration)
    except (ValueError, TypeError) as error:
        raise scope.error(f"{what}: {error}.", where) from error
    if ms < 1:
        raise scope.error(f"{what} takes at least 1 ms, got {duration!r}.", where)
    return ms


def _line_of(function: Any) -> Origin:
    code = getattr(function, "__code__", None)
    return Origin(code.co_filename, code.co_firstlineno) if code is not None else user_line()
