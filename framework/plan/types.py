"""What is known of the types on an edge of the graph while a topology is being declared."""


class Unknown:
    """The type that nobody stated; JSON where it has to be written."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN = Unknown()


class TypeRef:
    """A type that may become known later: `count()` after `group_by(lambda ...)` learns its key from the annotation.

    Steps that pass a key or a value on share its reference, so what one of them learns all of them know.
    """

    __slots__ = ("_known",)

    def __init__(self, known: object = UNKNOWN) -> None:
        self._known = known

    @property
    def known(self) -> object:
        return self._known

    def learn(self, known: object) -> None:
        """Fill in the type if nobody stated it so far."""
        if self._known is UNKNOWN:
            self._known = known

    def __repr__(self) -> str:
        return f"TypeRef({self._known!r})"
