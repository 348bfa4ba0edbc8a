"""One topology while it is being declared: names its steps, keeps their nodes, checks their functions."""

from collections.abc import Callable
from typing import Any, Literal

from framework.dsl.annotations import ArityMismatch, FunctionTypes, is_assignable, signature_of, type_name
from framework.dsl.origin import user_line
from framework.dsl.topics import Topic
from framework.errors import DeclarationError
from framework.naming import StepNames, is_legal
from framework.plan.nodes import Node, Origin, SourceNode
from framework.plan.types import TypeRef


class Scope:
    """What the steps of one topology share.

    `nodes` grows in the order of declaration; `read` gives the node of a topic, which topologies share.
    """

    def __init__(
        self, topology: str, nodes: list[Node], *, require_names: bool, read: Callable[[Topic[Any, Any]], SourceNode]
    ) -> None:
        self.topology, self.nodes, self.read = topology, nodes, read
        self._require_names, self._names = require_names, StepNames(topology)

    def name(self, verb: str, name: str | None, *, stateful: bool = False) -> str:
        """The name of a step: the user's own, else made from the topology and the verb.

        Raises:
            DeclarationError: the name is taken or cannot be part of a topic's name, or names are required.
        """
        if name is None:
            if stateful and self._require_names:
                raise self.error(
                    f"{verb}() keeps state or makes a topic, and this app requires names for those: "
                    f'give it one, as in {verb}(name="…").'
                )
            return self._names.next(verb)
        if not isinstance(name, str) or not is_legal(name):
            raise self.error(
                f"{name!r} cannot name a step: use 1 to 200 letters, digits, dots, dashes and underscores."
            )
        if taken := next((n for n in self.nodes if n.name == name), None):
            raise self.error(
                f"the name {name!r} is taken by the step {taken.verb}() at {taken.origin}: choose another."
            )
        return name

    def add(self, node: Node) -> None:
        self.nodes.append(node)

    def error(self, message: str, origin: Origin | None = None) -> DeclarationError:
        return DeclarationError(f"{origin or user_line()}: {message}")

    def check_changes(self, verb: str, changes: str) -> None:
        """Raises DeclarationError for a word that `changes=` does not know."""
        if changes not in ("latest", "all"):
            raise self.error(f'{verb}() takes changes="latest" or "all", got {changes!r}.')

    def check_function(
        self, verb: str, function: Callable[..., Any], *given: tuple[Literal["keys", "values", "state"], TypeRef]
    ) -> FunctionTypes:
        """The types of a user's function, after a check that it takes what it will be given.

        Raises:
            DeclarationError: not callable, wrong number of parameters, or a parameter of another type.
        """
        if not callable(function):
            raise self.error(f"{verb}() takes a function, got {function!r}.")
        called = getattr(function, "__name__", repr(function))
        try:
            types = signature_of(function, len(given))
        except ArityMismatch as error:
            raise self.error(
                f"{verb}() calls {called} with {len(given)} argument{'s' * (len(given) > 1)} "
                f"({', '.join(role.rstrip('s') if role != 'state' else role for role, _ in given)}), "
                f"but it takes another number: {error}."
            ) from error
        for (role, have), wanted in zip(given, types.parameters, strict=True):
            if not is_assignable(have.known, wanted):
                raise self.error(
                    f"{verb}() calls {called} with the stream's {role}, which are {type_name(have.known)}, "
                    f"but its parameter is {type_name(wanted)}: change the annotation or map the {role} first."
                )
        return types

    def check_edge(self, what: str, have: TypeRef, wanted: object, where: str, origin: Origin | None = None) -> None:
        """Check that keys or values fit where they go; a type that nobody stated is learnt from there.

        Raises:
            DeclarationError: they do not fit.
        """
        have.learn(wanted)
        if not is_assignable(have.known, wanted):
            raise self.error(
                f"the {what} are {type_name(have.known)}, but {where} has {type_name(wanted)} {what}: "
                "correct one of the two.",
                origin,
            )


def stated(explicit: object | None, inferred: object) -> TypeRef:
    """A reference to the type given as `type=`, else to what the function's annotation says."""
    return TypeRef(explicit if explicit is not None else inferred)
