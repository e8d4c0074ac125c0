"""What the text of one file says about the names in it, before anything outside the file is asked.

Owns the values: where a name stands and in which role, what binds it, the expressions it comes from. How they are read
off a text is `ctx.infrastructure.ast_lsp.references`; what they mean across files is `application.definition_finder`.
Lines and columns are 1-based, columns count characters; bytes are 0-based offsets in the UTF-8 form of the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Role = Literal[
    "definition", "parameter", "variable", "import", "write", "call", "attribute", "type", "keyword", "outer", "other"
]
"""What a name does where it stands: `definition` names a function, class or member; `variable` declares one (in Python
by assigning); `write` changes what is declared elsewhere; `keyword` names a parameter of the function called; `outer`
says that a scope's name is another scope's (Python's `global`, `nonlocal`); `attribute` follows a receiver."""

BINDING_ROLES = frozenset({"definition", "parameter", "variable", "import"})


class NameUse(NamedTuple):
    """One name in a file; `is_member` when it follows a receiver (`x.name`) or is declared inside a class."""

    name: str
    role: Role
    line: int
    column: int
    start_byte: int
    end_byte: int
    is_member: bool = False


@dataclass(frozen=True, slots=True)
class NameExpression:
    """A name, looked up where it stands."""

    name: str
    start_byte: int


@dataclass(frozen=True, slots=True)
class AttributeExpression:
    """`owner.name`."""

    owner: Expression
    name: str


@dataclass(frozen=True, slots=True)
class CallExpression:
    """A call, or the making of an object: what is called."""

    function: Expression


@dataclass(frozen=True, slots=True)
class ChoiceExpression:
    """One of several: `a or b`, `X | None`."""

    options: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class ItemExpression:
    """An element of a collection: `x[i]`, what a loop runs over."""

    owner: Expression


@dataclass(frozen=True, slots=True)
class CollectionExpression:
    """A type of collections, by what they hold: `list[X]`, `[]X`."""

    element: Expression


@dataclass(frozen=True, slots=True)
class LiteralExpression:
    """A number, a text, a list …: its members are the language's own. Nothing (None, null) says nothing."""


@dataclass(frozen=True, slots=True)
class UnknownExpression:
    """Anything else."""


Expression: TypeAlias = (
    NameExpression
    | AttributeExpression
    | CallExpression
    | ChoiceExpression
    | ItemExpression
    | CollectionExpression
    | LiteralExpression
    | UnknownExpression
)
UNKNOWN = UnknownExpression()
LITERAL = LiteralExpression()


@dataclass(frozen=True, slots=True)
class Binding:
    """What binds a name in a scope.

    `scope` is the kind of the scope that holds it; `end_line` ends what it declares. `value` and `annotation` are the
    expressions it is bound to and declared as. `is_receiver` marks the parameter a method gets its object by.
    """

    use: NameUse
    scope: Literal["module", "class", "function", "block"]
    end_line: int
    value: Expression = UNKNOWN
    annotation: Expression = UNKNOWN
    is_receiver: bool = False


@dataclass(frozen=True, slots=True)
class ImportSpot:
    """Where in an import a name stands: the statement on one line, and the module's parts up to the name ("" when
    the name is one that the import binds or takes from the module)."""

    line: int
    text: str
    module: str


class NameTree(Protocol):
    """The names of one parsed file."""

    language: str
    line_count: int
    has_errors: bool

    def line_text(self, line: int) -> str:
        """Return a line without its end; "" beyond the file."""
        ...

    def line_of(self, start_byte: int) -> int:
        """Return the line that a byte is on."""
        ...

    def at(self, line: int, column: int) -> NameUse | None:
        """Return the name that holds the column or ends right before it, None where there is none."""
        ...

    def names_on(self, line: int) -> tuple[NameUse, ...]:
        """Return the names of a line, from left to right."""
        ...

    def uses_of(self, name: str) -> tuple[NameUse, ...]:
        """Return every place of a name in source order; not what is in comments and texts."""
        ...

    def calls_in(self, start_line: int, end_line: int) -> tuple[NameUse, ...]:
        """Return the names of what is called in those lines, in source order."""
        ...

    def bindings(self, name: str, start_byte: int) -> tuple[Binding, ...]:
        """Return what binds a name in the innermost scope around the place that does, in source order.

        A negative place is the file's own scope.
        """
        ...

    def owner_of(self, use: NameUse) -> Expression:
        """Return the receiver a member is asked of; UNKNOWN for what has none."""
        ...

    def value_at(self, use: NameUse) -> tuple[Expression, Expression]:
        """Return (value, annotation) of the assignment or declaration that a name is the target of."""
        ...

    def called_with(self, use: NameUse) -> Expression:
        """Return the function that a keyword is passed to."""
        ...

    def import_at(self, use: NameUse) -> ImportSpot | None:
        """Return the import that a name is part of."""
        ...

    def returns_of(self, line: int) -> tuple[tuple[Expression, ...], bool]:
        """Return what the function named on a line gives back, and whether that is its declared type."""
        ...

    def takes_any_keyword(self, line: int) -> bool:
        """Tell whether the function named on a line takes keywords it does not name (Python's `**options`)."""
        ...

    def bases_of(self, line: int) -> tuple[Expression, ...]:
        """Return the bases of the class named on a line."""
        ...


ReadTree: TypeAlias = "Callable[[str], NameTree | None]"
"""From an indexed path to its names; None for a file without a grammar, or one that cannot be read."""


def first_name(names: Sequence[NameUse]) -> NameUse | None:
    """Return the name a line is about: what it defines, else its first name that is called, else its first."""
    for role in ("definition", "call"):
        for use in names:
            if use.role == role:
                return use
    return names[0] if names else None
